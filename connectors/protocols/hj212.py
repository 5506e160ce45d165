"""HJ 212 on the wire, 2005 and 2017: frames, the standard's CRC, the data segment, its values.

A frame is `##`, four digits of length, the data segment, four hexadecimal digits of CRC, CR LF.
The segment is `QN=..;ST=..;CN=..;PW=..;MN=..;Flag=..;PNUM=..;PNO=..;CP=&&..&&`. Bit 0 of Flag asks
for an answer, bit 1 says that PNUM and PNO are there, the bits above are the version (0 for 2005,
1 for 2017). Times are local time, that of Beijing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from connectors.protocols import Garbled
from connectors.protocols.parts import Part

BEIJING = timezone(timedelta(hours=8))
LONGEST = 9999
"""Bytes of a data segment that four digits can say; the standard allows 1024."""

KINDS = {"2011": "realtime", "2051": "minute", "2061": "hour", "2031": "day"}
"""Commands that bring readings."""

NOTED, TAKEN = "9013", "9014"
"""Our answers: to a notice, to data."""

_HEAD = 6
_TAIL = 4
_MAIN = frozenset({"rtd", "avg", "data"})
_PASSWORD = re.compile(rb"PW=[^;&]*")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
_TIMES = {14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%f"}


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame whose length and CRC are right.

    Attributes:
        mn: Identifies the monitoring device.
        cn: The command; `st` the kind of system, such as 22 for air.
        flag: As a number; None where the frame has none.
        cp: What stands between `&&` and `&&`.
        parts: In how many frames the message comes; `part` counts them from 1.

    """

    mn: str
    cn: str
    st: str
    cp: str
    raw: bytes
    qn: str = ""
    pw: str = field(default="", repr=False)
    flag: int | None = None
    parts: int = 1
    part: int = 1

    @property
    def wants_answer(self) -> bool:
        """Whether the sender waits to hear that it arrived."""
        return self.flag is not None and bool(self.flag & 1)


def crc(data: bytes) -> int:
    """The check sum of appendix A: 0xA001, each byte put onto the upper half of the register."""
    register = 0xFFFF
    for byte in data:
        register = _SHIFTED[(register >> 8) ^ byte]
    return register


def _shifted(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


_SHIFTED = [_shifted(register) for register in range(256)]


def frame(segment: bytes) -> bytes:
    """A data segment as it travels."""
    return b"##%04d%s%04X\r\n" % (len(segment), segment, crc(segment))


def answer(to: Packet, command: str) -> bytes:
    """Our answer to a packet, in its version; it carries the sender's QN and no content."""
    version = 0 if to.flag is None else to.flag & ~3
    head = f"QN={to.qn};" if to.qn else ""
    text = f"{head}ST=91;CN={command};PW={to.pw};MN={to.mn};Flag={version};CP=&&&&"
    return frame(text.encode("gbk", "replace"))


def veiled(raw: bytes) -> bytes:
    """The same bytes without the password."""
    return _PASSWORD.sub(b"PW=***", raw)


class Frames:
    """Cuts bytes as they come into packets; a broken frame costs nothing but itself.

    Where the length does not lead to a right CRC, reading goes on at the next `##`, also inside
    of what the broken frame claims to be.
    """

    def __init__(self, most: int = LONGEST) -> None:
        """Take data segments of at most so many bytes."""
        self._most = most
        self._rest = b""

    def take(self, chunk: bytes) -> Iterator[Packet | Garbled]:
        """The packets that are complete now, and what was none, in the order they came.

        Hear it to its end, unless nothing more will be taken from this sender.
        """
        data, at, is_broken = self._rest + chunk, 0, False
        while (begun := data.find(b"##", at)) >= 0:
            if not is_broken and (noise := data[at:begun].strip()):
                yield Garbled("noise", str(len(noise)), veiled(noise[:LONGEST]))
            length = _length(data, begun)
            end = begun + _HEAD + (length or 0) + _TAIL
            fault = self._fault(data, begun, length, end)
            if fault is None:
                self._rest = data[begun:]
                return
            is_broken, at = bool(fault), begun + 2
            if fault:
                yield Garbled(fault, _near(data, begun), veiled(_line(data, begun)))
            else:
                yield _read(data[begun + _HEAD : end - _TAIL], data[begun:end])
                at = end
        keep = len(data) - data.endswith(b"#")
        if not is_broken and (noise := data[at:keep].strip()):
            yield Garbled("noise", str(len(noise)), veiled(noise[:LONGEST]))
        self._rest = data[max(at, keep) :]

    def _fault(self, data: bytes, begun: int, length: int | None, end: int) -> str | None:
        """What is wrong with the frame that begins here: empty for nothing, None to wait."""
        if length is None:
            return "bad-frame"
        if length > self._most:
            return "too-large"
        if len(data) < end:
            return "truncated" if b"\n" in data[begun:] else None
        return "" if _sums(data, begun, end) else "bad-checksum"


def _length(data: bytes, begun: int) -> int | None:
    """The length that a frame claims; 0 where its digits have not come yet, None for no digits."""
    digits = data[begun + 2 : begun + _HEAD]
    if len(digits) < _HEAD - 2:
        return 0 if digits.isdigit() or not digits else None
    return int(digits) if digits.isdigit() else None


def _sums(data: bytes, begun: int, end: int) -> bool:
    said = data[end - _TAIL : end]
    try:
        return int(said, 16) == crc(data[begun + _HEAD : end - _TAIL])
    except ValueError:
        return False


def _line(data: bytes, begun: int) -> bytes:
    """What to show of a broken frame: up to the next one, or the end of its line."""
    ends = [place for mark in (b"##", b"\n") if (place := data.find(mark, begun + 2)) > 0]
    return data[begun : min([*ends, begun + _HEAD + LONGEST, len(data)])]


def _near(data: bytes, begun: int) -> str:
    return data[begun : begun + _HEAD].decode("ascii", "replace")


def _read(segment: bytes, raw: bytes) -> Packet | Garbled:
    """A data segment whose CRC is right."""
    text = segment.decode("gbk", "replace")
    head, _, tail = text.partition("CP=")
    fields = _pairs(head)
    mn, cn = fields.get("MN", ""), fields.get("CN", "")
    if not mn or not cn:
        return Garbled("bad-segment", "MN" if not mn else "CN", veiled(raw))
    flag = fields.get("Flag", "")
    parts = _count(fields.get("PNUM", "1"))
    part = _count(fields.get("PNO", "1"))
    if not 1 <= part <= parts:
        return Garbled("bad-part", f"{part} of {parts}", veiled(raw))
    return Packet(
        mn, cn, fields.get("ST", ""), tail.strip().strip("&"), raw, fields.get("QN", ""),
        fields.get("PW", ""), int(flag) if flag.isdecimal() and len(flag) <= 3 else None,  # noqa: PLR2004 - a byte
        parts, part,
    )  # fmt: skip


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 4 else 0  # noqa: PLR2004 - as the standard


def _pairs(text: str) -> dict[str, str]:
    """`name=value` between semicolons and commas; what is none is passed over."""
    found: dict[str, str] = {}
    for piece in text.replace(",", ";").split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return found


def part_of(packet: Packet) -> Part[Packet]:
    """Which part of which message it is."""
    name = (packet.qn, packet.mn, packet.cn, packet.st)
    return Part(name, packet.part, packet.parts, packet, len(packet.raw))


def read_readings(packet: Packet, cp: str) -> dict[str, Any] | Garbled:
    """The readings of a message as one record.

    A factor's reading (`-Rtd`, `-Avg`, `-Data`) is under the factor's own name, everything else
    about it under `<factor>_<what>` in small letters: `a34002`, `a34002_max`, `a34002_flag`.
    """
    pairs = _pairs(cp)
    when = pairs.pop("DataTime", "")
    at = local_time(when)
    if at is None:
        return Garbled("bad-time", when[:40], veiled(packet.raw))
    record: dict[str, Any] = {
        "monitor": packet.mn,
        "time": at,
        "kind": KINDS[packet.cn],
        "system": packet.st,
        "version": 2017 if packet.flag is not None and packet.flag >> 2 else 2005,
    }
    sent = local_time(packet.qn)
    if sent is not None:
        record["sent"] = sent
    return record | _values(pairs)


def _values(pairs: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in pairs.items():
        factor, dash, what = name.rpartition("-")
        key = name
        if dash:
            key = factor if what.lower() in _MAIN else f"{factor}_{what.lower()}"
        found[key] = float(text) if _NUMBER.fullmatch(text) else text
    return found


def local_time(digits: str) -> str | None:
    """`YYYYMMDDhhmmss`, with milliseconds or not, as ISO 8601 with its offset."""
    form = _TIMES.get(len(digits))
    if form is None or not digits.isascii() or not digits.isdigit():
        return None
    try:
        at = datetime.strptime(digits, form).replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return at.isoformat(timespec="milliseconds" if len(digits) > 14 else "seconds")  # noqa: PLR2004 - with ms
