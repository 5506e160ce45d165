"""What a worker tells Prometheus and its service manager, on a real Kafka."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import stream_world as world
from stream_stage import ROOT, Stage

pytestmark = pytest.mark.kafka
PACK = Path(__file__).parent / "pack"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Where a service manager would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(60)
        yield link


def settle(folder: Path, stage: Stage) -> int:
    """Settings and pack for the real command; answers the port of its figures."""
    shutil.copytree(PACK, folder / "pack")
    for feed in (folder / "pack/feeds").glob("*.yaml"):
        text = feed.read_text("utf-8").replace("topic: feed.", f"topic: {stage.tag}.")
        feed.write_text(text, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    words = {
        "packs": ["pack"], "broker": f"kafka://{stage.bootstrap}", "metrics": {"port": port},
        "kafka": {"app": stage.tag, "prefix": stage.tag, "session_s": 6.0, "heartbeat_s": 1.0},
    }  # fmt: skip
    (folder / "forewarn.yaml").write_text(json.dumps(words), "utf-8")
    return port


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def total(figures: dict[str, float], name: str) -> float:
    return sum(value for known, value in figures.items() if known.split("{")[0] == name)


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """The real command, which finds its service manager in the environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "engine", "run", str(folder), "--role", "worker"], cwd=ROOT,
        env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def test_a_worker_tells_of_lag_transactions_restores_and_of_being_ready(
    stage: Stage, tmp_path: Path, listener: socket.socket
) -> None:
    port, end_ms = settle(tmp_path, stage), world.end_ms()
    records = world.story(seed=5)
    await stage.send(records)
    await stage.finish(end_ms)
    process = start(tmp_path)
    try:
        while b"READY=1" not in await asyncio.to_thread(listener.recv, 4096):
            pass
        figures = await asyncio.to_thread(scrape, port)
        assert figures["forewarn_ready"] == 1
        units = figures["forewarn_kafka_units"]
        assert units == figures["forewarn_kafka_units_ready"] > 3
        assert figures["forewarn_restore_seconds_count"] == units
        assert figures["forewarn_kafka_rebalances_total"] >= 1
        await stage.settled(end_ms)
        for _ in range(40):
            figures = await asyncio.to_thread(scrape, port)
            lags = [name for name in figures if name.startswith("forewarn_kafka_lag_records{")]
            if lags and not total(figures, "forewarn_kafka_lag_records"):
                break
            await asyncio.sleep(0.25)
        assert len(lags) >= len(stage.layout.subscribed)
        assert total(figures, "forewarn_kafka_lag_records") == 0
        assert figures["forewarn_kafka_commit_seconds_count"] > 0
        assert total(figures, "forewarn_kafka_records_total") >= len(records)
        assert figures["forewarn_kafka_batch_seconds_sum"] > 0
        assert figures["forewarn_kafka_restored_rows_total"] == 0
        assert total(figures, "forewarn_kafka_units_lost_total") == 0
        spaces = [name for name in figures if name.startswith("forewarn_watermark_seconds{")]
        assert len(spaces) == sum(one.partitions for one in stage.layout.spaces.values())
    finally:
        process.send_signal(signal.SIGTERM)
        ended = await asyncio.to_thread(process.wait, 30)
    assert ended == 0
    while b"STOPPING=1" not in await asyncio.to_thread(listener.recv, 4096):
        pass
