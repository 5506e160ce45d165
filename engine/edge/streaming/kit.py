"""What every unit of work on a worker shares, and what a unit is."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from faust.types import TP

from engine.edge.streaming.figures import NO_FIGURES, Figures
from engine.edge.streaming.light import Fresh
from engine.edge.streaming.link import Link
from engine.edge.streaming.topics import Layout
from engine.ports import Core, Outcome, Write
from engine.ruleset.compile import Program, SpaceProgram
from engine.saved import ruleset


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
    """What the broker last said of how far partitions go."""

    def hears(self, place: TP) -> bool:
        """Whether it said so just now; else nobody knows whether a partition is silent."""

    def at_end(self, place: TP) -> bool:
        """Whether every record of this partition was handed over."""


T = TypeVar("T")
CoreMaker = Callable[[SpaceProgram, int, int], Core]
"""Makes the core of (key space, partition, number of partitions)."""


RESTORES = 2


@dataclass(frozen=True, slots=True)
class Kit:
    """What every unit is made from.

    Attributes:
        restores: Held while a partition's saved state is read back and taken up: so many do that
            at the same time, and the raw rows of no more are in memory.
        left: By key space the rule sets that this process worked by, and has left for others: to
            go back from them is what somebody wanted.
        rules: The one thread in which all rules run: the loop goes on talking to the broker.

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
    left: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rules: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "rules"))

    def renewed(self, program: Program) -> "Kit":
        """The same for another program that reads the same topics."""
        left = {
            name: (self.left.get(name, frozenset()) | {_fingerprint(self.program, name)})
            - {_fingerprint(program, name)}
            for name in program.spaces
        }
        return replace(self, program=program, left=left)

    async def work(self, what: Callable[[], T]) -> T:
        """Do some work of the rules beside the event loop, one piece at a time."""
        return await asyncio.get_running_loop().run_in_executor(self.rules, what)


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

    def take(self, place: TP, records: Sequence[Fresh]) -> None:
        """Note records of an input; those before `starts` are known already."""

    def reaches(self) -> Mapping[TP, int]:
        """How far each input is in event time (its watermark, UTC ms); empty if that has no say."""

    async def step(self, ends: Ends) -> None:
        """Work on what was taken and on time that passed, and begin to save it.

        Saving goes on while the next batch is worked on, but only one is ever under way: a step
        waits for the one before it, and raises what that raised.
        """

    async def settle(self) -> None:
        """Return when all that was worked on is saved; raises why it is not."""

    def rows(self, wanted: Mapping[str, Collection[str]]) -> tuple[str, list[Write]]:
        """Its key space, and what it remembers of the rules wanted of it; in the rules' thread."""

    def succession(self, kit: Kit) -> Callable[[], None]:
        """Take up what going on under another program needs; nothing has changed by then.

        To be called between two steps, in the rules' thread, when all is settled.

        Returns:
            What lets the unit go on under that program; it cannot fail.

        Raises:
            StateError: a rule of that program cannot take up what was remembered.

        """

    async def keep_succession(self, saved: Callable[[], None]) -> None:
        """Begin to save what going over to another program did, before anything else.

        `saved` is called once it is saved; if that fails, the next step raises why.
        """

    async def close(self) -> None:
        """Forget everything that is not saved."""


def _fingerprint(program: Program, space: str) -> str:
    """The rule set of a key space, as partitions remember it."""
    return ruleset(rule.spec for rule in program.spaces[space].rules)


def unread(starts: Mapping[TP, int | None], place: TP, records: Sequence[Fresh]) -> Sequence[Fresh]:
    """The records that this unit has not seen; another unit may have asked for earlier ones."""
    start = starts[place] or 0
    if not records or records[0].offset >= start:
        return records
    return [record for record in records if record.offset >= start]
