"""All senders of a process: one a sink, none waits for another, woken by what the store keeps."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import structlog

from engine.dispatch.retry import RetryPolicy
from engine.edge.sender import Counting, Sender
from engine.edge.store import Stored
from engine.ports import Outbox, Sink

log = structlog.get_logger("outbox")

OPEN_S = 10.0
"""A sink that is not open by then is opened while the others already deliver."""
CLOSE_S = 10.0
SOON_S, SELDOM_S = 0.02, 0.3
"""How often what is left is counted: at first often, later seldom, for counting costs too."""


class Queue(Outbox, Protocol):
    """An outbox that says what was queued in it."""

    def listen(self, listener: Callable[[Stored], None]) -> None:
        """Call `listener` on the loop after every write that is on disk."""


class Senders:
    """All senders of a daemon, woken by what the store has just kept."""

    def __init__(
        self, sinks: Sequence[Sink], store: Queue, policy: RetryPolicy, counts: Counting
    ) -> None:
        """One sender for every sink."""
        self._store = store
        self._senders = {sink.name: Sender(sink, store, policy, counts) for sink in sinks}
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
        """Open the sinks and start delivering what is still due from before.

        A sink that cannot be opened at all says so at once; one that is slow delays nobody.
        """
        opening = {
            name: asyncio.create_task(sender.sink.open(), name=f"open-{name}")
            for name, sender in self._senders.items()
        }
        try:
            if opening:
                await asyncio.wait(
                    opening.values(), timeout=OPEN_S, return_when=asyncio.FIRST_EXCEPTION
                )
            for task in opening.values():
                if task.done():
                    task.result()
        except BaseException:
            for task in opening.values():
                task.cancel()
            await asyncio.gather(*opening.values(), return_exceptions=True)
            raise
        for name, sender in self._senders.items():
            slow = None if opening[name].done() else opening[name]
            if slow is not None:
                log.warning("sink-slow-to-open", sink=name)
            self._tasks.append(asyncio.create_task(sender.run(slow), name=f"sender-{name}"))

    async def drained(self, within_s: float, stop: asyncio.Event) -> dict[str, int]:
        """Wait until nothing is due any more; answers what is left, by sink, when time is up.

        Time begins anew whenever less is left than ever before: a sink that takes what it is given
        is waited for, however much that is.
        """
        until, least, pause = 0.0, math.inf, SOON_S
        while left := await self._left():
            if (still := sum(left.values())) < least:
                least, until = still, time.monotonic() + within_s
            if stop.is_set() or time.monotonic() >= until:
                return left
            await asyncio.sleep(pause)
            pause = min(pause * 2, SELDOM_S)
        return {}

    async def stop(self, within_s: float = 10.0) -> None:
        """Finish what is in flight, stop, close the sinks; what hangs is left to the next start."""
        for sender in self._senders.values():
            sender.stop()
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=within_s)
            for task in slow:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(_closed(sender.sink) for sender in self._senders.values()))

    def wake(self) -> None:
        """Let every sender look again, because times have changed."""
        for sender in self._senders.values():
            sender.wake()

    def probe(self, sinks: Iterable[str]) -> None:
        """Try these sinks again at once, however long they were to be left in peace."""
        for name in sinks:
            if sender := self._senders.get(name):
                sender.probe()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[dict[str, frozenset[str]]]:
        """While held, nothing new is sent; gives, by sink, the groups that are under way."""
        async with AsyncExitStack() as stack:
            yield {
                name: await stack.enter_async_context(sender.paused())
                for name, sender in self._senders.items()
            }

    def _stored(self, stored: Stored) -> None:
        for sink in stored.queued:
            if sender := self._senders.get(sink):
                sender.wake()

    async def _left(self) -> dict[str, int]:
        counts = {name: (await self._store.backlog(name)).waiting for name in self._senders}
        return {name: count for name, count in counts.items() if count}


async def _closed(sink: Sink) -> None:
    """Close a sink; one that cannot be closed must not keep the others open."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await sink.close()
    except Exception as error:  # noqa: BLE001 - a sink may be anybody's
        log.warning("sink-unclosed", sink=sink.name, error=repr(error))
