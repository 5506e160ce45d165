"""Readings of a test as the bytes that the feed would really send."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from engine.decode.shape import shape_of
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType
from engine.geo.datum import converter
from engine.ruleset.spec import Project
from engine.ruletest.moments import Moments, Unreadable
from engine.ruletest.story import Given


@dataclass(frozen=True, slots=True)
class Letter:
    """One record on its way in.

    Attributes:
        at_ms: Its event time (UTC ms); of a heartbeat, the time it names.
        barrier: Whether no other record may be moved past it.

    """

    feed: str
    at_ms: int
    value: bytes
    barrier: bool = False


def letters(given: Sequence[Given], project: Project, moments: Moments) -> list[Letter]:
    """All readings of a case as records in order of arrival.

    Before a record that comes late on purpose, every feed of the case says by heartbeat that
    time has come as far as the late arrival, less the feed's lateness, as a live feed's clock
    would have.
    """
    feeds = list(dict.fromkeys(reading.feed for reading in given))
    out: list[Letter] = []
    for number, reading in enumerate(given):
        spec = project.feeds[reading.feed]
        if reading.arrives_ms is not None:
            for name in feeds:
                said = reading.arrives_ms - project.feeds[name].lateness_ms
                out.append(Letter(name, said, heartbeat(project.feeds[name], said), barrier=True))
        value = encode(spec, reading, number, moments)
        out.append(Letter(reading.feed, reading.at_ms, value, reading.arrives_ms is not None))
    return out


def heartbeat(spec: FeedSpec, at_ms: int) -> bytes:
    """A record that says: nothing older than this follows."""
    if spec.format == "csv":
        return b"#watermark,%d" % at_ms
    return b'{"$watermark":%d}' % at_ms


def encode(spec: FeedSpec, reading: Given, number: int, moments: Moments) -> bytes:
    """One reading in the feed's format, names, time format and datum.

    Required fields that the author left out get a plain value: zero or the lowest allowed number,
    the first allowed text, false (true for the field that says the receiver had a fix), and a
    unique text where they are part of the event id.
    """
    values: dict[str, Any] = {}
    fields = shape_of(spec, None).fields
    for field in fields:
        name = field.name
        if name in reading.values:
            values[name] = _written(reading.values[name], field, reading.at_ms, moments)
        elif name == spec.time.field:
            values[name] = write_time(reading.at_ms, spec.time.format, spec.time.zone)
        elif not field.optional:
            values[name] = _plain(field, spec, reading, number)
    values[spec.time.field] = write_time(reading.at_ms, spec.time.format, spec.time.zone)
    if spec.position is not None and reading.place is not None:
        convert = converter("wgs84", spec.position.datum)
        lon, lat = convert(*reading.place) if convert else reading.place
        values[spec.position.lon], values[spec.position.lat] = round(lon, 7), round(lat, 7)
    return _packed(spec.format, fields, values)


def write_time(at_ms: int, form: str, zone: str) -> str | int | float:
    """An instant as a feed writes it."""
    if form == "epoch-ms":
        return at_ms
    if form == "epoch-s":
        return at_ms // 1000 if at_ms % 1000 == 0 else at_ms / 1000
    local = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(zone))
    local = local.replace(microsecond=at_ms % 1000 * 1000)
    return local.isoformat() if form == "iso8601" else local.strftime(form)


def _written(value: Any, field: FieldSpec, at_ms: int, moments: Moments) -> Any:
    """An author's value as the field carries it; instants may be written as in `at`."""
    if field.type is FieldType.TIME and isinstance(value, str):
        try:
            return write_time(moments.at(value), field.format, field.zone)
        except Unreadable:
            return value
    if field.type in (FieldType.TEXT, FieldType.PLATE) and isinstance(value, int | float):
        return str(value)
    del at_ms
    return value


def _plain(field: FieldSpec, spec: FeedSpec, reading: Given, number: int) -> Any:
    """A value for a required field of which the author said nothing."""
    match field.type:
        case FieldType.NUMBER | FieldType.INTEGER:
            low = 0.0 if field.low is None else field.low
            value = max(low, 0.0) if field.high is None else min(max(low, 0.0), field.high)
            return int(value) if field.type is FieldType.INTEGER else value
        case FieldType.BOOL:
            return field.name == spec.hygiene.located
        case FieldType.TIME:
            return write_time(reading.at_ms, field.format, field.zone)
        case _:
            if field.name in spec.id:
                return f"{reading.feed}-{number}"
            return field.values[0] if field.values else "-"


def _packed(form: str, fields: Sequence[FieldSpec], values: Mapping[str, Any]) -> bytes:
    if form == "csv":
        row = io.StringIO()
        cells = [values.get(field.name) for field in fields]
        csv.writer(row, lineterminator="").writerow(
            ["" if cell is None else cell for cell in cells]
        )
        return row.getvalue().encode()
    wire = {
        field.wire or field.name: values[field.name] for field in fields if field.name in values
    }
    if form == "msgpack":
        return msgspec.msgpack.encode(wire)
    return json.dumps(wire, ensure_ascii=False).encode()
