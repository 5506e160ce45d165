"""A time limit as law writes it: parts that are counted one after another."""

from dataclasses import dataclass
from enum import StrEnum


class PeriodUnit(StrEnum):
    """What a period counts. Workdays and months need a calendar; milliseconds do not."""

    MS = "ms"
    DAYS = "days"
    WORKDAYS = "workdays"
    MONTHS = "months"


_DAY_MS = 86_400_000
_ROUGH_DAYS = {PeriodUnit.DAYS: 1.0, PeriodUnit.WORKDAYS: 1.4, PeriodUnit.MONTHS: 30.4}


@dataclass(frozen=True, slots=True)
class Period:
    """A time limit as law writes it: parts that are added in order, `1 month + 5 workdays`.

    `30m` and `7d` are exact durations in milliseconds; `30 days`, `20 workdays` and `1 month` are
    counted by Civil Code art. 201-203 in the feed's zone.
    """

    parts: tuple[tuple[int, PeriodUnit], ...]
    text: str = ""

    @property
    def rough_days(self) -> float:
        """About how many days it lasts, to compare periods with each other."""
        return sum(
            amount / _DAY_MS if unit is PeriodUnit.MS else amount * _ROUGH_DAYS[unit]
            for amount, unit in self.parts
        )
