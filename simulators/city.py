"""A city: the fleet and the building sites on one clock, both ending at the same instant.

The ledgers cover `days` days up to the end of the fleet's `hours`, so that a demonstration sees
months of wages and one day of traffic arrive in order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from simulators.fleet import Fleet
from simulators.payroll import Payroll
from simulators.scenario import DAY, SECOND, Feed, Item, Story, in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Fleet and payroll together; `start` is when the vehicles set out."""

    seed: int = 7
    vehicles: int = 60
    hours: float = 12.0
    projects: int = 60
    days: int = 150
    start: str = "2026-06-01T05:00:00+08:00"
    every_s: int = 30
    datum: str = "gcj02"
    noise: str = "none"

    @property
    def fleet(self) -> Fleet:
        """The vehicles."""
        return Fleet(
            seed=self.seed,
            vehicles=self.vehicles,
            hours=self.hours,
            start=self.start,
            every_s=self.every_s,
            datum=self.datum,
            noise=self.noise,
        )

    @property
    def payroll(self) -> Payroll:
        """The building sites."""
        start = datetime.fromtimestamp(self.start_ms / SECOND, UTC).isoformat()
        return Payroll(
            seed=self.seed, projects=self.projects, days=self.days, start=start, noise=self.noise
        )

    @property
    def start_ms(self) -> int:
        """The first instant of the ledgers."""
        return self.end_ms - self.days * DAY

    @property
    def end_ms(self) -> int:
        """The first instant after the world."""
        return self.fleet.end_ms

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of both."""
        return (*self.fleet.feeds, *self.payroll.feeds)

    def items(self) -> Iterator[Item]:
        """The records of both in order of arrival."""
        return in_order(self.fleet.items(), self.payroll.items())

    def stories(self) -> Iterator[Story]:
        """The truth of both."""
        yield from self.fleet.stories()
        yield from self.payroll.stories()

    def tables(self) -> Mapping[str, Iterator[Mapping[str, object]]]:
        """The fleet's waybills."""
        return self.fleet.tables()
