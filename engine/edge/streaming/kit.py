"""What every unit of work on a worker shares, and what a unit is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka.structs import ConsumerRecord
from faust.types import TP

from engine.edge.streaming.figures import NO_FIGURES, Figures
from engine.edge.streaming.link import Link
from engine.edge.streaming.topics import Layout
from engine.ports import Core, Outcome
from engine.ruleset.compile import Program, SpaceProgram


class Watcher(Protocol):
    """Who hears what a worker does; metrics and logs, never decisions."""

    def outcome(self, space: str, partition: int, outcome: Outcome) -> None:
        """An outcome is saved."""

    def holding(self, units: int, ready: int) -> None:
        """How many units this worker has, and how many of them work."""


class Silent:
    """A watcher that tells nobody."""

    def outcome(self, space: str, partition: int, outcome: Outcome) -> None:
        """Nothing."""

    def holding(self, units: int, ready: int) -> None:
        """Nothing."""


class Ends(Protocol):
    """Asks the broker how far a partition goes."""

    async def at_end(self, place: TP) -> bool:
        """Whether every record of this partition was handed over."""


CoreMaker = Callable[[SpaceProgram, int, int], Core]
"""Makes the core of (key space, partition, number of partitions)."""


RESTORES = 2


@dataclass(frozen=True, slots=True)
class Kit:
    """What every unit is made from.

    Attributes:
        restores: Held while a partition's saved state is read back and taken up: so many do that
            at the same time, and the raw rows of no more are in memory.

    """

    link: Link
    program: Program
    layout: Layout
    make_core: CoreMaker
    watcher: Watcher
    clock: Callable[[], float]
    lang: str = "en"
    figures: Figures = NO_FIGURES
    restores: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RESTORES))


class Unit(Protocol):
    """One writer of one compacted partition: an evaluator or a router.

    Attributes:
        name: Its transactional id; no two units of an installation share one.
        inputs: Partitions it reads.
        starts: Offset from which each input must be read next; None for its beginning.
        group: Units of one group keep pace with each other.

    """

    name: str
    group: str
    inputs: tuple[TP, ...]
    starts: dict[TP, int | None]

    async def open(self) -> None:
        """Fence earlier owners and take up the saved state; `starts` is right afterwards."""

    def take(self, place: TP, records: Sequence[ConsumerRecord]) -> None:
        """Note records of an input; those before `starts` are known already."""

    def reaches(self) -> Mapping[TP, int]:
        """How far each input is in event time (its watermark, UTC ms); empty if that has no say."""

    async def step(self, ends: Ends) -> None:
        """Work on what was taken and on time that passed; returns when all of it is saved."""

    async def close(self) -> None:
        """Forget everything that is not saved."""


def unread(
    starts: Mapping[TP, int | None], place: TP, records: Sequence[ConsumerRecord]
) -> Sequence[ConsumerRecord]:
    """The records that this unit has not seen; another unit may have asked for earlier ones."""
    start = starts[place] or 0
    if not records or records[0].offset >= start:
        return records
    return [record for record in records if record.offset >= start]
