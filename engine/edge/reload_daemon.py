"""How an embedded daemon goes over to other rules: one transaction between two batches."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from engine.chain import Chain
from engine.edge import crashpoint
from engine.edge.embedded import Embedded, Work
from engine.edge.recover import closing_of
from engine.edge.reload import Coming, Live, concerned
from engine.edge.reload_fit import plan_for
from engine.edge.state_tools.plan import Line
from engine.edge.store.rulesets import saved_rows
from engine.errors import StateError
from engine.handover import Handover
from engine.model.change import Change
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import Program

Rework = Callable[[Work, Program, dict[str, Space], Chain], Work]
"""Makes of a daemon's work that over another program: its key spaces, what they hand on."""


class Made(NamedTuple):
    """What is made of a program before the swap."""

    spaces: dict[str, Space]
    chain: Chain


class DaemonRunner:
    """The daemon as a reload sees it."""

    def __init__(self, daemon: Embedded, rework: Rework) -> None:
        """Take note of the daemon, and of how its work is made over another program."""
        self._daemon, self._rework, self._store = daemon, rework, daemon.store

    async def begun(self) -> None:
        """Return when its state is restored and its sources are open."""
        await self._daemon.begun.wait()

    async def plan(self, live: Live, coming: Coming) -> tuple[list[Line], list[StateError]]:
        """What becomes of the rows of the database."""
        program = coming.program
        specs = {rule.spec.id: rule.spec for rule in program.rules.values()}
        wanted = concerned(live.program, program)
        return await asyncio.to_thread(plan_for, self._store.path, wanted, specs, program)

    def make(self, program: Program) -> Made:
        """Empty key spaces."""
        spaces = {one: Space(space) for one, space in program.spaces.items()}
        return Made(spaces, Chain(program.spaces))

    async def note(self, what: str, name: str) -> None:
        """Keep it in the database."""
        await self._store.note_ruleset(what, name)

    async def swap(self, live: Live, coming: Coming) -> float:
        """Go over, and put it on disk."""
        pause_ms, keeping = await self._daemon.between(lambda: self._swap(live, coming))
        await asyncio.wait({keeping})
        keeping.result()  # the daemon hears of a failure too, and ends
        return pause_ms

    async def _swap(self, live: Live, coming: Coming) -> tuple[float, "asyncio.Task[None]"]:
        """Between two batches: all key spaces go over together, or none.

        Answers how long events waited (ms), and the task that puts it on disk.
        """
        begun = time.perf_counter()
        before, made = self._daemon.work, coming.made
        wanted = concerned(live.program, coming.program)
        rows: dict[str, list[Write]] = {}
        if wanted:  # read beside the writer, which may be waiting for the disk
            rows = await asyncio.to_thread(saved_rows, self._store.path, wanted)
        overs: list[Handover] = []
        for name, new in made.spaces.items():
            old = before.spaces.get(name)
            if isinstance(old, Space):
                overs.append(Handover(old, new, rows.get(name, [])))
        crashpoint.passing("swap-begun")
        for over in overs:
            over.complete()
        chain = made.chain
        chain.next_offset, chain.keeps = before.chain.next_offset, before.chain.keeps
        chain.waiting = {
            place: records
            for place, records in before.chain.waiting.items()
            if place[0] in made.spaces
        }
        for core in made.spaces.values():
            crashpoint.watch_timers(core)
        gone = live.program.spaces.keys() - made.spaces.keys()
        closing = self._closing(gone, rows)
        work = self._rework(before, coming.program, made.spaces, chain)
        keeping = self._daemon.succeed(work, coming.name, closing)
        return (time.perf_counter() - begun) * 1000, keeping

    def _closing(self, gone: Collection[str], rows: dict[str, list[Write]]) -> list[Change]:
        """The ends of the alerts of key spaces that no rule has any more."""
        found: list[Change] = []
        for name in sorted(gone):
            old = self._daemon.work.spaces[name]
            mark = old.progress.watermark if isinstance(old, Space) else 0
            found += closing_of(rows.get(name, []), mark)
        return found
