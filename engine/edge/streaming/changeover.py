"""Other rules for all partitions of a worker, between two batches: all of them go over, or none.

    settle --> every unit takes up what its edited rules need --> every unit goes on by them
                  |refused: nothing has changed                     '--> one transaction each

What is saved is always whole: by the old rules before a unit's transaction, by the new ones after
it. Where it fails, the unit is opened anew and its state is taken up from what was saved, by the
rules of now, which comes to the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

import structlog

from engine.edge import crashpoint
from engine.edge.streaming.kit import Kit, Unit

log = structlog.get_logger("streaming")

WHOLE_S = 60.0
"""So long a change of rules waits for all partitions to be open."""
SAVED_S = 30.0
"""So long whoever asked for it waits to hear that it is saved."""
OLDER_S = 60.0
"""So long a partition that newer rules have worked on is kept until this worker has them too."""


class Changeover:
    """Waits for a moment when all partitions of a worker are open, and goes over in it."""

    def __init__(
        self,
        turn: asyncio.Lock,
        settle: Callable[[], Awaitable[None]],
        whole: Callable[[], Sequence[Unit] | None],
        stop: Callable[[BaseException], None],
        renew: Callable[[], None] | None,
    ) -> None:
        """Take note of whom to ask.

        Args:
            turn: While it is held, no unit works.
            settle: Returns when all that was worked on is saved, or lost.
            whole: All units, if all are open; none at all counts too.
            stop: Ends the worker, for what must never happen.
            renew: Asks for the rules to be read again; None where that cannot be done.

        """
        self._turn, self._settle, self._whole, self._stop = turn, settle, whole, stop
        self._renew = renew
        self._older: dict[str, float] = {}
        self._open, self.begun = asyncio.Event(), asyncio.Event()
        self._going: set[asyncio.Task[float | None]] = set()
        self._owing: dict[str, asyncio.Future[None]] = {}

    def note(self) -> None:
        """Units were opened, lost or dealt out."""
        if self._whole() is None:
            self._open.clear()
        else:
            self._open.set()
            if not self._older:
                self.begun.set()

    @property
    def older(self) -> Collection[str]:
        """Units that wait for newer rules; all others may go over without them."""
        return self._older.keys()

    def may_wait(self, name: str) -> bool:
        """Whether a unit that newer rules have worked on may wait for them; they are asked for.

        When workers go over one after the other, a partition may come to one that has not yet.
        A worker that has just been started has the rules that it is to have.
        """
        if self._renew is None or not self.begun.is_set():
            return False
        if not self._older:
            log.warning("older-rules", unit=name)
            self._renew()
        now = time.monotonic()
        return now - self._older.setdefault(name, now) < OLDER_S

    def dealt(self, names: Collection[str]) -> None:
        """These units are ours now."""
        self._older = {name: since for name, since in self._older.items() if name in names}

    def opened(self, name: str) -> None:
        """A unit is open."""
        self._older.pop(name, None)

    async def all_open(self) -> None:
        """Return when all partitions are open.

        Raises:
            TimeoutError: they were not for long.

        """
        async with asyncio.timeout(WHOLE_S):
            await self._open.wait()

    async def go_over(self, renewed: Callable[[], Kit], take: Callable[[Kit], None]) -> float:
        """Let all units go on by another kit; answers how long no record was worked on (ms).

        Args:
            renewed: The kit from now on.
            take: Told it, once no unit can refuse it any more.

        Raises:
            StateError: a rule cannot take up what is remembered; nothing has changed.
            TimeoutError: not all partitions were open for long; nothing has changed.

        """
        until = asyncio.get_running_loop().time() + WHOLE_S
        pause_ms: float | None = None
        while pause_ms is None:
            async with asyncio.timeout_at(until):
                await self._open.wait()
            going = asyncio.create_task(self._go_over(renewed, take))
            self._going.add(going)
            going.add_done_callback(self._going.discard)
            pause_ms = await asyncio.shield(going)  # half of it must never be done
        if self._owing:
            await asyncio.wait(self._owing.values(), timeout=SAVED_S)
        return pause_ms

    async def _go_over(
        self, renewed: Callable[[], Kit], take: Callable[[Kit], None]
    ) -> float | None:
        """Go over now, or answer None where a unit was lost or taken before all could."""
        async with self._turn:
            begun = time.perf_counter()
            await self._settle()
            units = self._whole()
            if units is None:
                self._open.clear()
                return None
            kit = renewed()
            ready = await kit.work(lambda: [unit.succession(kit) for unit in units])
            crashpoint.passing("swap-begun")
            try:
                await kit.work(lambda: [go_on() for go_on in ready])
                take(kit)
                crashpoint.passing("swap-in-memory")
                loop = asyncio.get_running_loop()
                self._owing = {unit.name: loop.create_future() for unit in units}
                for unit in units:
                    await unit.keep_succession(partial(self._kept, unit.name))
            except Exception as bug:
                self._stop(bug)  # what was saved is whole, what is in memory may not be
                raise
            return (time.perf_counter() - begun) * 1000

    def _kept(self, name: str) -> None:
        crashpoint.passing("swap-committed")
        self.over(name)

    def over(self, name: str) -> None:
        """A unit has saved what it owed for a change of rules, or never will: it is lost."""
        owed = self._owing.pop(name, None)
        if owed is not None and not owed.done():
            owed.set_result(None)
