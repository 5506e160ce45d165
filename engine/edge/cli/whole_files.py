"""Files that are written whole or not at all, whatever happens meanwhile."""

import os
import stat
import tempfile
from pathlib import Path

from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable

_MODE = 0o666


def write_whole(path: Path, text: str) -> None:
    """Put a text in the place of a file, which keeps its mode; folders are made.

    Raises:
        EnvironmentUnusable: It cannot be written; then what was there is still there.

    """
    real = path.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "replace"))
            Path(name).chmod(stat.S_IMODE(real.stat().st_mode) if real.exists() else _usual())
            Path(name).replace(real)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def must_be_writable(path: Path) -> None:
    """Look before long work whether its result can be written.

    Raises:
        EnvironmentUnusable: It cannot.

    """
    try:
        if path.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _usual() -> int:
    """The mode that a new file of this process has."""
    mask = os.umask(0)
    os.umask(mask)
    return _MODE & ~mask


def _unwritable(path: Path, error: OSError) -> EnvironmentUnusable:
    return EnvironmentUnusable(voice().say("init-unwritable", path=path, why=error.strerror))
