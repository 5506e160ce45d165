"""The wall clock may be set by hours: deliveries wait no longer, and none is given up for it."""

import asyncio
import time
from pathlib import Path

import pytest
from daemon_stage import FAST, MoodySink, a_store, change

from engine.dispatch.retry import RetryPolicy
from engine.edge import watch
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.watch import Watch
from engine.errors import Retryable

HOUR_MS = 3_600_000


class WallClock:
    """A clock that goes at the right pace and can be set."""

    def __init__(self) -> None:
        self.set_by_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.set_by_ms


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS, -26 * HOUR_MS, 26 * HOUR_MS])
async def test_set_while_deliveries_wait_it_neither_delays_nor_ages_them(
    step_ms: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "OUTBOX_S", 0.05)
    clock, sink = WallClock(), MoodySink()
    sink.errors = [Retryable("down")] * 2
    policy = RetryPolicy(first_s=0.4, most_s=0.4, give_up_s=20 * 3600)
    async with a_store(tmp_path, "s", now_ms=clock) as store:
        senders = Senders([sink], store, policy, Metrics())
        watching = asyncio.create_task(Watch(store, Metrics(), senders, {}).run())
        await senders.start()
        await store.accept([change("a"), change("b")], {})
        await asyncio.sleep(0.1)
        clock.set_by_ms = step_ms
        await store.accept([change("c")], {})
        clock.set_by_ms += HOUR_MS
        await store.accept([change("d")], {})
        clock.set_by_ms -= HOUR_MS  # before anybody looked
        assert await senders.drained(5.0, asyncio.Event()) == {}
        assert (await store.backlog("s")).dead == 0
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await senders.stop(0.5)
    assert len(sink.taken) == 4


async def test_set_back_while_nobody_ran_it_delays_nothing(tmp_path: Path) -> None:
    clock, sink = WallClock(), MoodySink()
    async with a_store(tmp_path, "s", now_ms=clock) as store:
        await store.accept([change("a")], {})
    clock.set_by_ms = -HOUR_MS
    async with a_store(tmp_path, "s", now_ms=clock) as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        assert await senders.drained(5.0, asyncio.Event()) == {}
        await senders.stop(0.5)
    assert len(sink.taken) == 1
