"""Takes due deliveries from the outbox to their sinks: one sender a sink, none waits for another.

A delivery is sent, then marked. A crash between the two sends it again under the same id, so at
most `parallel` deliveries a sink are repeated by one crash.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from engine.dispatch.retry import Breaker, RetryPolicy
from engine.edge import crashpoint
from engine.edge.metrics import Metrics
from engine.edge.store import Due, Store, Stored, may_pass
from engine.errors import ForewarnError, Permanent, Retryable
from engine.ports import Sink

log = structlog.get_logger("outbox")

IDLE_S = 30.0
"""A sender without work looks again after this long even if nobody wakes it."""
CLAIM = 64
_DISK_WAIT_S = 1.0


class Sender:
    """Delivers the outbox rows of one sink, in order within an episode."""

    def __init__(self, sink: Sink, store: Store, policy: RetryPolicy, metrics: Metrics) -> None:
        """Prepare; `run` does the work."""
        self.sink = sink
        self._store = store
        self._policy = policy
        self._metrics = metrics
        self._breaker = Breaker()
        self._wake = asyncio.Event()
        self._stopping = False
        self._busy: set[int] = set()
        self._ready: list[Due] = []
        self._chance = random.Random()  # noqa: S311 - spreads retries, guards nothing

    @property
    def is_troubled(self) -> bool:
        """Whether the sink failed so often that it is only probed."""
        return self._breaker.is_open

    def wake(self) -> None:
        """New rows are waiting."""
        self._wake.set()

    def stop(self) -> None:
        """Send nothing more; `run` ends when what is in flight is marked."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        await self._store.clamp(self._policy.asked_most_s)
        flying: set[asyncio.Task[None]] = set()
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    await self._fill(flying)
                    if not self._stopping:
                        await self._rest(flying)
                except sqlite3.Error as error:
                    log.warning("outbox-unreadable", sink=self.sink.name, error=str(error))
                    await asyncio.sleep(_DISK_WAIT_S)
                flying = {task for task in flying if not task.done()}
        finally:
            if flying:
                await asyncio.wait(flying)

    async def _fill(self, flying: set[asyncio.Task[None]]) -> None:
        """Start as many sends as the sink takes at once."""
        width = 1 if self._breaker.is_open else self.sink.parallel
        while len(flying) < width and not self._breaker.rest_s(time.monotonic()):
            if not self._ready:
                due = await self._store.claim(self.sink.name, CLAIM)
                if due:
                    crashpoint.passing("outbox-claimed")
                self._ready = [row for row in reversed(due) if row.id not in self._busy]
            if not self._ready or self._stopping:
                return
            row = self._ready.pop()
            self._busy.add(row.id)
            flying.add(asyncio.create_task(self._deliver(row), name=f"send-{row.id}"))

    async def _rest(self, flying: set[asyncio.Task[None]]) -> None:
        """Wait until a send ends, a row comes, or the next one is due."""
        wait_s = IDLE_S
        if not flying:
            due_ms = await self._store.next_due_ms(self.sink.name)
            if due_ms is not None:
                wait_s = min(wait_s, (due_ms - self._store.now_ms()) / 1000)
            wait_s = max(wait_s, self._breaker.rest_s(time.monotonic()), 0.01)
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait(
                {woken, *flying}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            woken.cancel()
            with suppress(asyncio.CancelledError):
                await woken

    async def _deliver(self, row: Due) -> None:
        """Send one delivery and note how it went."""
        name, begun = self.sink.name, time.monotonic()
        try:
            with crashpoint.in_flight("request-sent"):
                await self.sink.send(row.delivery_id, row.body, row.attempts + 1)
            crashpoint.passing("answer-read")
        except Permanent as refusal:
            self._breaker = self._breaker.answered()
            await self._give_up(row, refusal.reason, refusal.detail)
        except Retryable as failure:
            await self._put_back(row, failure)
        except ForewarnError as failure:
            await self._put_back(row, Retryable("unusable", str(failure)))
        except Exception as failure:  # noqa: BLE001 - a faulty sink must not stop the others
            log.warning("sink-raised", sink=name, delivery=row.delivery_id, error=repr(failure))
            await self._put_back(row, Retryable("raised", repr(failure)[:200]))
        else:
            self._breaker = self._breaker.answered()
            await self._mark(lambda: self._store.sent(row.id))
            self._metrics.delivered(name, "sent", time.monotonic() - begun)
        finally:
            self._busy.discard(row.id)

    async def _put_back(self, row: Due, failure: Retryable) -> None:
        attempts = row.attempts + 1
        wait_s = self._policy.wait_s(attempts, self._chance.random(), failure.retry_after_s)
        rest_s = self._policy.wait_s(
            max(1, self._breaker.failures - self._breaker.trips + 2), self._chance.random()
        )
        self._breaker = self._breaker.failed(time.monotonic(), min(rest_s, 60.0))
        age_s = (self._store.now_ms() - row.stored_ms) / 1000
        if self._policy.is_over(attempts, age_s):
            await self._give_up(row, "too-old", f"{failure.reason}: {failure.detail}")
            return
        log.warning(
            "delivery-retry", sink=self.sink.name, delivery=row.delivery_id, attempt=attempts,
            reason=failure.reason, detail=failure.detail[:200], wait_s=round(wait_s, 1),
        )  # fmt: skip
        reason, detail = failure.reason, failure.detail[:1000]
        await self._mark(lambda: self._store.retry(row.id, wait_s, reason, detail))
        self._metrics.delivered(self.sink.name, failure.reason, 0.0)

    async def _give_up(self, row: Due, reason: str, detail: str) -> None:
        log.error(
            "delivery-dead", sink=self.sink.name, delivery=row.delivery_id, reason=reason,
            detail=detail[:200],
        )  # fmt: skip
        await self._mark(lambda: self._store.give_up(row.id, reason, detail[:1000]))
        crashpoint.passing("dead-letter-moved")
        self._metrics.delivered(self.sink.name, "dead", 0.0)

    async def _mark(self, write: Callable[[], Awaitable[None]]) -> None:
        """Note how a send went, waiting for a disk that is full; unnoted it would be repeated."""
        while True:
            try:
                await write()
            except sqlite3.Error as error:
                log.warning("outbox-unwritable", sink=self.sink.name, error=str(error))
                if self._stopping or not may_pass(error):
                    return
                await asyncio.sleep(_DISK_WAIT_S)
            else:
                return


class Senders:
    """All senders of a daemon, woken by what the store has just kept."""

    def __init__(
        self, sinks: Sequence[Sink], store: Store, policy: RetryPolicy, metrics: Metrics
    ) -> None:
        """One sender for every sink."""
        self._store = store
        self._senders = {sink.name: Sender(sink, store, policy, metrics) for sink in sinks}
        self._tasks: list[asyncio.Task[None]] = []
        store.listen(self._stored)

    @property
    def troubled(self) -> list[str]:
        """Names of the sinks that keep failing."""
        return [name for name, sender in self._senders.items() if sender.is_troubled]

    def states(self) -> dict[str, bool]:
        """For each sink, whether it keeps failing."""
        return {name: sender.is_troubled for name, sender in self._senders.items()}

    async def start(self) -> None:
        """Open the sinks and start delivering what is still due from before."""
        for name, sender in self._senders.items():
            await sender.sink.open()
            self._tasks.append(asyncio.create_task(sender.run(), name=f"sender-{name}"))

    async def drained(self, within_s: float, stop: asyncio.Event) -> dict[str, int]:
        """Wait until nothing is due any more; answers what is left, by sink, when time is up."""
        until = time.monotonic() + within_s
        while left := await self._left():
            if stop.is_set() or time.monotonic() >= until:
                return left
            await asyncio.sleep(0.02)
        return {}

    async def stop(self, within_s: float = 10.0) -> None:
        """Finish what is in flight, stop, close the sinks."""
        for sender in self._senders.values():
            sender.stop()
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=within_s)
            for task in slow:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for sender in self._senders.values():
            await sender.sink.close()

    def wake(self) -> None:
        """Let every sender look again, because times have changed."""
        for sender in self._senders.values():
            sender.wake()

    def _stored(self, stored: Stored) -> None:
        for sink in stored.queued:
            if sender := self._senders.get(sink):
                sender.wake()

    async def _left(self) -> dict[str, int]:
        counts = {name: (await self._store.backlog(name)).waiting for name in self._senders}
        return {name: count for name, count in counts.items() if count}
