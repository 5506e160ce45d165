"""Alerts into the desk: from the embedded daemon's own table of changes, which it only reads.

    forewarn.db, table changes, by seq --> Keeper.take (changes + the next seq: one transaction)

The desk's position is kept with what it led to, so a crash repeats nothing and passes over nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import structlog

from engine.edge import crashpoint
from engine.edge.desk.keeper import Keeper
from engine.edge.store import connect_reader
from engine.model.change import Change

log = structlog.get_logger("desk")

LOG = "daemon"
"""Name of the embedded daemon's changes among the logs of alerts."""
TOGETHER = 100
"""So many changes are taken in one transaction."""

_decode = msgspec.json.Decoder(Change).decode


class DaemonChanges:
    """Reads an embedded daemon's changes; its file is opened for looking only."""

    def __init__(self, path: Path) -> None:
        """Name the daemon's database; it may not be there yet."""
        self._path = path

    def after(self, place: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Changes at or after a place, oldest first, with their places."""
        if not self._path.exists():
            return ()
        with closing(connect_reader(self._path)) as link:
            query = "SELECT seq, body FROM changes WHERE seq >= ? ORDER BY seq LIMIT ?"
            found: list[tuple[int, bytes]] = link.execute(query, (place, limit)).fetchall()
            return found


class Intake:
    """Takes what the daemon has told since the desk last looked."""

    def __init__(self, keeper: Keeper, changes: DaemonChanges) -> None:
        """Say whose changes are taken, by whom."""
        self._keeper = keeper
        self._changes = changes
        self._next: int | None = None

    async def once(self) -> int:
        """Take what is there, one transaction's worth; answers how many changes that were.

        Raises:
            LeaseLost: another desk runs.
            sqlite3.Error: the daemon's file cannot be read.

        """
        if self._next is None:
            self._next = (await self._keeper.positions()).get(LOG, 0)
        found = await asyncio.to_thread(self._changes.after, self._next, TOGETHER)
        if not found:
            return 0
        crashpoint.passing("desk-read")
        end = found[-1][0] + 1
        await self._keeper.take(read_changes(found), {LOG: end})
        self._next = end
        return len(found)

    def forget(self) -> None:
        """Look up again where to go on: another desk may have gone on meanwhile."""
        self._next = None


def read_changes(found: Sequence[tuple[int, bytes]]) -> list[Change]:
    """The changes among what was read; what is none is told of and left out."""
    changes = []
    for place, body in found:
        try:
            changes.append(_decode(body))
        except msgspec.DecodeError as error:
            log.warning("alert-unreadable", place=place, error=str(error)[:200])
    return changes
