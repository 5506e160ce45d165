"""Deliveries: in order within an episode, tried again, given up; no sink stops another."""

import asyncio
from pathlib import Path

import pytest
from daemon_stage import FAST, MoodySink, a_store, change

from engine.dispatch.retry import Breaker, RetryPolicy
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.errors import Permanent, Retryable
from engine.model.change import Change


async def deliver(
    store: Store, changes: list[Change], *sinks: MoodySink, policy: RetryPolicy = FAST
) -> dict[str, int]:
    """Store changes, let senders work until nothing is due; answers what is left after a second."""
    senders = Senders(sinks, store, policy, Metrics())
    await senders.start()
    await store.accept(changes, {})
    left = await senders.drained(1.0, asyncio.Event())
    await senders.stop(0.5)
    return left


class Steady(MoodySink):
    """Takes its time for each delivery."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        await asyncio.sleep(0.3)
        await super().send(delivery_id, body, attempt)


async def test_a_sink_that_goes_on_taking_is_waited_for_until_it_has_everything(
    tmp_path: Path,
) -> None:
    sink = Steady(parallel=1)
    async with a_store(tmp_path, "s") as store:
        assert await deliver(store, [change("a", n) for n in range(5)], sink) == {}
    assert len(sink.taken) == 5


async def test_a_later_transition_waits_for_the_earlier_one(tmp_path: Path) -> None:
    sink = MoodySink(parallel=4)
    sink.errors = [Retryable("down")] * 3
    story = [change("a", n) for n in range(3)] + [change("b", n) for n in range(3)]
    async with a_store(tmp_path, "s") as store:
        assert await deliver(store, story, sink) == {}
    for part in (story[:3], story[3:]):
        ids = [one.delivery_id for one in part]
        assert [taken for taken in sink.taken if taken in ids] == ids


async def test_a_refused_delivery_is_dead_with_its_reason(tmp_path: Path) -> None:
    sink = MoodySink()
    sink.errors = [Permanent("http-400", "no such field")]
    async with a_store(tmp_path, "s") as store:
        await deliver(store, [change("a")], sink)
        assert sink.taken == []
        assert (await store.backlog("s")).dead == 1


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(RetryPolicy(first_s=0.01, most_s=0.01, attempts=3), id="after-so-many-tries"),
        pytest.param(RetryPolicy(first_s=0.01, give_up_s=0.0), id="when-too-old"),
    ],
)
async def test_what_never_succeeds_is_given_up(tmp_path: Path, policy: RetryPolicy) -> None:
    sink = MoodySink()
    sink.errors = [Retryable("down")] * 50
    async with a_store(tmp_path, "s") as store:
        assert await deliver(store, [change("a")], sink, policy=policy) == {}
        assert (await store.backlog("s")).dead == 1


async def test_a_stuck_sink_does_not_stop_another(tmp_path: Path) -> None:
    stuck, quick = MoodySink("stuck"), MoodySink("quick")
    stuck.stuck = asyncio.Event()
    async with a_store(tmp_path, "stuck", "quick") as store:
        left = await deliver(store, [change(str(n)) for n in range(5)], stuck, quick)
    assert left == {"stuck": 5}
    assert len(quick.taken) == 5


async def test_a_sink_that_raises_anything_is_tried_again(tmp_path: Path) -> None:
    sink = MoodySink()
    sink.errors = [ValueError("a fault of its own")]
    async with a_store(tmp_path, "s") as store:
        assert await deliver(store, [change("a")], sink) == {}
    assert len(sink.taken) == 1


async def test_what_was_sent_but_not_marked_is_sent_again_under_the_same_id(
    tmp_path: Path,
) -> None:
    sink = MoodySink()
    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a")], {})
        (row,) = await store.claim("s", 10)
        await sink.send(row.delivery_id, row.body, 1)
    async with a_store(tmp_path, "s") as store:
        await deliver(store, [change("a")], sink)
    assert sink.taken == [change("a").delivery_id] * 2


async def test_at_most_so_many_are_under_way_as_the_sink_takes(tmp_path: Path) -> None:
    sink = MoodySink(parallel=3)
    sink.stuck = asyncio.Event()
    under_way = most = 0

    class Counting(MoodySink):
        async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.005)
            under_way -= 1
            await super().send(delivery_id, body, attempt)

    async with a_store(tmp_path, "s") as store:
        await deliver(store, [change(str(n)) for n in range(20)], Counting(parallel=3))
    assert most == 3


@pytest.mark.parametrize(
    ("failures", "chance", "asked", "wait_s"),
    [
        pytest.param(1, 0.5, None, 1.0, id="first"),
        pytest.param(4, 0.5, None, 8.0, id="doubles"),
        pytest.param(30, 0.5, None, 300.0, id="bounded"),
        pytest.param(10_000, 0.5, None, 300.0, id="never-overflows"),
        pytest.param(1, 0.0, None, 0.8, id="spread-down"),
        pytest.param(1, 0.0, 60.0, 60.0, id="asked-for-more-is-never-undercut"),
        pytest.param(1, 0.5, 60.0, 66.0, id="asked-for-more-spread"),
        pytest.param(10, 0.5, 5.0, 300.0, id="asked-for-less"),
        pytest.param(1, 0.5, -60.0, 1.0, id="asked-for-the-past"),
        pytest.param(1, 0.5, 1e9, 3960.0, id="asked-for-too-much"),
    ],
)
def test_how_long_a_failed_delivery_waits(
    failures: int, chance: float, asked: float | None, wait_s: float
) -> None:
    assert RetryPolicy().wait_s(failures, chance, asked) == pytest.approx(wait_s)


def test_a_breaker_opens_after_failures_in_a_row_and_comes_back_slowly() -> None:
    breaker = Breaker(trips=2).failed(10.0, 5.0, "a")
    assert (breaker.is_open, breaker.rest_s(10.0), breaker.width(8)) == (False, 0.0, 8)
    breaker = breaker.failed(11.0, 5.0, "b")
    assert (breaker.is_open, breaker.rest_s(12.0), breaker.rest_s(16.0)) == (True, 4.0, 0.0)
    assert breaker.width(8) == 1
    widths = []
    for _ in range(4):
        breaker = breaker.answered()
        widths.append(breaker.width(8))
    assert not breaker.is_open
    assert widths == [2, 4, 8, 8]


def test_one_delivery_that_nobody_can_take_troubles_but_does_not_open_the_breaker() -> None:
    breaker = Breaker(trips=3)
    for tries in range(9):
        breaker = breaker.failed(float(tries), 60.0, "poison")
    assert (breaker.is_troubled, breaker.is_open, breaker.rest_s(9.0)) == (True, False, 0.0)
    assert breaker.failed(9.0, 60.0, "another").rest_s(9.0) == 60.0


def test_a_peer_that_asks_for_peace_has_it_from_all_deliveries_and_is_met_with_one() -> None:
    breaker = Breaker().failed(10.0, 1.0, "a", asked_s=60.0)
    assert (breaker.rest_s(10.0), breaker.width(8)) == (60.0, 1)
    breaker = breaker.answered()  # one that was under way
    assert (breaker.rest_s(30.0), breaker.rest_s(70.0)) == (40.0, 0.0)
