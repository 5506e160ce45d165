"""When a time limit begins and ends: cycles of a deadline, and instants before it.

Days are counted in the feed's zone by the rules of the Civil Code art. 201-203 (the calendar in
`engine/model/calendar.py` has them); what is here is only what a repeating deadline adds.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.model.calendar import WorkCalendar
from engine.model.period import Period, PeriodUnit


def day_of(at_ms: int, zone: str) -> date:
    """The day on which an instant falls, in a zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def midnight(day: date, zone: str) -> int:
    """The instant (UTC ms) at which a day begins in a zone."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return round(start.timestamp() * 1000)


def months_later(day: date, months: int) -> date:
    """The same day number some months on, or the last day of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def cycle_begin(start_ms: int, every: Period, number: int, zone: str) -> int:
    """When cycle `number` of a repeating deadline begins.

    Cycle 0 begins with the start itself. As the start day is not counted, a later cycle begins at
    24:00 of the day that lies `number` periods after the start day. Rest days do not move it.
    """
    if number == 0:
        return start_ms
    day, exact = day_of(start_ms, zone), 0
    counted = False
    for amount, unit in every.parts:
        if unit is PeriodUnit.MS:
            exact += amount * number
        elif unit is PeriodUnit.MONTHS:
            day, counted = months_later(day, amount * number), True
        else:
            day, counted = day + timedelta(days=amount * number), True
    return (midnight(day + timedelta(days=1), zone) if counted else start_ms) + exact


def counted(
    start_ms: int, begin_ms: int, number: int, every: Period | None, within: Period
) -> tuple[int, Period]:
    """From which instant a cycle's limit is counted, and the limit itself; that day is not counted.

    Months are counted from the first start, not from the cycle's own: of a start on the 31st the
    second month ends on 31 March, though the first ended on 28 February.
    """
    if number == 0 or every is None:
        return begin_ms, within
    months = len(every.parts) == 1 and every.parts[0][1] is PeriodUnit.MONTHS
    if months and within.parts[0][1] is PeriodUnit.MONTHS:
        first = (within.parts[0][0] + every.parts[0][0] * number, PeriodUnit.MONTHS)
        return start_ms, Period((first, *within.parts[1:]), within.text)
    return begin_ms - 1, within


def before(due_ms: int, left: Period, calendar: WorkCalendar, zone: str) -> int:
    """The instant at which only `left` of a limit remains."""
    day, exact, counted = day_of(due_ms - 1, zone), 0, False
    for amount, unit in left.parts:
        if unit is PeriodUnit.MS:
            exact += amount
            continue
        counted = True
        if unit is PeriodUnit.MONTHS:
            day = months_later(day, -amount)
        elif unit is PeriodUnit.DAYS:
            day -= timedelta(days=amount)
        else:
            day = _workdays_back(day, amount, calendar)
    return (midnight(day + timedelta(days=1), zone) if counted else due_ms) - exact


def _workdays_back(day: date, amount: int, calendar: WorkCalendar) -> date:
    """The day after which `amount` working days remain up to and including `day`."""
    while amount > 0:
        amount -= calendar.is_workday(day)
        day -= timedelta(days=1)
    return day


def after_pause(
    due_ms: int, from_ms: int, to_ms: int, within: Period, at: tuple[WorkCalendar, str]
) -> int:
    """A due instant moved by the time that a clock stood still.

    A limit in working days is moved by the working days of the pause and is due at 24:00 of a
    working day as before; an exact limit by its exact length. One in days or months only is
    counted anew (`longer`).
    """
    calendar, zone = at
    units = {unit for _, unit in within.parts}
    if units == {PeriodUnit.MS}:
        return due_ms + (to_ms - from_ms)
    first, last = day_of(from_ms, zone), day_of(to_ms, zone)
    lost = calendar.workdays_between(first, last)
    whole = Period(((lost, PeriodUnit.WORKDAYS),))
    return calendar.add(due_ms - 1, whole, zone) if lost else due_ms


def by_days(period: Period) -> bool:
    """Whether days of any kind are counted, so that 24:00 belongs to the day before."""
    return any(unit is not PeriodUnit.MS for _, unit in period.parts)


def in_days(within: Period) -> bool:
    """Whether a limit is counted in days or months and in no working days."""
    units = {unit for _, unit in within.parts}
    return units != {PeriodUnit.MS} and PeriodUnit.WORKDAYS not in units


def after_days(
    begin: tuple[int, int, int],
    every: Period | None,
    within: Period,
    lost: int,
    at: tuple[WorkCalendar, str],
) -> int:
    """When a limit in days or months is due after pauses of `lost` days in sum.

    It is counted anew from its beginning (`counted`), so that only the last day of the whole is
    moved to a working day.
    """
    calendar, zone = at
    since, whole = counted(*begin, every, within)
    parts = whole.parts
    place = max(i for i, (_, unit) in enumerate(parts) if unit is not PeriodUnit.MS) + 1
    longer = Period((*parts[:place], (lost, PeriodUnit.DAYS), *parts[place:]))
    return calendar.add(since, longer, zone)
