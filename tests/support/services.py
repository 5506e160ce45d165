"""Real servers for the tests of connectors, each on a free port and gone afterwards."""

import base64
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from postgres import postgres

_PATIENCE_S = 60.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_until(ready: Callable[[], bool]) -> None:
    """Wait until something is there."""
    end = time.monotonic() + _PATIENCE_S
    while not ready():
        assert time.monotonic() < end, "it does not come up"
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ended afterwards."""
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        yield server
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL then ends without waiting for its clients
        server.wait(30)


SHARED = ExitStack()
"""Servers that many tests use; closed when all tests are over."""
_shared: list[str] = []


def shared_postgres() -> str:
    """The address of a PostgreSQL that all tests share; take a table of your own."""
    if not _shared:
        folder = Path(SHARED.enter_context(tempfile.TemporaryDirectory()))
        _shared.append(SHARED.enter_context(postgres(folder / "postgres")))
    return _shared[0]


@contextmanager
def a_mosquitto(folder: Path, *lines: str, port: int | None = None) -> Iterator[int]:
    """A Mosquitto with some lines of settings; answers its port."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("Mosquitto is not installed (apt-get install mosquitto)")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    settings = folder / "mosquitto.conf"
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    settings.write_text("\n".join([user, f"listener {port} 127.0.0.1", *lines]) + "\n")
    with running([program, "-c", str(settings)]):
        wait_until(lambda: listens(port))
        yield port


def hash_of(password: str) -> str:
    """A password as Mosquitto keeps it (PBKDF2-SHA512)."""
    salt = b"twelve bytes"
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
