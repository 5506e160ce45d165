"""One record of a feed becomes a typed event, or a reason why it cannot."""

import json
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, final

import msgspec

from engine.decode import generate
from engine.decode.bulk import Bulk, is_complete, make_bulk
from engine.decode.keys import KeyOf, RankOf, key_of, rank_of
from engine.decode.lines import HEARTBEAT, columns_of, line_decoder
from engine.decode.reject import FieldCheck, diagnose, repeats
from engine.decode.shape import Shape, columns_of_feed, shape_of
from engine.feeds.reasons import BadValue, Reason
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType
from engine.feeds.times import time_reader
from engine.feeds.values import plate_reader, value_reader
from engine.geo.datum import converter

_HEARTBEAT_JSON = b'{"$watermark"'
_LAST_MS = 253_402_300_799_999


class Bad(NamedTuple):
    """A record that is no event: a bounded reason, and a field's name or a number."""

    reason: str
    detail: str


@final
class FeedDecoder:
    """Decodes the records of one feed.

    Hot callers use the ready-made functions one after another; `decode` does all of them. A
    heartbeat never parses, so they need ask `watermark` only about a record that `parse` refused.
    An event is a msgspec struct whose attributes are named like the declared fields; times are UTC
    ms, plates canonical, positions WGS-84 degrees (after `settle`), numbers in the declared unit.
    A record that names its key, its event id or its time twice is refused; of other repeated
    names the last one counts.

    Attributes:
        struct: The type of the feed's events.
        parse: Bytes to event; raises for bad records, see `explain`.
        time_of: The event time in UTC ms.
        check: (event, event time, arrival or None) to a reason, or None if the event is good.
        settle: Converts the position to WGS-84 in place; None when the feed needs no conversion.
        bulk: Several records to their events, or None when one of them needs the careful way.
        bulk_checks: Whether `check` must be asked about events of `bulk` that did not arrive early.

    """

    def __init__(
        self,
        spec: FeedSpec,
        used: Collection[str] | None = None,
        *,
        header: bytes | str | None = None,
    ) -> None:
        self.spec = spec
        self.used = used
        self._shape = shape_of(spec, used)
        self._by_name = {field.name: field for field in self._shape.fields}
        self.struct = self._shape.struct
        self._lines = spec.format == "csv"
        self._checks = _checks(self._shape, spec, from_text=self._lines)
        self.bulk: Bulk | None = None
        self.bulk_checks = not is_complete(spec, self._shape.fields)
        self.parse = self._parse_lines(header) if self._lines else self._parse_json()
        self.time_of: Callable[[Any], int] = attrgetter(spec.time.field)
        self.check, self.settle = _judges(spec, self._by_name)

    def csv(self, header: bytes | str) -> "FeedDecoder":
        """The decoder of the lines that follow this header line.

        Raises:
            BadValue: The line is no header, or names a column twice.

        """
        return FeedDecoder(self.spec, self.used, header=header)

    def key_of(self, fields: Sequence[str]) -> KeyOf:
        """How to get the key that these fields make up; "" for an event without one."""
        return key_of([self._by_name[name] for name in fields])

    def rank_of(self, fields: Sequence[str]) -> RankOf | None:
        """How to order (and recognise) events of equal time under the key of these fields.

        Takes event and raw record. None when key and time identify an event of this feed.
        """
        known = frozenset(fields) | {self.spec.time.field}
        ids = [self._by_name[name] for name in self.spec.id]
        return rank_of(ids, known, declared=bool(self.spec.id))

    def watermark(self, value: bytes) -> int | None:
        """The instant (UTC ms) a heartbeat names: no older record follows it. None for records."""
        if self._lines:
            return _instant(value[len(HEARTBEAT) :]) if value.startswith(HEARTBEAT) else None
        if not value.startswith(_HEARTBEAT_JSON):
            return None
        try:
            said = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return _instant(str(said["$watermark"]).encode()) if len(said) == 1 else None

    def explain(self, error: BaseException, value: bytes) -> tuple[str, str]:
        """Reason and detail for an exception that `parse` raised on this record.

        The reason is one of `engine.feeds.reasons.Reason`; the detail is a field's name, a count,
        or empty. Nothing of the decoding library's wording gets through.
        """
        if isinstance(error, BadValue) and (error.detail or self._lines):
            return error.reason.value, error.detail
        found = None if self._lines else diagnose(value, self._checks)
        if found is not None:
            return found[0].value, found[1]
        if isinstance(error, BadValue):
            return error.reason.value, ""
        return (Reason.NOT_TEXT if isinstance(error, UnicodeError) else Reason.WRONG_TYPE).value, ""

    def decode(self, value: bytes, arrived_ms: int | None = None) -> tuple[int, Any] | Bad:
        """A record as (event time, event) with a settled position, or why it is none."""
        try:
            event = self.parse(value)
        except (BadValue, msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return Bad(*self.explain(error, value))
        at = self.time_of(event)
        reason = self.check(event, at, arrived_ms)
        if reason is not None:
            return Bad(reason.value, "")
        if self.settle is not None:
            self.settle(event)
        return at, event

    def _parse_json(self) -> generate.Parse:
        readers = [
            (field.name, _late_reader(field), field.optional)
            for field in self._shape.fields
            if field.type in (FieldType.TIME, FieldType.PLATE)
        ]
        identity = sorted({*self._shape.keys, self.spec.time.field})
        wires = [self._by_name[name].wire or name for name in identity]
        words = [json.dumps(wire, ensure_ascii=False).encode() for wire in wires]
        self.bulk = make_bulk(self._shape, self.spec, readers, words)
        decode = msgspec.json.Decoder(self.struct).decode
        return generate.make_parse(decode, readers, words, repeats(wires))

    def _parse_lines(self, header: bytes | str | None) -> generate.Parse:
        """Without a header line the columns are the declared fields, in their order."""
        columns = columns_of_feed(self.spec) if header is None else columns_of(header)
        return generate.make_parse(
            line_decoder(self.struct, self._checks, columns, self.spec.null_texts), []
        )


def _checks(shape: Shape, spec: FeedSpec, *, from_text: bool = False) -> list[FieldCheck]:
    return [
        FieldCheck(
            field.name,
            field.wire or field.name,
            field.optional,
            value_reader(field, key=field.name in spec.key, from_text=from_text),
        )
        for field in shape.fields
    ]


def _late_reader(field: FieldSpec) -> Callable[[Any], object]:
    """What turns the text (or number) that msgspec checked into the event's value."""
    if field.type is FieldType.TIME:
        return time_reader(field.format, field.zone)
    return plate_reader()


def _judges(
    spec: FeedSpec, fields: dict[str, FieldSpec]
) -> tuple[generate.Check, generate.Settle | None]:
    place = spec.position
    names = None if place is None else (place.lon, place.lat)
    optional = names is not None and any(fields[name].optional for name in names)
    check = generate.make_check(
        spec.ahead_ms,
        names,
        optional=optional,
        located=spec.hygiene.located if "not-located" in spec.hygiene.drop else "",
        null_island="null-island" in spec.hygiene.drop,
    )
    convert = None if place is None else converter(place.datum, "wgs84")
    if names is None or convert is None:
        return check, None
    return check, generate.make_settle(names, convert, optional=optional)


def _instant(digits: bytes) -> int | None:
    text = digits.strip()
    return int(text) if text.isdigit() and len(text) <= len(str(_LAST_MS)) else None
