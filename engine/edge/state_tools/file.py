"""The portable file of saved state: JSON, one thing a line, packed with gzip, with a checksum.

    {"forewarn-state": 1, "from": {...}, "rules": {...}, "spaces": {...}, ...}     first line
    {"partition": {"space": ..., "partition": ..., "watermark": ..., "logs": {...}, ...}}
    {"route": {...}}                        how far a feed was routed, on Kafka
    {"row": [space, partition, rule, key, value in base64]}
    {"end": {"rows": ..., "partitions": ..., "sha256": ...}}                       last line

`zcat file | head` shows what it is. It is written beside its name and renamed when it is whole,
and read as a stream, so neither side holds more than a line of it.
"""

import gzip
import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from engine.errors import EnvironmentUnusable, StateError
from engine.ports import Position
from engine.text import say

FORMAT = 1
"""Version of the file; a reader takes its own and all earlier ones."""
MAGIC = "forewarn-state"
_PACKED = 3
_CHECKSUM, _NO_END = "checksum", "no last line"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class LogEnd(msgspec.Struct, frozen=True):
    """How far one log was read when the state was exported.

    Attributes:
        offset: Everything below it was read; what still waits travels with the rows.
        before_ms: The source's watermark there (UTC ms).
        source: The source, as `partition/feed`; empty for a log of many.
        topic: Kafka topic of the log, or empty.
        partition: Its partition there.
        unread: Records behind `offset` that nobody had read; only ever asked whether 0.

    """

    offset: int
    before_ms: int
    source: str = ""
    topic: str = ""
    partition: int = 0
    unread: int = 0

    @property
    def position(self) -> Position:
        """The position to go on from."""
        return Position(self.offset, self.offset, self.before_ms)


class Part(msgspec.Struct, frozen=True):
    """One partition of one key space.

    Attributes:
        watermark: Event time (UTC ms) up to which its rows are complete; None if it never began.
        sources: Watermark of each source, by `partition/feed`; `idle` those that were quiet.
        logs: How far each log was read.
        meta: The rest of the partition's own record, as it was saved.

    """

    space: str
    partition: int
    watermark: int | None
    sources: dict[str, int]
    idle: list[str]
    logs: dict[str, LogEnd]
    meta: bytes = b""


class Route(msgspec.Struct, frozen=True):
    """How far one partition of a feed was routed into a key space."""

    space: str
    feed: str
    end: LogEnd


class SpaceHead(msgspec.Struct, frozen=True):
    """One key space: how many partitions, whether its feeds are read directly, its rules."""

    partitions: int
    direct: bool
    rules: list[str]
    feeds: list[str]


class Origin(msgspec.Struct, frozen=True):
    """Where the state comes from.

    Attributes:
        kind: `embedded` or `kafka`.
        place: Folder, or broker; only for people.
        cluster: Id of the Kafka cluster, to know its offsets again.
        prefix, app: Names of the installation there.

    """

    kind: str
    place: str = ""
    cluster: str = ""
    prefix: str = ""
    app: str = ""


class Head(msgspec.Struct, frozen=True):
    """The first line: what this is and what it is about.

    Attributes:
        project: Fingerprint over all rules with their hashes.
        rules: Hash of each rule.
        files: Files that a source has given, by source, in their order.
        inbox: Number of the last posted record that was ever kept.

    """

    made_by: str
    made_ms: int
    origin: Origin
    project: str
    rules: dict[str, str]
    spaces: dict[str, SpaceHead]
    files: dict[str, list[str]] = {}
    inbox: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of state: of a rule and a key, or of our own (`~...`)."""

    space: str
    partition: int
    rule: str
    key: str
    value: bytes


@dataclass(slots=True)
class Counted:
    """What went into a file or came out of it."""

    rows: int = 0
    partitions: int = 0
    waiting: int = 0
    bytes: int = 0
    unread: dict[str, int] = field(default_factory=dict)


class StateWriter:
    """Writes a file; it gets its name when the last line is written."""

    def __init__(self, path: Path, head: Head, lang: str) -> None:
        """Begin the file with its head.

        Raises:
            EnvironmentUnusable: the place cannot be written.

        """
        self.path, self.counted, self._lang = path, Counted(), lang
        self._beside = path.with_name(path.name + ".part")
        self._digest = hashlib.sha256()
        try:
            self._file = gzip.GzipFile(self._beside, "wb", compresslevel=_PACKED)
        except OSError as error:
            raise self._unusable(error) from error
        self._line({MAGIC: FORMAT, **msgspec.to_builtins(head)})

    def part(self, part: Part) -> None:
        """One partition."""
        self._line({"partition": part})
        self.counted.partitions += 1
        for name, log in part.logs.items():
            if log.unread:
                self.counted.unread[name] = self.counted.unread.get(name, 0) + log.unread

    def route(self, route: Route) -> None:
        """How far one partition of a feed was routed."""
        self._line({"route": route})

    def row(self, space: str, partition: int, rule: str, key: str, value: bytes) -> None:
        """One row."""
        self._line({"row": (space, partition, rule, key, b64encode(value).decode())})
        self.counted.rows += 1

    def _line(self, what: Any) -> None:
        raw = _encode(what) + b"\n"
        self._digest.update(raw)
        try:
            self._file.write(raw)
        except OSError as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Give the file its name, or take it away if something went wrong."""
        del error, at
        if kind is not None:
            self._file.close()
            self._beside.unlink(missing_ok=True)
            return
        counted = self.counted
        end = {
            "rows": counted.rows,
            "partitions": counted.partitions,
            "sha256": self._digest.hexdigest(),
        }
        try:
            self._file.write(_encode({"end": end}) + b"\n")
            self._file.close()
            self._beside.replace(self.path)
        except OSError as wrong:
            raise self._unusable(wrong) from wrong
        counted.bytes = self.path.stat().st_size

    def _unusable(self, error: OSError) -> EnvironmentUnusable:
        why = error.strerror or str(error)
        return EnvironmentUnusable(say("state-unwritable", self._lang, path=self.path, why=why))


class StateReader:
    """Reads a file; every pass over it checks it to the last line."""

    def __init__(self, path: Path, lang: str) -> None:
        """Read the head.

        Raises:
            EnvironmentUnusable: there is no such file, or it is not one of ours.
            StateError: a later version wrote it.

        """
        self.path, self._lang = path, lang
        first = next(self._lines(), None)
        if not isinstance(first, dict) or MAGIC not in first:
            raise EnvironmentUnusable(say("state-no-export", lang, path=path))
        if first[MAGIC] > FORMAT:
            found = {"path": path, "found": first[MAGIC], "ours": FORMAT}
            raise StateError(say("state-later-format", lang, **found))
        self.head = msgspec.convert(first, Head)

    def verified(self) -> tuple[list[Part], list[Route]]:
        """Check the whole file; answers its partitions and routes.

        Raises:
            StateError: it is damaged or cut short.

        """
        parts: list[Part] = []
        routes: list[Route] = []
        for line in self._checked():
            if "partition" in line:
                parts.append(msgspec.convert(line["partition"], Part))
            elif "route" in line:
                routes.append(msgspec.convert(line["route"], Route))
        return parts, routes

    def rows(self) -> Iterator[Row]:
        """Every row in the order of the file; raises like `verified` at the end."""
        for line in self._checked():
            if "row" in line:
                space, partition, rule, key, value = line["row"]
                yield Row(space, partition, rule, key, b64decode(value))

    def _checked(self) -> Iterator[Mapping[str, Any]]:
        digest, rows, parts = hashlib.sha256(), 0, 0
        for raw, line in self._raw_lines():
            if "end" in line:
                end = line["end"]
                found = {"rows": rows, "partitions": parts, "sha256": digest.hexdigest()}
                if found != end:
                    raise self._damaged(_CHECKSUM)
                return
            digest.update(raw)
            rows += "row" in line
            parts += "partition" in line
            yield line
        raise self._damaged(_NO_END)

    def _lines(self) -> Iterator[Any]:
        for _, line in self._raw_lines():
            yield line

    def _raw_lines(self) -> Iterator[tuple[bytes, Any]]:
        first = True
        try:
            with gzip.open(self.path, "rb") as file:
                for raw in file:
                    line = _decode(raw)
                    first = False
                    yield raw, line
        except FileNotFoundError as error:
            raise EnvironmentUnusable(say("cli-no-path", self._lang, path=self.path)) from error
        except (gzip.BadGzipFile, msgspec.DecodeError, IsADirectoryError) as error:
            if first:
                message = say("state-no-export", self._lang, path=self.path)
                raise EnvironmentUnusable(message) from error
            raise self._damaged(str(error)) from error
        except (EOFError, zlib.error) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> StateError:
        return StateError(say("state-damaged", self._lang, path=self.path, why=why))
