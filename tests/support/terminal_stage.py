"""What tests of gateways need: a listening source over a journal with moods, and callers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from source_stage import MemoryJournal, context

from connectors.sources.inbox import InboxSource
from engine.errors import NotKept
from engine.ports import SourceContext


class MoodyJournal(MemoryJournal):
    """Keeps when it is let, or refuses as a full disk does."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.let.set()
        self.full = False
        self.writes = 0

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        await self.let.wait()
        if self.full:
            raise NotKept
        self.writes += 1
        await super().inbox_put(feed, values, arrived_ms, mark)


class Stage:
    """A gateway under test: its source, what it kept, and what it counted."""

    def __init__(self, folder: Path, fits: Callable[[bytes], tuple[str, str] | None]) -> None:
        self.journal = MoodyJournal()
        self.counts: Counter[str] = Counter()
        about = context(folder)
        self.context: SourceContext = replace(
            about, journal=self.journal, reason=fits, count=self._count
        )
        self.port = 0

    @property
    def records(self) -> list[dict[str, Any]]:
        """What was kept, in its order."""
        return [json.loads(row.value) for row in self.journal.rows.get("gps", [])]

    @property
    def refused(self) -> list[tuple[str, str, bytes]]:
        """The dead letters."""
        return [tuple(one[1:]) for one in self.journal.refused]  # type: ignore[misc]

    def _count(self, what: str, count: int) -> None:
        self.counts[what] += count


@asynccontextmanager
async def gateway(
    folder: Path,
    make: Callable[[SourceContext], InboxSource],
    fits: Callable[[bytes], tuple[str, str] | None] = lambda _: None,
) -> AsyncIterator[Stage]:
    """A source that listens."""
    stage = Stage(folder, fits)
    source = make(stage.context)
    await source.open({})
    try:
        stage.port = getattr(source, "port", 0)
        yield stage
    finally:
        stage.journal.let.set()
        await source.close()
        await source.close()


class Caller:
    """A connection of a terminal."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hears(self, within_s: float = 5.0) -> bytes:
        """The next bytes that come; none when the line was hung up."""
        async with asyncio.timeout(within_s):
            return await self.reader.read(65536)

    async def silent(self, for_s: float = 0.1) -> bool:
        """Whether nothing comes for a while."""
        try:
            async with asyncio.timeout(for_s):
                return not await self.reader.read(1)
        except TimeoutError:
            return True


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Caller]:
    """A caller of a port on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def until(claim: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110 - what is waited for need not know of this test
            await asyncio.sleep(0.01)
