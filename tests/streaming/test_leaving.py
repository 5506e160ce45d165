"""A poll that is held back until a rebalance is over does not hold the rebalance up."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from engine.edge.streaming.intake import NOTHING, Fetched
from engine.edge.streaming.transport import BatchConsumer

A = TP("feed", 0)


class Thread:
    """Notes where it was told to go on; polls are answered when the test says so."""

    def __init__(self) -> None:
        self.sought: list[Mapping[TP, int]] = []
        self.polls: list[asyncio.Future[Fetched]] = []

    async def bring(self, places: set[TP]) -> Fetched:
        del places
        self.polls.append(asyncio.get_running_loop().create_future())
        return await self.polls[-1]

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.sought.append(partitions)


class HeldConsumer(BatchConsumer):
    """Its polls are held up, as aiokafka's during a rebalance."""

    def __init__(self) -> None:
        self.stay()
        self._late = None
        self.thread = Thread()
        self._thread: Any = self.thread


def bringing(what: Any) -> Fetched:
    """A poll that brought this."""
    return Fetched({A: [what]}, {A: 8})


async def soon(work: Any) -> Any:
    """What must not wait for anything that does not come."""
    return await asyncio.wait_for(work, 2.0)


async def test_a_held_poll_is_left_behind_when_partitions_are_given_back() -> None:
    consumer = HeldConsumer()
    poll = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.leave()
    assert await soon(poll) == NOTHING


async def test_positions_are_set_only_when_that_poll_can_bring_nothing_more() -> None:
    consumer = HeldConsumer()
    poll = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.leave()
    await soon(poll)
    consumer.stay()
    seek = asyncio.create_task(consumer.seek_wait({A: 7}))
    await asyncio.sleep(0.01)
    assert consumer.thread.sought == []
    consumer.thread.polls[0].set_result(bringing("from before"))
    await soon(seek)
    assert consumer.thread.sought == [{A: 7}]
    fresh = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.thread.polls[1].set_result(bringing("from seven on"))
    assert await soon(fresh) == bringing("from seven on")


async def test_what_waits_for_a_left_poll_gives_way_to_the_next_rebalance() -> None:
    consumer = HeldConsumer()
    poll = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.leave()
    await soon(poll)
    assert await soon(consumer.fetch({A})) == NOTHING
    with pytest.raises(IllegalStateError):
        await soon(consumer.seek_wait({A: 7}))
    assert consumer.thread.sought == []
    consumer.thread.polls[0].cancel()
