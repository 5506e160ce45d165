"""Clock readings as feeds declare them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feeds.reasons import BadValue, Reason
from engine.feeds.times import time_reader

SHANGHAI = "Asia/Shanghai"
NINE = 1_772_413_200_000  # 2026-03-02T09:00:00+08:00
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "zone", "value", "expected"),
    [
        pytest.param("iso8601", SHANGHAI, "2026-03-02T09:00:00", NINE, id="no offset: the zone"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02 09:00:00", NINE, id="a space for the T"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02 09:00", NINE, id="without seconds"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02T01:00:00Z", NINE, id="zulu time"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02T03:00:00+02:00", NINE, id="an offset"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02T03:00:00+0200", NINE, id="a short offset"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02T09:00:00.123", NINE + 123, id="milliseconds"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02T09:00:00.9999", NINE + 999, id="cut off"),
        pytest.param("iso8601", SHANGHAI, "2026-03-02", NINE - 32_400_000, id="a date begins"),
        pytest.param("iso8601", "UTC", "1969-12-31T23:59:59.5", -500, id="before the epoch"),
        pytest.param("epoch-ms", SHANGHAI, NINE, NINE, id="milliseconds since the epoch"),
        pytest.param("epoch-s", SHANGHAI, NINE // 1000, NINE, id="seconds since the epoch"),
        pytest.param("epoch-s", SHANGHAI, 1.001, 1001, id="a float second is not cut too far"),
        pytest.param("%Y-%m-%d %H:%M:%S", SHANGHAI, "2026-03-02 09:00:00", NINE, id="a pattern"),
        pytest.param("%Y-%m-%d %H:%M:%S", SHANGHAI, "2026-3-2 9:0:0", NINE, id="single digits"),
        pytest.param("%Y%m%d%H%M%S", SHANGHAI, "20260302090000", NINE, id="a packed pattern"),
        pytest.param("%d/%m/%y %H:%M", SHANGHAI, "02/03/26 09:00", NINE, id="a day-first pattern"),
        pytest.param("%Y-%m-%dT%H:%M:%S%z", "UTC", "2026-03-02T09:00:00+0800", NINE, id="with %z"),
    ],
)
def test_readings_become_utc_milliseconds(
    form: str, zone: str, value: object, expected: int
) -> None:
    read = time_reader(form, zone)
    assert [read(value), read(value)] == [expected, expected]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        pytest.param("iso8601", "", id="nothing"),
        pytest.param("iso8601", "yesterday", id="a word"),
        pytest.param("iso8601", "2026-02-30T09:00:00", id="no such day"),
        pytest.param("iso8601", "2026-03-02T24:30:00", id="no such hour"),
        pytest.param("iso8601", "2026-03-02T09:00:60", id="a leap second"),
        pytest.param("iso8601", "2026-W10-1", id="a week date"),
        pytest.param("iso8601", "20260302T090000", id="the basic form"),
        pytest.param("iso8601", "2026-03-02x09:00:00", id="another letter for the T"),
        pytest.param("iso8601", "２０２６-03-02T09:00:00", id="full-width digits"),
        pytest.param("iso8601", 1772413200000, id="a number"),
        pytest.param("iso8601", "2026-03-02T09:00:00+08:00 ", id="a trailing space"),
        pytest.param("%Y-%m-%d %H:%M:%S", "2026-03-02T09:00:00", id="not the pattern"),
        pytest.param("%Y-%m-%d %H:%M:%S", "2026-03-02 09:00:00Z", id="more than the pattern"),
        pytest.param("epoch-ms", "1772413200000", id="text for a number"),
        pytest.param("epoch-ms", -1, id="before the epoch"),
        pytest.param("epoch-ms", True, id="a truth value"),
        pytest.param("epoch-ms", float("inf"), id="infinity"),
        pytest.param("epoch-s", 1772413200000, id="milliseconds where seconds are due"),
    ],
)
def test_what_is_no_time_is_a_bad_time(form: str, value: object) -> None:
    read = time_reader(form, SHANGHAI)
    if isinstance(value, str):  # a remembered minute must not let bad readings through
        for good in ("2026-03-02T09:00:00+08:00", "2026-03-02 09:00:00"):
            try:
                read(good)
            except BadValue:
                continue
    with pytest.raises(BadValue) as caught:
        read(value)
    assert caught.value.reason is Reason.BAD_TIME


@pytest.mark.parametrize(
    ("reading", "utc"),
    [
        pytest.param("2026-10-25 02:30:00", "2026-10-25T00:30:00", id="twice: the first one"),
        pytest.param("2026-03-29 02:30:00", "2026-03-29T01:30:00", id="never: the clock unchanged"),
        pytest.param("2026-03-29 03:00:00", "2026-03-29T01:00:00", id="just after the change"),
    ],
)
def test_clock_changes_have_one_meaning(reading: str, utc: str) -> None:
    expected = (datetime.fromisoformat(utc + "+00:00") - EPOCH) // timedelta(milliseconds=1)
    assert time_reader("iso8601", "Europe/Berlin")(reading) == expected


MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2199, 1, 1))  # noqa: DTZ001
ZONES = st.sampled_from([SHANGHAI, "Europe/Berlin", "America/New_York", "UTC", "Asia/Kathmandu"])


@given(st.lists(MOMENTS, min_size=1, max_size=8), ZONES, st.sampled_from(["", "Z", "-03:30"]))
def test_remembered_minutes_give_what_the_calendar_gives(
    moments: list[datetime], zone: str, suffix: str
) -> None:
    read = time_reader("iso8601", zone)
    for moment in moments:
        for second in (moment.second, 59 - moment.second):
            text = moment.replace(second=second, microsecond=0).isoformat() + suffix
            said = datetime.fromisoformat(text)
            if said.tzinfo is None:
                said = said.replace(tzinfo=ZoneInfo(zone))
            assert read(text) == (said - EPOCH) // timedelta(milliseconds=1)
