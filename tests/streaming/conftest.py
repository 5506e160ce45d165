"""One broker for all tests on Kafka; without Java and Maven they skip, or fail if required."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from certificates import make_certificates
from secure_stage import Cluster
from stream_stage import Stage

BROKER = Path(__file__).resolve().parents[1] / "broker" / "kafka.py"


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """Address of a real Kafka that is started for the session, unless one runs already."""
    running = _broker("status")
    if running.returncode == 0:
        yield running.stdout.strip()
        return
    yield _started()
    _broker("stop")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers that want TLS and a user, with further listeners; for the session."""
    folder = tmp_path_factory.mktemp("cluster")
    certificates = make_certificates(folder)
    home = folder / "home"
    _started("--home", str(home), "--brokers", "3", "--secure", str(folder))
    listeners = json.loads((home / "listeners.json").read_text("utf-8"))
    yield Cluster(home, listeners, certificates)
    _broker("stop", "--home", str(home))


def _started(*more: str) -> str:
    """The address of a broker that is started now."""
    started = _broker("start", *more)
    if started.returncode:
        reason = f"no Kafka for these tests: {started.stderr.strip()}"
        if os.environ.get("FOREWARN_REQUIRE_KAFKA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return started.stdout.strip()


@pytest_asyncio.fixture
async def stage(bootstrap: str) -> AsyncIterator[Stage]:
    """Topics of this test alone; its workers end with it."""
    made = Stage(bootstrap)
    await made.open()
    yield made
    made.close()


def _broker(command: str, *more: str) -> "subprocess.CompletedProcess[str]":
    call = [sys.executable, str(BROKER), command, *more]
    return subprocess.run(call, capture_output=True, text=True, check=False)
