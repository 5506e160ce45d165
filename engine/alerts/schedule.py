"""The schedule of a rule: whether it may fire at an instant, and when it may again."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.model.calendar import CalendarEnd, WorkCalendar
from engine.ruleset.spec import Schedule

_AHEAD = 400
"""No calendar rests for so many days on end."""


def opens_at(schedule: Schedule, calendar: WorkCalendar | None, at_ms: int) -> int:
    """When a schedule that is closed at an instant opens again (UTC ms); 0 where it is open.

    Of hours that pass midnight the part after it belongs to the day it lies on. Beyond the end of
    the calendar nothing is guessed: it is asked again at the first midnight that it does not know.

    Raises:
        CalendarEnd: The calendar does not cover the day of the instant itself.

    """
    zone = ZoneInfo(schedule.zone)
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    if _is_open(schedule, calendar, local):
        return 0
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(_AHEAD):
        day = midnight + timedelta(days=ahead)
        try:
            works = calendar is None or calendar.is_workday(day.date())
        except CalendarEnd:
            return _instant(day, zone)
        if works:
            starts = sorted({0, *(start for start, _ in schedule.hours)})
            for start in starts:
                opens = (day + timedelta(minutes=start)).replace(tzinfo=zone)
                instant = round(opens.timestamp() * 1000)
                if instant > at_ms and _is_open(schedule, None, opens):
                    return instant
    return _instant(midnight + timedelta(days=_AHEAD), zone)


def _instant(day: datetime, zone: ZoneInfo) -> int:
    return round(day.replace(tzinfo=zone).timestamp() * 1000)


def _is_open(schedule: Schedule, calendar: WorkCalendar | None, local: datetime) -> bool:
    """Whether a local time lies in the hours, on a day that the calendar works."""
    minute = local.hour * 60 + local.minute
    if not any(
        start <= minute < end if start < end else minute >= start or minute < end
        for start, end in schedule.hours
    ):
        return False
    return calendar is None or calendar.is_workday(local.date())
