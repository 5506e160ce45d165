"""The newest seal of the audit, written down outside the database: what is cut off there is missed.

One line a head, `time number seal`, added to a file of the data folder and told in the log, from
where it reaches other machines. A line is never taken back, so the file shows the whole history.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import structlog

from engine.edge.desk.audit import Head
from engine.errors import EnvironmentUnusable
from engine.text import say

log = structlog.get_logger("audit")

FILE_NAME = "desk-audit.head"
EVERY_MS = 60_000
"""A head is written at most this often; an audit that stands still needs none."""
_PARTS = 3
_TAIL = 4096


class Heads:
    """Writes heads as the audit grows."""

    def __init__(self, path: Path, every_ms: int = EVERY_MS) -> None:
        """Name the file; it is made when the first head is written."""
        self.path = path
        self._every_ms = every_ms
        self._written = newest_head(path)
        self._at_ms: int | None = None

    @property
    def newest(self) -> Head:
        """The head that was written last."""
        return self._written

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time to look for a new head."""
        return self._at_ms is None or not 0 <= now_ms - self._at_ms < self._every_ms

    def write(self, head: Head, now_ms: int) -> None:
        """Write a head down, unless it is the one that was written last.

        Raises:
            OSError: the file cannot be written.

        """
        self._at_ms = now_ms
        if head == self._written:
            return
        at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(handle, f"{at} {head.seq} {head.seal}\n".encode("ascii"))
            os.fsync(handle)
        finally:
            os.close(handle)
        self._written = head
        log.info("audit-head", seq=head.seq, seal=head.seal)


def read_heads(path: Path, lang: str = "en") -> list[Head]:
    """Every head that a file holds; a last line that was cut off is left out.

    Raises:
        EnvironmentUnusable: the file cannot be read, or is not one of heads.

    """
    try:
        lines = path.read_text("ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise EnvironmentUnusable(say("audit-head", lang, path=path, why=why)) from error
    found = list(_heads(lines))
    if not found and any(lines):
        raise EnvironmentUnusable(say("audit-head", lang, path=path, why=lines[0][:80]))
    return found


def newest_head(path: Path) -> Head:
    """The last head of a file; the beginning of the chain where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().decode("ascii", "replace").split("\n")
    except OSError:
        return Head()
    return max(_heads(lines), key=lambda head: head.seq, default=Head())


def _heads(lines: list[str]) -> Iterator[Head]:
    for line in lines:
        parts = line.split()
        if len(parts) == _PARTS and parts[1].isdecimal() and len(parts[2]) == len(Head().seal):
            yield Head(int(parts[1]), parts[2])
