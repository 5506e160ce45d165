"""Records from files: JSON lines or CSV, plain or gzipped, one file or all that match a pattern.

The files of a pattern are one log, read in the order of their names. A record's offset is the
number of its file and its byte in it, so reading goes on after a stop without a full scan (a
gzipped file is unpacked again up to that byte).
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from connectors.sources.csv_rows import CsvRows
from connectors.sources.lines import Lines
from connectors.sources.pace import moments
from engine.errors import EnvironmentUnusable
from engine.ports import Batch, Record, SourceContext, SourceId
from engine.text import say

FILE_SHIFT = 40
"""Offset = file number x 2^40 + byte: a file may hold a terabyte."""
_BYTES = (1 << FILE_SHIFT) - 1
_CHUNK = 1 << 19
_LOOK_S = 0.25
_SORT_LIMIT = 4_000_000

_MISSING, _CUT = "source-missing", "source-cut"
_UNREADABLE, _TOO_MANY = "source-unreadable", "source-too-many"


class Options(BaseModel):
    """What may be declared about a file source.

    Attributes:
        path: A file, or a pattern such as `gps-*.csv.gz`; relative to the settings file.
        speed: Replay at so many times event time; None is as fast as the rules can take it.
        sort: Order the whole recording by event time first. Holds every record in memory (about
            200 bytes more than its length each) and takes at most 4,000,000 of them.
        follow: Go on waiting for new lines and new files, for ever.
        batch: Most records handed over at once.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["file"] = "file"
    feed: str
    path: str
    speed: float | None = Field(default=None, gt=0)
    sort: bool = False
    follow: bool = False
    batch: int = Field(default=4000, ge=1, le=100_000)
    lang: str = "en"


def build(name: str, options: Options, context: SourceContext) -> "FileSource":
    """A source that reads the declared files."""
    if options.sort and options.follow:
        raise EnvironmentUnusable(say("source-not-finite", options.lang, name=name))
    return FileSource(name, options, context)


@dataclass(slots=True)
class FileSource:
    """Reads files from where it was told to go on; blocking reads happen off the loop."""

    name: str
    options: Options
    context: SourceContext
    _files: list[str] = field(default_factory=list)
    _start: int = 0
    _closed: bool = False

    @property
    def live(self) -> bool:
        """Whether it waits for more at the end."""
        return self.options.follow

    @property
    def speed(self) -> float | None:
        """Times the speed at which it happened; the driver keeps the pace, for all files alike."""
        return self.options.speed

    @property
    def ids(self) -> Sequence[SourceId]:
        """The one stream that all its files are."""
        return (SourceId(self.context.feed, self.context.partition),)

    @property
    def logs(self) -> Sequence[str]:
        """The log of its one stream."""
        return (self.log,)

    @property
    def log(self) -> str:
        """Name of the log in saved positions."""
        return f"file/{self.name}" + ("/sorted" if self.options.sort else "")

    async def open(self, resume: Mapping[str, int]) -> None:
        """Find the files and the place to go on from."""
        self._start = resume.get(self.log, 0)
        await self._look()
        if not self._files and not self.live:
            raise self._unusable(_MISSING, path=self.options.path)

    async def batches(self) -> AsyncIterator[Batch]:
        """The records of all files."""
        records = self._sorted() if self.options.sort else self._plain()
        async for some in records:
            if self.speed is None:
                yield Batch(self.log, self.ids[0], some)
                continue
            for piece in moments(some, self.context.time_of, self.speed):
                yield Batch(self.log, self.ids[0], piece)

    async def close(self) -> None:
        """End the batches of a followed file."""
        self._closed = True

    async def _plain(self) -> AsyncIterator[Sequence[Record]]:
        number, byte = self._start >> FILE_SHIFT, self._start & _BYTES
        while not self._closed:
            if number >= len(self._files):
                if not self.live:
                    return
                await asyncio.sleep(_LOOK_S)
                await self._look()
                continue
            async for some in self._one(number, byte):
                yield some
            number, byte = number + 1, 0

    async def _one(self, number: int, byte: int) -> AsyncIterator[Sequence[Record]]:
        """The records of one file from a byte on; a followed file ends when a later one exists."""
        path = Path(self.context.folder) / self._files[number]
        base = number << FILE_SHIFT
        is_csv = self.context.format == "csv"
        reader = _Reader(path, self.context.columns if is_csv else None)
        try:
            await asyncio.to_thread(reader.open, byte)
            while not self._closed:
                records = await asyncio.to_thread(reader.read, base)
                for cut in range(0, len(records), self.options.batch):
                    yield records[cut : cut + self.options.batch]
                if not reader.ended:
                    continue
                if not self.live or reader.packed or number + 1 < len(self._files):
                    for record in reader.finish(base):
                        yield [record]
                    return
                await asyncio.sleep(_LOOK_S)
                if reader.shrunk(path):
                    raise self._unusable(_CUT, path=path)
                await self._look()
        except (OSError, EOFError, gzip.BadGzipFile) as error:
            raise self._unusable(_UNREADABLE, path=path, why=str(error)) from error
        finally:
            reader.close()

    async def _sorted(self) -> AsyncIterator[Sequence[Record]]:
        """Everything, by event time; records without one stay behind the record before them."""
        held: list[tuple[int, int, Record]] = []
        newest = -(2**62)
        start, self._start = self._start, 0
        async for some in self._plain():
            for record in some:
                at = self.context.time_of(record.value)
                newest = at if at is not None else newest
                held.append((newest, len(held), record))
            if len(held) > _SORT_LIMIT:
                raise self._unusable(_TOO_MANY, limit=_SORT_LIMIT)
        await asyncio.to_thread(held.sort)
        for cut in range(start, len(held), self.options.batch):
            part = held[cut : cut + self.options.batch]
            yield [record._replace(offset=place) for place, (_, _, record) in enumerate(part, cut)]

    async def _look(self) -> None:
        """Learn which files there are; new ones come behind those already known."""
        pattern, folder = self.options.path, Path(self.context.folder)
        found = await asyncio.to_thread(_matching, folder, pattern)
        if found != self._files:
            known = await self.context.journal.order_files(self.name, found)
            self._files = list(known)

    def _unusable(self, sentence: str, **found: object) -> EnvironmentUnusable:
        return EnvironmentUnusable(say(sentence, self.options.lang, name=self.name, **found))


class _Reader:
    """One open file, cut into records."""

    def __init__(self, path: Path, columns: Sequence[str] | None) -> None:
        self.path = path
        self.packed = path.suffix == ".gz"
        self.ended = False
        self._rows = None if columns is None else CsvRows(columns)
        self._lines = Lines(quoted=columns is not None)
        self._after = 0
        self._file: BinaryIO | None = None

    def open(self, byte: int) -> None:
        """Open at a byte, which may lie one behind the beginning of a record already handled."""
        opened = gzip.open(self.path) if self.packed else self.path.open("rb")  # noqa: SIM115
        file = self._file = cast("BinaryIO", opened)
        if byte == 0:
            return
        if self._rows is not None:
            header = Lines(quoted=True)
            while not (first := header.take(chunk := file.read(_CHUNK))) and chunk:
                pass
            for _, line in (first or header.finish())[:1]:
                self._rows.take(line)
        file.seek(byte - 1)
        is_inside = file.read(1) != b"\n"
        file.seek(byte - is_inside)
        self._lines = Lines(byte - is_inside, quoted=self._rows is not None)
        self._after = byte

    def read(self, base: int) -> list[Record]:
        """The next records; none at the end of the file as it is now."""
        assert self._file is not None  # noqa: S101 - `open` comes first
        chunk = self._file.read(_CHUNK)
        self.ended = not chunk
        return self._records(base, self._lines.take(chunk)) if chunk else []

    def finish(self, base: int) -> list[Record]:
        """The last record when no line end follows it."""
        return self._records(base, self._lines.finish())

    def shrunk(self, path: Path) -> bool:
        """Whether the file became shorter than what was read of it."""
        assert self._file is not None  # noqa: S101 - `open` comes first
        try:
            return path.stat().st_size < self._file.tell()
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()

    def _records(self, base: int, lines: list[tuple[int, bytes]]) -> list[Record]:
        after, rows = self._after, self._rows
        if rows is None:
            if after:
                return [Record(base + at, line) for at, line in lines if at >= after]
            return [Record(base + at, line) for at, line in lines]
        made = [(at, rows.take(line)) for at, line in lines]
        return [Record(base + at, row) for at, row in made if row is not None and at >= after]


def _matching(folder: Path, pattern: str) -> list[str]:
    """Files that match, by name, as they are known relative to the folder."""
    wanted = Path(pattern)
    root, rest = (
        (Path(wanted.anchor), wanted.relative_to(wanted.anchor))
        if (wanted.is_absolute())
        else (folder, wanted)
    )
    if not any(mark in pattern for mark in "*?["):
        return [pattern] if (root / rest).is_file() else []
    found = (path for path in root.glob(str(rest)) if path.is_file())
    return sorted(str(path if wanted.is_absolute() else path.relative_to(folder)) for path in found)
