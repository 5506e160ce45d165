"""What JT/T 808 messages hold: registration, authentication, positions, and our answers.

Times are six BCD bytes of Beijing time. A position is in the terminal's datum, which the message
does not name (the feed declares it); bits 2 and 3 of the status say south and west.
"""

import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from connectors.protocols import Garbled
from connectors.protocols.jtt808 import ANSWER, REGISTERED, SEND_AGAIN, Message

BEIJING = timezone(timedelta(hours=8))
DONE, FAILED, WRONG, UNSUPPORTED = 0, 1, 2, 3
"""Results of a general answer (0x8001)."""
IS_REGISTERED, NO_TERMINAL = 3, 4
"""Results of a registration (0x8100): the terminal has its code, or may not call."""

ALARMS = {
    0: "emergency", 1: "overspeed", 2: "fatigue", 3: "danger", 7: "power_low", 8: "power_off",
    19: "timeout_parking", 20: "area_crossed", 21: "route_crossed", 23: "route_left",
    27: "ignition", 28: "moved", 29: "collision", 30: "rollover",
}  # fmt: skip
"""Alarm bits that become a text; the number itself is in the record too."""

_POSITION = struct.Struct(">IIIIHHH6s")
_EXTRAS = {
    0x01: ("mileage", 4, 10), 0x02: ("fuel", 2, 10), 0x03: ("recorder_speed", 2, 10),
    0x30: ("signal", 1, 1), 0x31: ("satellites", 1, 1),
}  # fmt: skip
_2011, _2013, _2019 = (25, 8, 7), (37, 20, 7), (75, 30, 30)
_LATEST_2011 = 37


class Registration(NamedTuple):
    """What a terminal says of itself (0x0100)."""

    maker: str
    model: str
    device: str
    plate_colour: int
    plate: str


def read_registration(message: Message) -> Registration | Garbled:
    """A registration of 2011, 2013 or 2019; the two older ones differ in length only."""
    body = message.body
    size, model, device = _2013
    maker = 5
    if message.version:
        (size, model, device), maker = _2019, 11
    elif len(body) < _LATEST_2011:
        size, model, device = _2011
    if len(body) < size:
        return Garbled("bad-body", f"0100: {len(body)} bytes", message.raw)
    at = 4
    texts = []
    for length in (maker, model, device):
        texts.append(_text(body[at : at + length]))
        at += length
    return Registration(texts[0], texts[1], texts[2], body[at], _text(body[at + 1 :]))


def read_code(message: Message) -> str | Garbled:
    """The code that a terminal shows (0x0102)."""
    body = message.body
    if not message.version:
        return _text(body)
    if not body or len(body) < 1 + body[0]:
        return Garbled("bad-body", f"0102: {len(body)} bytes", b"")
    return _text(body[1 : 1 + body[0]])


def read_position(message: Message) -> list[dict[str, Any] | Garbled]:
    """The one position of 0x0200 as a record."""
    return [_position(message, message.body, buffered=False)]


def read_positions(message: Message) -> list[dict[str, Any] | Garbled]:
    """The positions of a batch (0x0704); type 1 means that they were sent late."""
    body = message.body
    if len(body) < 3:  # noqa: PLR2004 - count and type
        return [Garbled("bad-body", f"0704: {len(body)} bytes", message.raw)]
    count, buffered, at = int.from_bytes(body[:2]), body[2] == 1, 3
    found: list[dict[str, Any] | Garbled] = []
    for _ in range(count):
        length = int.from_bytes(body[at : at + 2])
        one, at = body[at + 2 : at + 2 + length], at + 2 + length
        if at > len(body) or not length:
            found.append(Garbled("bad-body", f"0704: {len(found)} of {count}", message.raw))
            break
        found.append(_position(message, one, buffered=buffered))
    return found


def _position(message: Message, body: bytes, *, buffered: bool) -> dict[str, Any] | Garbled:
    if len(body) < _POSITION.size:
        return Garbled("bad-body", f"0200: {len(body)} bytes", message.raw)
    alarm, status, lat, lon, height, speed, course, when = _POSITION.unpack_from(body)
    at = beijing_time(when)
    if at is None:
        return Garbled("bad-time", when.hex(), message.raw)
    record: dict[str, Any] = {
        "terminal": message.terminal,
        "time": at,
        "lon": (-lon if status & 8 else lon) / 1e6,
        "lat": (-lat if status & 4 else lat) / 1e6,
        "altitude": height if height < 0x8000 else height - 0x10000,  # noqa: PLR2004 - two's complement
        "speed": speed / 10,
        "course": course,
        "located": bool(status & 2),
        "engine_on": bool(status & 1),
        "alarm": alarm,
        "alarms": ",".join(name for bit, name in ALARMS.items() if alarm >> bit & 1),
        "status": status,
        "serial": message.serial,
        "buffered": buffered,
    }
    extras = _extras(body[_POSITION.size :])
    if extras is None:
        return Garbled("bad-body", "0200: extras", message.raw)
    return record | extras


def _extras(data: bytes) -> dict[str, Any] | None:
    """The extra items that have a name here; None where the lengths do not add up."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return None
        number, value = data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + len(value)
        name, length, divisor = _EXTRAS.get(number, ("", 0, 1))
        if name and len(value) == length:
            whole = int.from_bytes(value)
            found[name] = whole if divisor == 1 else whole / divisor
    return found


def beijing_time(digits: bytes) -> str | None:
    """Six BCD bytes as ISO 8601 with its offset; None where that is no time."""
    text = digits.hex()
    if not text.isdecimal():
        return None
    try:
        year, month, day, hour, minute, second = (int(text[n : n + 2]) for n in range(0, 12, 2))
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=BEIJING).isoformat()
    except ValueError:
        return None


def bcd_time(at_ms: int) -> bytes:
    """A moment (UTC ms) as six BCD bytes of Beijing time."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(BEIJING)
    return bytes.fromhex(at.strftime("%y%m%d%H%M%S"))


def answer(to: Message, serial: int, result: int) -> Message:
    """Our general answer (0x8001) to a message."""
    body = to.serial.to_bytes(2) + to.kind.to_bytes(2) + bytes([result])
    return _reply(ANSWER, to, serial, body)


def registered(to: Message, serial: int, result: int, code: str) -> Message:
    """Our answer (0x8100) to a registration; the code goes along with a result of 0 only."""
    body = to.serial.to_bytes(2) + bytes([result])
    return _reply(REGISTERED, to, serial, body + (code.encode("gbk") if result == DONE else b""))


def send_again(of: Message, serial: int, missing: list[int]) -> Message:
    """Our request (0x8003) for the parts that did not come; at most 255 of them."""
    some = missing[:255]
    first = (of.serial - of.part + 1) & 0xFFFF
    count = len(some).to_bytes(2 if of.version else 1)
    body = first.to_bytes(2) + count + b"".join(number.to_bytes(2) for number in some)
    return _reply(SEND_AGAIN, of, serial, body)


def _reply(kind: int, to: Message, serial: int, body: bytes) -> Message:
    return Message(kind, to.terminal, serial & 0xFFFF, to.version, body, b"")


def _text(data: bytes) -> str:
    """A text field: GBK, filled up with zero bytes or blanks at either end."""
    return data.decode("gbk", "replace").strip("\x00 ")
