"""Limits counted anew: when each should have been warned of and passed, from the moves alone.

Imports nothing of the engine: minutes are stepped through, working days are asked of
`chinese_calendar`, and the limits are read from the declarations as they stand in the file.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

import yaml
from chinese_calendar import is_workday

CHINA = timezone(timedelta(hours=8))
MINUTE, DAY = 60_000, 86_400_000
_UNITS = {"s": 1000, "m": MINUTE, "h": 60 * MINUTE, "d": DAY}


@dataclass(slots=True)
class Told:
    """What was checked.

    Attributes:
        wrong: What is not as it should be, in words.
        counts: How many limits were met in time and passed, rungs climbed, left out.

    """

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Limits:
    """The limits of a file of timings."""

    def __init__(self, text: str) -> None:
        declared = yaml.safe_load(text)
        self._timings: Mapping[str, Any] = declared["timings"]
        self._hours = {
            name: [_span(span) for span in said["hours"].split(",")]
            for name, said in declared.get("hours", {}).items()
        }

    def due(self, timing: str, stage: str, start_ms: int) -> int:
        """The first instant past a limit."""
        limit = self._timings[timing]["limits"][stage]
        return self._past(str(limit["within"]), start_ms, self._hours.get(limit.get("hours", "")))

    def warned(self, timing: str, stage: str, due_ms: int) -> int | None:
        """When it is warned of; None where it is not, or that is counted in days or hours."""
        limit = self._timings[timing]["limits"][stage]
        exact = _exact(str(limit.get("warn", "")))
        return None if exact is None or "hours" in limit else due_ms - exact

    def rungs(self, timing: str, stage: str, due_ms: int) -> list[int]:
        """The instants of the ladder of a limit that has passed."""
        limit = self._timings[timing]["limits"][stage]
        hours = self._hours.get(limit.get("hours", ""))
        ladder = self._timings[timing].get("ladder", {}).get(stage, [])
        found = []
        for rung in ladder:
            after = str(rung["after"])
            plain = _exact(after) is not None
            found.append(self._past(after, due_ms if plain else due_ms - 1, hours))
        return found

    def _past(self, period: str, start_ms: int, hours: list[tuple[int, int]] | None) -> int:
        exact = _exact(period)
        if exact is None:
            number, unit = re.fullmatch(r"(\d+) (day|workday)s?", period).groups()  # type: ignore[union-attr]
            return _days(start_ms, int(number), working=unit == "workday")
        if hours is None:
            return start_ms + exact
        left, at_ms = exact, start_ms
        while left > 0:
            step = MINUTE - at_ms % MINUTE
            if _counts(at_ms, hours):
                step = min(step, left)
                left -= step
            at_ms += step
        return at_ms


def check(limits: Limits, moves: list[dict[str, Any]], told: Told) -> None:
    """Compare one case's clocks with its moves: what should have fired, and fired once.

    Args:
        limits: As declared.
        moves: Verb, instant, cause, details and what it set, of each move, in order.
        told: Where to note what was found.

    """
    fired = Counter(
        move["cause"].split("#")[0] for move in moves if move["cause"].startswith("clock:")
    )
    twice = [cause for cause, times in fired.items() if times > 1]
    told.wrong += [f"twice: {cause}" for cause in twice]
    bent = {"pause", "extend", "merge"} & {move["verb"] for move in moves}
    incident = moves[0]["incident"]
    agreed = _agreed(moves)
    for move in moves:
        for clock in move["details"].get("met", ()):
            stage, cycle = clock["stage"], clock["cycle"]
            if bent:  # a case that takes another in has that one's clocks as well
                told.counts["of cases that were paused, extended or merged"] += 1
                continue
            timing = agreed.get((stage, cycle, clock["started_ms"]), "")
            if not timing:
                told.wrong.append(f"{incident} {stage}: began before anything was agreed")
                continue
            due = limits.due(timing, stage, clock["started_ms"])
            if due != clock["due_ms"]:
                told.wrong.append(f"{incident} {stage}: due {clock['due_ms']}, should be {due}")
                continue
            past = move["at_ms"] >= due
            told.counts["passed" if past else "met in time"] += 1
            told.counts[f"passed: {stage}"] += past
            name = f"clock:{incident}:{stage}:{cycle}:"
            wanted = {f"{name}overdue": past}
            warn = limits.warned(timing, stage, due)
            if warn is not None:
                wanted[f"{name}warn"] = move["at_ms"] >= warn
            for number, at_ms in enumerate(limits.rungs(timing, stage, due)):
                wanted[f"{name}{number}"] = past and move["at_ms"] >= at_ms
            for cause, should in wanted.items():
                told.counts["strikes that came"] += should
                if bool(fired[cause]) is not should:
                    told.wrong.append(f"{cause}: {fired[cause]} times, should be {int(should)}")


def _agreed(moves: list[dict[str, Any]]) -> dict[tuple[str, int, int], str]:
    """Which limits were agreed by the move with which each clock began.

    Several moves may be made at one instant, and other limits agreed between two of them.
    """
    found: dict[tuple[str, int, int], str] = {}
    timing = ""
    for move in moves:
        timing = move["sets"].get("terms", {}).get("timing", timing)
        for clock in move["sets"].get("clocks", ()):
            found.setdefault((clock["stage"], clock["cycle"], clock["started_ms"]), timing)
    return found


def _exact(period: str) -> int | None:
    found = re.fullmatch(r"(\d+)([smhd])", period)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _span(text: str) -> tuple[int, int]:
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.strip().split("-"))
    return begin, end


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, CHINA)


def _counts(at_ms: int, hours: list[tuple[int, int]]) -> bool:
    local = _local(at_ms)
    minute = local.hour * 60 + local.minute
    return is_workday(local.date()) and any(begin <= minute < end for begin, end in hours)


def _days(start_ms: int, number: int, *, working: bool) -> int:
    """Midnight after the n-th day that counts, the first being the day after the start."""
    day: date = _local(start_ms).date()
    while number:
        day += timedelta(days=1)
        number -= not working or is_workday(day)
    if not working:  # a limit whose last day is a holiday ends with the next working day
        while not is_workday(day):
            day += timedelta(days=1)
    after = datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1)
    return int(after.timestamp() * 1000)
