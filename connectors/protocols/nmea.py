"""AIS as NMEA 0183 sentences: lines, messages of several sentences, ships' positions as records.

Decoding is that of the library pyais. A message says only at which second of a minute the position
was taken, so its time is that of its arrival (or of the receiver's tag block), moved to that
second. What a ship reports as "not available" is left out of the record.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pyais import decode
from pyais.exceptions import (
    InvalidNMEAChecksum,
    MissingMultipartMessageException,
    MissingPayloadException,
    UnknownMessageException,
)

from connectors.protocols import Garbled

LONGEST: Final = 1024
"""Bytes of a line; a sentence has 82 at most, a tag block comes before it."""
TOGETHER_MS = 10_000
"""The sentences of a message come within so much time; their numbers are used again soon."""

POSITIONS = frozenset({1, 2, 3, 9, 18, 19, 27})
STATICS = frozenset({5, 24})

_MOST_HELD = 1000
_EARLY_S, _MINUTE_S = 10, 60
_NO_SPEED, _NO_LON, _NO_LAT, _NO_COURSE, _NO_HEADING = 102.3, 181.0, 91.0, 360.0, 511


@dataclass(slots=True)
class _Held:
    """Sentences of one message, by their number."""

    begun_ms: int
    lines: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """A decoded message: its type, and a record if it is of a wanted kind."""

    kind: int
    record: dict[str, Any] | None


class Sentences:
    """Cuts bytes as they come into lines, and puts messages of several sentences together."""

    def __init__(self, *, statics: bool = False) -> None:
        """Give positions, or with `statics` what ships say about themselves."""
        self._statics = statics
        self._rest = b""
        self._skipping = False
        self._held: OrderedDict[tuple[bytes, ...], _Held] = OrderedDict()

    def take(self, chunk: bytes, now_ms: int) -> Iterator[Heard | Garbled]:
        """What the lines that are complete now say; hear it to its end."""
        lines = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST:
            if not self._skipping:
                yield Garbled("too-large", f"> {LONGEST}", self._rest[:LONGEST])
            self._rest, skip = b"", True
        else:
            skip = False
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif text := line.strip():
                yield from self._line(text[: LONGEST + 1], now_ms)
        self._skipping = self._skipping or skip

    def datagram(self, data: bytes, now_ms: int) -> Iterator[Heard | Garbled]:
        """What one datagram says: whole lines, the last one with a line end or without."""
        for line in data.replace(b"\r", b"\n").split(b"\n"):
            if text := line.strip():
                yield from self._line(text[: LONGEST + 1], now_ms)

    def _line(self, line: bytes, now_ms: int) -> Iterator[Heard | Garbled]:
        if len(line) > LONGEST:
            yield Garbled("too-large", f"> {LONGEST}", line)
            return
        sentence, at_ms = _untagged(line, now_ms)
        fields = sentence.split(b",")
        if not sentence.startswith((b"!", b"$")) or len(fields) < 7:  # noqa: PLR2004 - of AIVDM
            yield Garbled("bad-frame", "", line)
            return
        if not (fields[1].isdigit() and fields[2].isdigit() and len(fields[1] + fields[2]) <= 2):  # noqa: PLR2004 - one digit each
            yield Garbled("bad-frame", "", line)
            return
        count, number = int(fields[1]), int(fields[2])
        if count <= 1:
            yield self._decoded([sentence], at_ms, line)
            return
        yield from self._part((fields[0], fields[1], fields[3], fields[4]), number, sentence, at_ms)

    def _part(
        self, name: tuple[bytes, ...], number: int, sentence: bytes, at_ms: int
    ) -> Iterator[Heard | Garbled]:
        held = self._held.get(name)
        if held is not None and (
            number in held.lines or at_ms - held.begun_ms > TOGETHER_MS
        ):  # its numbers are in use for another message
            yield from _incomplete(self._held.pop(name))
            held = None
        if held is None:
            held = self._held[name] = _Held(at_ms)
        held.lines[number] = sentence
        if len(held.lines) == int(name[1]):
            del self._held[name]
            lines = [held.lines[one] for one in sorted(held.lines)]
            yield self._decoded(lines, at_ms, b"\n".join(lines))
        elif len(self._held) > _MOST_HELD:
            yield from _incomplete(self._held.popitem(last=False)[1])

    def give_up(self, now_ms: int) -> Iterator[Heard | Garbled]:
        """A last line without its end, and messages that never became whole."""
        rest, self._rest = self._rest.strip(), b""
        if rest and not self._skipping:
            yield from self._line(rest, now_ms)
        while self._held:
            yield from _incomplete(self._held.popitem(last=False)[1])

    def _decoded(self, lines: list[bytes], at_ms: int, raw: bytes) -> Heard | Garbled:
        try:
            message = decode(*lines, error_if_checksum_invalid=True)
            fields = message.asdict()
        except InvalidNMEAChecksum:
            return Garbled("bad-checksum", "", raw)
        except MissingPayloadException:
            return Garbled("no-payload", "", raw)
        except MissingMultipartMessageException:
            return Garbled("incomplete", "", raw)
        except UnknownMessageException:
            return Garbled("unknown-message", "", raw)
        except Exception as error:  # noqa: BLE001 - of a peer's bytes; a library may raise anything
            return Garbled("undecodable", type(error).__name__, raw)
        kind = int(message.msg_type)
        if kind in (STATICS if self._statics else POSITIONS):
            make = _static if self._statics else _position
            return Heard(kind, make(fields, at_ms))
        return Heard(kind, None)


def _incomplete(held: _Held) -> Iterator[Garbled]:
    for number, line in sorted(held.lines.items()):
        yield Garbled("incomplete", str(number), line)


def _untagged(line: bytes, now_ms: int) -> tuple[bytes, int]:
    """The sentence behind a tag block, and the receiver's time (`c:`) if the block has one."""
    if not line.startswith(b"\\"):
        return line, now_ms
    block, _, sentence = line[1:].partition(b"\\")
    for piece in block.split(b"*")[0].split(b","):
        name, _, value = piece.partition(b":")
        if name == b"c" and value.isdigit() and len(value) in {10, 13}:
            return sentence, int(value) * (1000 if len(value) == 10 else 1)  # noqa: PLR2004 - s or ms
    return sentence, now_ms


def moved(at_ms: int, second: int | None) -> int:
    """The moment near an arrival at which a minute was so many seconds old (UTC ms).

    Messages arrive up to 50 s after the position was taken; a sender's clock may be up to 10 s
    ahead. Without a second it is the arrival.
    """
    if second is None or not 0 <= second < _MINUTE_S:
        return at_ms
    whole = at_ms // 1000
    behind = (whole - second) % _MINUTE_S
    return (whole - behind + (_MINUTE_S if behind > _MINUTE_S - _EARLY_S else 0)) * 1000


def _position(fields: dict[str, Any], at_ms: int) -> dict[str, Any] | None:
    """Where a ship is; None where it does not say where."""
    lon, lat = fields["lon"], fields["lat"]
    if lon is None or lat is None or abs(lon) >= _NO_LON or abs(lat) >= _NO_LAT:
        return None
    record: dict[str, Any] = {
        **_ship(fields, moved(at_ms, fields.get("second"))),
        "lon": lon,
        "lat": lat,
    }
    speed, course, heading = (fields.get(name) for name in ("speed", "course", "heading"))
    if speed is not None and speed < (63 if fields["msg_type"] == 27 else _NO_SPEED):  # noqa: PLR2004 - of the long-range report
        record["speed"] = speed
    if course is not None and 0 <= course < _NO_COURSE:
        record["course"] = course
    if heading is not None and 0 <= heading < _NO_HEADING and heading < _NO_COURSE:
        record["heading"] = heading
    status = fields.get("status")
    if status is not None:
        record["status"] = int(status)
    return record


def _static(fields: dict[str, Any], at_ms: int) -> dict[str, Any] | None:
    """What a ship says about itself; only what it says."""
    record = _ship(fields, at_ms)
    names = {
        "shipname": "name", "callsign": "callsign", "imo": "imo", "ship_type": "ship_type",
        "destination": "destination", "draught": "draught",
    }  # fmt: skip
    for name, ours in names.items():
        value = fields.get(name)
        if value not in {None, "", 0}:
            record[ours] = value if isinstance(value, str | float) else int(value)
    bow, stern = fields.get("to_bow"), fields.get("to_stern")
    if bow is not None and stern is not None and bow + stern:
        record["length"] = bow + stern
    return record


def _ship(fields: dict[str, Any], at_ms: int) -> dict[str, Any]:
    return {
        "mmsi": str(fields["mmsi"]).zfill(9),
        "time": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "message": int(fields["msg_type"]),
    }
