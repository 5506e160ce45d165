"""JT/T 808 on the wire: frames between 0x7e, escapes, checksum, headers of 2011 to 2019, parts.

A frame is `7e header body checksum 7e`; inside, 7e travels as 7d 02 and 7d as 7d 01. The checksum
is the exclusive or of header and body. All numbers are big-endian. Bit 14 of the second header
word says that the header is that of 2019: a version byte and a number of 10 BCD bytes in place
of 6. Bit 13 says that the message comes in several parts.
"""

from dataclasses import dataclass
from functools import reduce
from operator import xor

from connectors.protocols import Garbled
from connectors.protocols.parts import Part

FLAG = 0x7E
LONGEST_BODY = 1023
LONGEST = 2 * (LONGEST_BODY + 17 + 4 + 1)
"""Bytes of the longest frame between its flags: everything escaped."""

REGISTER, LOG_OUT, AUTHENTICATE, HEARTBEAT = 0x0100, 0x0003, 0x0102, 0x0002
LOCATION, LOCATIONS = 0x0200, 0x0704
ANSWER, REGISTERED, SEND_AGAIN = 0x8001, 0x8100, 0x8003

_SHORT, _LONG = 12, 17
_V2019, _PARTED, _SEALED = 1 << 14, 1 << 13, 0b111 << 10


@dataclass(frozen=True, slots=True)
class Message:
    """A frame whose checksum and header are right.

    Attributes:
        kind: The message id, such as 0x0200.
        terminal: The terminal's number without leading zeros.
        serial: Its number in the terminal's counting.
        version: 0 for 2011 and 2013, else the version byte of 2019 and later.
        parts: In how many frames the message comes; `part` counts them from 1.
        raw: The whole frame, flags included, as it came.

    """

    kind: int
    terminal: str
    serial: int
    version: int
    body: bytes
    raw: bytes
    parts: int = 1
    part: int = 1


class Frames:
    """Cuts bytes as they come into messages; nothing between two flags can harm what follows."""

    def __init__(self) -> None:
        """Wait for the first flag."""
        self._rest = b""
        self._skipping = False

    def take(self, chunk: bytes) -> list[Message | Garbled]:
        """The messages that are complete now, and what was none, in the order they came."""
        pieces = (self._rest + chunk).split(b"\x7e")
        self._rest = pieces.pop()
        found: list[Message | Garbled] = []
        for piece in pieces:
            if self._skipping:
                self._skipping = False
            elif piece:
                found.append(read_frame(piece))
        if len(self._rest) > LONGEST:
            if not self._skipping:
                found.append(Garbled("too-large", f"> {LONGEST}", self._rest[:LONGEST]))
            self._rest, self._skipping = b"", True
        return found


def read_frame(piece: bytes) -> Message | Garbled:
    """What stands between two flags."""
    raw = b"\x7e" + piece + b"\x7e"
    plain = unescape(piece)
    if plain is None:
        return Garbled("bad-escape", "0x7d", raw)
    if len(piece) > LONGEST:
        return Garbled("too-large", str(len(piece)), raw[:LONGEST])
    if len(plain) <= _SHORT:
        return Garbled("too-short", str(len(plain)), raw)
    content, said = plain[:-1], plain[-1]
    summed = reduce(xor, content)
    if summed != said:
        return Garbled("bad-checksum", f"{said:02x}, not {summed:02x}", raw)
    return _read_header(content, raw)


def _read_header(content: bytes, raw: bytes) -> Message | Garbled:
    kind, about = int.from_bytes(content[:2]), int.from_bytes(content[2:4])
    is_new, is_parted = bool(about & _V2019), bool(about & _PARTED)
    start = (_LONG if is_new else _SHORT) + (4 if is_parted else 0)
    if len(content) < start:
        return Garbled("bad-length", f"header of {len(content)}", raw)
    version, number = (content[4], content[5:15]) if is_new else (0, content[4:10])
    digits = number.hex()
    if not digits.isdecimal():
        return Garbled("bad-terminal", digits, raw)
    body = content[start:]
    if len(body) != about & LONGEST_BODY:
        return Garbled("bad-length", f"{len(body)}, not {about & LONGEST_BODY}", raw)
    terminal = digits.lstrip("0") or "0"
    if about & _SEALED:
        return Garbled("encrypted", terminal, raw)
    serial_at = start - (6 if is_parted else 2)
    serial = int.from_bytes(content[serial_at : serial_at + 2])
    if not is_parted:
        return Message(kind, terminal, serial, version, body, raw)
    parts, part = (
        int.from_bytes(content[start - 4 : start - 2]),
        int.from_bytes(content[start - 2 : start]),
    )
    if not 1 <= part <= parts:
        return Garbled("bad-part", f"{part} of {parts}", raw)
    return Message(kind, terminal, serial, version, body, raw, parts, part)


def unescape(piece: bytes) -> bytes | None:
    """The bytes that were meant; None where 7d is followed by neither 01 nor 02."""
    if b"\x7d" not in piece:
        return piece
    first, *others = piece.split(b"\x7d")
    if any(other[:1] not in {b"\x01", b"\x02"} for other in others):
        return None
    return first + b"".join((b"\x7d" if other[0] == 1 else b"\x7e") + other[1:] for other in others)


def frame(message: Message) -> bytes:
    """A message as it travels; `raw` of the message is not looked at."""
    about = len(message.body) | (_V2019 if message.version else 0)
    about |= _PARTED if message.parts > 1 else 0
    digits = message.terminal.zfill(20 if message.version else 12)
    number = (bytes([message.version]) if message.version else b"") + bytes.fromhex(digits)
    head = message.kind.to_bytes(2) + about.to_bytes(2) + number + message.serial.to_bytes(2)
    if message.parts > 1:
        head += message.parts.to_bytes(2) + message.part.to_bytes(2)
    content = head + message.body
    content += bytes([reduce(xor, content)])
    escaped = content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")
    return b"\x7e" + escaped + b"\x7e"


def part_of(message: Message) -> Part[Message]:
    """Which part of which message it is: parts are counted on from the serial of the first."""
    first = (message.serial - message.part + 1) & 0xFFFF
    name = (message.kind, message.terminal, first)
    return Part(name, message.part, message.parts, message, len(message.raw))
