"""The service manager hears when the daemon is ready, how it is, that it lives, and its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.edge.health import Health
from engine.edge.notify import Manager, tell_manager

ROOT = Path(__file__).parents[2]


class Listener:
    """What a service manager would read."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(20)
        self.address = address

    def heard(self) -> dict[str, str]:
        """The next message; waits for it."""
        lines = self._socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def silent(self) -> bool:
        """Whether nothing more was said."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a socket file", "an abstract socket"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    abstract = request.param == "an abstract socket"
    it = Listener(f"@forewarn-test-{os.getpid()}" if abstract else str(tmp_path / "notify"))
    yield it
    it.close()


async def test_ready_is_said_once_and_every_change_of_health_is_a_status(listener):
    health = Health()
    async with tell_manager(health, "en", {"NOTIFY_SOCKET": listener.address}):
        assert "restored" in listener.heard()["STATUS"]
        health.started()
        assert listener.heard()["READY"] == "1"
        health.blocked("disk is full")
        told = listener.heard()
        assert "READY" not in told
        assert "disk is full" in told["STATUS"]
        health.unblocked()
        assert set(listener.heard()) == {"STATUS"}
        health.stopping()
        assert listener.heard()["STOPPING"] == "1"
    assert listener.silent()


async def test_nothing_changes_after_the_end_has_begun():
    health = Health()
    health.stopping()
    health.restoring()
    health.started()
    assert health.is_stopping
    assert not health.is_ready


async def test_a_worker_that_restores_again_is_not_ready_meanwhile():
    health = Health()
    health.started()
    health.restoring()
    assert not health.is_ready
    assert health.reasons("zh")


async def test_signs_of_life_come_three_times_in_a_watchdog_interval(listener):
    wanted = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "150000"}
    async with tell_manager(Health(), "en", wanted):
        listener.heard()
        for _ in range(3):
            assert await asyncio.to_thread(listener.heard) == {"WATCHDOG": "1"}


async def test_a_loop_that_hangs_gives_no_sign_of_life(listener):
    wanted = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "60000"}
    async with tell_manager(Health(), "en", wanted):
        await asyncio.sleep(0.03)
        while not listener.silent():
            pass
        signal.sigtimedwait([], 0.15)  # the loop's thread is held up
        assert listener.silent()


@pytest.mark.parametrize("environment", [
    {}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"},
    {"NOTIFY_SOCKET": "/nowhere/at/all"},
    {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
    {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
])  # fmt: skip
async def test_without_a_manager_nothing_is_said_and_nothing_breaks(environment):
    assert Manager(environment).every_s == 0.0
    health = Health()
    async with tell_manager(health, "en", environment):
        health.started()
        health.stopping()


def test_a_status_is_one_line(tmp_path):
    listener = Listener(str(tmp_path / "notify"))
    Manager({"NOTIFY_SOCKET": listener.address}).say(STATUS="two\nlines")
    assert listener.heard() == {"STATUS": "two lines"}
    listener.close()


def test_the_command_itself_says_ready_gives_signs_of_life_and_says_stopping(tmp_path):
    made = subprocess.run(
        [sys.executable, "-m", "engine", "init", str(tmp_path / "site")],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert made.returncode == 0
    listener = Listener(str(tmp_path / "notify"))
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "run", str(tmp_path / "site"), "--lang", "en"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "3000000",
             "FOREWARN_METRICS__PORT": "0"},
    )  # fmt: skip
    try:
        said = [listener.heard() for _ in range(3)]
        while not any("READY" in one for one in said):
            said.append(listener.heard())
        assert any("WATCHDOG" in one for one in said) or "WATCHDOG" in listener.heard()
        process.terminate()
        while "STOPPING" not in listener.heard():
            pass
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        listener.close()
