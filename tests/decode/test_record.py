"""Records become typed events, or a bounded reason why not."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decode.record import Bad, FeedDecoder
from engine.feeds.reasons import Reason
from engine.feeds.spec import (
    FeedSpec,
    FieldSpec,
    FieldType,
    HygieneSpec,
    PositionSpec,
    TimeSpec,
)

NINE = 1_772_413_200_000  # 2026-03-02T09:00:00+08:00


def fields(*specs: FieldSpec) -> dict[str, FieldSpec]:
    return {spec.name: spec for spec in specs}


GPS = FeedSpec(
    name="vehicle-gps",
    topic="feed.vehicle-gps",
    format="json",
    key=("vehicle",),
    id=("vehicle", "gps_time", "serial"),
    time=TimeSpec("gps_time", "%Y-%m-%d %H:%M:%S"),
    position=PositionSpec("lon", "lat", "wgs84"),
    hygiene=HygieneSpec(located="fixed", drop=frozenset({"null-island", "not-located"})),
    fields=fields(
        FieldSpec("vehicle", FieldType.PLATE),
        FieldSpec("serial", FieldType.INTEGER),
        FieldSpec("speed", FieldType.NUMBER, unit="km/h", low=0, high=160, wire="Speed. km/h"),
        FieldSpec("state", FieldType.TEXT, values=("driving", "parked")),
        FieldSpec("note", FieldType.TEXT, optional=True, max_length=10),
        FieldSpec("fixed", FieldType.BOOL, optional=True),
        FieldSpec("loaded_at", FieldType.TIME, optional=True),
    ),
)
DECODER = FeedDecoder(GPS)
GOOD: dict[str, Any] = {
    "vehicle": "苏f12345-黄",
    "gps_time": "2026-03-02 09:00:00",
    "serial": 7,
    "lon": 120.9,
    "lat": 32.01,
    "Speed. km/h": 12.5,
    "state": "parked",
}


def record(**changes: object) -> bytes:
    """The good record with changes; `...` leaves a field out."""
    values = {**GOOD, **changes}
    return json.dumps(
        {name: value for name, value in values.items() if value is not ...}, ensure_ascii=False
    ).encode()


def raw(old: str, new: str) -> bytes:
    return record().replace(old.encode(), new.encode())


def reason_of(value: bytes, arrived_ms: int | None = None) -> tuple[str, str]:
    said = DECODER.decode(value, arrived_ms)
    assert isinstance(said, Bad), said
    return said.reason, said.detail


def event_of(decoder: FeedDecoder, value: bytes) -> tuple[int, Any]:
    said = decoder.decode(value)
    assert not isinstance(said, Bad), said
    return said


def test_a_good_record_becomes_an_event_with_typed_values() -> None:
    at, event = event_of(DECODER, record(loaded_at="2026-03-02T08:00:00", note="x", unknown=[1]))
    assert at == NINE
    assert (event.vehicle, event.serial, event.speed) == ("苏F12345-yellow", 7, 12.5)
    assert (event.lon, event.lat, event.state, event.note) == (120.9, 32.01, "parked", "x")
    assert (event.gps_time, event.loaded_at, event.fixed) == (NINE, NINE - 3_600_000, None)


BAD_RECORDS = [
    pytest.param(b"", "not-json", "", id="an empty record"),
    pytest.param(b"\xff\xfe\x00{", "not-text", "", id="not UTF-8"),
    pytest.param('{"vehicle": "苏"}'.encode("gbk"), "not-text", "", id="GBK text"),
    pytest.param(record()[:-20], "not-json", "", id="a truncated record"),
    pytest.param(record() + b"x", "not-json", "", id="something after the record"),
    pytest.param(b"\xef\xbb\xbf" + record(), "not-json", "", id="a byte order mark"),
    pytest.param(b"null", "not-object", "", id="null"),
    pytest.param(b"[" + record() + b"]", "not-object", "", id="an array"),
    pytest.param(b'"text"', "not-object", "", id="a text"),
    pytest.param(b"12", "not-object", "", id="a number"),
    pytest.param(b"{}", "missing-field", "vehicle", id="an empty object"),
    pytest.param(raw("12.5", "NaN"), "not-json", "", id="not a number"),
    pytest.param(raw("12.5", "-Infinity"), "not-json", "", id="infinity"),
    pytest.param(raw("12.5", "1e999"), "out-of-range", "speed", id="a number beyond all numbers"),
    pytest.param(raw("12.5", "012"), "not-json", "", id="a number with a leading zero"),
    pytest.param(raw("12.5", "1" * 400), "out-of-range", "speed", id="four hundred digits"),
    pytest.param(raw('"parked"', "'parked'"), "not-json", "", id="single quotes"),
    pytest.param(raw("}", ",}"), "not-json", "", id="a trailing comma"),
    pytest.param(record(vehicle=...), "missing-field", "vehicle", id="no key"),
    pytest.param(record(gps_time=...), "missing-field", "gps_time", id="no time"),
    pytest.param(record(lon=...), "missing-field", "lon", id="no longitude"),
    pytest.param(record(serial=None), "missing-field", "serial", id="null where one is needed"),
    pytest.param(record(**{"Speed. km/h": "12.5"}), "wrong-type", "speed", id="a number as text"),
    pytest.param(record(**{"Speed. km/h": True}), "wrong-type", "speed", id="truth for a number"),
    pytest.param(record(serial=7.5), "wrong-type", "serial", id="a fraction for an integer"),
    pytest.param(record(serial=2**70), "out-of-range", "serial", id="an integer too large"),
    pytest.param(record(state=3), "wrong-type", "state", id="a number for a text"),
    pytest.param(record(fixed="yes"), "wrong-type", "fixed", id="a text for a truth value"),
    pytest.param(record(note={"a": 1}), "wrong-type", "note", id="an object for a text"),
    pytest.param(record(gps_time=NINE), "wrong-type", "gps_time", id="a number for a time"),
    pytest.param(record(**{"Speed. km/h": 161}), "out-of-range", "speed", id="above the range"),
    pytest.param(record(**{"Speed. km/h": -1}), "out-of-range", "speed", id="below the range"),
    pytest.param(record(state="flying"), "not-allowed", "state", id="a text that is not allowed"),
    pytest.param(record(note="x" * 11), "too-long", "note", id="a text too long"),
    pytest.param(record(vehicle=""), "bad-key", "vehicle", id="an empty key"),
    pytest.param(record(vehicle="x" * 257), "bad-key", "vehicle", id="a key too long"),
    pytest.param(record(vehicle="苏F1"), "bad-plate", "vehicle", id="no plate"),
    pytest.param(record(gps_time="2026-02-30 09:00:00"), "bad-time", "gps_time", id="no such day"),
    pytest.param(record(gps_time="soon"), "bad-time", "gps_time", id="no time at all"),
    pytest.param(record(loaded_at="soon"), "bad-time", "loaded_at", id="another time field"),
    pytest.param(record(lon=32.01, lat=120.9), "swapped-position", "", id="axes swapped"),
    pytest.param(record(lon=1209.0), "bad-position", "", id="longitude off the globe"),
    pytest.param(record(lat=-90.1), "bad-position", "", id="latitude off the globe"),
    pytest.param(record(lon=0, lat=0), "null-island", "", id="the position 0, 0"),
    pytest.param(record(fixed=False), "not-located", "", id="the receiver had no fix"),
    pytest.param(record(note="x" * 1_100_000), "too-large", "1100156", id="over a megabyte"),
    pytest.param(raw("12.5", "[" * 100_000), "too-deep", "", id="brackets without end"),
    pytest.param(
        raw("7,", '7, "x": ' + "[" * 5000 + "]" * 5000 + ","), "too-deep", "", id="nested too deep"
    ),
    pytest.param(raw("}", ', "vehicle": "苏F54321"}'), "repeated-field", "vehicle", id="two keys"),
    pytest.param(
        raw("}", ', "gps_time": "2026-03-02 10:00:00"}'),
        "repeated-field",
        "gps_time",
        id="two times",
    ),
    pytest.param(raw('"parked"', '"par\\ud800"'), "not-json", "", id="half a surrogate pair"),
    pytest.param(raw('"parked"', '"par\tked"'), "not-json", "", id="a bare tab in a text"),
]


@pytest.mark.parametrize(("value", "reason", "detail"), BAD_RECORDS)
def test_every_kind_of_bad_record_has_its_reason(value: bytes, reason: str, detail: str) -> None:
    assert reason_of(value) == (reason, detail)


def test_every_reason_given_is_of_the_bounded_list() -> None:
    assert {case.values[1] for case in BAD_RECORDS} <= set(Reason)


def test_a_time_far_after_its_arrival_is_refused() -> None:
    assert reason_of(record(), NINE - GPS.ahead_ms - 1) == ("too-far-ahead", "")
    assert not isinstance(DECODER.decode(record(), NINE - GPS.ahead_ms), Bad)


def test_a_name_that_is_also_a_value_or_nested_is_no_repetition() -> None:
    value = raw("}", ', "said": "vehicle", "more": {"vehicle": 1, "gps_time": 2}}')
    assert not isinstance(DECODER.decode(value), Bad)


def test_only_used_fields_are_built_besides_those_that_identify_and_place() -> None:
    decoder = FeedDecoder(GPS, {"speed"})
    built = {"vehicle", "serial", "speed", "fixed", "gps_time", "lon", "lat"}
    assert set(decoder.struct.__struct_fields__) == built
    assert not isinstance(decoder.decode(record(state="flying", note=3)), Bad)


def test_positions_are_settled_to_wgs84() -> None:
    decoder = FeedDecoder(replace(GPS, position=PositionSpec("lon", "lat", "gcj02")))
    assert DECODER.settle is None
    _, event = event_of(decoder, record())
    assert (round(event.lon, 6), round(event.lat, 6)) == (120.895782, 32.012178)


def test_an_optional_position_may_be_missing_whole_but_not_in_half() -> None:
    extra = fields(
        FieldSpec("lon", FieldType.NUMBER, optional=True),
        FieldSpec("lat", FieldType.NUMBER, optional=True),
    )
    spec = replace(
        GPS, fields={**GPS.fields, **extra}, position=PositionSpec("lon", "lat", "gcj02")
    )
    decoder = FeedDecoder(spec)
    _, event = event_of(decoder, record(lon=..., lat=None))
    assert (event.lon, event.lat) == (None, None)
    assert decoder.decode(record(lon=...)) == Bad("bad-position", "")


@pytest.mark.parametrize(
    ("by", "key"),
    [
        pytest.param(("vehicle",), "苏F12345-yellow", id="a text is its own key"),
        pytest.param(("serial",), "7", id="a number in plain digits"),
        pytest.param(("speed",), "12.5", id="a fraction as written"),
        pytest.param(("note",), "a|b", id="one text is not escaped"),
        pytest.param(("state", "note"), "parked|a\\|b", id="several are joined and escaped"),
        pytest.param(("fixed",), "", id="no value, no key"),
        pytest.param(("vehicle", "fixed"), "", id="one of two missing, no key"),
    ],
)
def test_keys_are_texts(by: tuple[str, ...], key: str) -> None:
    _, event = event_of(DECODER, record(note="a|b"))
    assert DECODER.key_of(by)(event) == key


@pytest.mark.parametrize(
    ("id_", "by", "rank"),
    [
        pytest.param(("vehicle", "gps_time"), ("vehicle",), None, id="key and time say it all"),
        pytest.param(("vehicle", "serial"), ("vehicle",), "7", id="a serial number is left"),
        pytest.param(("vehicle", "gps_time"), ("state",), "苏F12345-yellow", id="another key"),
        pytest.param(("serial", "state"), ("vehicle",), "7|parked", id="two fields are left"),
    ],
)
def test_the_rank_is_what_the_id_adds_to_key_and_time(
    id_: tuple[str, ...], by: tuple[str, ...], rank: str | None
) -> None:
    decoder = FeedDecoder(replace(GPS, id=id_))
    _, event = event_of(decoder, record())
    rank_of = decoder.rank_of(by)
    assert (None if rank_of is None else rank_of(event, record())) == rank


def test_without_a_declared_id_the_content_is_the_id() -> None:
    decoder = FeedDecoder(replace(GPS, id=()))
    _, event = event_of(decoder, record())
    rank_of = decoder.rank_of(("vehicle",))
    assert rank_of is not None
    assert rank_of(event, record()) == rank_of(event, record())
    assert rank_of(event, record()) != rank_of(event, record(note="x"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(b'{"$watermark": 1772413200000}', NINE, id="as the contract writes it"),
        pytest.param(b'{"$watermark":1772413200000}\n', NINE, id="without a space"),
        pytest.param(b'{"$watermark": -1}', None, id="not before the epoch"),
        pytest.param(b'{"$watermark": "soon"}', None, id="not a word"),
        pytest.param(b'{"$watermark": 1e12}', None, id="not a fraction"),
        pytest.param(b'{"$watermark": true}', None, id="not a truth value"),
        pytest.param(b'{"$watermark": 1772413200000', None, id="not a truncated one"),
        pytest.param(b'{"$watermark": 1, "x": 2}', None, id="not with other members"),
        pytest.param(record(), None, id="a record is no heartbeat"),
    ],
)
def test_heartbeats_say_how_far_a_source_has_come(value: bytes, said: int | None) -> None:
    assert DECODER.watermark(value) == said
    assert isinstance(DECODER.decode(value), Bad) or value == record()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
LIKELY = st.sampled_from(
    ["苏F12345", "2026-03-02 09:00:00", 5, 1e308, 10**30, 0, -1, 7.0, "parked", "", "x" * 5000]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*GOOD, "note", "fixed", "loaded_at"]), JSON_VALUES | LIKELY)
)
def test_fast_decoder_and_diagnosis_agree_about_single_fields(changes: dict[str, object]) -> None:
    value = record(**changes)
    said = DECODER.decode(value)
    if isinstance(said, Bad):
        assert said.reason in set(Reason)
        assert said.detail or said.reason in {
            "bad-position", "swapped-position", "null-island", "not-located", "not-json",
        }  # fmt: skip
    else:
        found = DECODER.explain(ValueError(), value)
        assert found == ("wrong-type", "")  # the diagnosis finds nothing wrong either


@given(st.binary(max_size=60) | st.integers(0, 400).map(lambda cut: record(note="x")[:cut]))
def test_any_bytes_end_as_a_reason(value: bytes) -> None:
    said = DECODER.decode(value)
    assert not isinstance(said, Bad) or said.reason in set(Reason)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_overwritten_bytes_end_as_a_reason_or_an_event(place: int, new: bytes) -> None:
    good = record()
    said = DECODER.decode(good[:place] + new + good[place + len(new) :])
    assert not isinstance(said, Bad) or said.reason in set(Reason)
