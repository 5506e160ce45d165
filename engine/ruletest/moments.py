"""Times as authors of tests write them: `30m` after the start, `09:40`, a date, a full instant."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from engine.model.units import parse_duration

MINUTE_MS = 60_000
DAY_MS = 86_400_000
ABOUT_MS = 2 * MINUTE_MS
"""What `~` allows either way."""

_CLOCK = re.compile(
    r"(?:day\s+(?P<day>\d+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
)
_DAY = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<rest>.+))?")


class Fault(StrEnum):
    """What can be wrong with a text of a test; the catalogue has the sentences."""

    TIME = "T104"
    LENGTH = "T127"
    LEG = "T105"
    ORIGIN = "T113"
    VALUE = "T118"
    MANY = "T119"


class Unreadable(ValueError):
    """A part of a test that says nothing we know: a code of the catalogue and the words found.

    `column` counts characters from the start of the text it was found in.
    """

    def __init__(self, code: str, column: int = 0, **found: object) -> None:
        self.code = code
        self.column = column
        self.found = found
        super().__init__(f"{code}: {found}")


@dataclass(frozen=True, slots=True)
class Moments:
    """The clock of one test case: its first instant and the zone of its clock readings.

    Times are UTC milliseconds. A clock reading such as `09:40` is on the day of the start;
    `day 3 09:40` is two days later; `24:00` is the end of a day.
    """

    start_ms: int
    zone: str

    def at(self, text: str) -> int:
        """The instant a text names, in UTC milliseconds.

        Raises:
            Unreadable: It is none of the forms above.

        """
        plain = text.strip()
        if found := _CLOCK.fullmatch(plain):
            first = datetime.fromtimestamp(self.start_ms / 1000, ZoneInfo(self.zone)).date()
            day = first + timedelta(days=int(found["day"] or 1) - 1)
            return self._local(day, found, text)
        if found := _DAY.fullmatch(plain):
            return self._dated(found["date"], found["rest"] or "00:00", text)
        try:
            return self.start_ms + span(plain.removeprefix("+"))
        except Unreadable:
            raise Unreadable(Fault.TIME, found=text) from None

    def about(self, text: str) -> tuple[int, int]:
        """An expected instant and how far off it may be: `~52m` allows two minutes either way."""
        plain = text.strip()
        if plain.startswith("~"):
            return self.at(plain[1:]), ABOUT_MS
        return self.at(plain), 0

    def clock(self, instant_ms: int) -> str:
        """An instant as a person reads it: `+31m30s (2026-03-02 09:31:30)`."""
        local = datetime.fromtimestamp(instant_ms / 1000, ZoneInfo(self.zone))
        return f"{offset(instant_ms - self.start_ms)} ({local:%Y-%m-%d %H:%M:%S})"

    def _dated(self, day_text: str, rest: str, text: str) -> int:
        try:
            day = date.fromisoformat(day_text)
        except ValueError:
            raise Unreadable(Fault.TIME, found=text) from None
        found = _CLOCK.fullmatch(rest)
        if found and not found["day"]:
            return self._local(day, found, text)
        try:
            instant = datetime.fromisoformat(f"{day_text}T{rest}")
        except ValueError:
            raise Unreadable(Fault.TIME, found=text) from None
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=ZoneInfo(self.zone))
        return round(instant.astimezone(UTC).timestamp() * 1000)

    def _local(self, day: date, found: re.Match[str], text: str) -> int:
        hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
        if (hour, minute, second) == (24, 0, 0):
            day, hour = day + timedelta(days=1), 0
        try:
            clock = time(hour, minute, second)
        except ValueError:
            raise Unreadable(Fault.TIME, found=text) from None
        return round(datetime.combine(day, clock, ZoneInfo(self.zone)).timestamp() * 1000)


def span(text: str) -> int:
    """A length of time in milliseconds: `45m`, `30s`, `2d`.

    Raises:
        Unreadable: It is none.

    """
    try:
        return parse_duration(text)
    except ValueError:
        raise Unreadable(Fault.LENGTH, found=text) from None


def offset(millis: int) -> str:
    """A signed length of time in the notation of tests: `+1h31m30s`, `-45s`, `+0s`."""
    sign, rest = ("-", -millis) if millis < 0 else ("+", millis)
    parts = []
    for letter, unit in (("d", DAY_MS), ("h", 60 * MINUTE_MS), ("m", MINUTE_MS), ("s", 1000)):
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{letter}")
    if rest:
        parts.append(f"{rest}ms")
    return sign + ("".join(parts) or "0s")
