"""A PostgreSQL of our own for tests, on a free port; they skip, by name, where it is missing."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

_START_S = 60
_NONE = "PostgreSQL is not installed (apt-get install postgresql)"
_NO_USER = "PostgreSQL does not run as root and there is no user for it"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server with an empty database; answers its address."""
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
        port = free.getsockname()[1]
    bin_, data = programs[-1], folder / "data"
    made = [*prefix, str(bin_ / "initdb"), "-D", str(data), "-A", "trust", "-U", "us", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    server = subprocess.Popen(
        [*prefix, str(bin_ / "postgres"), "-D", str(data), "-p", str(port), "-k", "", "-F"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        until = time.monotonic() + _START_S
        while subprocess.run(
            [bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        ).returncode:
            assert time.monotonic() < until
            time.sleep(0.1)
        yield f"postgresql://us@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
