"""Clock readings as a feed declares them, turned into UTC milliseconds.

Readings without an offset belong to the declared zone. Where that zone puts its clocks back, a
reading that occurs twice means the first occurrence; where it puts them forward, a reading that
never occurred is read as if the clock had not been changed yet. Fractions below a millisecond
are cut off, never rounded up, so an event is never later than its source said.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.feeds.reasons import BadValue, Reason

TimeReader = Callable[[object], int]
"""From a decoded value (text or number, as the format says) to UTC ms; raises `BadValue`."""

EPOCH_FORMATS = ("epoch-ms", "epoch-s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = 253_402_300_799_999  # end of the year 9999
_SECONDS = {f":{second:02}": second * 1000 for second in range(60)}
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")
_SUFFIX = re.compile(r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?")
_MINUTES_KEPT = 20_000
_SUFFIXES_KEPT = 64
_WHOLE_KEPT = 4_096


def time_reader(format_: str, zone: str) -> TimeReader:
    """How to read a time that is written as `iso8601`, `epoch-ms`, `epoch-s` or a strptime pattern.

    Args:
        format_: One of the names above, or a pattern such as `%Y%m%d%H%M%S`.
        zone: IANA name of the zone of readings without offset.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: There is no such zone.

    """
    if format_ == "epoch-ms":
        return _epoch_ms
    if format_ == "epoch-s":
        return _epoch_s
    clock = ZoneInfo(zone)
    if format_ == "iso8601":
        return _remembering(lambda text: _instant(_iso(text), clock))
    return _remembering(lambda text: _instant(datetime.strptime(text, format_), clock))  # noqa: DTZ007


def _iso(text: str) -> datetime:
    """A date-time (or a date, meaning its first instant) of ISO 8601's extended form."""
    if _ISO.fullmatch(text) is None:
        raise BadValue(Reason.BAD_TIME)
    return datetime.fromisoformat(text)


def _instant(reading: datetime, zone: ZoneInfo) -> int:
    if reading.tzinfo is None:
        reading = reading.replace(tzinfo=zone)
    return (reading - _EPOCH) // _MILLISECOND


def _epoch_ms(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_MS:
        raise BadValue(Reason.BAD_TIME)
    return int(value)


def _epoch_s(value: object) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= _LAST_MS / 1000
    ):
        raise BadValue(Reason.BAD_TIME)
    # A float second carries noise below the microsecond; 1.001 s must not become 1000 ms.
    return value * 1000 if isinstance(value, int) else math.floor(round(value * 1e6) / 1000)


def _remembering(slow: Callable[[str], int]) -> TimeReader:
    """Read like `slow`, but remember whole readings, and each minute with what follows the seconds.

    Many records carry the very same second. Others share their minute: `2026-03-02 09:00:30+08:00`
    is then its minute (16 characters) under its offset, plus the seconds, since zones change their
    offset only at whole minutes after 1970. Anything else takes the slow way.
    """
    whole: dict[str, int] = {}
    known: dict[str, dict[str, int]] = {}

    def find(text: str) -> int:
        """The instant by the remembered minute; KeyError if there is none."""
        return known[text[19:]][text[:16]] + _SECONDS[text[16:19]]

    def learn(text: str) -> int:
        try:
            instant = slow(text)
        except (ValueError, OverflowError) as error:
            raise BadValue(Reason.BAD_TIME) from error
        minute, second, rest = text[:16], text[16:19], text[19:]
        if (
            instant >= 0
            and second in _SECONDS
            and _MINUTE.fullmatch(minute)
            and _SUFFIX.fullmatch(rest)
        ):
            if rest not in known and len(known) >= _SUFFIXES_KEPT:
                known.clear()
            minutes = known.setdefault(rest, {})
            if len(minutes) >= _MINUTES_KEPT:
                minutes.clear()
            minutes[minute] = instant - _SECONDS[second]
        return instant

    def read(text: Any, get: Callable[[Any], int | None] = whole.get) -> int:
        instant = get(text)
        if instant is None:
            if not isinstance(text, str):
                raise BadValue(Reason.BAD_TIME)
            try:
                instant = find(text)
            except KeyError:
                instant = learn(text)
            if len(whole) >= _WHOLE_KEPT:
                whole.clear()
            whole[text] = instant
        return instant

    return read
