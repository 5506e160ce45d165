"""JT/T 808 terminals over TCP: positions in, answered when they are kept.

A terminal registers (0x0100), which gives it its code, and shows its code (0x0102); only then are
its positions (0x0200, 0x0704) taken. A code that stands in the list was given to the terminal by
other means: whoever merely names the terminal's number is not told it. A position gets the general
answer 0x8001 with result 0 when it is in the inbox or, where it is no event of the feed, in the
dead letter; with result 1 when the disk refuses. A message in parts is answered, part by part, once
the whole of it is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
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
from connectors.protocols.parts import Parts
from connectors.sources.door import Said
from connectors.sources.gate import GateSource, Told, Wary
from connectors.sources.terminals import Register, TerminalOptions
from engine.ports import SourceContext

INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_HEADER = 13
_MOST = 10_000
"""Terminals that one connection may speak for."""
_SECRET = (wire.AUTHENTICATE.to_bytes(2), wire.REGISTERED.to_bytes(2))


class Options(TerminalOptions):
    """What may be declared about a port for JT/T 808 terminals.

    Attributes:
        parts_bytes: Bytes of unfinished messages that one connection may have.

    """

    kind: Literal["jtt808"] = "jtt808"
    port: int = Field(default=8808, ge=0, le=65535)
    parts_bytes: int = Field(default=256 * 1024, ge=4096)


def build(name: str, options: Options, context: SourceContext) -> GateSource:
    """A source that listens for terminals."""
    return GateSource(
        name, options, context,
        lambda register: Jtt808Talk(register, options.parts_bytes, context.count),
    )  # fmt: skip


class Jtt808Talk:
    """One connection: usually one terminal, or a platform that speaks for many."""

    def __init__(
        self, register: Register, parts_bytes: int, count: Callable[[str, int], None]
    ) -> None:
        """Begin with nobody known."""
        self._register, self._count = register, count
        self._frames = wire.Frames()
        self._parts: Parts[wire.Message] = Parts(parts_bytes)
        self._admitted: set[str] = set()
        self._wary = Wary(count)
        self._serial = -1

    repeats = True

    @property
    def known(self) -> bool:
        """Whether a terminal of the list has shown its code."""
        return bool(self._admitted)

    def hear(self, data: bytes) -> Said:
        """Answer what is whole; put aside what is not."""
        told = Told()
        for found in self._frames.take(data):
            if told.hangup:
                break
            if isinstance(found, Garbled):
                self._wary.garbled(found._replace(raw=_veiled(found.raw)), told)
            else:
                self._wary.good()
                self._heard(found, told)
        return told.said()

    def end(self) -> Said:
        """Parts whose message never became whole."""
        return Said(refused=[one for lost in self._parts.give_up() for one in self._lost(lost)])

    def _heard(self, message: wire.Message, told: Told) -> None:
        kind, terminal = message.kind, message.terminal
        if kind == wire.REGISTER:
            self._register_one(message, told)
        elif kind == wire.AUTHENTICATE:
            self._authenticate(message, told)
        elif terminal not in self._admitted:
            self._stranger("not-authenticated", message, told)
            self._answer(message, FAILED, told)
        elif kind in {wire.LOCATION, wire.LOCATIONS}:
            told.whole += 1
            self._position(message, told)
        else:
            told.whole += 1
            known = kind in {wire.HEARTBEAT, wire.LOG_OUT}
            self._answer(message, DONE if known else UNSUPPORTED, told)
            if kind == wire.HEARTBEAT:
                self._ask_again(told)
            told.hangup = "logged-out" if kind == wire.LOG_OUT else ""
            if not known:
                self._count("unsupported", 1)

    def _register_one(self, message: wire.Message, told: Told) -> None:
        entry = self._register.find(message.terminal)
        about = read_registration(message)
        if entry is None:
            self._stranger("unknown-terminal", message, told)
            told.say(wire.frame(registered(message, self._next(), NO_TERMINAL, "")))
            told.hangup = "unknown-terminal"
        elif isinstance(about, Garbled):
            self._wary.garbled(about, told)
            self._answer(message, WRONG, told)
        elif entry.device and about.device != entry.device:
            self._stranger("other-device", message, told)
            told.say(wire.frame(registered(message, self._next(), NO_TERMINAL, "")))
            told.hangup = "other-device"
        else:
            self._register.note_plate(message.terminal, about.plate)
            told.whole += 1
            keeps = entry.shared and not entry.device
            result, code = (IS_REGISTERED if keeps else DONE), entry.code or message.terminal
            told.say(wire.frame(registered(message, self._next(), result, code)))

    def _authenticate(self, message: wire.Message, told: Told) -> None:
        code = read_code(message)
        if len(self._admitted) >= _MOST:
            told.hangup = "too-many"
        elif isinstance(code, str) and self._register.admits(message.terminal, code):
            self._admitted.add(message.terminal)
            told.whole += 1
            self._answer(message, DONE, told)
        else:
            known = self._register.find(message.terminal) is not None
            why = "bad-code" if known else "unknown-terminal"
            self._stranger(why, message, told)
            self._answer(message, FAILED, told)
            told.hangup = why

    def _stranger(self, why: str, message: wire.Message, told: Told) -> None:
        self._wary.stranger(why, message.terminal, f"{message.kind:04x}", told)

    def _answer(self, message: wire.Message, result: int, told: Told) -> None:
        """The general answer, whether or not the rest could be kept."""
        told.say(wire.frame(answer(message, self._next(), result)))

    def _position(self, message: wire.Message, told: Told) -> None:
        taken = self._parts.take(wire.part_of(message))
        told.refused += [one for some in taken.lost for one in self._lost(some)]
        parts = taken.whole
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

    def _ask_again(self, told: Told) -> None:
        """A terminal that beats has nothing on its way: ask for the parts that did not come."""
        for part, missing in self._parts.missing():
            told.say(wire.frame(send_again(part, self._next(), missing)))
            self._count("asked-again", 1)

    def _next(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF
        return self._serial

    @staticmethod
    def _lost(parts: Iterable[wire.Message]) -> list[tuple[str, str, bytes]]:
        return [("incomplete", f"{one.part} of {one.parts}", one.raw) for one in parts]


def _veiled(raw: bytes) -> bytes:
    """Of a frame that holds a code no more than its header."""
    return raw[:_HEADER] if raw[1:3] in _SECRET else raw
