"""Looks after a running daemon: figures for the metrics, old rows out of the store."""

import asyncio
import sqlite3
import time
from collections.abc import Collection, Mapping

import structlog

from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store, connect_reader

log = structlog.get_logger("watch")

OUTBOX_S, TRIM_S, STATE_S = 2.0, 10.0, 60.0
STEP_MS = 5_000
"""The wall clock was set if it moved so much more, or less, than time passed."""


class Watch:
    """Keeps the figures fresh and the store small."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        senders: Senders,
        posted: Mapping[str, Collection[str]],
    ) -> None:
        """`posted` names, for each feed with an inbox, the key spaces that read it."""
        self._store, self._metrics, self._senders, self._posted = store, metrics, senders, posted
        self._ahead_ms = self._ahead()

    def read_by(self, posted: Mapping[str, Collection[str]]) -> None:
        """Other key spaces read the feeds with an inbox from now on."""
        self._posted = posted

    async def run(self) -> None:
        """Look again and again until cancelled."""
        trimmed = sized = time.monotonic() - STATE_S
        while True:
            now = time.monotonic()
            try:
                await self._heed_clock()
                await self._look()
                if now - trimmed >= TRIM_S:
                    trimmed = now
                    await self._store.trim(self._posted)
                if now - sized >= STATE_S:
                    sized = now
                    sizes, size = await asyncio.to_thread(self._sizes)
                    self._metrics.state(sizes, size)
            except (sqlite3.Error, OSError) as error:
                log.warning("watch", error=str(error))
            await asyncio.sleep(OUTBOX_S)

    async def _heed_clock(self) -> None:
        """Deliveries wait for as long as they were to, whatever is done to the wall clock."""
        ahead_ms = self._ahead()
        step_ms = ahead_ms - self._ahead_ms
        if abs(step_ms) >= STEP_MS:
            log.warning("clock-stepped", seconds=step_ms / 1000)
            await self._store.shift(step_ms)
        if await self._store.recall() or abs(step_ms) >= STEP_MS:
            self._senders.wake()
        self._ahead_ms = ahead_ms

    def _ahead(self) -> int:
        """By how much the wall clock is ahead of the clock that is never set, in ms."""
        return self._store.now_ms() - time.monotonic_ns() // 1_000_000

    async def _look(self) -> None:
        for sink, troubled in self._senders.states().items():
            backlog = await self._store.backlog(sink)
            self._metrics.outbox(sink, backlog, self._store.now_ms(), troubled)
        self._metrics.disk(self._store.path.parent)
        for feed in self._posted:
            self._metrics.inbox(feed, await self._store.inbox_depth(feed))

    def _sizes(self) -> tuple[dict[str, tuple[int, int]], int]:
        """Keys and bytes of state by rule, read beside the writer."""
        link = connect_reader(self._store.path)
        try:
            rows = link.execute(
                "SELECT rule, count(*), sum(length(value)) FROM state GROUP BY rule"
            )
            return {
                rule: (keys, size) for rule, keys, size in rows
            }, self._store.path.stat().st_size
        finally:
            link.close()
