"""When a zone is open: daily hours on the days of a calendar, as its attributes say.

`hours: "08:00-12:00, 14:00-18:00"`, `calendar: cn` (every day if left out), `zone: Asia/Shanghai`.
"""

import re
from collections.abc import Mapping
from typing import Any

from engine.model.calendar import WorkCalendar
from engine.model.worktime import WorkTime

HOURS = "hours"
_CLOCK = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_DAY = 1440


def spans_of(text: object) -> tuple[tuple[int, int], ...] | None:
    """Spans of minutes after midnight, [begin, end); None if the text is none.

    A span that ends before it begins goes past midnight.
    """
    if not isinstance(text, str):
        return None
    spans = []
    for part in text.split(","):
        found = _CLOCK.fullmatch(part.strip())
        if not found:
            return None
        begin, end = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
        if max(begin, end) > _DAY or begin in {end, _DAY}:
            return None
        spans.append((begin, end))
    return tuple(sorted(spans))


def is_open(
    attributes: Mapping[str, Any], calendars: Mapping[str, WorkCalendar], at_ms: int
) -> bool | None:
    """Whether a zone is open at an instant (UTC ms); None where it says no hours.

    Raises:
        CalendarEnd: Its calendar does not cover the day.

    """
    spans = spans_of(attributes.get(HOURS))
    if spans is None:
        return None
    calendar = calendars.get(str(attributes.get("calendar", "all-days")))
    zone = str(attributes.get("zone", "Asia/Shanghai"))
    return WorkTime(calendar or WorkCalendar.every_day(), spans, zone).counts(at_ms)
