"""CSV records: one line, the columns of a header."""

from dataclasses import replace
from typing import Any

import pytest

from engine.decode.record import Bad, FeedDecoder
from engine.feeds.reasons import BadValue, Reason
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType, TimeSpec

NINE = 1_772_413_200_000  # 2026-03-02T09:00:00+08:00
SPEC = FeedSpec(
    name="stations",
    topic="feed.stations",
    format="csv",
    key=("station",),
    time=TimeSpec("at", "iso8601"),
    fields={
        spec.name: spec
        for spec in (
            FieldSpec("station", FieldType.TEXT),
            FieldSpec("at", FieldType.TIME),
            FieldSpec("pm10", FieldType.NUMBER, optional=True, low=0, wire="PM 10"),
            FieldSpec("count", FieldType.INTEGER, optional=True),
            FieldSpec("open", FieldType.BOOL, optional=True),
            FieldSpec("since", FieldType.TIME, optional=True, format="epoch-s"),
        )
    },
    null_texts=frozenset({"", "-9999", "NA"}),
)
DECODER = FeedDecoder(SPEC).csv(b"\xef\xbb\xbfstation,at,PM 10,count,open,since,extra\r\n")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        pytest.param(
            "A,2026-03-02 09:00,12.5,3,true,60,x", (12.5, 3, True, 60_000), id="all there"
        ),
        pytest.param('"A",2026-03-02 09:00,"1,5",,,,', "wrong-type pm10", id="a comma for a point"),
        pytest.param("A,2026-03-02 09:00,,,,,", (None,) * 4, id="empty is null"),
        pytest.param("A,2026-03-02 09:00,-9999,NA,NA,NA,", (None,) * 4, id="declared null texts"),
        pytest.param("A,2026-03-02 09:00,5,,0,1.5,\r\n", (5.0, None, False, 1500), id="a line end"),
        pytest.param("A,2026-03-02 09:00,-1,,,,", "out-of-range pm10", id="below the range"),
        pytest.param("A,2026-03-02 09:00,nan,,,,", "out-of-range pm10", id="not a number"),
        pytest.param("A,2026-03-02 09:00,1e999,,,,", "out-of-range pm10", id="beyond all numbers"),
        pytest.param("A,2026-03-02 09:00,1_0,,,,", "wrong-type pm10", id="an underscore"),
        pytest.param("A,2026-03-02 09:00,１,,,,", "wrong-type pm10", id="a full-width digit"),
        pytest.param("A,2026-03-02 09:00,,3.5,,,", "wrong-type count", id="a fraction"),
        pytest.param(
            "A,2026-03-02 09:00,,,maybe,,", "wrong-type open", id="neither true nor false"
        ),
        pytest.param("A,2026-03-02 09:00,,,,soon,", "wrong-type since", id="a word for seconds"),
        pytest.param("A,2026-03-02 09:00,,,,nan,", "bad-time since", id="not a number of seconds"),
        pytest.param("A,soon,,,,,", "bad-time at", id="no time"),
        pytest.param("A,,,,,,", "missing-field at", id="an empty time"),
        pytest.param(",2026-03-02 09:00,,,,,", "missing-field station", id="an empty key"),
        pytest.param("A,2026-03-02 09:00", "not-csv 2 of 7 columns", id="too few columns"),
        pytest.param("A,2026-03-02 09:00,,,,,,", "not-csv 8 of 7 columns", id="too many columns"),
        pytest.param('A,"2026-03-02,,,,,', "not-csv ", id="an open quote"),
        pytest.param("", "not-csv 0 of 7 columns", id="an empty line"),
        pytest.param("A\nB,,,,,,", "not-csv ", id="two lines"),
        pytest.param("A\0,2026-03-02 09:00,,,,,", "not-csv ", id="a zero byte"),
    ],
)
def test_lines_become_events_or_reasons(line: str, values: Any) -> None:
    said = DECODER.decode(line.encode())
    if isinstance(said, Bad):
        assert f"{said.reason} {said.detail}" == values
    else:
        at, event = said
        assert (at, event.station) == (NINE, "A")
        assert (event.pm10, event.count, event.open, event.since) == values


def event_of(decoder: FeedDecoder, value: bytes) -> tuple[int, Any]:
    said = decoder.decode(value)
    assert not isinstance(said, Bad), said
    return said


def test_a_line_that_is_not_utf8_has_its_reason() -> None:
    assert DECODER.decode("甲,2026-03-02 09:00,,,,,".encode("gbk")) == Bad("not-text", "")


def test_a_line_over_a_megabyte_is_refused() -> None:
    said = DECODER.decode(b"A" * 1_048_577)
    assert said == Bad("too-large", "1048577")


def test_without_a_header_the_columns_are_the_declared_fields() -> None:
    at, event = event_of(FeedDecoder(SPEC, {"count"}), b"A,2026-03-02 09:00,1,2,,")
    assert (at, event.station, event.count) == (NINE, "A", 2)


def test_a_column_that_the_header_lacks_is_null_or_missing() -> None:
    _, event = event_of(FeedDecoder(SPEC).csv("at,station"), b"2026-03-02 09:00,A")
    assert event.pm10 is None
    assert FeedDecoder(SPEC).csv("at").decode(b"2026-03-02 09:00") == Bad(
        "missing-field", "station"
    )


def test_a_header_that_names_a_column_twice_is_refused() -> None:
    with pytest.raises(BadValue) as caught:
        FeedDecoder(SPEC).csv("at,station,at")
    assert (caught.value.reason, caught.value.detail) == (Reason.REPEATED_FIELD, "at")


def test_heartbeats_are_lines_of_their_own() -> None:
    assert DECODER.watermark(b"#watermark,1772413200000\n") == NINE
    assert DECODER.watermark(b"#watermark,soon") is None
    assert DECODER.watermark(b"A,2026-03-02 09:00,,,,,") is None
    two = replace(SPEC, fields={}, time=TimeSpec("at", "epoch-ms"))
    assert FeedDecoder(two).csv("station,at").decode(b"#watermark,12") == Bad(
        "not-csv", "2 of 2 columns"
    )
