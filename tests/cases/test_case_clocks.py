"""Limits of a case: where they end, when they warn, what stops them, what happens after them."""

from datetime import date

import pytest
from cases_stage import DAY, HOUR, MINUTE, at, days, hours, minutes, workdays
from clock_oracle import day_limit, run_down
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cases import clocks
from engine.cases.clocks import Strike
from engine.cases.model import Clock, Stage
from engine.cases.policy import Limit, Rung, Step, Timing
from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.model.period import Period, PeriodUnit
from engine.model.worktime import WorkTime

OFFICE = ((540, 720), (840, 1080))
"""09:00-12:00 and 14:00-18:00."""
WORK = WorkTime(WorkCalendar.china(), OFFICE)
YEAR = st.integers(at("2026-01-05 00:00") // MINUTE, at("2026-09-30 00:00") // MINUTE)


def timing(limit: Limit, *ladder: Rung) -> Timing:
    return Timing("t", limits={Stage.RESOLVE: limit}, ladder={Stage.RESOLVE: ladder})


def begin(limit: Limit, start: str, *ladder: Rung) -> tuple[Clock, Timing]:
    declared = timing(limit, *ladder)
    clock = clocks.start(Stage.RESOLVE, 1, at(start), declared)
    assert clock is not None
    return clock, declared


def due_of(clock: Clock) -> int:
    assert clock.due_ms is not None
    return clock.due_ms


def strikes(clock: Clock, declared: Timing, until_ms: int) -> list[tuple[str, int]]:
    """What a clock tells up to an instant, and when."""
    told = []
    while clock.next_ms is not None and clock.next_ms <= until_ms:
        when = clock.next_ms
        struck = clocks.strike(clock, declared)
        name = struck.strike if struck.rung < 0 else f"rung {struck.rung}"
        told.append((str(name), when))
        clock = struck.clock
    return told


@pytest.mark.parametrize(
    ("limit", "start", "due"),
    [
        pytest.param(Limit(hours(2)), "2026-03-16 09:00", "2026-03-16 11:00", id="any-time"),
        pytest.param(
            Limit(hours(2), WORK), "2026-03-16 11:00", "2026-03-16 15:00", id="over-the-noon-break"
        ),
        pytest.param(
            Limit(hours(2), WORK), "2026-03-20 17:00", "2026-03-23 10:00", id="over-the-weekend"
        ),
        pytest.param(
            Limit(hours(2), WORK), "2026-02-14 17:00", "2026-02-24 10:00", id="worked-saturday"
        ),
        pytest.param(
            Limit(hours(2), WORK), "2026-02-13 17:30", "2026-02-14 10:30", id="into-worked-day"
        ),
        pytest.param(
            Limit(hours(1), WORK), "2026-05-05 20:00", "2026-05-06 10:00", id="from-a-holiday"
        ),
        pytest.param(
            Limit(workdays(3)), "2026-03-16 09:00", "2026-03-20 00:00", id="first-day-not-counted"
        ),
        pytest.param(
            Limit(workdays(5)),
            "2026-02-13 09:00",
            "2026-02-28 00:00",
            id="over-the-spring-festival",
        ),
        pytest.param(
            Limit(workdays(1)), "2026-05-08 09:00", "2026-05-10 00:00", id="a-make-up-day-counts"
        ),
        pytest.param(
            Limit(days(3)), "2026-04-01 09:00", "2026-04-08 00:00", id="ends-on-a-rest-day"
        ),
        pytest.param(
            Limit(Period(((1, PeriodUnit.MONTHS),))),
            "2026-01-31 09:00",
            "2026-03-01 00:00",
            id="a-month-ends-with-the-short-one-on-a-worked-saturday",
        ),
    ],
)
def test_a_limit_ends_where_law_and_hours_say(limit: Limit, start: str, due: str) -> None:
    clock, _ = begin(limit, start)
    assert clock.due_ms == at(due)


@pytest.mark.parametrize(
    ("limit", "start", "warn"),
    [
        pytest.param(
            Limit(hours(2), warn=minutes(30)),
            "2026-03-16 09:00",
            "2026-03-16 10:30",
            id="half-an-hour",
        ),
        pytest.param(
            Limit(hours(4), WORK, warn=hours(2)),
            "2026-03-16 11:00",
            "2026-03-16 15:00",
            id="in-hours",
        ),
        pytest.param(
            Limit(hours(2), WORK, warn=hours(1)),
            "2026-03-16 11:00",
            "2026-03-16 14:00",
            id="in-hours-behind-the-break",
        ),
        pytest.param(
            Limit(workdays(5), warn=workdays(1)),
            "2026-02-13 09:00",
            "2026-02-27 00:00",
            id="one-working-day",
        ),
        pytest.param(
            Limit(workdays(3), warn=workdays(2)),
            "2026-02-13 09:00",
            "2026-02-24 00:00",
            id="two-working-days-end-with-the-holiday",
        ),
    ],
)
def test_it_warns_so_long_before(limit: Limit, start: str, warn: str) -> None:
    clock, declared = begin(limit, start)
    told = strikes(clock, declared, due_of(clock) - 1)
    assert told == [("warn", at(warn))]


def test_a_limit_shorter_than_its_warning_does_not_warn() -> None:
    clock, declared = begin(Limit(minutes(20), warn=minutes(30)), "2026-03-16 09:00")
    assert strikes(clock, declared, due_of(clock)) == [("overdue", due_of(clock))]


def test_it_is_due_at_the_instant_and_not_before() -> None:
    clock, declared = begin(Limit(hours(2)), "2026-03-16 09:00")
    assert strikes(clock, declared, due_of(clock) - 1) == []
    assert not clocks.is_late(clock, due_of(clock) - 1)
    assert clocks.is_late(clock, due_of(clock))
    assert strikes(clock, declared, due_of(clock)) == [("overdue", due_of(clock))]


def test_a_met_clock_never_tells() -> None:
    clock, declared = begin(Limit(hours(2), warn=hours(1)), "2026-03-16 09:00")
    met = clocks.meet(clock, at("2026-03-16 09:30"))
    assert strikes(met, declared, at("2026-12-01 00:00")) == []
    assert clocks.meet(met, at("2026-03-17 09:30")).met_ms == at("2026-03-16 09:30")


def test_the_ladder_is_climbed_rung_by_rung_also_when_looked_at_late() -> None:
    ladder = (
        Rung(hours(0), Step.REMIND),
        Rung(workdays(1), Step.SUPERVISE),
        Rung(workdays(5), Step.CRITICISE),
    )
    clock, declared = begin(Limit(workdays(3), warn=workdays(1)), "2026-03-16 09:00", *ladder)
    assert strikes(clock, declared, at("2026-12-01 00:00")) == [
        ("warn", at("2026-03-19 00:00")),
        ("overdue", at("2026-03-20 00:00")),
        ("rung 0", at("2026-03-20 00:00")),
        ("rung 1", at("2026-03-21 00:00")),
        ("rung 2", at("2026-03-27 00:00")),
    ]


def test_a_pause_keeps_the_time_that_was_left() -> None:
    clock, declared = begin(Limit(hours(2), WORK, warn=minutes(30)), "2026-03-16 09:00")
    paused = clocks.pause(clock, at("2026-03-16 10:00"), declared)
    assert paused.left_ms == HOUR
    assert paused.next_ms is None
    resumed = clocks.resume(paused, at("2026-03-20 17:30"), declared)
    assert resumed.due_ms == at("2026-03-23 09:30")
    assert resumed.warn_ms == at("2026-03-23 09:00")


def test_a_pause_of_a_limit_in_working_days_gives_whole_days_back() -> None:
    clock, declared = begin(Limit(workdays(5)), "2026-03-16 09:00")
    assert clock.due_ms == at("2026-03-24 00:00")
    paused = clocks.pause(clock, at("2026-03-17 15:00"), declared)
    assert paused.left_ms == 4 * DAY + 9 * HOUR
    resumed = clocks.resume(paused, at("2026-03-19 10:00"), declared)
    assert resumed.due_ms == at("2026-03-26 00:00")


def test_resuming_at_once_changes_nothing() -> None:
    for limit in (Limit(hours(2), WORK), Limit(workdays(5), warn=workdays(1)), Limit(days(9))):
        clock, declared = begin(limit, "2026-03-16 09:00")
        moment = at("2026-03-16 09:10")
        assert clocks.resume(clocks.pause(clock, moment, declared), moment, declared) == clock


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(Limit(hours(2), pausable=False), id="a-limit-that-is-not-pausable"),
        pytest.param(Limit(minutes(5)), id="a-limit-that-has-passed"),
    ],
)
def test_some_clocks_go_on_in_a_pause(limit: Limit) -> None:
    clock, declared = begin(limit, "2026-03-16 09:00")
    assert clocks.pause(clock, at("2026-03-16 09:05"), declared) == clock


def test_an_extension_counts_from_the_end_and_warns_anew() -> None:
    limit = Limit(workdays(3), warn=workdays(1), extend=workdays(5))
    clock, declared = begin(limit, "2026-03-16 09:00")
    struck = clocks.strike(clock, declared)
    assert struck.strike is Strike.WARN
    most = clocks.latest(struck.clock, limit)
    assert most == at("2026-03-27 00:00")
    extended = clocks.extend(struck.clock, most, at("2026-03-19 15:00"), declared)
    assert strikes(extended, declared, most) == [
        ("warn", at("2026-03-26 00:00")),
        ("overdue", at("2026-03-27 00:00")),
    ]


def test_past_the_end_of_the_calendar_it_tells_every_day_and_never_guesses() -> None:
    last = WorkCalendar.china().until
    start = at(f"{last.year}-12-28 09:00")
    limit = Limit(workdays(10), warn=workdays(1))
    with pytest.raises(CalendarEnd):
        clocks.ends(limit.period, start, None)
    clock, declared = begin(limit, f"{last.year}-12-28 09:00")
    assert clock.due_ms is None
    assert strikes(clock, declared, start + 2 * DAY) == [
        ("uncounted", start),
        ("uncounted", start + DAY),
        ("uncounted", start + 2 * DAY),
    ]


def test_when_the_calendar_arrives_the_limit_is_counted() -> None:
    short = WorkCalendar("short", date(2026, 1, 1), date(2026, 3, 17))
    limit = Limit(workdays(3), WorkTime(short))
    clock, declared = begin(limit, "2026-03-16 09:00")
    later = clocks.strike(clock, declared)
    assert (later.strike, later.calendar) == (Strike.UNCOUNTED, "short")
    whole = timing(Limit(workdays(3), WorkTime(WorkCalendar.china())))
    assert strikes(later.clock, whole, at("2026-03-20 00:00")) == [
        ("counted", at("2026-03-17 09:00")),
        ("overdue", at("2026-03-20 00:00")),
    ]


@settings(max_examples=60, deadline=None)
@given(
    start=YEAR,
    amount=st.integers(1, 900),
    gaps=st.lists(st.tuples(st.integers(1, 700), st.integers(1, 3000)), max_size=3),
)
def test_exact_limits_agree_with_counting_minute_by_minute(
    start: int, amount: int, gaps: list[tuple[int, int]]
) -> None:
    declared = timing(Limit(minutes(amount), WORK))
    clock = clocks.start(Stage.RESOLVE, 1, start * MINUTE, declared)
    assert clock is not None
    now, pauses = start * MINUTE, []
    for wait, rest in gaps:
        now += wait * MINUTE
        if now >= due_of(clock):
            break
        clock = clocks.pause(clock, now, declared)
        assert clock.next_ms is None
        pauses.append((now, now + rest * MINUTE))
        now += rest * MINUTE
        clock = clocks.resume(clock, now, declared)
    wanted = run_down(start * MINUTE, amount, [*OFFICE], pauses)
    assert clock.due_ms == wanted


@settings(max_examples=150, deadline=None)
@given(
    start=YEAR,
    amount=st.integers(1, 40),
    unit=st.sampled_from(["workdays", "days", "months"]),
)
def test_limits_in_days_agree_with_counting_day_by_day(start: int, amount: int, unit: str) -> None:
    amount = min(amount, 2) if unit == "months" else amount
    period = Period(((amount, PeriodUnit(unit)),))
    assert clocks.ends(period, start * MINUTE, None) == day_limit(start * MINUTE, amount, unit)


@settings(max_examples=100, deadline=None)
@given(start=YEAR, amount=st.integers(1, 900), ahead=st.integers(1, 900))
def test_a_warning_lies_so_much_counted_time_before_the_end(
    start: int, amount: int, ahead: int
) -> None:
    due = clocks.ends(minutes(amount), start * MINUTE, WORK)
    warn = clocks.ahead(minutes(ahead), due, WORK)
    assert WORK.between(warn, due) == ahead * MINUTE
    assert WORK.between(warn + 1, due) < ahead * MINUTE
