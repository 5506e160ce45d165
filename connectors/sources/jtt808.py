"""JT/T 808 terminals over TCP: positions in, answered when they are kept.

A terminal registers (0x0100), which gives it its code, and shows its code (0x0102); only then are
its positions (0x0200, 0x0704) taken. A code that stands in the list was given to the terminal by
other means: whoever merely names the terminal's number is not told it. A position gets the general
answer 0x8001 with result 0 when it is in the inbox or, where it is no event of the feed, in the
dead letter; with result 1 when the disk refuses. A message in parts is answered, part by part, once
the whole of it is kept.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field

from connectors.protocols import Garbled
from connectors.protocols import jtt808 as wire
from connectors.protocols.jtt808_bodies import (
    DONE,
    FAILED,
    IS_REGISTERED,
    NO_TERMINAL,
    UNSUPPORTED,
    WRONG,
    answer,
    read_code,
    read_position,
    read_positions,
    read_registration,
    registered,
    send_again,
)
from connectors.sources.door import DoorSource, Said
from connectors.sources.terminals import Register, Roll, TerminalOptions
from engine.ports import SourceContext

INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_GARBAGE = 100
"""Frames in a row that are none: nobody who speaks the protocol is on this line."""
_SECRET = (wire.AUTHENTICATE.to_bytes(2), wire.REGISTERED.to_bytes(2))


class Options(TerminalOptions):
    """What may be declared about a port for JT/T 808 terminals.

    Attributes:
        parts_bytes: Bytes of unfinished messages that one connection may have.

    """

    kind: Literal["jtt808"] = "jtt808"
    port: int = Field(default=8808, ge=0, le=65535)
    parts_bytes: int = Field(default=256 * 1024, ge=4096)


def build(name: str, options: Options, context: SourceContext) -> "Jtt808Source":
    """A source that listens for terminals."""
    return Jtt808Source(name, options, context)


class Jtt808Source(DoorSource):
    """The port, and the terminals that may call it."""

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` reads the list of terminals and listens."""
        super().__init__(name, options, context, self._answerer)
        self._about = options
        self._roll: Roll | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        """Read who may call, then listen."""
        self._roll = await asyncio.to_thread(
            Roll, self.name, self._about, Path(self.context.folder)
        )
        await super().open(resume)
        self._watching = asyncio.create_task(self._roll.watch(), name=f"roll-{self.name}")

    async def close(self) -> None:
        """Hang up on everybody; safe to call twice."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        await super().close()

    def _answerer(self) -> "Jtt808Talk":
        assert self._roll is not None  # noqa: S101 - `open` comes first
        return Jtt808Talk(self._roll.register, self._about.parts_bytes, self.context.count)


@dataclass(slots=True)
class _Told:
    """What comes of one read; the two answers differ in whether everything could be kept."""

    records: list[bytes]
    refused: list[tuple[str, str, bytes]]
    answer: list[bytes]
    sorry: list[bytes]
    whole: int = 0
    hangup: str = ""

    def say(self, message: wire.Message) -> None:
        """Answer so, whether or not the rest could be kept."""
        self.answer.append(wire.frame(message))
        self.sorry.append(wire.frame(message))


class Jtt808Talk:
    """One connection: usually one terminal, or a platform that speaks for many."""

    def __init__(
        self, register: Register, parts_bytes: int, count: Callable[[str, int], None]
    ) -> None:
        """Begin with nobody known."""
        self._register, self._count = register, count
        self._frames, self._parts = wire.Frames(), wire.Parts(parts_bytes)
        self._admitted: set[str] = set()
        self._strangers: set[str] = set()
        self._garbage = 0
        self._serial = -1

    @property
    def known(self) -> bool:
        """Whether a terminal of the list has shown its code."""
        return bool(self._admitted)

    def hear(self, data: bytes) -> Said:
        """Answer what is whole; put aside what is not."""
        told = _Told([], [], [], [])
        for found in self._frames.take(data):
            if told.hangup:
                break
            if isinstance(found, Garbled):
                self._garbled(found, told)
            else:
                self._garbage = 0
                self._heard(found, told)
        return Said(
            told.records, told.refused, b"".join(told.answer), b"".join(told.sorry),
            told.whole, told.hangup,
        )  # fmt: skip

    def end(self) -> Said:
        """Parts whose message never became whole."""
        return Said(refused=[one for lost in self._parts.give_up() for one in self._lost(lost)])

    def _garbled(self, found: Garbled, told: _Told) -> None:
        self._garbage += 1
        told.refused.append((found.reason, found.detail, _veiled(found.raw)))
        if self._garbage >= _GARBAGE:
            told.hangup = "garbage"

    def _heard(self, message: wire.Message, told: _Told) -> None:
        kind, terminal = message.kind, message.terminal
        if kind == wire.REGISTER:
            self._register_one(message, told)
        elif kind == wire.AUTHENTICATE:
            self._authenticate(message, told)
        elif terminal not in self._admitted:
            self._stranger("not-authenticated", message, told)
            told.say(answer(message, self._next(), FAILED))
        elif kind in {wire.LOCATION, wire.LOCATIONS}:
            told.whole += 1
            self._position(message, told)
        else:
            told.whole += 1
            known = kind in {wire.HEARTBEAT, wire.LOG_OUT}
            told.say(answer(message, self._next(), DONE if known else UNSUPPORTED))
            if kind == wire.HEARTBEAT:
                self._ask_again(told)
            told.hangup = "logged-out" if kind == wire.LOG_OUT else ""
            if not known:
                self._count("unsupported", 1)

    def _register_one(self, message: wire.Message, told: _Told) -> None:
        entry = self._register.find(message.terminal)
        about = read_registration(message)
        if entry is None:
            self._stranger("unknown-terminal", message, told)
            told.say(registered(message, self._next(), NO_TERMINAL, ""))
            told.hangup = "unknown-terminal"
        elif isinstance(about, Garbled):
            self._garbled(about, told)
            told.say(answer(message, self._next(), WRONG))
        elif entry.device and about.device != entry.device:
            self._stranger("other-device", message, told)
            told.say(registered(message, self._next(), NO_TERMINAL, ""))
            told.hangup = "other-device"
        else:
            self._register.note_plate(message.terminal, about.plate)
            told.whole += 1
            keeps = entry.shared and not entry.device
            result, code = (IS_REGISTERED if keeps else DONE), entry.code or message.terminal
            told.say(registered(message, self._next(), result, code))

    def _authenticate(self, message: wire.Message, told: _Told) -> None:
        code = read_code(message)
        if isinstance(code, str) and self._register.admits(message.terminal, code):
            self._admitted.add(message.terminal)
            told.whole += 1
            told.say(answer(message, self._next(), DONE))
            return
        known = self._register.find(message.terminal) is not None
        why = "bad-code" if known else "unknown-terminal"
        self._stranger(why, message, told)
        told.say(answer(message, self._next(), FAILED))
        told.hangup = why

    def _stranger(self, why: str, message: wire.Message, told: _Told) -> None:
        """Count it; of one terminal a connection puts one dead letter, which holds no code."""
        self._count(why, 1)
        if message.terminal not in self._strangers and len(self._strangers) < _GARBAGE:
            self._strangers.add(message.terminal)
            told.refused.append((why, f"{message.terminal} {message.kind:04x}", b""))

    def _position(self, message: wire.Message, told: _Told) -> None:
        parts, lost = self._parts.take(message)
        told.refused += [one for some in lost for one in self._lost(some)]
        if not parts:
            return
        whole = replace(message, body=b"".join(part.body for part in parts))
        read = read_position if message.kind == wire.LOCATION else read_positions
        found = read(whole)
        result = WRONG if any(isinstance(one, Garbled) for one in found) else DONE
        for one in found:
            if isinstance(one, Garbled):
                told.refused.append(one)
            else:
                told.records.append(self._record(one))
        for part in parts:
            serial = self._next()
            told.answer.append(wire.frame(answer(part, serial, result)))
            told.sorry.append(wire.frame(answer(part, serial, FAILED)))

    def _record(self, fields: dict[str, Any]) -> bytes:
        plate = self._register.plate(fields["terminal"])
        return orjson.dumps({**fields, "plate": plate} if plate else fields)

    def _ask_again(self, told: _Told) -> None:
        """A terminal that beats has nothing on its way: ask for the parts that did not come."""
        for part, missing in self._parts.missing():
            told.say(send_again(part, self._next(), missing))
            self._count("asked-again", 1)

    def _next(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF
        return self._serial

    @staticmethod
    def _lost(parts: Iterable[wire.Message]) -> list[tuple[str, str, bytes]]:
        return [("incomplete", f"{one.part} of {one.parts}", one.raw) for one in parts]


def _veiled(raw: bytes) -> bytes:
    """The beginning only of a frame that holds a code."""
    return raw[:17] if raw[1:3] in _SECRET else raw
