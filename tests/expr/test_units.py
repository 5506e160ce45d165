"""Quantities as people write them, in base units; and what is said when they cannot be read."""

import pytest

from engine.errors import Location
from engine.model.period import PeriodUnit
from engine.model.unit_table import BASE, IN_TEXT, PLAIN, UNITS
from engine.model.units import (
    QuantityError,
    format_distance,
    format_duration,
    format_money,
    format_quantity,
    format_speed,
    format_time,
    parse_distance,
    parse_duration,
    parse_period,
    parse_quantity,
    parse_speed,
    written,
)

MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MS, DAYS, WORKDAYS, MONTHS = PeriodUnit.MS, PeriodUnit.DAYS, PeriodUnit.WORKDAYS, PeriodUnit.MONTHS


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        pytest.param("30s", 30_000, id="seconds"),
        pytest.param("20m", 20 * MIN, id="m-is-minutes"),
        pytest.param("2h", 2 * HOUR, id="hours"),
        pytest.param("7d", 7 * DAY, id="days"),
        pytest.param("1h30m", 90 * MIN, id="steps-joined"),
        pytest.param("1d2h3m4s", DAY + 2 * HOUR + 3 * MIN + 4000, id="four-steps"),
        pytest.param("1.5h", 90 * MIN, id="a-fraction-that-is-whole-in-ms"),
        pytest.param(" 45 minutes ", 45 * MIN, id="spelled"),
        pytest.param("45 分钟", 45 * MIN, id="in-chinese"),
        pytest.param("1小时30分钟", 90 * MIN, id="steps-in-chinese"),
        pytest.param("0s", 0, id="nothing"),
        pytest.param("250ms", 250, id="milliseconds"),
        pytest.param("2 weeks", 14 * DAY, id="weeks"),
    ],
)
def test_durations_are_milliseconds(text, ms):
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        pytest.param("50 meters", 50, id="spelled"),
        pytest.param("150 metres", 150, id="british"),
        pytest.param("2 km", 2000, id="kilometres"),
        pytest.param("150米", 150, id="chinese"),
        pytest.param("1.5 公里", 1500, id="chinese-kilometres"),
        pytest.param("1 海里", 1852, id="nautical-mile"),
    ],
)
def test_distances_are_metres(text, metres):
    assert parse_distance(text) == metres


def test_speeds_are_metres_a_second():
    assert parse_speed("36 km/h") == 10
    assert parse_speed("10 m/s") == 10
    assert parse_speed("18 公里/小时") == 5
    assert parse_speed("3600 knots") == 1852


def test_money_counts_yuan():
    assert parse_quantity("300 万元").base == 3_000_000
    assert parse_quantity("3000000 CNY").base == 3_000_000
    assert parse_quantity("0.03 亿元").base == 3_000_000


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("20 workdays", ((20, WORKDAYS),), id="workdays"),
        pytest.param("1 month + 5 workdays", ((1, MONTHS), (5, WORKDAYS)), id="sum"),
        pytest.param("30 days", ((30, DAYS),), id="spelled-days-are-counted"),
        pytest.param("30d", ((30 * DAY, MS),), id="short-days-are-exact"),
        pytest.param("36h", ((36 * HOUR, MS),), id="hours-are-exact"),
        pytest.param("20个工作日", ((20, WORKDAYS),), id="chinese-workdays"),
        pytest.param("1个月+5个工作日", ((1, MONTHS), (5, WORKDAYS)), id="chinese-sum"),
        pytest.param("2 years", ((24, MONTHS),), id="years-are-months"),
        pytest.param("2 weeks", ((14, DAYS),), id="weeks-are-days"),
    ],
)
def test_periods_keep_what_they_count(text, parts):
    assert parse_period(text).parts == parts
    assert parse_period(text).text == text


@pytest.mark.parametrize(
    ("parse", "text", "code", "column", "nearest"),
    [
        pytest.param(parse_distance, "50m", "R404", 0, "", id="fifty-minutes-are-no-distance"),
        pytest.param(parse_distance, "50", "R405", 0, "", id="no-unit"),
        pytest.param(parse_distance, "50 metres/s", "R407", 0, "", id="something-behind"),
        pytest.param(parse_distance, "50 km/h", "R409", 0, "", id="a-speed"),
        pytest.param(parse_speed, "5 kmph", "R403", 2, "km/h", id="unknown-unit"),
        pytest.param(parse_duration, "soon", "R407", 0, "", id="no-number"),
        pytest.param(parse_duration, "20 workdays", "R408", 0, "", id="needs-a-calendar"),
        pytest.param(parse_duration, "0.0001s", "R407", 0, "", id="less-than-a-millisecond"),
        pytest.param(parse_duration, "-5m", "R407", 0, "", id="negative"),
        pytest.param(parse_duration, "1" * 16 + "s", "R307", 0, "", id="too-many-digits"),
        pytest.param(parse_duration, "", "R407", 0, "", id="empty"),
        pytest.param(parse_period, "1 month + 5 wrkdays", "R403", 12, "workdays", id="misspelled"),
        pytest.param(parse_period, "1 month + ", "R410", 10, "", id="nothing-to-add"),
        pytest.param(parse_period, "5 km", "R410", 0, "", id="a-distance"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(parse, text, code, column, nearest):
    with pytest.raises(QuantityError) as caught:
        parse(text)
    problem = caught.value.problem(Location("rule.yaml", 1, 10))
    assert (problem.code, problem.at.column, problem.nearest) == (code, 10 + column, nearest)
    assert problem.what("en")
    assert problem.what("zh")


def test_what_we_advise_to_write_is_read_as_what_we_meant():
    for spelling in IN_TEXT:
        plain = PLAIN[IN_TEXT[spelling]]
        again = parse_quantity(written(5, plain))
        assert again.unit is not None
        assert UNITS[again.unit] == UNITS[plain], spelling
        assert again.value == 5, spelling


def test_every_dimension_has_its_base_among_the_units():
    measured = {unit.dimension for unit in UNITS.values()}
    assert measured == set(BASE)
    assert all(UNITS[BASE[name]].factor == 1 for name in measured - {"ratio"})


@pytest.mark.parametrize(
    ("ms", "zh", "en"),
    [
        (45 * MIN, "45 分钟", "45 min"),
        (2 * HOUR + 5 * MIN, "2 小时 5 分钟", "2 h 5 min"),
        (3 * DAY + 4 * HOUR + 59 * MIN, "3 天 4 小时", "3 d 4 h"),
        (3 * DAY + 59 * MIN, "3 天", "3 d"),
        (90_500, "1 分钟 30 秒", "1 min 30 s"),
        (0, "0 秒", "0 s"),
        (400, "0 秒", "0 s"),
        (-90_000, "-1 分钟 30 秒", "-1 min 30 s"),
    ],
)
def test_durations_print_two_units_at_most(ms, zh, en):
    assert (format_duration(ms, "zh"), format_duration(ms, "en")) == (zh, en)


def test_other_quantities_print_in_both_languages():
    assert (format_distance(149.6, "zh"), format_distance(2345, "en")) == ("150 米", "2.3 km")
    assert (format_distance(999.7, "en"), format_distance(3000, "zh")) == ("1 km", "3 公里")
    assert (format_speed(10, "zh"), format_speed(10, "en")) == ("36 公里/小时", "36 km/h")
    assert (format_money(3e6, "zh"), format_money(3e6, "en")) == ("300 万元", "3,000,000 yuan")
    assert (format_money(999, "zh"), format_money(12_345, "zh")) == ("999 元", "1.2345 万元")
    assert format_quantity(12.5, "km/h", "zh") == "12.5 公里/小时"
    assert format_quantity(20, "%", "en") == "20%"
    assert format_quantity(55, "dB", "zh") == "55 dB"
    assert format_quantity(1_800_000, "ms", "zh") == "30 分钟"
    assert format_time(1_772_413_800_000) == "2026-03-02 09:10"
    assert format_time(1_772_413_805_000, "UTC") == "2026-03-02 01:10:05"
