"""Deadlines by brute force, day by day, with a calendar of plain weekends."""

# Imports nothing of the engine, so that it cannot share its mistakes.

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Seen:
    """What happened to one key: at which hour since the epoch day, in which role, how much."""

    hour: int
    role: str
    amount: float = 1.0


def workday(day: date) -> bool:
    return day.weekday() < 5


def due_after(start: datetime, workdays: int) -> datetime:
    """24:00 of the n-th working day after the start day."""
    day, left = start.date(), workdays
    while left:
        day += DAY
        left -= workday(day)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY


def single(
    story: list[Seen], origin: datetime, workdays: int, reach: float, until: datetime
) -> list[tuple[str, datetime]]:
    """(what, at) for one deadline on a sum, started once, cancelled or met."""
    told: list[tuple[str, datetime]] = []
    start = due = None
    total, fired, over = 0.0, False, False
    ordered = sorted(story, key=lambda seen: seen.hour)
    for seen in ordered:
        at = origin + timedelta(hours=seen.hour)
        if due is not None and not fired and not over and due < at:
            fired = True
            told.append(("fired", due))
        if seen.role == "start" and start is None:
            start, due = at, due_after(at, workdays)
            over = total >= reach
        elif seen.role == "pay" and not over:
            total += seen.amount
            if start is not None and total >= reach:
                over = True
                if fired:
                    told.append(("cleared", at))
        elif seen.role == "cancel":
            if fired and not over:
                told.append(("cleared", at))
            start = due = None
            total, fired, over = 0.0, False, False
    if due is not None and not fired and not over and due <= until:
        told.append(("fired", due))
    return told
