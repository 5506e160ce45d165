"""Records that a peer hands to us: kept in the inbox before the peer is told that we have them.

Sources without a log of their own (HTTP, terminals on TCP, MQTT, datagrams) acknowledge only after
`keep` has returned. What callers hand over while a write is under way is kept by the next one, all
together, so a thousand terminals cost a few flushes of the disk, not a thousand.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.ports import Batch, InboxRow, Record, SourceContext, SourceId

Refused = tuple[str, str, bytes]
"""Reason, detail and raw bytes of something that goes to the dead letter."""

_LOOK_S = 1.0


def wall_ms() -> int:
    """The wall clock, in UTC ms."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Group:
    """What is written together, and who waits for it."""

    arrived_ms: int
    values: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)
    mark: str | None = None


class InboxSource:
    """Gives what was handed over and kept, in the order it came.

    Attributes:
        unread: Records that were kept and not given yet.

    """

    live = True

    def __init__(
        self, name: str, context: SourceContext, *, batch: int = 4000, limit: int = 200_000
    ) -> None:
        """Prepare; `open` says where to go on.

        Args:
            name: Its name in the settings.
            context: The feed that it fills.
            batch: Most records given at once.
            limit: Unread records beyond which `room` waits.

        """
        self.name = name
        self.context = context
        self.unread = 0
        self._batch, self._limit = batch, limit
        self._next = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._closed = False
        self._group: _Group | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def ids(self) -> Sequence[SourceId]:
        """The one stream of what is handed over."""
        return (SourceId(self.context.feed, self.context.partition),)

    @property
    def logs(self) -> Sequence[str]:
        """The log of its one stream."""
        return (self.log,)

    @property
    def log(self) -> str:
        """Name of the log in saved positions."""
        return f"inbox/{self.context.feed}"

    async def open(self, resume: Mapping[str, int]) -> None:
        """Go on where the rules left off."""
        self._next = resume.get(self.log, 0)
        self.unread = await self.context.journal.inbox_depth(self.context.feed, self._next)

    async def batches(self) -> AsyncIterator[Batch]:
        """What was handed over, for ever."""
        while not self._closed:
            self._news.clear()
            rows = await self.context.journal.inbox_read(self.context.feed, self._next, self._batch)
            if rows:
                self._next = rows[-1].offset + 1
                self.unread -= len(rows)
                self._room.set()
                yield Batch(self.log, self.ids[0], [_record(row) for row in rows])
                continue
            try:
                await asyncio.wait_for(self._news.wait(), _LOOK_S)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """End the batches; what is being kept is kept."""
        self.stop_waiting()
        while self._writing is not None:
            await asyncio.wait({self._writing})

    def stop_waiting(self) -> None:
        """Let nobody wait for room or for news any more."""
        self._closed = True
        self._news.set()
        self._room.set()

    @property
    def closed(self) -> bool:
        """Whether nothing more is read from it."""
        return self._closed

    @property
    def full(self) -> bool:
        """Whether the rules are so far behind that nobody should hand over more."""
        return self.unread >= self._limit

    async def room(self) -> None:
        """Wait until the rules have caught up enough, or the source is closed."""
        while self.full and not self._closed:
            self._room.clear()
            await self._room.wait()

    def sift(self, values: Sequence[bytes]) -> tuple[list[bytes], list[Refused]]:
        """Which records are events of the feed, and why the others are none."""
        good: list[bytes] = []
        bad: list[Refused] = []
        for value in values:
            why = self.context.reason(value)
            if why is None:
                good.append(value)
            else:
                bad.append((*why, value))
        return good, bad

    async def keep(
        self,
        values: Sequence[bytes],
        refused: Sequence[Refused] = (),
        now_ms: Callable[[], int] = wall_ms,
        mark: str | None = None,
    ) -> None:
        """Keep records, and dead letters beside them; returns when a power cut would spare them.

        A mark, how far this source came, is kept in the transaction of the records.

        Raises:
            NotKept: the disk refuses; the peer must not be told that we have them.

        """
        if not values and not refused and mark is None:
            return
        if self._group is None:
            self._group = _Group(now_ms())
        group, done = self._group, asyncio.get_running_loop().create_future()
        group.values += values
        group.refused += refused
        group.mark = mark or group.mark
        group.waiting.append(done)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name=f"inbox-{self.name}")
        await done

    async def _write(self) -> None:
        try:
            while (group := self._group) is not None:
                self._group = None
                failure: Exception | None = None
                try:
                    await self._store(group)
                except Exception as error:  # noqa: BLE001 - handed to those who wait
                    failure = error
                for done in group.waiting:
                    if done.done():
                        continue  # its caller has gone; the records are kept all the same
                    if failure is None:
                        done.set_result(None)
                    else:
                        done.set_exception(failure)
        finally:
            self._writing = None

    async def _store(self, group: _Group) -> None:
        feed, journal = self.context.feed, self.context.journal
        if group.refused:
            await journal.refuse(feed, group.refused)
        if group.values or group.mark is not None:
            mark = None if group.mark is None else (self.name, group.mark)
            await journal.inbox_put(feed, group.values, group.arrived_ms, mark)
            self.unread += len(group.values)
            self._news.set()


def _record(row: InboxRow) -> Record:
    return Record(row.offset, row.value, row.arrived_ms)
