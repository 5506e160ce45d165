"""A PostgreSQL of our own for tests, on a free port; they skip, by name, where it is missing."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_START_S = 60
_NUMBERS = count(1)
_NONE = "PostgreSQL is not installed (apt-get install postgresql)"
_NO_USER = "PostgreSQL does not run as root and there is no user for it"


class Server:
    """A server in a folder, which can be stopped and started again under the same address."""

    def __init__(self, folder: Path) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if os.name == "posix" else []
        if not programs:
            assert not os.environ.get("CI"), _NONE
            pytest.skip(_NONE)
        folder.mkdir(parents=True, exist_ok=True)
        prefix: list[str] = []
        if os.geteuid() == 0:  # it refuses to run as root
            try:
                pwd.getpwnam("postgres")
            except KeyError:
                assert not os.environ.get("CI"), _NO_USER
                pytest.skip(_NO_USER)
            for above in (folder, *folder.parents[:4]):
                above.chmod(above.stat().st_mode | 0o755)
            shutil.chown(folder, "postgres")
            prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])
        self._bin, self._data, self._prefix = programs[-1], str(folder / "data"), prefix
        self._running: subprocess.Popen[bytes] | None = None
        made = [str(self._bin / "initdb"), "-D", self._data, "-A", "trust", "-U", "us", "--no-sync"]
        subprocess.run([*prefix, *made], check=True, capture_output=True, cwd="/")

    @property
    def url(self) -> str:
        """The address of its empty database."""
        return f"postgresql://us@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = [str(self._bin / "postgres"), "-D", self._data, "-p", self._port, "-k", "", "-F"]
        self._running = subprocess.Popen(
            [*self._prefix, *program], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        until = time.monotonic() + _START_S
        asked = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", self._port]
        while subprocess.run(asked, check=False).returncode:
            assert time.monotonic() < until
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it without waiting for its clients."""
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)
            self._running.wait(30)
            self._running = None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server with an empty database; answers its address."""
    server = Server(folder)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


def fresh(server: str) -> str:
    """A new database of a server."""
    name = f"desk{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.rsplit("/", 1)[0] + f"/{name}"
