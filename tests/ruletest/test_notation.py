"""The small languages of rule tests: times, tracks and series as an author writes them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feeds.spec import FieldSpec, FieldType
from engine.ruletest.moments import Moments, Unreadable, offset, span
from engine.ruletest.series import MISSING, parse_series
from engine.ruletest.track import fixes, parse_track

MONDAY = 1772413200000  # 2026-03-02 09:00 in Shanghai
CLOCK = Moments(MONDAY, "Asia/Shanghai")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("text", "after"),
    [
        pytest.param("0s", 0, id="the-start"),
        pytest.param("30m", 30 * MINUTE, id="after-the-start"),
        pytest.param("+2h", 2 * HOUR, id="a-plus-changes-nothing"),
        pytest.param("09:40", 40 * MINUTE, id="a-clock-reading-is-today"),
        pytest.param("08:00", -HOUR, id="a-clock-reading-may-be-before-the-start"),
        pytest.param("24:00", 15 * HOUR, id="the-end-of-the-day"),
        pytest.param("day 3 09:00", 2 * DAY, id="days-count-from-one"),
        pytest.param("2026-03-03", 15 * HOUR, id="a-date-is-its-midnight"),
        pytest.param("2026-03-02T24:00", 15 * HOUR, id="a-date-may-end"),
        pytest.param("2026-03-03 09:00:30", DAY + 30_000, id="a-local-instant"),
        pytest.param("2026-03-02T01:30:00+00:00", 30 * MINUTE, id="an-instant-with-offset"),
    ],
)
def test_a_time_is_read_as_an_author_means_it(text, after):
    assert CLOCK.at(text) == MONDAY + after


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12:60", "2026-13-01", "2026-03-02Tlunch"])
def test_a_time_that_says_nothing_is_refused(text):
    with pytest.raises(Unreadable) as refused:
        CLOCK.at(text)
    assert refused.value.code == "T104"


@pytest.mark.parametrize("text", ["1 month", "never", "09:40"])
def test_a_step_that_is_no_length_of_time_is_refused_with_lengths_as_examples(text):
    with pytest.raises(Unreadable) as refused:
        span(text)
    assert refused.value.code == "T127"


def test_about_means_two_minutes_either_way():
    assert CLOCK.about("~52m") == (MONDAY + 52 * MINUTE, 2 * MINUTE)
    assert CLOCK.about("52m") == (MONDAY + 52 * MINUTE, 0)


@given(st.integers(min_value=0, max_value=40 * DAY).map(lambda ms: ms - ms % 1000))
def test_what_is_printed_as_an_offset_reads_back(millis):
    assert span(offset(millis).removeprefix("+")) == millis


def test_a_stay_is_heard_from_its_first_to_its_last_instant():
    heard = fixes(parse_track("at 120.91,32.01 for 2m", 30_000), 30_000)
    assert [fix.after_ms for fix in heard] == [0, 30_000, 60_000, 90_000, 120_000]
    assert {(fix.lon, fix.lat, fix.speed_mps) for fix in heard} == {(120.91, 32.01, 0.0)}


def test_nothing_is_heard_of_what_is_gone():
    track = "at 120.9,32.0 for 1m; then gone for 1m; then stay for 1m"
    heard = fixes(parse_track(track, 30_000), 30_000)
    assert [fix.after_ms for fix in heard] == [0, 30_000, 120_000, 150_000, 180_000]


def test_a_place_without_duration_is_a_single_fix():
    heard = fixes(parse_track("at 120.9,32.0; then at 120.8,32.0", 30_000), 30_000)
    assert [(fix.after_ms, fix.lon) for fix in heard] == [(0, 120.9), (30_000, 120.8)]


@pytest.mark.parametrize(
    ("way", "east", "north"),
    [
        ("north", 0, 1),
        ("east", 1, 0),
        ("south", 0, -1),
        ("west", -1, 0),
        ("bearing 90", 1, 0),
        ("north-east", math.sqrt(0.5), math.sqrt(0.5)),
    ],
)
def test_a_drive_goes_so_far_in_its_direction(way, east, north):
    legs = parse_track(f"at 120.9,32.0; then drive {way} 2 km at 40 km/h", 30_000)
    last = legs[-1].end
    metre = 111_195.08
    assert (last.lon - 120.9) * metre * math.cos(math.radians(32)) == pytest.approx(
        2000 * east, abs=1
    )
    assert (last.lat - 32.0) * metre == pytest.approx(2000 * north, abs=1)
    assert legs[-1].to_ms - legs[-1].from_ms == 180_000


def test_a_drive_to_a_place_ends_there_and_knows_its_speed():
    legs = parse_track("at 120.9,32.0; then drive to 120.95,32.0 at 36 km/h", 30_000)
    heard = fixes(legs, 30_000)
    assert heard[-1].speed_mps == 10
    assert heard[-1].bearing == pytest.approx(90, abs=0.1)
    assert (legs[-1].end.lon, legs[-1].end.lat) == (120.95, 32.0)


def test_jitter_stays_inside_its_circle_and_is_the_same_every_time():
    once = fixes(parse_track("at 120.9,32.0 for 2h jitter 20 meters", 30_000), 30_000)
    again = fixes(parse_track("at 120.9,32.0 for 2h", 30_000, jitter_m=20.0), 30_000)
    assert once == again
    metre = 111_195.08
    away = [
        math.hypot((f.lon - 120.9) * metre * math.cos(math.radians(32)), (f.lat - 32) * metre)
        for f in once
    ]
    assert max(away) <= 20.01
    assert max(away) > 15


@pytest.mark.parametrize(
    ("track", "code", "column"),
    [
        pytest.param("fly 2 km", "T105", 0, id="no-such-leg"),
        pytest.param("at 120.9,32.0 for 5m; then hover", "T105", 27, id="points-at-the-leg"),
        pytest.param("drive north 2 km", "T113", 0, id="nowhere-to-drive-from"),
        pytest.param("at 120.9,32.0; drive up 2 km", "T105", 15, id="no-such-direction"),
        pytest.param("at 120.9,32.0; drive north 50m", "T105", 15, id="minutes-are-no-distance"),
        pytest.param("at 120.9,32.0 for ages", "T105", 0, id="no-duration"),
    ],
)
def test_a_track_that_says_nothing_is_refused_where_it_stops_making_sense(track, code, column):
    with pytest.raises(Unreadable) as refused:
        parse_track(track, 30_000)
    assert (refused.value.code, refused.value.column) == (code, column)


NUMBER = FieldSpec("temp", FieldType.NUMBER)
SWITCH = FieldSpec("door", FieldType.BOOL)


def test_a_series_repeats_and_leaves_out():
    readings = parse_series("4 4 11x3 _ -6.5", NUMBER)
    assert readings == [4, 4, 11, 11, 11, MISSING, -6.5]


def test_words_of_a_series_have_the_fields_type():
    assert parse_series("truex2 false", SWITCH) == [True, True, False]
    assert parse_series("open shutx2", FieldSpec("door", FieldType.TEXT)) == [
        "open",
        "shut",
        "shut",
    ]


def test_a_word_that_does_not_fit_the_field_is_refused_with_its_place():
    with pytest.raises(Unreadable) as refused:
        parse_series("4 4 warm", NUMBER)
    assert (refused.value.code, refused.value.column) == ("T118", 4)
