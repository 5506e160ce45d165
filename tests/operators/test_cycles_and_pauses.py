"""Where cycles begin, when only so much is left, and how a pause moves what is due."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.model.calendar import WorkCalendar
from engine.model.period import Period, PeriodUnit
from engine.operators import limits

ZONE = "Asia/Shanghai"
PLAIN = WorkCalendar("plain", date(2020, 1, 1), date(2030, 1, 1))
UNITS = {"d": PeriodUnit.DAYS, "w": PeriodUnit.WORKDAYS, "m": PeriodUnit.MONTHS}
HOUR = 3_600_000


def period(text: str) -> Period:
    """`1m 5w` is one month and five working days; `h` are hours."""
    parts = [(int(part[:-1]), part[-1]) for part in text.split()]
    return Period(
        tuple((n * HOUR, PeriodUnit.MS) if unit == "h" else (n, UNITS[unit]) for n, unit in parts)
    )


def at(text: str) -> int:
    """`04-10 09:00` of 2026 in Shanghai; `24:00` is the midnight that ends the day."""
    day, clock = text.split()
    hours, minutes = map(int, clock.split(":"))
    begin = datetime.strptime(f"2026-{day}", "%Y-%m-%d").replace(tzinfo=ZoneInfo(ZONE))
    return round((begin + timedelta(hours=hours, minutes=minutes)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("every", "number", "expected"),
    [
        pytest.param("1m", 0, "01-31 09:00", id="the-first-with-the-start"),
        pytest.param("1m", 1, "02-28 24:00", id="a-month-ends-with-its-last-day"),
        pytest.param("1m", 2, "03-31 24:00", id="counted-from-the-start-not-from-february"),
        pytest.param("7d", 2, "02-14 24:00", id="days-end-at-24"),
        pytest.param("12h", 3, "02-01 21:00", id="hours-are-exact"),
    ],
)
def test_a_cycle_begins(every: str, number: int, expected: str) -> None:
    assert limits.cycle_begin(at("01-31 09:00"), period(every), number, ZONE) == at(expected)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param("3w", "04-07 24:00", id="three-working-days"),
        pytest.param("6w", "04-02 24:00", id="over-a-weekend"),
        pytest.param("10d", "03-31 24:00", id="ten-days"),
        pytest.param("1m", "03-10 24:00", id="a-month"),
        pytest.param("36h", "04-09 12:00", id="hours-are-exact"),
    ],
)
def test_only_so_much_is_left_before_friday_the_tenth_is_over(left: str, expected: str) -> None:
    assert limits.before(at("04-10 24:00"), period(left), PLAIN, ZONE) == at(expected)


@pytest.mark.parametrize(
    ("within", "pause", "expected"),
    [
        pytest.param("20w", ("03-30 09:00", "04-01 10:00"), "04-14 24:00", id="two-working-days"),
        pytest.param("20w", ("04-03 20:00", "04-05 10:00"), "04-10 24:00", id="a-weekend-is-none"),
        pytest.param("20w", ("03-30 09:00", "03-30 17:00"), "04-10 24:00", id="an-afternoon"),
        pytest.param("96h", ("03-30 09:00", "03-30 11:13"), "04-11 02:13", id="hours-are-exact"),
    ],
)  # fmt: skip
def test_a_pause_moves_what_is_due_with_friday_the_tenth(
    within: str, pause: tuple[str, str], expected: str
) -> None:
    begun, ended = map(at, pause)
    moved = limits.after_pause(at("04-10 24:00"), begun, ended, period(within), (PLAIN, ZONE))
    assert moved == at(expected)


@pytest.mark.parametrize(
    ("within", "lost", "expected"),
    [
        pytest.param("29d", 0, "04-10 24:00", id="no-pause"),
        pytest.param("29d", 3, "04-13 24:00", id="days-end-at-24"),
        pytest.param("29d", 1, "04-13 24:00", id="never-saturday"),
        pytest.param("30d", 1, "04-13 24:00", id="rest-days-are-not-counted-twice"),
        pytest.param("30d", 2, "04-13 24:00", id="nor-three-times"),
        pytest.param("30d", 3, "04-14 24:00", id="and-then-it-moves"),
        pytest.param("1m", 1, "04-13 24:00", id="a-month-by-days"),
    ],
)
def test_days_of_pauses_are_counted_before_rest_days_are_passed_over(
    within: str, lost: int, expected: str
) -> None:
    begun = at("03-12 09:00")
    due = limits.after_days((begun, begun, 0), None, period(within), lost, (PLAIN, ZONE))
    assert due == at(expected)
