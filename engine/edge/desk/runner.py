"""Runs the desk: takes alerts, winds clocks, tells digests, and stands back while another does.

every look:  alerts read -> take     clocks due -> tick     digests due -> tell     head due
every third of the lease's term:     renew it, or wait until it is free
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.edge.desk import audit, keep
from engine.edge.desk import lease as leasing
from engine.edge.desk.heads import Heads
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.lease import LeaseLost

log = structlog.get_logger("desk")

LOOK_S = 0.5
"""How often clocks are looked at when nothing wakes us."""
WAIT_S = (0.5, 1.0, 2.0, 5.0)
"""How long to wait for a database that is away, or a full disk; the last one stays."""


class Reader(Protocol):
    """Where alerts come from: `engine.edge.desk.intake`, or a topic of Kafka."""

    async def once(self) -> int:
        """Take what is there, one transaction's worth; answers how many changes that were."""

    def forget(self) -> None:
        """Look up again where to go on."""


class Runner:
    """One desk's work, from the lease to the last paper."""

    def __init__(
        self,
        keeper: Keeper,
        reader: Reader,
        heads: Heads,
        blocked: Callable[[str], None] = lambda _why: None,
        term_ms: int = leasing.TERM_MS,
        keep_days: int = 400,
    ) -> None:
        """Put the parts together.

        Args:
            keeper: The desk over its store.
            reader: Where alerts come from.
            heads: Where heads of the audit are written.
            blocked: Told why the database takes nothing, and nothing when it does again.
            term_ms: How long the lease lasts that is not renewed.
            keep_days: How long what is over is kept.

        """
        self.keeper = keeper
        self._reader = reader
        self._heads = heads
        self._blocked = blocked
        self._term_ms = term_ms
        self._keep_days = keep_days
        self._trimmed_ms: int | None = None
        self._name = leasing.holder()
        self._until_s = 0.0
        self._leads: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._led = asyncio.Event()
        self._turn = asyncio.Lock()
        self._stopping = False
        self._tries = 0

    @property
    def leads(self) -> bool:
        """Whether this desk runs; another one may, once the lease was not renewed for its term."""
        return self.keeper.lease is not None and time.monotonic() < self._until_s

    def when_leading(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever this desk begins to run."""
        self._leads = listener

    def wake(self) -> None:
        """There are new alerts."""
        self._wake.set()

    def stop(self) -> None:
        """End after what is in hand."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Run until stopped; what the database refuses is tried again, however long it takes."""
        renewing = asyncio.create_task(self._renew(), name="desk-lease")
        try:
            while not self._stopping:
                try:
                    busy = False
                    if self.leads:
                        busy = await self.look()
                        self._ease()
                except LeaseLost:
                    self._step_down()
                    busy = False
                except (SQLAlchemyError, sqlite3.Error, OSError) as error:
                    await self._trouble(error)
                    busy = True
                if not busy and not self._stopping:
                    await self._rest()
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._free()

    async def look(self) -> bool:
        """Do everything that is due, a transaction of each; answers whether there is more at once.

        Raises:
            LeaseLost: another desk runs.

        """
        async with self._turn:
            read = await self._reader.once()
            wound = await self.keeper.tick()
            told = await self.keeper.tell()
            await self.write_head()
            return bool(read or wound or told or await self._trim())

    async def write_head(self, *, now: bool = False) -> None:
        """Write a head of the audit when it is time; says so when the audit was cut."""
        now_ms = self.keeper.store.now_ms()
        if not now and not self._heads.is_due(now_ms):
            return
        before = self._heads.newest
        head, holds = await self.keeper.store.read(
            lambda link: (audit.newest(link), audit.holds(link, before))
        )
        if holds:
            await asyncio.to_thread(self._heads.write, head, now_ms)
        else:
            log.error("audit-broken", seq=before.seq, found=head.seq)

    async def _trim(self) -> int:
        """Once a day forget what was kept long enough; answers how much went."""
        now_ms = self.keeper.store.now_ms()
        if self._trimmed_ms is not None and 0 <= now_ms - self._trimmed_ms < keep.DAY_MS:
            return 0
        gone = await self.keeper.forget(self._keep_days)
        self._trimmed_ms = None if gone else now_ms
        return gone

    async def settle(self) -> None:
        """Take every alert that was told and wind every clock that is due: a recording is over."""
        await self._led.wait()
        while await self.look():
            pass

    async def lead(self) -> bool:
        """Take the lease, or renew it; answers whether we have it."""
        asked_s = time.monotonic()
        term_ms, name = self._term_ms, self._name
        found = await self.keeper.store.write(lambda link: leasing.take(link, name, term_ms))
        if found is None:
            if self.leads:
                self._step_down()
            return False
        fresh = not self.leads
        if fresh or found != self.keeper.lease:
            self._reader.forget()
        self.keeper.lease = found
        self._until_s = asked_s + term_ms / 1000
        self._led.set()
        if fresh:
            log.info("desk-leads", fence=found.fence)
            self._leads()
            self._wake.set()
        return True

    async def _renew(self) -> None:
        while True:
            try:
                if not await self.lead():
                    self._ease()  # another one runs the desk, and the database answers
            except (SQLAlchemyError, OSError) as error:
                # A desk whose lease has run out meanwhile looks at nothing that could say so.
                self._tries = max(self._tries, 1)
                self._blocked(_why(error))
                log.warning("desk-lease-unreadable", error=str(error)[:200])
            await asyncio.sleep(self._term_ms / 3000)

    async def _free(self) -> None:
        """Let another desk take over at once."""
        lease = self.keeper.lease
        if lease is None or not self.leads:
            return
        self._until_s = 0.0
        with suppress(SQLAlchemyError, OSError):
            await self.keeper.store.write(lambda link: leasing.free(link, lease))

    def _step_down(self) -> None:
        log.warning("desk-stands-by")
        self._led.clear()
        self._until_s = 0.0
        self._reader.forget()

    async def _trouble(self, error: Exception) -> None:
        """Wait for a database that is away; what was not kept is done again."""
        wait_s = WAIT_S[min(self._tries, len(WAIT_S) - 1)]
        self._tries += 1
        why = _why(error)
        self._blocked(why)
        log.warning("desk-blocked", error=why, wait_s=wait_s)
        self._reader.forget()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not self._stopping:
                    self._wake.clear()
                    await self._wake.wait()

    def _ease(self) -> None:
        if self._tries:
            self._tries = 0
            self._blocked("")
            log.info("desk-unblocked")

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._wake.wait()
        self._wake.clear()


def _why(error: BaseException) -> str:
    """What went wrong first: a full disk ends a transaction, and what follows then fails too."""
    while isinstance(error.__context__, SQLAlchemyError | sqlite3.Error):
        error = error.__context__
    return str(getattr(error, "orig", None) or error)[:200]
