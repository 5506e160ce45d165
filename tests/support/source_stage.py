"""What source tests need: a journal in memory, a context, and short words for reading batches."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.ports import Batch, InboxRow, Record, Source, SourceContext


class MemoryJournal:
    """Keeps what a source may keep, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, list[str]] = {}
        self.rows: dict[str, list[InboxRow]] = {}
        self.refused: list[tuple[str, str, str, bytes]] = []
        self.count = 0
        self.marks: dict[str, str] = {}

    async def order_files(self, source: str, names: Sequence[str]) -> Sequence[str]:
        known = self.files.setdefault(source, [])
        known += [name for name in names if name not in known]
        return list(known)

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        self.marks |= {} if mark is None else dict([mark])
        for value in values:
            self.count += 1
            self.rows.setdefault(feed, []).append(InboxRow(self.count, value, arrived_ms))

    async def mark(self, source: str) -> str | None:
        return self.marks.get(source)

    async def inbox_read(self, feed: str, start: int, limit: int) -> Sequence[InboxRow]:
        return [row for row in self.rows.get(feed, []) if row.offset >= start][:limit]

    async def inbox_depth(self, feed: str, start: int = 0) -> int:
        return len(await self.inbox_read(feed, start, 10**9))

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        self.refused += [(feed, *one) for one in refused]


def time_of(value: bytes) -> int | None:
    """Event time of a test record: `t` of a JSON object, or the first cell of a CSV line."""
    try:
        if value[:1] == b"{":
            found: int = json.loads(value)["t"]
            return found
        return int(value.split(b",")[0])
    except (ValueError, KeyError, TypeError):
        return None


def reason(value: bytes) -> tuple[str, str] | None:
    """A test record is good when it has a time."""
    return None if time_of(value) is not None else ("wrong-type", "t")


def context(
    folder: Path, form: str = "json", columns: tuple[str, ...] = (), partition: int = 0
) -> SourceContext:
    """The feed `gps` of a test."""
    return SourceContext(
        "gps", form, partition, str(folder), time_of, reason, MemoryJournal(), columns
    )


async def read(
    source: Source, resume: Mapping[str, int] | None = None, stop_after: int = 10**9
) -> list[Record]:
    """Open a source, read records to its end (or so many), close it."""
    await source.open(resume or {})
    found: list[Record] = []
    batches = source.batches()
    async for batch in batches:
        assert isinstance(batch, Batch)
        found += batch.records
        if len(found) >= stop_after:
            break
    await batches.aclose()  # type: ignore[attr-defined]
    await source.close()
    return found
