"""Fetching, working and saving at the same time: what waits, what is forgotten, what fails."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaError, ProducerFenced
from faust.types import TP

from engine.edge.streaming.intake import Fetched, Intake
from engine.edge.streaming.ledger import Ledger, Parcel
from engine.edge.streaming.light import Fresh
from engine.edge.streaming.link import Link
from engine.edge.streaming.quiet import Quiet
from engine.ports import Record, SourceId

A, B = TP("a", 0), TP("b", 0)


def some(*offsets: int) -> list[Fresh]:
    """Records at these offsets."""
    return [Record(offset, b"") for offset in offsets]


def taken(intake: Intake) -> dict[TP, list[int]]:
    """The offsets of what a turn was given."""
    return {place: [one.offset for one in records] for place, records in intake.take().items()}


def poll(place: TP, offsets: Sequence[int], reached: int) -> Fetched:
    """What one poll brought of one partition."""
    return Fetched({place: some(*offsets)} if offsets else {}, {place: reached})


async def soon(work: Any) -> Any:
    """What must not wait for anything that does not come."""
    return await asyncio.wait_for(work, 1.0)


async def test_polls_that_come_while_a_turn_lasts_are_one_turn_in_their_order() -> None:
    intake = Intake(100)
    intake.put(poll(A, [1, 2], 2), {A, B})
    intake.put(poll(B, [7], 8), {A, B})
    intake.put(poll(A, [3], 3), {A, B})
    await soon(intake.news(60.0))
    assert taken(intake) == {A: [1, 2, 3], B: [7]}
    assert intake.take() == {}


async def test_a_turn_without_news_comes_after_the_beat() -> None:
    intake = Intake(100)
    await soon(intake.news(0.01))
    assert intake.take() == {}


async def test_fetching_rests_while_as_much_waits_as_may_and_goes_on_after_the_turn() -> None:
    intake = Intake(3)
    intake.put(poll(A, [1, 2, 3], 3), {A})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(intake.room(), 0.02)
    intake.take()
    await soon(intake.room())


@pytest.mark.parametrize("forget", ["drop", "clear"])
async def test_what_is_forgotten_makes_room_and_is_not_handed_over(forget: str) -> None:
    intake = Intake(2)
    intake.put(poll(A, [1, 2], 2), {A})
    if forget == "drop":
        intake.drop([A])
    else:
        intake.clear()
    await soon(intake.room())
    assert intake.take() == {}
    assert intake.handed(A) is None


async def test_a_partition_that_was_let_go_meanwhile_is_not_taken_in() -> None:
    intake = Intake(10)
    intake.put(Fetched({A: some(1), B: some(2)}, {A: 1, B: 1}), {B})
    assert taken(intake) == {B: [2]}
    assert intake.reached(A) is None


async def test_a_partition_is_handed_over_up_to_where_it_was_fetched_once_nothing_waits() -> None:
    intake = Intake(10)
    intake.put(poll(A, [], 5), {A})
    assert intake.handed(A) == 5
    intake.put(poll(A, [5], 6), {A})
    assert intake.handed(A) is None
    assert intake.reached(A) == 6
    intake.take()
    assert intake.handed(A) == 6


async def test_a_partition_of_which_the_broker_says_nothing_for_a_while_is_not_heard() -> None:
    now = 0.0
    intake = Intake(10, lambda: now)
    assert not intake.hears(A)
    intake.put(Fetched({}, {A: 5}, {A: 111}), {A})
    now += 2.0
    assert intake.hears(A)
    intake.put(Fetched({}, {A: 5}, {A: 111}), {A})
    now += 2.0
    assert not intake.hears(A), "the poll came back, but not because the broker answered"
    intake.put(Fetched({}, {A: 5}, {A: 222}), {A})
    assert intake.hears(A)
    intake.drop([A])
    assert not intake.hears(A)


def test_while_the_broker_does_not_answer_nobody_is_silent_and_no_time_passes() -> None:
    source = SourceId("gps", 0)
    quiet = Quiet({source: 60.0}, 0.0)
    quiet.deaf(600.0)
    assert quiet.due(650.0) == []
    assert quiet.due(660.0) == [source]
    quiet.rest(source)
    quiet.deaf(1200.0)
    assert quiet.is_idle(source)
    assert quiet.elapsed_ms(1204.0, 5.0) == 0
    assert quiet.elapsed_ms(1206.0, 5.0) == 6000


class Slow(Ledger):
    """Its transactions end when the test says so."""

    def __init__(self) -> None:
        super().__init__(Link(bootstrap="nowhere:1"), "t")
        self.begun: list[asyncio.Future[None]] = []

    async def commit(self, parcels: Any) -> None:
        del parcels
        self.begun.append(asyncio.get_running_loop().create_future())
        await self.begun[-1]


async def test_a_transaction_begins_when_the_one_before_has_ended_well() -> None:
    ledger, saved = Slow(), list[str]()
    await soon(ledger.begin([], lambda _: saved.append("first")))
    await asyncio.sleep(0)
    second = asyncio.create_task(ledger.begin([Parcel("t", 0)], lambda _: saved.append("second")))
    await asyncio.sleep(0.01)
    assert len(ledger.begun) == 1
    ledger.begun[0].set_result(None)
    await soon(second)
    await asyncio.sleep(0)
    assert saved == ["first"]
    ledger.begun[1].set_result(None)
    await soon(ledger.settle())
    assert saved == ["first", "second"]


@pytest.mark.parametrize("ask", ["begin", "settle", "notice"])
async def test_a_transaction_that_failed_is_told_to_whoever_comes_next(ask: str) -> None:
    ledger, saved = Slow(), list[float]()
    await ledger.begin([], saved.append)
    await asyncio.sleep(0)
    ledger.begun[0].set_exception(ProducerFenced())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    work = ledger.begin([], saved.append) if ask == "begin" else getattr(ledger, ask)()
    with pytest.raises(ProducerFenced):
        await soon(work)
    assert len(ledger.begun) == 1
    assert saved == []


async def test_asking_whether_it_failed_waits_for_nothing() -> None:
    ledger = Slow()
    await ledger.begin([], lambda _: None)
    await soon(ledger.notice())
    await soon(ledger.close())
    assert ledger.begun[0].cancelled()


async def test_closing_gives_up_what_is_under_way_and_forgets_how_it_failed() -> None:
    ledger = Slow()
    await ledger.begin([], lambda _: None)
    await asyncio.sleep(0)
    ledger.begun[0].set_exception(KafkaError())
    await soon(ledger.close())
    await soon(ledger.settle())
