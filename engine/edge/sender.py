"""Takes due deliveries of one sink out of an outbox and hands them over, in order within a group.

A delivery is sent, then marked. A crash between the two sends it again under the same id, so at
most `parallel` deliveries a sink are repeated by one crash.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog

from engine.dispatch.discretion import concealed
from engine.dispatch.retry import Breaker, RetryPolicy
from engine.edge import crashpoint
from engine.errors import ForewarnError, Permanent, Retryable
from engine.ports import Due, Outbox, Sink

log = structlog.get_logger("outbox")

IDLE_S = 30.0
"""A sender without work looks again after this long even if nobody wakes it."""
CLAIM = 64
"""So many bodies of a sink are in memory, beside those under way."""
_FIRST = asyncio.FIRST_COMPLETED
_AWAY_S = (1.0, 2.0, 5.0)
"""How long to wait before an outbox is asked again that could not answer; the last one stays."""


class Counting(Protocol):
    """Who counts what became of sends (`engine/edge/metrics.py`)."""

    def delivered(self, sink: str, result: str, seconds: float) -> None:
        """A send ended; `result` is `sent`, `dead` or the bounded reason of a failure."""


class Sender:
    """Delivers what an outbox holds for one sink: one at a time of each group, in its order.

    It has its own tasks, memory and breaker, so a sink that hangs, floods or fails stops no other.
    """

    def __init__(self, sink: Sink, outbox: Outbox, policy: RetryPolicy, counts: Counting) -> None:
        """Prepare; `run` does the work."""
        self.sink = sink
        self._outbox = outbox
        self._policy = policy
        self._counts = counts
        self._breaker = Breaker()
        self._wake = asyncio.Event()
        self._stopping = False
        self._paused = self._pauses = 0
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._ready: list[Due] = []
        self._chance = random.Random()  # noqa: S311 - spreads retries, guards nothing

    @property
    def is_troubled(self) -> bool:
        """Whether the sink has failed many times in a row."""
        return self._breaker.is_troubled

    def wake(self) -> None:
        """New rows are waiting."""
        self._wake.set()

    def stop(self) -> None:
        """Send nothing more; `run` ends when what is in flight is marked."""
        self._stopping = True
        self._wake.set()

    def probe(self) -> None:
        """Try again at once, whatever the sink asked for and however long it was to rest."""
        self._breaker = self._breaker.rested()
        self._wake.set()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[frozenset[str]]:
        """While held, nothing new is sent, so the outbox may be changed by hand.

        Gives the groups of which a delivery is under way: they had better be left alone.
        """
        self._paused += 1
        self._pauses += 1
        self._ready.clear()
        try:
            yield frozenset(self._flying)
        finally:
            self._ready.clear()
            self._paused -= 1
            self._wake.set()

    async def run(self, opening: "asyncio.Task[None] | None" = None) -> None:
        """Deliver until stopped; what is in flight then is waited for, unless we are cancelled.

        Args:
            opening: Where the sink is not open yet: what opens it.

        """
        if opening is not None and not await self._opened(opening):
            return
        tries = 0
        clamped = False
        try:
            while not self._stopping:
                try:
                    if not clamped:
                        await self._outbox.clamp(self._policy.asked_most_s)
                        clamped = True
                    await self._fill()
                    if not self._stopping:
                        await self._rest()
                    tries = 0
                except Exception as error:  # noqa: BLE001 - whatever it is, nobody else delivers
                    log.warning("outbox-unreadable", sink=self.sink.name, error=str(error))
                    await asyncio.sleep(_AWAY_S[min(tries, len(_AWAY_S) - 1)])
                    tries += 1
            if self._flying:
                await asyncio.wait(self._flying.values())
        finally:
            for task in self._flying.values():
                task.cancel()
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    async def _opened(self, opening: "asyncio.Task[None]") -> bool:
        """Wait for a sink that is slow to open, and try again when it fails; False when stopped."""
        tries = 0
        try:
            while not self._stopping:
                await self._woken_by({opening}, None)
                if not opening.done():
                    continue
                error = opening.exception()
                if error is None:
                    return True
                tries += 1
                wait_s = self._policy.wait_s(tries, self._chance.random())
                log.warning("sink-unopened", sink=self.sink.name, error=str(error), wait_s=wait_s)
                until = time.monotonic() + wait_s
                while not self._stopping and (left_s := until - time.monotonic()) > 0:
                    await self._woken_by(set(), left_s)
                opening = asyncio.create_task(self.sink.open(), name=f"open-{self.sink.name}")
            return False
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _fill(self) -> None:
        """Start as many sends as the sink takes at once."""
        while (
            not self._paused
            and len(self._flying) < self._breaker.width(self.sink.parallel)
            and not self._breaker.rest_s(time.monotonic())
        ):
            if not self._ready:
                pauses, flying = self._pauses, set(self._flying)
                due = await self._outbox.claim(self.sink.name, CLAIM)
                if due:
                    crashpoint.passing("outbox-claimed")
                if pauses != self._pauses:
                    return  # these rows may have been changed meanwhile
                # What was under way when we asked may have been sent since: it is asked for again.
                self._ready = [row for row in reversed(due) if row.group not in flying]
            if not self._ready or self._stopping:
                return
            row = self._ready.pop()
            task = asyncio.create_task(self._deliver(row), name=f"send-{row.id}")
            self._flying[row.group] = task

    async def _rest(self) -> None:
        """Wait until a send ends, a row comes, or the next one is due."""
        wait_s = IDLE_S
        if not self._flying and not self._paused:
            due_ms = await self._outbox.next_due_ms(self.sink.name)
            if due_ms is not None:
                wait_s = min(wait_s, (due_ms - self._outbox.now_ms()) / 1000)
            wait_s = max(wait_s, self._breaker.rest_s(time.monotonic()), 0.01)
        await self._woken_by(set(self._flying.values()), wait_s)

    async def _woken_by(self, tasks: "set[asyncio.Task[None]]", wait_s: float | None) -> None:
        """Wait until one of the tasks ends, somebody wakes us, or time is up."""
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({woken, *tasks}, timeout=wait_s, return_when=_FIRST)
        finally:
            woken.cancel()
            with suppress(asyncio.CancelledError):
                await woken
            self._wake.clear()

    async def _deliver(self, row: Due) -> None:
        """Send one delivery and note how it went."""
        name, begun = self.sink.name, time.monotonic()
        try:
            with crashpoint.in_flight("request-sent"):
                crashpoint.passing("send-begun")
                async with asyncio.timeout(self._policy.hang_s):
                    await self.sink.send(row.delivery_id, row.body, row.attempts + 1)
            crashpoint.passing("answer-read")
        except Permanent as refusal:
            self._breaker = self._breaker.answered()
            await self._give_up(row, refusal.reason, refusal.detail)
        except Retryable as failure:
            await self._put_back(row, failure)
        except ForewarnError as failure:
            await self._put_back(row, Retryable("unusable", str(failure)))
        except TimeoutError:
            await self._put_back(row, Retryable("hangs", f"{self._policy.hang_s:g} s"))
        except Exception as failure:  # noqa: BLE001 - a faulty sink must not stop the others
            log.warning("sink-raised", sink=name, delivery=row.delivery_id, error=repr(failure))
            await self._put_back(row, Retryable("raised", repr(failure)[:200]))
        else:
            self._breaker = self._breaker.answered()
            await self._mark(lambda: self._outbox.sent(row.id))
            crashpoint.passing("sent-marked")
            self._counts.delivered(name, "sent", time.monotonic() - begun)
        finally:
            self._flying.pop(row.group, None)

    async def _put_back(self, row: Due, failure: Retryable) -> None:
        attempts, asked_s = row.attempts + 1, failure.retry_after_s
        wait_s = self._policy.wait_s(attempts, self._chance.random(), asked_s)
        rest_s = self._policy.wait_s(
            max(1, self._breaker.failures - self._breaker.trips + 2), self._chance.random()
        )
        quiet_s = None if asked_s is None else self._policy.bounded_s(asked_s)
        self._breaker = self._breaker.failed(
            time.monotonic(), min(rest_s, 60.0), row.delivery_id, quiet_s
        )
        age_s = (self._outbox.now_ms() - row.stored_ms) / 1000
        if self._policy.is_over(attempts, age_s):
            why = "too-old" if age_s >= self._policy.give_up_s else "too-often"
            await self._give_up(row, why, f"{failure.reason}: {failure.detail}")
            return
        log.warning(
            "delivery-retry", sink=self.sink.name, delivery=row.delivery_id, attempt=attempts,
            reason=failure.reason, detail=concealed(failure.detail, row.body)[:200],
            wait_s=round(wait_s, 1),
        )  # fmt: skip
        reason, detail = failure.reason, failure.detail[:1000]
        await self._mark(lambda: self._outbox.retry(row.id, wait_s, reason, detail))
        crashpoint.passing("retry-marked")
        self._counts.delivered(self.sink.name, failure.reason, 0.0)

    async def _give_up(self, row: Due, reason: str, detail: str) -> None:
        log.error(
            "delivery-dead", sink=self.sink.name, delivery=row.delivery_id, reason=reason,
            detail=concealed(detail, row.body)[:200],
        )  # fmt: skip
        await self._mark(lambda: self._outbox.give_up(row.id, reason, detail[:1000]))
        crashpoint.passing("dead-letter-moved")
        self._counts.delivered(self.sink.name, "dead", 0.0)

    async def _mark(self, write: Callable[[], Awaitable[None]]) -> None:
        """Note how a send went, waiting for an outbox that is away; unnoted it is repeated."""
        tries = 0
        while True:
            try:
                await write()
            except Exception as error:  # noqa: BLE001 - a full disk, a database that is away
                log.warning("outbox-unwritable", sink=self.sink.name, error=str(error))
                if self._stopping:
                    return
                await asyncio.sleep(_AWAY_S[min(tries, len(_AWAY_S) - 1)])
                tries += 1
            else:
                return
