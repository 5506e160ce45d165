"""Which source is read next: recordings in step with each other, live sources as they come."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from engine.ports import Batch, Record, Source, SourceId

_HEARTBEATS = (b'{"$watermark"', b"#watermark,")
TimeOf = Callable[[bytes], int | None]
_FIRST = -(2**62)
_NEVER_S = float("inf")
_WAIT_S = 0.25
_FROM_START, _FROM_END = 4, 8
"""So many records of a batch are asked when it begins, and how far it came in event time."""


@dataclass(slots=True)
class Line:
    """One source on its way through the driver.

    Attributes:
        reach_ms: Event time that its records and heartbeats came to (UTC ms); None before the
            first.
        newest: Event time of the newest event of each of its streams, heartbeats left out.
        ended: Whether a recording has given its last record.
        speed: Of a recording that is replayed at a pace: so many times as it happened.

    """

    source: Source
    time_of: TimeOf
    reach_ms: int | None = None
    newest: dict[SourceId, int] = field(default_factory=dict)
    ended: bool = False
    speed: float | None = None
    _tail: deque[Batch] = field(default_factory=lambda: deque(maxlen=2))
    _batches: AsyncIterator[Batch] | None = None
    _head: "asyncio.Task[Batch | None] | None" = None

    @property
    def ready(self) -> bool:
        """Whether its next batch (or its end) is in hand."""
        return self._head is not None and self._head.done()

    @property
    def head_ms(self) -> int:
        """Event time at which the batch in hand begins; what it came to if it does not say."""
        known = _FIRST if self.reach_ms is None else self.reach_ms
        if self._head is None or self._head.exception() is not None:
            return known
        batch = self._head.result()
        if batch is None:
            return known
        times = (self.time_of(record.value) for record in batch.records[:_FROM_START])
        return next((at for at in times if at is not None), known)

    def fetch(self) -> "asyncio.Task[Batch | None] | None":
        """Start getting the next batch, if that is not under way."""
        if self._head is None and not self.ended:
            if self._batches is None:
                self._batches = self.source.batches()
            self._head = asyncio.create_task(
                _next(self._batches), name=f"source-{self.source.name}"
            )
        return self._head

    def take(self) -> Batch | None:
        """The batch in hand; None when the source has ended. Raises what the source raised."""
        assert self._head is not None  # noqa: S101 - `ready` was asked
        head, self._head = self._head, None
        batch = head.result()
        if batch is not None:
            self._tail.append(batch)
            self._note(batch.source, batch.records[-_FROM_END:])
            return batch
        self.ended = True
        for last in self._tail:
            self._note(last.source, last.records)
        self._tail.clear()
        return None

    async def close(self) -> None:
        """Stop reading and close the source."""
        if self._head is not None:
            self._head.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._head
            self._head = None
        if self._batches is not None and hasattr(self._batches, "aclose"):
            await self._batches.aclose()
        await self.source.close()

    def _note(self, stream: SourceId, records: Sequence[Record]) -> None:
        """Learn how far event time came; exact at the end of a recording, near it before."""
        for record in records:
            at = self.time_of(record.value)
            if at is None:
                continue
            if self.reach_ms is None or at > self.reach_ms:
                self.reach_ms = at
            is_event = not record.value.startswith(_HEARTBEATS)
            if is_event and at > self.newest.get(stream, _FIRST):
                self.newest[stream] = at


async def _next(batches: AsyncIterator[Batch]) -> Batch | None:
    return await anext(batches, None)


@dataclass(slots=True)
class Lineup:
    """All sources of a driver. The one that is furthest behind in event time goes first.

    Recordings are merged: none gives a batch before every other one has its next batch in hand,
    and the batch that begins first is taken first, so a run over files is the same each time.
    Those with a speed wait until their time has come, counted from the first event of all.

    A live source that is more than `ahead_ms` of event time before the slowest one waits, so that
    what it sends does not pile up in memory; a source that the driver calls idle holds nobody back.
    """

    lines: Sequence[Line]
    ahead_ms: int = 3_600_000
    idle: set[SourceId] = field(default_factory=set)
    _begun: tuple[int, float] | None = None

    @property
    def all_ended(self) -> bool:
        """Whether every source was a recording and has ended."""
        return all(line.ended for line in self.lines)

    async def next(self, within_s: float, stop: asyncio.Event) -> Line | None:
        """The line whose batch (or end) is to be taken now; None after `within_s` or at a stop."""
        clock = asyncio.get_running_loop().time
        until = clock() + within_s
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                heads = [head for line in self.lines if (head := line.fetch()) is not None]
                line, due_s = self._choose(clock())
                if line is not None:
                    return line
                left_s = min(until, due_s) - clock()
                if clock() >= until:
                    return None
                going = {stopping, *(head for head in heads if not head.done())}
                await asyncio.wait(
                    going, timeout=max(left_s, 0.0), return_when=asyncio.FIRST_COMPLETED
                )
            return None
        finally:
            stopping.cancel()
            with suppress(asyncio.CancelledError):
                await stopping

    async def close(self) -> None:
        """Close every source."""
        await asyncio.gather(*(line.close() for line in self.lines), return_exceptions=True)

    def _choose(self, now_s: float) -> tuple[Line | None, float]:
        """The ready line that may go on, or when one of those in hand may."""
        going = [line for line in self.lines if not line.ended]
        slowest = self._slowest(going)
        ready = [
            line
            for line in going
            if line.source.live and line.ready and not self._is_ahead(line, slowest)
        ]
        recordings = [line for line in going if not line.source.live]
        due_s = _NEVER_S
        if recordings and all(line.ready for line in recordings):
            first = min(recordings, key=lambda line: line.head_ms)
            due_s = self._due_s(first, recordings, now_s)
            if due_s <= now_s and not self._is_ahead(first, slowest):
                ready.append(first)
        if not ready:
            return None, due_s if due_s > now_s else _NEVER_S
        return min(ready, key=lambda line: line.head_ms), now_s

    def _due_s(self, line: Line, recordings: Sequence[Line], now_s: float) -> float:
        """When the batch in hand of a recording may be taken."""
        if line.speed is None:
            return now_s
        if self._begun is None:
            paced = [one.head_ms for one in recordings if one.speed is not None]
            self._begun = (min(paced), now_s)
        begun_ms, begun_s = self._begun
        return begun_s + (line.head_ms - begun_ms) / 1000 / line.speed

    def _slowest(self, going: Sequence[Line]) -> int | None:
        """Event time of the slowest source that is not idle, among those that said anything."""
        places = (_place(line) for line in going if not self.idle.issuperset(line.source.ids))
        return min((place for place in places if place is not None), default=None)

    def _is_ahead(self, line: Line, slowest: int | None) -> bool:
        place = _place(line)
        return place is not None and slowest is not None and place - slowest > self.ahead_ms


def _place(line: Line) -> int | None:
    """How far a source is: a recording at the batch in hand, a live one where its last ended."""
    if not line.source.live and line.ready and line.head_ms != _FIRST:
        return line.head_ms
    return line.reach_ms


def lineup(
    sources: Sequence[Source], time_of: Mapping[str, TimeOf], ahead_ms: int = 3_600_000
) -> Lineup:
    """A line-up of sources; `time_of` reads the event time of a feed's raw records."""
    feeds = {source.name: source.ids[0].feed for source in sources if source.ids}
    lines = [
        Line(
            source,
            time_of.get(feeds.get(source.name, ""), _no_time),
            speed=getattr(source, "speed", None),
        )
        for source in sources
    ]
    return Lineup(lines, ahead_ms)


async def in_step(lines: Lineup) -> AsyncGenerator[Batch | SourceId, None]:
    """All that sources which end have to give: batches, and each stream when it has ended."""
    stop = asyncio.Event()
    try:
        while not lines.all_ended:
            line = await lines.next(_WAIT_S, stop)
            if line is None:
                continue
            batch = line.take()
            if batch is not None:
                yield batch
                continue
            for stream in line.source.ids:
                yield stream
    finally:
        await lines.close()


def _no_time(value: bytes) -> int | None:
    del value
    return None
