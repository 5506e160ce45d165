"""The limits of a case: started, met, paused, extended, warned of, passed; every step a function.

A clock says itself when it must be looked at next (`Clock.next_ms`), and `strike` says what it
does then. Whoever looks late gets one strike after the other, each dated by its own instant, so
that a desk which was down tells the same as one that never slept. A limit that needs a day which
the calendar does not know is never guessed: it tells so, at once and every day, until it can be
counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from engine.cases.model import Clock, Stage
from engine.cases.policy import Limit, Rung, Timing
from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.model.period import Period, PeriodUnit
from engine.model.worktime import WorkTime

DAY_MS = 86_400_000
LAW_TIME = WorkTime(WorkCalendar.china())
"""Whose days count where a limit in days names no hours: the State Council's calendar."""


class Strike(StrEnum):
    """What a clock does when its instant has come."""

    WARN = "warn"
    OVERDUE = "overdue"
    RUNG = "rung"
    COUNTED = "counted"
    """The calendar reaches far enough by now: the limit has an end."""
    UNCOUNTED = "uncounted"
    """The calendar does not reach so far; asked again a day later."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A strike: what it was, the clock after it, and the rung that was reached."""

    strike: Strike
    clock: Clock
    rung: int = -1
    calendar: str = ""


def is_exact(period: Period) -> bool:
    """Whether a period is a plain duration, and not counted in days or months."""
    return all(unit is PeriodUnit.MS for _, unit in period.parts)


def ends(period: Period, start_ms: int, hours: WorkTime | None) -> int:
    """The first instant past a limit that begins at `start_ms`; days are counted from the next.

    Raises:
        CalendarEnd: A needed day is not covered.

    """
    if not is_exact(period):
        time = hours or LAW_TIME
        return time.calendar.add(start_ms, period, time.zone)
    return _after(start_ms, _exact(period), hours)


def follows(period: Period, due_ms: int, hours: WorkTime | None) -> int:
    """The first instant past a period that begins where another limit ended.

    A limit in days ends at 24:00, which is no part of the next day: `1 workdays` after a limit
    that ended with Tuesday is over with Wednesday.
    """
    if is_exact(period):
        return _after(due_ms, _exact(period), hours)
    return ends(period, due_ms - 1, hours)


def ahead(period: Period, due_ms: int, hours: WorkTime | None) -> int:
    """The instant that lies a period before a limit ends."""
    if is_exact(period):
        amount = _exact(period)
        return due_ms - amount if hours is None or not amount else hours.before(due_ms, amount)
    time = hours or LAW_TIME
    return time.calendar.back(due_ms, period, time.zone)


def start(stage: Stage, cycle: int, at_ms: int, timing: Timing) -> Clock | None:
    """A clock that begins now; None where the stage has no limit."""
    limit = timing.limits.get(stage)
    if limit is None:
        return None
    clock = Clock(stage=stage, cycle=cycle, started_ms=at_ms, due_ms=None, next_ms=at_ms)
    try:
        return _due(clock, ends(limit.period, at_ms, limit.hours), limit, at_ms)
    except CalendarEnd:
        return clock


def meet(clock: Clock, at_ms: int) -> Clock:
    """The stage is done; whatever else the clock would have told is void."""
    if clock.met_ms is not None:
        return clock
    return replace(clock, met_ms=at_ms, next_ms=None, paused_ms=None, left_ms=None)


def is_late(clock: Clock, at_ms: int) -> bool:
    """Whether a stage that is done now is done too late; a paused limit cannot pass."""
    return clock.paused_ms is None and clock.due_ms is not None and at_ms >= clock.due_ms


def pause(clock: Clock, at_ms: int, timing: Timing) -> Clock:
    """Stop a clock and keep the counted time that was left.

    A limit that has passed goes on: a pause does not undo it. A limit that is not pausable, or
    that could not be counted yet, goes on as well.
    """
    limit = timing.limits.get(clock.stage)
    if limit is None or not limit.pausable or not runs(clock) or clock.due_ms is None:
        return clock
    if at_ms >= clock.due_ms:
        return clock
    time = _left_in(limit)
    left = clock.due_ms - at_ms if time is None else time.between(at_ms, clock.due_ms)
    return replace(clock, paused_ms=at_ms, left_ms=left, next_ms=None)


def resume(clock: Clock, at_ms: int, timing: Timing) -> Clock:
    """Let a paused clock run on for the time it had left; days end at 24:00 of a working day.

    Raises:
        CalendarEnd: A needed day is not covered.

    """
    if clock.paused_ms is None or clock.due_ms is None:
        return clock
    limit = timing.limits.get(clock.stage, Limit(Period(())))
    if at_ms == clock.paused_ms:
        due = clock.due_ms
    else:
        due = _after(at_ms, clock.left_ms or 0, _left_in(limit))
        if not is_exact(limit.period):
            time = limit.hours or LAW_TIME
            due = time.calendar.whole_day(due, time.zone)
    return _due(replace(clock, paused_ms=None, left_ms=None), due, limit, at_ms)


def latest(clock: Clock, limit: Limit) -> int | None:
    """The end that an extension may give at most; None where none may be given.

    Raises:
        CalendarEnd: A needed day is not covered.

    """
    if limit.extend is None or clock.due_ms is None:
        return None
    return follows(limit.extend, clock.due_ms, limit.hours)


def extend(clock: Clock, due_ms: int, at_ms: int, timing: Timing) -> Clock:
    """Give a clock its one later end; it warns again before that."""
    limit = timing.limits.get(clock.stage, Limit(Period(())))
    return _due(replace(clock, extended=True, warned_ms=None), due_ms, limit, at_ms)


def runs(clock: Clock) -> bool:
    """Whether a limit is neither met nor paused nor past."""
    return clock.met_ms is None and clock.paused_ms is None and clock.overdue_ms is None


def foremost(clocks: Iterable[Clock]) -> Clock | None:
    """The limit that people are shown: of resolving where it runs, else the one due first."""
    running = [
        clock
        for clock in clocks
        if clock.met_ms is None and clock.due_ms is not None and clock.stage is not Stage.RETURN
    ]
    resolving = [clock for clock in running if clock.stage is Stage.RESOLVE]
    return min(resolving or running, key=lambda clock: clock.due_ms or 0, default=None)


def strike(clock: Clock, timing: Timing) -> Struck:
    """What a clock does at its `next_ms`, and how it stands afterwards."""
    at_ms = clock.next_ms
    if at_ms is None:
        message = f"the {clock.stage} clock has nothing to tell"
        raise ValueError(message)
    limit = timing.limits.get(clock.stage, Limit(Period(())))
    ladder = timing.ladder.get(clock.stage, ())
    try:
        return _struck(clock, at_ms, limit, ladder)
    except CalendarEnd as missing:
        later = replace(clock, next_ms=at_ms + DAY_MS)
        return Struck(Strike.UNCOUNTED, later, calendar=missing.calendar)


def _struck(clock: Clock, at_ms: int, limit: Limit, ladder: tuple[Rung, ...]) -> Struck:
    if clock.due_ms is None:
        due = ends(limit.period, clock.started_ms, limit.hours)
        return Struck(Strike.COUNTED, _due(clock, due, limit, at_ms))
    if clock.overdue_ms is not None:
        rung_ms = _rung_ms(clock, clock.due_ms, limit, ladder)
        if rung_ms is None or rung_ms > at_ms:
            return Struck(Strike.COUNTED, replace(clock, next_ms=rung_ms))
        rung = clock.rung
        after = replace(clock, rung=rung + 1)
        return Struck(Strike.RUNG, _arm(after, at_ms, limit, ladder), rung)
    if clock.warned_ms is None and clock.warn_ms is not None and at_ms < clock.due_ms:
        return Struck(Strike.WARN, replace(clock, warned_ms=at_ms, next_ms=clock.due_ms))
    return Struck(Strike.OVERDUE, _arm(replace(clock, overdue_ms=at_ms), at_ms, limit, ladder))


def _arm(clock: Clock, at_ms: int, limit: Limit, ladder: tuple[Rung, ...]) -> Clock:
    """Set the instant of the next rung; asked again at once where it cannot be counted."""
    try:
        rung_ms = _rung_ms(clock, clock.due_ms or at_ms, limit, ladder)
    except CalendarEnd:
        return replace(clock, next_ms=at_ms)
    return replace(clock, next_ms=None if rung_ms is None else max(rung_ms, at_ms))


def _rung_ms(clock: Clock, due_ms: int, limit: Limit, ladder: tuple[Rung, ...]) -> int | None:
    if clock.rung >= len(ladder):
        return None
    return follows(ladder[clock.rung].after, due_ms, limit.hours)


def _due(clock: Clock, due_ms: int, limit: Limit, at_ms: int) -> Clock:
    """Give a clock its end, its warning where that still lies ahead, and its next instant."""
    warn_ms = None if limit.warn is None else ahead(limit.warn, due_ms, limit.hours)
    if warn_ms is not None and not at_ms < warn_ms < due_ms and clock.warned_ms is None:
        warn_ms = None
    told = clock.warned_ms is not None or warn_ms is None
    next_ms = due_ms if told else warn_ms
    if clock.stage is Stage.RETURN:
        next_ms = None
    return replace(clock, due_ms=due_ms, warn_ms=warn_ms, next_ms=next_ms)


def _left_in(limit: Limit) -> WorkTime | None:
    """In which time the rest of a limit is counted while it is paused; None: all of it."""
    if is_exact(limit.period):
        return limit.hours
    if not any(unit is PeriodUnit.WORKDAYS for _, unit in limit.period.parts):
        return None
    time = limit.hours or LAW_TIME
    return WorkTime(time.calendar, zone=time.zone)


def _exact(period: Period) -> int:
    return sum(amount for amount, _ in period.parts)


def _after(start_ms: int, amount_ms: int, hours: WorkTime | None) -> int:
    if hours is None or not amount_ms:
        return start_ms + amount_ms
    return hours.after(start_ms, amount_ms)
