"""Time that counts: the hours of the days on which people, or machines, are expected to work."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import final
from zoneinfo import ZoneInfo

from engine.model.calendar import WorkCalendar

_DAY = timedelta(days=1)
_MINUTES = 1440
_LONGEST_DAYS = 4000
"""A clock that finds so many days without an hour that counts is declared wrongly."""


@final
@dataclass(frozen=True, slots=True)
class WorkTime:
    """Daily hours on the working days of a calendar, in a zone.

    A span that ends before it begins goes past midnight and belongs to the day it begins on.

    Attributes:
        calendar: Which days count.
        hours: Spans of minutes after local midnight, [begin, end).
        zone: IANA name of the zone of the hours.

    """

    calendar: WorkCalendar
    hours: tuple[tuple[int, int], ...] = ((0, _MINUTES),)
    zone: str = "Asia/Shanghai"

    def after(self, start_ms: int, amount_ms: int) -> int:
        """The instant (UTC ms) at which so much counted time has passed since a start.

        Raises:
            CalendarEnd: The calendar does not cover a day that is needed.
            ValueError: No hour counts for years.

        """
        left = amount_ms
        for begin, end in self._spans(start_ms):
            from_ms = max(begin, start_ms)
            if end - from_ms >= left:
                return from_ms + left
            left -= max(end - from_ms, 0)
        message = f"no hour counts within {_LONGEST_DAYS} days"
        raise ValueError(message)

    def before(self, end_ms: int, amount_ms: int) -> int:
        """The latest instant (UTC ms) from which so much counted time passes until an end.

        Raises:
            CalendarEnd: The calendar does not cover a day that is needed.
            ValueError: No hour counts for years.

        """
        left = amount_ms
        for begin, end in self._spans(end_ms, back=True):
            until_ms = min(end, end_ms)
            if until_ms - begin >= left:
                return until_ms - left
            left -= max(until_ms - begin, 0)
        message = f"no hour counts within {_LONGEST_DAYS} days"
        raise ValueError(message)

    def between(self, start_ms: int, end_ms: int) -> int:
        """How much counted time (ms) lies between two instants."""
        total = 0
        for begin, end in self._spans(start_ms):
            if begin >= end_ms:
                break
            total += max(min(end, end_ms) - max(begin, start_ms), 0)
        return total

    def counts(self, at_ms: int) -> bool:
        """Whether an instant lies in time that counts.

        Raises:
            CalendarEnd: The calendar does not cover a day that is needed.

        """
        return self.ends(at_ms) is not None

    def ends(self, at_ms: int) -> int | None:
        """When the span that an instant lies in is over; None for an instant that does not count.

        Raises:
            CalendarEnd: The calendar does not cover a day that is needed.

        """
        clock = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(clock).date()
        late = [span for span in self.hours if _after(*span) > _MINUTES]
        for day, spans in ((today - _DAY, late), (today, sorted(self.hours))):
            if not spans or not self.calendar.is_workday(day):
                continue
            for begin, end in spans:
                until_ms = _instant(day, _after(begin, end), clock)
                if _instant(day, begin, clock) <= at_ms < until_ms:
                    return until_ms
        return None

    def _spans(self, from_ms: int, *, back: bool = False) -> Iterator[tuple[int, int]]:
        """Spans that count, beginning with the day before an instant; or backwards from its day."""
        clock = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(from_ms / 1000, UTC).astimezone(clock).date()
        day, step = (day, -_DAY) if back else (day - _DAY, _DAY)
        for _ in range(_LONGEST_DAYS):
            if self.calendar.is_workday(day):
                for begin, end in sorted(self.hours, reverse=back):
                    yield _instant(day, begin, clock), _instant(day, _after(begin, end), clock)
            day += step


def _after(begin: int, end: int) -> int:
    return end if end > begin else end + _MINUTES


def _instant(day: date, minute: int, clock: ZoneInfo) -> int:
    """A clock reading of a day as UTC ms; past 24:00 it is one of the next day."""
    days, rest = divmod(minute, _MINUTES)
    local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=clock)
    return round((local + days * _DAY).timestamp() * 1000)
