"""Which source is read next: recordings in step with each other, live sources as they come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from engine.ports import Batch, Record, Source, SourceId

_HEARTBEATS = (b'{"$watermark"', b"#watermark,")
TimeOf = Callable[[bytes], int | None]
_FIRST = -(2**62)
_FROM_END = 8
"""So many records at the end of a batch are tried for the event time that the batch reached."""


@dataclass(slots=True)
class Line:
    """One source on its way through the driver.

    Attributes:
        reach_ms: Event time that its records and heartbeats came to (UTC ms); None before the
            first.
        newest: Event time of the newest event of each of its streams, heartbeats left out.
        ended: Whether a recording has given its last record.

    """

    source: Source
    time_of: TimeOf
    reach_ms: int | None = None
    newest: dict[SourceId, int] = field(default_factory=dict)
    ended: bool = False
    _tail: deque[Batch] = field(default_factory=lambda: deque(maxlen=2))
    _batches: AsyncIterator[Batch] | None = None
    _head: "asyncio.Task[Batch | None] | None" = None

    @property
    def ready(self) -> bool:
        """Whether its next batch (or its end) is in hand."""
        return self._head is not None and self._head.done()

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
    so a run over files is the same each time. A live source that is more than `ahead_ms` of event
    time before the slowest one waits, so that what it sends does not pile up in memory; a source
    that the driver calls idle holds nobody back.
    """

    lines: Sequence[Line]
    ahead_ms: int = 3_600_000
    idle: set[SourceId] = field(default_factory=set)

    @property
    def all_ended(self) -> bool:
        """Whether every source was a recording and has ended."""
        return all(line.ended for line in self.lines)

    async def next(self, within_s: float, stop: asyncio.Event) -> Line | None:
        """The line whose batch (or end) is to be taken now; None after `within_s` or at a stop."""
        waits = [head for line in self.lines if (head := line.fetch()) is not None]
        if (line := self._choose()) is not None or not waits:
            if line is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), within_s)
            return line
        stopping = asyncio.create_task(stop.wait())
        try:
            loop = asyncio.get_running_loop()
            until = loop.time() + within_s
            while (line := self._choose()) is None and not stop.is_set():
                pending = [head for head in waits if not head.done()]
                left = until - loop.time()
                if left <= 0:
                    return None
                await asyncio.wait(
                    {stopping, *pending}, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if not pending:
                    await asyncio.sleep(min(left, 0.05))
            return line
        finally:
            stopping.cancel()
            with suppress(asyncio.CancelledError):
                await stopping

    async def close(self) -> None:
        """Close every source."""
        await asyncio.gather(*(line.close() for line in self.lines), return_exceptions=True)

    def _choose(self) -> Line | None:
        """The ready line that is furthest behind and may go on."""
        going = [line for line in self.lines if not line.ended]
        recordings = [line for line in going if not line.source.live]
        in_step = all(line.ready for line in recordings)
        slowest = self._slowest(going)
        ready = [
            line
            for line in going
            if line.ready and (line.source.live or in_step) and not self._is_ahead(line, slowest)
        ]
        if not ready:
            return None
        return min(ready, key=lambda line: _FIRST if line.reach_ms is None else line.reach_ms)

    def _slowest(self, going: Sequence[Line]) -> int | None:
        """Event time of the slowest source that is not idle, among those that said anything."""
        return min(
            (
                line.reach_ms
                for line in going
                if line.reach_ms is not None and not self.idle.issuperset(line.source.ids)
            ),
            default=None,
        )

    def _is_ahead(self, line: Line, slowest: int | None) -> bool:
        if line.reach_ms is None or slowest is None:
            return False
        return line.reach_ms - slowest > self.ahead_ms


def lineup(
    sources: Sequence[Source], time_of: Mapping[str, TimeOf], ahead_ms: int = 3_600_000
) -> Lineup:
    """A line-up of sources; `time_of` reads the event time of a feed's raw records."""
    feeds = {source.name: source.ids[0].feed for source in sources if source.ids}
    lines = [Line(source, time_of.get(feeds.get(source.name, ""), _no_time)) for source in sources]
    return Lineup(lines, ahead_ms)


def _no_time(value: bytes) -> int | None:
    del value
    return None
