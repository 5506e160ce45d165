"""HJ 212 monitors over TCP (dust, noise, air): readings in, answered when they are kept.

Every frame names its monitor (MN) and shows its password (PW); the list of terminals has both.
Readings (2011, 2051, 2061, 2031) become one record a message and are answered with 9014, where the
monitor asks for it, once the record is in the inbox or the dead letter; with nothing at all while
the disk refuses, so that the monitor sends them again. Messages in several packets are answered
packet by packet once the whole of it is kept. No password comes into a record or a dead letter.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import orjson
from pydantic import Field

from connectors.protocols import Garbled
from connectors.protocols import hj212 as wire
from connectors.protocols.parts import Parts
from connectors.sources.door import Said
from connectors.sources.gate import GateSource, Told, Wary
from connectors.sources.terminals import Register, TerminalOptions
from engine.ports import SourceContext

INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_DATA = ("2", "3")
"""Commands that bring data of some kind begin so."""


class Options(TerminalOptions):
    """What may be declared about a port for HJ 212 monitors.

    Attributes:
        longest: Bytes of the longest data segment; the standard says 1024, devices go beyond.
        parts_bytes: Bytes of unfinished messages that one connection may have.

    """

    kind: Literal["hj212"] = "hj212"
    port: int = Field(default=8212, ge=0, le=65535)
    longest: int = Field(default=4096, ge=256, le=wire.LONGEST)
    parts_bytes: int = Field(default=256 * 1024, ge=4096)


def build(name: str, options: Options, context: SourceContext) -> GateSource:
    """A source that listens for monitors."""
    return GateSource(
        name, options, context, lambda register: Hj212Talk(register, options, context.count)
    )


class Hj212Talk:
    """One connection: a monitor, or a data logger that speaks for several."""

    def __init__(
        self, register: Register, options: Options, count: Callable[[str, int], None]
    ) -> None:
        """Begin with nobody known."""
        self._register, self._count = register, count
        self._frames = wire.Frames(options.longest)
        self._parts: Parts[wire.Packet] = Parts(options.parts_bytes)
        self._wary = Wary(count)
        self._known = False

    repeats = True

    @property
    def known(self) -> bool:
        """Whether a monitor of the list has shown its password."""
        return self._known

    def hear(self, data: bytes) -> Said:
        """Answer what is whole; put aside what is not."""
        told = Told()
        for found in self._frames.take(data):
            if isinstance(found, Garbled):
                self._wary.garbled(found, told)
            else:
                self._wary.good()
                self._heard(found, told)
            if told.hangup:
                break
        return told.said()

    def end(self) -> Said:
        """Packets whose message never became whole."""
        return Said(refused=[one for lost in self._parts.give_up() for one in _lost(lost)])

    def _heard(self, packet: wire.Packet, told: Told) -> None:
        if not self._register.admits(packet.mn, packet.pw):
            listed = self._register.find(packet.mn) is not None
            why = "bad-code" if listed else "unknown-terminal"
            self._wary.stranger(why, packet.mn, packet.cn, told)
            told.hangup = why if listed else ""
            return
        self._known = True
        told.whole += 1
        if packet.cn in wire.KINDS:
            self._readings(packet, told)
        elif packet.cn.startswith(_DATA):
            told.refused.append(("unsupported", packet.cn[:20], wire.veiled(packet.raw)))
            self._answer([packet], told, wire.TAKEN)
        else:
            self._count("unsupported", 1)
            self._answer([packet], told, wire.NOTED)

    def _readings(self, packet: wire.Packet, told: Told) -> None:
        taken = self._parts.take(wire.part_of(packet))
        told.refused += [one for some in taken.lost for one in _lost(some)]
        if not taken.whole:
            return
        record = wire.read_readings(packet, ";".join(part.cp for part in taken.whole))
        if isinstance(record, Garbled):
            told.refused.append(record)
        else:
            told.records.append(orjson.dumps(record))
        self._answer(taken.whole, told, wire.TAKEN)

    def _answer(self, packets: Iterable[wire.Packet], told: Told, command: str) -> None:
        """Answer those that ask for it; none of them when the record could not be kept."""
        told.answer += [wire.answer(one, command) for one in packets if one.wants_answer]


def _lost(packets: Iterable[wire.Packet]) -> list[tuple[str, str, bytes]]:
    return [("incomplete", f"{one.part} of {one.parts}", wire.veiled(one.raw)) for one in packets]
