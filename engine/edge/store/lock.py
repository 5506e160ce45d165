"""One daemon a data folder: the second is turned away with the number of the first."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from engine.errors import EnvironmentUnusable
from engine.text import say


class FolderLock:
    """An exclusive lock that the system frees when the process ends, however it ends.

    A stopped (SIGSTOP) daemon keeps it, so no second one can act in its place by mistake. The
    folder must lie on a local disk: network file systems do not keep such locks reliably.
    """

    def __init__(self, folder: Path, lang: str) -> None:
        """Make the folder when it is missing and take its lock.

        Raises:
            EnvironmentUnusable: the folder cannot be written, its disk is full, or another daemon
                holds it.

        """
        path = folder / "lock"
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self._file: IO[str] = path.open("a+", encoding="ascii")
        except OSError as error:
            message = say("folder-unusable", lang, path=folder, why=error.strerror or str(error))
            raise EnvironmentUnusable(message) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "?"
            self._file.close()
            message = say("folder-locked", lang, path=folder, pid=holder)
            raise EnvironmentUnusable(message) from error
        try:
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()
        except OSError as error:
            with suppress(OSError):  # what could not be written is written at closing, or not
                self._file.close()
            message = say("folder-unusable", lang, path=folder, why=error.strerror or str(error))
            raise EnvironmentUnusable(message) from error

    def free(self) -> None:
        """Give the folder up; safe to call twice."""
        self._file.close()


def is_locked(folder: Path) -> bool:
    """Whether a process of ours works on a data folder just now."""
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
