"""Time limits as Chinese law counts them (Civil Code art. 201-203), on the official calendar.

The start day is not counted, a limit ends at 24:00 of its last day, and a limit in days or months
whose last day is a rest day ends with the next working day. Days are days in the city.
"""

from calendar import monthrange
from datetime import date, datetime, timedelta

from chinese_calendar import is_workday

from simulators.scenario import CITY_TIME, SECOND

ONE = timedelta(days=1)


def day_of(at_ms: int) -> date:
    """The city day of an instant."""
    return datetime.fromtimestamp(at_ms / SECOND, CITY_TIME).date()


def at(day: date, hour: int = 0, minute: int = 0) -> int:
    """A clock time of a city day as UTC ms."""
    return (
        int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=CITY_TIME).timestamp())
        * SECOND
    )


def workdays_after(day: date, count: int) -> date:
    """The day on which `count` working days have passed since `day`."""
    while count:
        day += ONE
        count -= is_workday(day)
    return day


def working(day: date) -> date:
    """The day itself, or the next working day if it is a rest day."""
    while not is_workday(day):
        day += ONE
    return day


def days_after(day: date, count: int) -> date:
    """The last day of a limit of `count` natural days."""
    return working(day + count * ONE)


def month_on(day: date, count: int = 1) -> date:
    """The same day number `count` months on, or that month's last day; rest days do not move it."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def midnight_after(day: date) -> int:
    """24:00 of a day."""
    return at(day + ONE)


def is_open(day: date) -> bool:
    """Whether building sites work: working days, and Saturdays that are no holiday."""
    saturday = 5
    return is_workday(day) or (day.weekday() == saturday and not _festival(day))


def _festival(day: date) -> bool:
    """Whether a Saturday lies in a holiday: the Friday before or the Monday after is off."""
    return not is_workday(day - ONE) or not is_workday(day + 2 * ONE)
