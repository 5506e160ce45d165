"""Everything the daemon must not forget, in one SQLite file of its data folder.

One thread writes (`writer.py`); a batch is one transaction (`apply.py`) that is on disk before
anything leaves. Nothing here decides: the core decides, the store keeps.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from engine.chain import Handed
from engine.edge import crashpoint
from engine.edge.store import apply, inbox, keep, outbox, outbox_hand, rulesets
from engine.edge.store.apply import Place, Route, Stored, Tick
from engine.edge.store.keep import Retention
from engine.edge.store.lock import FolderLock
from engine.edge.store.outbox_hand import Deed, Result
from engine.edge.store.rulesets import Succession
from engine.edge.store.schema import FILE_NAME, connect_reader
from engine.edge.store.writer import Writer, may_pass
from engine.errors import NotKept
from engine.feeds.derived import PREFIX
from engine.model.change import Change
from engine.ports import (
    Backlog,
    Due,
    InboxRow,
    Outcome,
    Position,
    Record,
    Rejected,
    SourceId,
    Trouble,
    Write,
)
from engine.state.rows import Groups, StateRows

__all__ = [
    "Backlog", "Due", "Place", "Retention", "Route", "Saved", "Store", "Stored", "Succession",
    "Tick",
    "connect_reader", "may_pass",
]  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a partition of a key space left behind."""

    meta: bytes | None = None
    rows: Sequence[Write] = field(default_factory=list)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Store:
    """The daemon's memory. Reads and writes are async and answer when they are on disk.

    Opening takes the folder's lock; two stores on one folder never live at once.
    """

    def __init__(
        self,
        folder: Path,
        route: Route,
        *,
        lang: str = "en",
        now_ms: Callable[[], int] = _wall_ms,
        retention: Retention | None = None,
    ) -> None:
        """Open or make the store of a data folder.

        Args:
            folder: The data folder; made when missing.
            route: Which sinks must hear of a change.
            lang: Language of the sentences in errors.
            now_ms: Wall clock, only for "stored at", due times of retries and retention.
            retention: How long what is over is kept.

        Raises:
            EnvironmentUnusable: folder not writable, locked by another daemon, or file damaged.
            StateError: a newer Forewarn wrote the file.

        """
        self.path = folder / FILE_NAME
        self._route = route
        self._now_ms = now_ms
        self._retention = retention or Retention()
        self._listeners: list[Callable[[Stored], None]] = []
        self._lock = FolderLock(folder, lang)
        try:
            self._writer = Writer(self.path, lang)
        except BaseException:
            self._lock.free()
            raise

    def listen(self, listener: Callable[[Stored], None]) -> None:
        """Call `listener` on the loop after every write that is on disk."""
        self._listeners.append(listener)

    async def apply(
        self,
        outcomes: Mapping[Place, Outcome],
        ticks: Sequence[Tick] = (),
        reach: Mapping[SourceId, int] = MappingProxyType({}),
        handed: Sequence[Handed] = (),
        succession: Succession | None = None,
    ) -> Stored:
        """Keep a batch whole: ticks, state, positions, alerts, outbox rows, dead letters.

        Args:
            outcomes: What each partition of a key space did.
            ticks: The quiet times that were acted on.
            reach: Newest event time (UTC ms) of each stream.
            handed: What key spaces handed to each other and is not released yet.
            succession: What a change of rules does beside.

        """
        now_ms, route = self._now_ms(), self._route
        return await self._tell(
            lambda link: apply.write_outcomes(
                link, outcomes, ticks, reach, route, now_ms, handed, succession
            )
        )

    def reroute(self, route: Route) -> None:
        """Let other sinks hear of changes from now on."""
        self._route = route

    async def note_ruleset(self, what: str, name: str) -> None:
        """Keep which set of declarations is `live` or was `refused`."""
        now_ms = self._now_ms()
        await self.run(lambda link: rulesets.note(link, what, name, now_ms))

    async def handed(self) -> tuple[int, list[Handed]]:
        """The end of what key spaces handed to each other, and what of it is not released yet."""

        def job(link: sqlite3.Connection) -> tuple[int, list[Handed]]:
            query = "SELECT max(frontier) FROM positions WHERE substr(log, 1, ?) = ?"
            end = link.execute(query, (len(PREFIX), PREFIX)).fetchone()[0] or 0
            rows = link.execute("SELECT space, log, place, value FROM handed ORDER BY place")
            kept = [Handed(space, log, Record(at, value)) for space, log, at, value in rows]
            return max(end, kept[-1].record.offset + 1) if kept else end, kept

        return await self.run(job)

    async def reach(self) -> dict[SourceId, int]:
        """Newest event time (UTC ms) that each stream came to."""
        rows = await self.run(lambda link: link.execute("SELECT * FROM reach").fetchall())
        return {SourceId(feed, partition): newest for feed, partition, newest in rows}

    async def accept(
        self,
        changes: Sequence[Change],
        positions: Mapping[str, Position],
        reader: str = "dispatcher",
        troubles: Sequence[Trouble] = (),
    ) -> Stored:
        """Keep transitions that workers published, with how far their log was read.

        A transition that is known already changes nothing, so a log may be read again.
        """
        now_ms = self._now_ms()

        def job(link: sqlite3.Connection) -> Stored:
            stored = Stored()
            apply.write_changes(link, changes, self._route, now_ms, stored)
            apply.write_troubles(link, troubles, now_ms)
            apply.write_positions(link, reader, 0, positions)
            crashpoint.passing("before-commit")
            return stored

        return await self._tell(job)

    async def positions(
        self, origin: str = "dispatcher", partition: int = 0
    ) -> dict[str, Position]:
        """How far a key space or a dispatcher has read each log."""
        rows = await self.run(
            lambda link: link.execute(
                "SELECT log, committed, frontier, before_ms FROM positions"
                " WHERE origin = ? AND partition = ?",
                (origin, partition),
            ).fetchall()
        )
        return {log: Position(*rest) for log, *rest in rows}

    async def saved(self) -> dict[Place, Saved]:
        """All saved state, by key space and partition."""
        return await self.run(_saved)

    async def forget(self, rules: Collection[tuple[str, str]], spaces: Collection[str]) -> None:
        """Drop the state of (space, rule) pairs, and all that is kept of whole key spaces."""

        def job(link: sqlite3.Connection) -> None:
            link.executemany("DELETE FROM state WHERE space = ? AND rule = ?", list(rules))
            for table in ("state", "meta"):
                link.executemany(
                    f"DELETE FROM {table} WHERE space = ?",  # noqa: S608 - one of two words
                    [(space,) for space in spaces],
                )
            link.executemany(
                "DELETE FROM positions WHERE origin = ?", [(space,) for space in spaces]
            )

        await self.run(job)

    async def rewrite(self, place: Place, writes: Sequence[Write]) -> None:
        """Put state rows of one partition in place of those saved under the same rule and key."""
        await self.run(lambda link: apply.write_state(link, *place, writes))

    async def trim(self, feeds: Mapping[str, Collection[str]]) -> None:
        """Forget posted records that the key spaces of their feed are done with, and old history.

        Args:
            feeds: For each feed with an inbox, the key spaces that read it.

        """
        now_ms = self._now_ms()

        def job(link: sqlite3.Connection) -> None:
            for feed, spaces in feeds.items():
                inbox.prune(link, feed, spaces)
            keep.trim(link, self._retention, now_ms)

        await self.run(job)

    async def trouble(self, trouble: Trouble) -> None:
        """Keep one trouble that did not come from the core."""
        now_ms = self._now_ms()
        await self.run(lambda link: apply.write_troubles(link, [trouble], now_ms))

    # What sources may keep (`engine.ports.Journal`).

    async def order_files(self, source: str, names: Sequence[str]) -> Sequence[str]:
        """All names ever given for this source in the order they were first seen; durable."""

        def job(link: sqlite3.Connection) -> list[str]:
            known = _files(link, source)
            fresh = [name for name in names if name not in known]
            link.executemany(
                "INSERT INTO files VALUES (?, ?, ?)",
                [(source, number, name) for number, name in enumerate(fresh, len(known))],
            )
            return [*known, *fresh]

        return await self.run(job)

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        """Keep posted records; answers when they would survive a power cut.

        A mark (source, how far it came) is kept together with them, or not at all.

        Raises:
            NotKept: the disk is full or in trouble; none of them is kept.

        """

        def job(link: sqlite3.Connection) -> None:
            inbox.put(link, feed, values, arrived_ms)
            if mark is not None:
                inbox.set_mark(link, *mark)

        try:
            await self.run(job)
        except sqlite3.Error as error:
            if not may_pass(error):
                raise
            raise NotKept(str(error)) from error

    async def mark(self, source: str) -> str | None:
        """How far a source came that keeps what it reads in the inbox; None if it never said."""
        return await self.run(lambda link: inbox.mark(link, source))

    async def inbox_read(self, feed: str, start: int, limit: int) -> Sequence[InboxRow]:
        """Kept records at or after an offset."""
        return await self.run(lambda link: inbox.read(link, feed, start, limit))

    async def inbox_depth(self, feed: str, start: int = 0) -> int:
        """How many records are kept at or after an offset."""
        return await self.run(lambda link: inbox.depth(link, feed, start))

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        """Put (reason, detail, raw) of records that were handed to us into the dead letter.

        Raises:
            NotKept: the disk is full or in trouble; none of them is kept.

        """
        now_ms = self._now_ms()
        stream = SourceId(feed, -1)

        def job(link: sqlite3.Connection) -> Stored:
            stored = Stored()
            for reason, detail, value in refused:
                letter = Rejected(stream, -1, reason, detail, value)
                apply.write_dead(link, "rejected", [letter], now_ms, stored)
            return stored

        try:
            await self._tell(job)
        except sqlite3.Error as error:
            if not may_pass(error):
                raise
            raise NotKept(str(error)) from error

    # What a sender asks and notes.

    async def claim(self, sink: str, limit: int) -> list[Due]:
        """The oldest due deliveries of a sink, at most one an episode."""
        now_ms = self._now_ms()
        return await self.run(lambda link: outbox.claim(link, sink, now_ms, limit))

    async def sent(self, row: int) -> None:
        """Note that the peer took a delivery."""
        now_ms = self._now_ms()
        await self._mark(lambda link: outbox.mark_sent(link, row, now_ms))

    async def retry(self, row: int, wait_s: float, reason: str, detail: str) -> None:
        """Note that a delivery failed for now and is due again after `wait_s`."""
        due_ms = self._now_ms() + int(wait_s * 1000)
        await self._mark(lambda link: outbox.mark_retry(link, row, due_ms, reason, detail))

    async def give_up(self, row: int, reason: str, detail: str) -> None:
        """Move a delivery to the dead letter of its sink."""
        now_ms = self._now_ms()
        await self._mark(lambda link: outbox.mark_dead(link, row, now_ms, reason, detail))

    async def _mark(self, note: Callable[[sqlite3.Connection], None]) -> None:
        """Note what became of a delivery."""

        def job(link: sqlite3.Connection) -> None:
            note(link)
            crashpoint.passing("mark-not-committed")

        await self.run(job)

    async def by_hand(self, deed: Deed, under_way: Mapping[str, Collection[str]]) -> Result:
        """Do to deliveries what somebody asks for, and keep who asked and why.

        Args:
            deed: What is asked for.
            under_way: By sink, the episodes of which a delivery is being sent; they are left alone.

        """
        now_ms = self._now_ms()
        return await self.run(lambda link: outbox_hand.do(link, deed, under_way, now_ms))

    async def backlog(self, sink: str) -> Backlog:
        """How far a sink is behind."""
        return await self.run(lambda link: outbox.backlog(link, sink))

    async def next_due_ms(self, sink: str) -> int | None:
        """When the next delivery of a sink is due (wall clock); None when nothing waits."""
        return await self.run(lambda link: outbox.next_due_ms(link, sink))

    async def clamp(self, within_s: float) -> None:
        """Bring every due time within `within_s` from now, in case the wall clock was set back."""
        now_ms = self._now_ms()
        latest_ms = now_ms + int(within_s * 1000)
        await self.run(lambda link: outbox.clamp(link, now_ms, latest_ms))

    async def recall(self) -> int:
        """Make due what was stored after now, under a clock that was wrong; answers how many."""
        now_ms = self._now_ms()
        return await self.run(lambda link: outbox.recall(link, now_ms))

    async def shift(self, by_ms: int) -> None:
        """Move what is due along with a step of the wall clock."""
        now_ms = self._now_ms()
        await self.run(lambda link: outbox.shift(link, now_ms, by_ms))

    def now_ms(self) -> int:
        """The store's wall clock."""
        return self._now_ms()

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job on the writing connection, in a transaction."""
        return await self._writer.run(job)

    async def close(self) -> None:
        """Finish what is queued, close the file, free the folder; safe to call twice."""
        await asyncio.to_thread(self._writer.close)
        self._lock.free()

    async def _tell(self, job: Callable[[sqlite3.Connection], Stored]) -> Stored:
        stored = await self.run(job)
        if stored.queued:
            crashpoint.passing("committed-not-claimed")
        for listener in self._listeners:
            listener(stored)
        return stored


def _saved(link: sqlite3.Connection) -> dict[Place, Saved]:
    rows: dict[Place, Groups] = {}
    query = "SELECT space, partition, rule, key, value FROM state ORDER BY 1, 2, 3, 4"
    for space, partition, rule, key, value in link.execute(query):
        rows.setdefault((space, partition), {}).setdefault(rule, {})[key] = value
    metas: dict[Place, bytes] = {
        (space, partition): value
        for space, partition, value in link.execute("SELECT space, partition, value FROM meta")
    }
    return {
        place: Saved(metas.get(place), StateRows(rows.get(place, {}))) for place in {*rows, *metas}
    }


def _files(link: sqlite3.Connection, source: str) -> list[str]:
    query = "SELECT name FROM files WHERE source = ? ORDER BY number"
    return [name for (name,) in link.execute(query, (source,))]
