"""One broker for all tests on Kafka; without Java and Maven they skip, or fail if required."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from stream_stage import Stage

BROKER = Path(__file__).resolve().parents[1] / "broker" / "kafka.py"


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """Address of a real Kafka that is started for the session, unless one runs already."""
    running = _broker("status")
    if running.returncode == 0:
        yield running.stdout.strip()
        return
    started = _broker("start")
    if started.returncode:
        reason = f"no Kafka for these tests: {started.stderr.strip()}"
        if os.environ.get("FOREWARN_REQUIRE_KAFKA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    yield started.stdout.strip()
    _broker("stop")


@pytest_asyncio.fixture
async def stage(bootstrap: str) -> AsyncIterator[Stage]:
    """Topics of this test alone; its workers end with it."""
    made = Stage(bootstrap)
    await made.open()
    yield made
    made.close()


def _broker(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(BROKER), command], capture_output=True, text=True, check=False
    )
