"""What limits must be, minute by minute and day by day; imports nothing of ours.

The rest days of 2026 stand here as the State Council announced them.
"""

from datetime import UTC, date, datetime, timedelta, timezone

CITY = timezone(timedelta(hours=8))
MINUTE = 60_000


def _span(first: str, last: str) -> set[date]:
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    return {day + timedelta(n) for n in range((end - day).days + 1)}


REST = (
    _span("2026-01-01", "2026-01-03")
    | _span("2026-02-15", "2026-02-23")
    | _span("2026-04-04", "2026-04-06")
    | _span("2026-05-01", "2026-05-05")
    | _span("2026-06-19", "2026-06-21")
    | _span("2026-09-25", "2026-09-27")
    | _span("2026-10-01", "2026-10-07")
)
MADE_UP = {
    date.fromisoformat(day)
    for day in (
        "2026-01-04",
        "2026-02-14",
        "2026-02-28",
        "2026-05-09",
        "2026-09-20",
        "2026-10-10",
    )
}


def is_workday(day: date) -> bool:
    """Whether people work on a day of 2026."""
    if day in MADE_UP:
        return True
    return day not in REST and day.weekday() < 5


def local(at_ms: int) -> datetime:
    """An instant on the city's clocks."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CITY)


def counts(at_ms: int, hours: list[tuple[int, int]]) -> bool:
    """Whether the minute that begins here is worked."""
    moment = local(at_ms)
    minute = moment.hour * 60 + moment.minute
    return is_workday(moment.date()) and any(begin <= minute < end for begin, end in hours)


def run_down(
    start_ms: int, minutes: int, hours: list[tuple[int, int]], pauses: list[tuple[int, int]]
) -> int:
    """The end of an exact limit, stepping minute by minute over pauses and time that is no work."""
    at_ms, left = start_ms, minutes
    while left:
        paused = any(begin <= at_ms < end for begin, end in pauses)
        if not paused and counts(at_ms, hours):
            left -= 1
        at_ms += MINUTE
    return at_ms


def day_limit(start_ms: int, amount: int, unit: str) -> int:
    """24:00 of the last day of a limit in days, working days or months; art. 201 to 203."""
    day = local(start_ms).date()
    if unit == "workdays":
        for _ in range(amount):
            day += timedelta(1)
            while not is_workday(day):
                day += timedelta(1)
    elif unit == "days":
        for _ in range(amount):
            day += timedelta(1)
    else:
        month = day.month + amount
        number = day.day
        while True:
            try:
                day = date(2026, month, number)
                break
            except ValueError:
                number -= 1
    while not is_workday(day):
        day += timedelta(1)
    end = datetime(day.year, day.month, day.day, tzinfo=CITY) + timedelta(1)
    return round(end.timestamp() * 1000)
