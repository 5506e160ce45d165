"""What a window's value is compared with: the same hour of past weeks, or its neighbours."""

from collections.abc import Sequence
from math import sqrt
from statistics import median
from typing import Any, NamedTuple

from engine.operators.specs.window import Baseline

HOUR_MS = 3_600_000
HOURS = 168
"""Hours of a week; hour 0 begins with the epoch's own, a Thursday's first."""
WEEK_MS = HOURS * HOUR_MS


class Compared(NamedTuple):
    """The mean (or median) of what a value is compared with, and the sample deviation.

    None where it is not known.
    """

    mean: float | None
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float], base: Baseline) -> "Compared":
        """Of some values, if they are enough; the deviation (from the mean) needs two."""
        count = len(values)
        if count < max(1, base.at_least):
            return cls(None, None)
        mean = sum(values) / count
        middle = median(values) if base.median else mean
        if count == 1:
            return cls(middle, None)
        return cls(middle, sqrt(sum((value - mean) ** 2 for value in values) / (count - 1)))


def weekly(
    slots: dict[int, list[list[Any]]], local_ms: int, value: float | None, base: Baseline
) -> Compared:
    """Compare a window with those of the same hour of the week in past weeks, and remember it.

    Where several windows end in one hour, their mean stands for the hour.

    Args:
        slots: By hour of the week, for each week known [week, windows, sum of their values].
        local_ms: The window's end by the local clock; it belongs to the hour before it.
        value: The window's value, or None.
        base: How many past weeks count, and how many of them must be known.

    """
    weeks = base.weeks
    week, slot = divmod((local_ms - 1) // HOUR_MS, HOURS)
    entries = slots.get(slot, [])
    past = [total / count for number, count, total in entries if week - weeks <= number < week]
    if value is not None:
        if entries and entries[-1][0] == week:
            entries[-1][1] += 1
            entries[-1][2] += value
        else:
            entries.append([week, 1, value])
        slots[slot] = [entry for entry in entries if entry[0] > week - weeks - 1]
    return Compared.of(past, base)
