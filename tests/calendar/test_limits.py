"""Time limits by Civil Code art. 201 to 203, and the calendar they are counted on."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.model.period import Period, PeriodUnit

SHANGHAI = "Asia/Shanghai"
CHINA = WorkCalendar.china()
UNITS = {
    "d": PeriodUnit.DAYS,
    "w": PeriodUnit.WORKDAYS,
    "m": PeriodUnit.MONTHS,
    "ms": PeriodUnit.MS,
}


def period(text: str) -> Period:
    """`1m+5w` is one month and five working days; `d` days; `ms` milliseconds."""
    parts = []
    for part in text.split("+"):
        number = part.rstrip("dwms")
        parts.append((int(number), UNITS[part[len(number) :]]))
    return Period(tuple(parts), text)


def ms(text: str, zone: str = SHANGHAI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def told(instant: int, zone: str = SHANGHAI) -> str:
    return datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        pytest.param(
            "2026-03-02 09:00", "1d", "2026-03-04 00:00", id="the start day does not count"
        ),
        pytest.param(
            "2026-03-02 00:00", "1d", "2026-03-04 00:00", id="nor if it starts at midnight"
        ),
        pytest.param(
            "2026-03-02 23:59", "1d", "2026-03-04 00:00", id="nor if it starts at its end"
        ),
        pytest.param("2026-03-02 09:00", "0d", "2026-03-03 00:00", id="no days end with the day"),
        pytest.param("2026-03-05 09:00", "2d", "2026-03-10 00:00", id="Saturday moves to Monday"),
        pytest.param("2026-03-05 09:00", "3d", "2026-03-10 00:00", id="Sunday moves to Monday"),
        pytest.param("2026-03-05 09:00", "4d", "2026-03-10 00:00", id="Monday stays"),
        pytest.param("2026-02-01 09:00", "15d", "2026-02-25 00:00", id="Spring Festival moves on"),
        pytest.param("2026-02-01 09:00", "13d", "2026-02-15 00:00", id="14 Feb is a make-up day"),
        pytest.param("2026-02-21 09:00", "7d", "2026-03-01 00:00", id="28 Feb is a make-up day"),
        pytest.param("2026-01-30 09:00", "30d", "2026-03-03 00:00", id="thirty natural days"),
        pytest.param("2026-03-02 09:00", "5w", "2026-03-10 00:00", id="five working days"),
        pytest.param("2026-03-06 09:00", "1w", "2026-03-10 00:00", id="from Friday to Monday"),
        pytest.param("2026-03-07 09:00", "1w", "2026-03-10 00:00", id="from Saturday to Monday"),
        pytest.param(
            "2026-02-13 09:00", "1w", "2026-02-15 00:00", id="the make-up Saturday counts"
        ),
        pytest.param("2026-02-13 09:00", "2w", "2026-02-25 00:00", id="then the festival does not"),
        pytest.param("2026-02-10 09:00", "20w", "2026-03-17 00:00", id="over Spring Festival 2026"),
        pytest.param("2026-02-10 09:00", "0w", "2026-02-11 00:00", id="no working days"),
        pytest.param("2026-01-15 09:00", "1m", "2026-02-25 00:00", id="15 Feb is in the festival"),
        pytest.param("2026-03-10 09:00", "1m", "2026-04-11 00:00", id="the same day number"),
        pytest.param("2026-01-31 09:00", "1m", "2026-03-01 00:00", id="the month's last day"),
        pytest.param("2024-01-31 09:00", "1m", "2024-03-01 00:00", id="of a leap year"),
        pytest.param("2024-02-29 09:00", "12m", "2025-03-01 00:00", id="a leap day a year later"),
        pytest.param("2025-12-31 09:00", "2m", "2026-03-01 00:00", id="across the year"),
        pytest.param("2026-03-31 09:00", "1m", "2026-05-01 00:00", id="the day before Labour Day"),
        pytest.param("2026-04-01 09:00", "1m", "2026-05-07 00:00", id="1 May is a holiday"),
        pytest.param("2026-01-15 09:00", "1m+5w", "2026-03-01 00:00", id="only the last day moves"),
        pytest.param("2026-01-31 09:00", "1m+5w", "2026-03-07 00:00", id="a month and five days"),
        pytest.param("2026-03-10 09:00", "5w+1m", "2026-04-18 00:00", id="parts in their order"),
        pytest.param("2026-03-02 09:00", "1800000ms", "2026-03-02 09:30", id="an exact time"),
        pytest.param("2026-03-07 09:00", "86400000ms", "2026-03-08 09:00", id="is never moved"),
        pytest.param("2026-03-02 23:30", "3600000ms+1d", "2026-03-05 00:00", id="moves the start"),
        pytest.param("2026-03-02 09:00", "1d+3600000ms", "2026-03-04 01:00", id="moves the end"),
    ],
)
def test_when_a_limit_ends(start: str, limit: str, due: str) -> None:
    assert told(CHINA.add(ms(start), period(limit), SHANGHAI)) == due


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        pytest.param("Asia/Shanghai", "2026-03-04 00:00", id="in the evening of 2 March"),
        pytest.param("America/New_York", "2026-03-04 00:00", id="in the morning of 2 March"),
        pytest.param("Pacific/Kiritimati", "2026-03-05 00:00", id="on 3 March already"),
    ],
)
def test_days_are_those_of_the_zone(zone: str, due: str) -> None:
    start = ms("2026-03-02 22:00")
    assert told(CHINA.add(start, period("1d"), zone), zone) == due


def test_a_day_with_a_clock_change_still_ends_at_midnight() -> None:
    calendar = WorkCalendar.every_day()
    due = calendar.add(ms("2026-03-28 12:00", "Europe/Berlin"), period("1d"), "Europe/Berlin")
    assert told(due, "Europe/Berlin") == "2026-03-30 00:00"


@pytest.mark.parametrize(
    ("day", "works"),
    [
        pytest.param("2026-02-13", True, id="the Friday before the festival"),
        pytest.param("2026-02-14", True, id="the make-up Saturday before it"),
        pytest.param("2026-02-15", False, id="its first day, a Sunday"),
        pytest.param("2026-02-17", False, id="New Year's Day, a Tuesday"),
        pytest.param("2026-02-23", False, id="its last day, a Monday"),
        pytest.param("2026-02-24", True, id="the Tuesday after it"),
        pytest.param("2026-02-28", True, id="the make-up Saturday after it"),
        pytest.param("2026-03-01", False, id="a Sunday"),
        pytest.param("2024-02-29", True, id="a leap day"),
        pytest.param("2004-01-01", False, id="the first day that is known"),
        pytest.param("2026-12-31", True, id="the last day that is known"),
    ],
)
def test_working_days_of_china(day: str, works: bool) -> None:
    assert CHINA.is_workday(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "limit"),
    [
        pytest.param("2026-12-31 09:00", "1d", id="a day of 2027"),
        pytest.param("2026-12-20 09:00", "20w", id="working days into 2027"),
        pytest.param("2026-12-10 09:00", "1m", id="a month into 2027"),
        pytest.param("2003-12-20 09:00", "1w", id="before 2004"),
    ],
)
def test_a_day_that_is_not_known_is_an_error(start: str, limit: str) -> None:
    with pytest.raises(CalendarEnd) as caught:
        CHINA.add(ms(start), period(limit), SHANGHAI)
    assert "2004-01-01" in str(caught.value)
    assert "2026-12-31" in caught.value.what("zh")


def test_exact_times_need_no_calendar() -> None:
    assert CHINA.add(ms("2030-01-01 09:00"), period("60000ms"), SHANGHAI) == ms("2030-01-01 09:01")


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        CHINA.add(0, Period(((-1, PeriodUnit.DAYS),)), SHANGHAI)


def test_declared_days_win_over_the_official_ones() -> None:
    works, rests = date(2026, 2, 16), date(2026, 3, 2)
    city = CHINA.overridden("city", [rests, date(2027, 1, 1)], [works], date(2027, 12, 31))
    assert (city.is_workday(works), city.is_workday(rests)) == (True, False)
    assert (city.is_workday(date(2027, 1, 1)), city.is_workday(date(2027, 1, 4))) == (False, True)
    assert (CHINA.is_workday(works), CHINA.is_workday(rests)) == (False, True)


def test_every_day_is_a_working_day_where_there_is_no_calendar() -> None:
    every = WorkCalendar.every_day()
    assert told(every.add(ms("2040-02-28 09:00"), period("1w"), SHANGHAI)) == "2040-03-01 00:00"


def test_working_days_between_two_days() -> None:
    assert CHINA.workdays_between(date(2026, 2, 13), date(2026, 2, 28)) == 6
    assert CHINA.workdays_between(date(2026, 2, 28), date(2026, 2, 28)) == 0


# --- a plain oracle that walks day by day ----------------------------------------------------

DAY = timedelta(days=1)
DAYS = st.dates(date(2004, 1, 1), date(2025, 12, 31))


def naive(start: date, parts: list[tuple[int, PeriodUnit]]) -> date:
    """The last day of a limit, one step after another."""
    day = start
    for count, unit in parts:
        if unit is PeriodUnit.MONTHS:
            number = day.day
            for _ in range(count):
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            end = (day.replace(day=1) + timedelta(days=31)).replace(day=1) - DAY
            day = day.replace(day=min(number, end.day)) if count else day
            continue
        while count:
            day += DAY
            if unit is PeriodUnit.DAYS or CHINA.is_workday(day):
                count -= 1  # noqa: PLW2901 - counting down is the point
    while not CHINA.is_workday(day):
        day += DAY
    return day


PARTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([PeriodUnit.DAYS, PeriodUnit.WORKDAYS]))
    | st.tuples(st.integers(0, 4), st.just(PeriodUnit.MONTHS)),
    min_size=1,
    max_size=2,
)


@settings(deadline=None)
@given(DAYS, st.integers(0, 86_399), PARTS)
def test_limits_agree_with_counting_day_by_day(
    day: date, second: int, parts: list[tuple[int, PeriodUnit]]
) -> None:
    start = ms(day.isoformat()) + second * 1000
    due = CHINA.add(start, Period(tuple(parts)), SHANGHAI)
    assert due == ms((naive(day, parts) + DAY).isoformat())


@settings(deadline=None)
@given(DAYS, st.integers(0, 60))
def test_working_days_added_are_the_working_days_between(day: date, count: int) -> None:
    due = CHINA.add(ms(day.isoformat()), Period(((count, PeriodUnit.WORKDAYS),)), SHANGHAI)
    last = date.fromisoformat(told(due - 1)[:10])
    # Without a working day to count, a limit that starts on a rest day moves to the next one.
    assert CHINA.workdays_between(day, last) == max(count, 0 if CHINA.is_workday(day) else 1)


@settings(deadline=None)
@given(DAYS, DAYS, PARTS)
def test_a_later_start_never_ends_earlier(
    one: date, other: date, parts: list[tuple[int, PeriodUnit]]
) -> None:
    limit = Period(tuple(parts))
    first, second = sorted((ms(one.isoformat()), ms(other.isoformat())))
    assert CHINA.add(first, limit, SHANGHAI) <= CHINA.add(second, limit, SHANGHAI)
