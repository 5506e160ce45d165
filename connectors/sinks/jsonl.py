"""Alerts as lines of a file: one JSON object a line, flushed to disk before it counts as taken."""

import asyncio
import errno
import json
import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import ConfigDict

from connectors.notice import carried
from connectors.personal import ToSystems
from engine.errors import EnvironmentUnusable, Retryable
from engine.ports import SinkContext
from engine.text import say

_TAIL = 1 << 20
_REMEMBERED = 200
_DISK = "disk"


class Options(ToSystems):
    """What may be declared about a JSON lines sink.

    Attributes:
        path: The file to append to; relative to the data folder.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["jsonl"] = "jsonl"
    path: str
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "JsonlSink":
    """A sink that appends to the declared file."""
    return JsonlSink(name, Path(context.folder) / options.path, options)


class JsonlSink:
    """Appends deliveries to a file. Each delivery is in it exactly once.

    One delivery at a time is written and flushed. After a crash the outbox repeats at most one;
    it is recognised by its id near the end of the file and not written again. A half line that a
    power cut left is cut off.
    """

    parallel = 1

    def __init__(self, name: str, path: Path, options: Options) -> None:
        """Prepare; `open` makes the file."""
        self.name = name
        self.path = path
        self._options = options
        self._file: BinaryIO | None = None
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)

    async def open(self) -> None:
        """Open the file for appending and read which deliveries it ends with."""
        try:
            self._recent.extend(await asyncio.to_thread(self._open))
        except OSError as error:
            words = {"name": self.name, "path": self.path, "why": error.strerror or str(error)}
            message = say("sink-unusable", self._options.lang, **words)
            raise EnvironmentUnusable(message) from error

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Append one delivery; answers when it is on disk."""
        del attempt
        if delivery_id in self._recent:
            return
        try:
            await asyncio.to_thread(self._append, carried(body, self._options.personal))
        except OSError as error:
            raise Retryable(_DISK, error.strerror or str(error)) from error
        self._recent.append(delivery_id)

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> list[str]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = file = self.path.open("ab+", buffering=0)
        size = file.seek(0, os.SEEK_END)
        begun = max(0, size - _TAIL)
        file.seek(begun)
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(begun + whole)
        return [_id_of(line) for line in tail[:whole].splitlines()[-_REMEMBERED:]]

    def _append(self, body: bytes) -> None:
        """Write the line whole or not at all, as far as the file shows afterwards."""
        assert self._file is not None  # noqa: S101 - `open` comes first
        begun = self._file.seek(0, os.SEEK_END)
        line = body + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - undone
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(begun)
            raise


def _id_of(line: bytes) -> str:
    """The id of a delivery: of a change, or of a document of the case desk."""
    try:
        found = json.loads(line)
        return str(found.get("delivery_id") or found.get("id") or "")
    except (ValueError, AttributeError):
        return ""
