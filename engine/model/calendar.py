"""Working days as data, and time limits counted as Civil Code art. 201 to 203 says.

The start day is not counted (201). A month ends on the same day number, or on the month's last day
if it has none (202). A limit whose last day is a rest day ends on the next working day, at 24:00
(203). A day the calendar does not know is an error, never a guess.
"""

import calendar as months
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import final
from zoneinfo import ZoneInfo

from chinese_calendar import constants as china

from engine.errors import ForewarnError
from engine.model.period import Period, PeriodUnit
from engine.text import say

_DAY = timedelta(days=1)
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKEND = 5  # Saturday's number; Monday is 0


@final
class CalendarEnd(ForewarnError):
    """A limit needs a day that the calendar does not cover: its holidays are not decided yet."""

    def __init__(self, calendar: str, day: date, first: date, until: date) -> None:
        self.calendar, self.day, self.first, self.until = calendar, day, first, until
        super().__init__(self.what("en"))

    def what(self, lang: str) -> str:
        """The sentence in one language."""
        return say(
            "calendar-end",
            lang,
            calendar=self.calendar,
            day=self.day.isoformat(),
            first=self.first.isoformat(),
            until=self.until.isoformat(),
        )


@final
@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Which days are working days between two days, both covered.

    Attributes:
        name: Name in rules.
        first: The first day it knows.
        until: The last day it knows.
        holidays: Rest days besides weekends.
        workdays: Weekend days that are worked (make-up days); they win over holidays.
        weekends: Saturdays and Sundays are rest days.
        shifts: Names of shifts, each with spans of minutes after midnight, [begin, end). One that
            ends before it begins goes past midnight and belongs to the day it begins on.

    """

    name: str
    first: date
    until: date
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    weekends: bool = True
    shifts: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()

    @classmethod
    def china(cls, name: str = "cn") -> "WorkCalendar":
        """The State Council's holidays and make-up days, for the years that are published."""
        holidays = frozenset(china.holidays)
        return cls(
            name,
            date(min(holidays).year, 1, 1),
            date(max(holidays).year, 12, 31),
            holidays,
            frozenset(china.workdays),
        )

    @classmethod
    def every_day(cls, name: str = "all-days") -> "WorkCalendar":
        """A calendar in which each day is a working day; it never ends."""
        return cls(name, date.min, date.max, weekends=False)

    def overridden(
        self,
        name: str,
        holidays: Collection[date] = (),
        workdays: Collection[date] = (),
        until: date | None = None,
    ) -> "WorkCalendar":
        """This calendar with other rest and working days on top, and perhaps another last day."""
        rest, work = frozenset(holidays), frozenset(workdays)
        return replace(
            self,
            name=name,
            until=until or self.until,
            holidays=(self.holidays - work) | rest,
            workdays=(self.workdays - rest) | work,
        )

    def is_workday(self, day: date) -> bool:
        """Whether people work on this day.

        Raises:
            CalendarEnd: The calendar does not cover the day.

        """
        if not self.first <= day <= self.until:
            raise CalendarEnd(self.name, day, self.first, self.until)
        if day in self.workdays:
            return True
        if day in self.holidays:
            return False
        return not self.weekends or day.weekday() < _WEEKEND

    def shift_at(self, local: datetime) -> str | None:
        """The shift that works at a clock reading; None between shifts and on rest days.

        Raises:
            CalendarEnd: The calendar does not cover the day.

        """
        day, minute = local.date(), local.hour * 60 + local.minute
        works = self.is_workday(day)
        for name, spans in self.shifts:
            for begin, end in spans:
                if begin < end and works and begin <= minute < end:
                    return name
                if end <= begin and works and minute >= begin:
                    return name
                if end <= begin and minute < end and self._worked_before(day):
                    return name
        return None

    def _worked_before(self, day: date) -> bool:
        """Whether the day before was a working day; not before the first day that is known."""
        return day > self.first and self.is_workday(day - _DAY)

    def workdays_between(self, start: date, end: date) -> int:
        """How many working days lie after `start`, up to and including `end`."""
        days = (end - start).days
        return sum(self.is_workday(start + _DAY * step) for step in range(1, days + 1))

    def next_workday(self, day: date) -> date:
        """This day if it is a working day, else the first one after it."""
        while not self.is_workday(day):
            day += _DAY
        return day

    def add(self, start_ms: int, period: Period, zone: str) -> int:
        """The instant at which a limit ends that begins at `start_ms`.

        Parts are added in order. Days, working days and months count whole days in `zone`; only
        the last day is moved to a working day, and the limit ends at its 24:00, that is at the
        next midnight. Exact parts (milliseconds) before those move the start, after them the end.

        Args:
            start_ms: When the limit begins, UTC ms.
            period: The limit; no part is negative.
            zone: IANA name of the zone whose days are counted.

        Returns:
            The first instant (UTC ms) that is past the limit.

        Raises:
            CalendarEnd: A needed day is not covered.
            ValueError: A part is negative.

        """
        clock = ZoneInfo(zone)
        instant, day = start_ms, None
        for number, (count, unit) in enumerate(period.parts):
            if count < 0:
                message = f"a limit cannot be negative: {count} {unit}"
                raise ValueError(message)
            if unit is PeriodUnit.MS:
                instant, day = instant + count, None
                continue
            start = day or _day_of(instant, clock)
            day = self._counted(start, count, unit)
            follow = period.parts[number + 1 :]
            if all(later is PeriodUnit.MS for _, later in follow):
                day = self.next_workday(day)
            instant = _midnight_after(day, clock)
        return instant

    def back(self, end_ms: int, period: Period, zone: str) -> int:
        """The instant that lies a period before the end of a limit.

        Days, working days and months are counted back from the limit's last day, and the answer
        is the 24:00 at which so many days are left; exact parts are taken off as they are.

        Raises:
            CalendarEnd: A needed day is not covered.

        """
        clock = ZoneInfo(zone)
        instant = end_ms
        for count, unit in reversed(period.parts):
            if unit is PeriodUnit.MS:
                instant -= count
                continue
            day = self._counted_back(_day_of(instant - 1, clock), count, unit)
            instant = _midnight_after(day, clock)
        return instant

    def whole_day(self, instant_ms: int, zone: str) -> int:
        """The 24:00 of a working day at or after an instant: where a limit in days may end."""
        clock = ZoneInfo(zone)
        return _midnight_after(self.next_workday(_day_of(instant_ms - 1, clock)), clock)

    def _counted_back(self, end: date, count: int, unit: PeriodUnit) -> date:
        """The day after which `count` days, working days or months are left up to the day `end`."""
        if unit is PeriodUnit.MONTHS:
            return _same_day(end, -count)
        if unit is PeriodUnit.DAYS:
            return end - _DAY * count
        day = end
        while count:
            count -= self.is_workday(day)
            day -= _DAY
        return day

    def _counted(self, start: date, count: int, unit: PeriodUnit) -> date:
        """The last day of `count` days, working days or months after the day `start`."""
        if unit is PeriodUnit.MONTHS:
            return _same_day(start, count)
        if unit is PeriodUnit.DAYS:
            return start + _DAY * count
        day = start
        while count:
            day += _DAY
            count -= self.is_workday(day)
        return day


def _same_day(start: date, count: int) -> date:
    """The same day number `count` months on, or that month's last day."""
    year, month = divmod(start.year * 12 + start.month - 1 + count, 12)
    month += 1
    return date(year, month, min(start.day, months.monthrange(year, month)[1]))


def _day_of(instant_ms: int, zone: ZoneInfo) -> date:
    return (_EPOCH + _MS * instant_ms).astimezone(zone).date()


def _midnight_after(day: date, zone: ZoneInfo) -> int:
    """24:00 of a day, which is the first instant of the next, as UTC ms."""
    following = day + _DAY
    midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
    return (midnight - _EPOCH) // _MS
