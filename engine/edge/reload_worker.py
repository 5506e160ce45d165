"""How workers and dispatchers on Kafka go over to other rules.

A worker's partitions go over together, between two batches, each in a transaction of its own
(`engine/edge/streaming/changeover.py`). Every worker does that by itself: until all have, some
partitions are worked on by the old rules and some by the new ones, as when workers are restarted
one after another, and each goes from old to new once (docs/decisions/0027, 0070). A dispatcher has
no rules at work: it takes the routes.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from engine.edge.reload import Coming, Live, concerned
from engine.edge.reload_fit import plan_of
from engine.edge.reload_good import GoodSets
from engine.edge.state_tools.plan import Line
from engine.edge.store.rulesets import LIVE
from engine.errors import StateError
from engine.ports import Write
from engine.ruleset.compile import Program


class Partitions(Protocol):
    """What a worker was dealt (`engine/edge/streaming/hub.py`)."""

    async def begun(self) -> None:
        """Return when all that was dealt first is open."""

    async def rows(self, wanted: Mapping[str, Collection[str]]) -> Mapping[str, list[Write]]:
        """What it remembers of some rules, by key space."""

    async def go_over(self, program: Program) -> float:
        """Go on under another program; answers for how long nothing was worked on (ms)."""


class DispatcherRunner:
    """Who delivers alerts, as a reload sees it: no state depends on the rules."""

    def __init__(self, good: GoodSets) -> None:
        """Take note of where it is kept which set is live."""
        self._good = good

    async def begun(self) -> None:
        """It has begun."""

    async def plan(self, live: Live, coming: Coming) -> tuple[list[Line], list[StateError]]:
        """Nothing becomes of any state here."""
        del live, coming
        return [], []

    def make(self, program: Program) -> Any:
        """Nothing is made beforehand."""
        del program

    async def swap(self, live: Live, coming: Coming) -> float:
        """Go over at once."""
        del live
        await self.note(LIVE, coming.name)
        return 0.0

    async def note(self, what: str, name: str) -> None:
        """Keep it beside the sets."""
        await asyncio.to_thread(self._good.note, what, name)


class WorkerRunner(DispatcherRunner):
    """A worker, as a reload sees it."""

    def __init__(self, good: GoodSets) -> None:
        """Wait to be told what it was dealt."""
        super().__init__(good)
        self._partitions: Partitions | None = None
        self._there = asyncio.Event()

    def met(self, partitions: Partitions) -> None:
        """The worker has been let in and is about to join the group."""
        self._partitions = partitions
        self._there.set()

    async def begun(self) -> None:
        """Return when its partitions are open."""
        await self._there.wait()
        await self._held.begun()

    async def plan(self, live: Live, coming: Coming) -> tuple[list[Line], list[StateError]]:
        """What becomes of what its partitions remember."""
        wanted = {
            name: rules
            for name, rules in concerned(live.program, coming.program).items()
            if rules is not None  # a key space never goes while workers run
        }
        if not wanted:
            return [], []
        rows = await self._held.rows(wanted)
        specs = {rule.spec.id: rule.spec for rule in coming.program.rules.values()}
        return await asyncio.to_thread(plan_of, rows, specs, coming.program)

    async def swap(self, live: Live, coming: Coming) -> float:
        """Go over with all partitions, or with none.

        Which set is live is noted first: whoever dies in between comes up with the new one where
        the folder is broken, and takes up what was saved by the old one as any restart does.
        """
        await self.note(LIVE, coming.name)
        try:
            return await self._held.go_over(coming.program)
        except (StateError, TimeoutError):
            await self.note(LIVE, live.name)
            raise

    @property
    def _held(self) -> Partitions:
        assert self._partitions is not None, "met first"  # noqa: S101 - a slip of ours
        return self._partitions
