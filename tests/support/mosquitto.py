"""A real Mosquitto for tests, on a free port; they skip, by name, where it is missing."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_START_S = 20


def found() -> str:
    """The program; the test is skipped without it, but fails where nothing may be missing."""
    program = shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if program is None:
        assert not os.environ.get("CI"), (
            "mosquitto must be installed here (apt-get install mosquitto)"
        )
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    return program


@dataclass(slots=True)
class Mosquitto:
    """One broker: its port, and how to take it away and bring it back with what it held."""

    folder: Path
    port: int
    lines: list[str] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Run it and wait until it answers."""
        settings = self.folder / "mosquitto.conf"
        settings.write_text(
            "\n".join(
                [
                    "per_listener_settings false", f"listener {self.port} 127.0.0.1",
                    "persistence true", f"persistence_location {self.folder}/",
                    "autosave_interval 1", "max_inflight_messages 1000", "max_queued_messages 0",
                    "set_tcp_nodelay true", *([] if _has_own_users(self.lines) else
                    ["allow_anonymous true"]), *self.lines, "",
                ]
            )
        )  # fmt: skip
        if os.geteuid() == 0:
            settings.write_text(f"{settings.read_text()}user root\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [found(), "-c", str(settings)], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            with closing(socket.socket()) as knock:
                if knock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            time.sleep(0.05)
        pytest.fail("mosquitto did not start")

    def stop(self, *, hard: bool = False) -> None:
        """End it; softly it writes down what it holds."""
        process, self._process = self._process, None
        if process is not None:
            process.kill() if hard else process.terminate()
            process.wait(timeout=20)


def _has_own_users(lines: list[str]) -> bool:
    return any(line.startswith(("password_file", "allow_anonymous")) for line in lines)


def users_file(folder: Path, users: Mapping[str, str]) -> str:
    """Settings that let only these users in."""
    path = folder / "users"
    path.write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
    path.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)
    return f"password_file {path}"


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[Mosquitto]:
    """A broker with these settings beside ours; everybody may come in unless they say otherwise."""
    found()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(folder, port, list(lines))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
