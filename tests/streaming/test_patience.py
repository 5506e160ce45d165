"""A worker that was told to end does so, even if a part of it hangs."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HANGING = """
import asyncio, sys
sys.path.insert(0, {support!r})
from engine.edge.streaming import worker
from stream_worker import link, program

worker.END_S = 2.0

async def stubborn():
    print("up", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("told", flush=True)

worker.run_worker(link(bootstrap={bootstrap!r}, tag={tag!r}), program({tag!r}), beside=stubborn)
"""


def test_a_worker_that_hangs_at_its_end_is_ended(bootstrap: str, tmp_path: Path) -> None:
    support = str(Path(__file__).parents[1] / "support")
    text = HANGING.format(support=support, bootstrap=bootstrap, tag=f"t{time.time_ns()}")
    script = tmp_path / "hanging.py"
    script.write_text(text, "utf-8")
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2], env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(3.0)  # the application is up as well: the neighbour starts first
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        pytest.fail("it hangs")
    finally:
        process.kill()
    assert process.returncode == 1, errors
    assert "told" in said
    assert "worker-ended-hanging" in said + errors
