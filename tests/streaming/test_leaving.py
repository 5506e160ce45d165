"""A poll that is held back until a rebalance is over does not hold the rebalance up."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from engine.edge.streaming.transport import BatchConsumer

A = TP("feed", 0)


class Thread:
    """Notes where it was told to go on."""

    def __init__(self) -> None:
        self.sought: list[Mapping[TP, int]] = []

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.sought.append(partitions)


class HeldConsumer(BatchConsumer):
    """Its polls are answered when the test says so, as aiokafka's after a rebalance."""

    def __init__(self) -> None:
        self.stay()
        self._late = None
        self.thread = Thread()
        self._thread: Any = self.thread
        self.polls: list[asyncio.Future[Mapping[TP, list[str]]]] = []

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109
        del active_partitions, timeout
        self.polls.append(asyncio.get_running_loop().create_future())
        return await self.polls[-1]


async def soon(work: Any) -> Any:
    """What must not wait for anything that does not come."""
    return await asyncio.wait_for(work, 2.0)


async def test_a_held_poll_is_left_behind_when_partitions_are_given_back() -> None:
    consumer = HeldConsumer()
    poll = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.leave()
    assert await soon(poll) == {}


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
    consumer.polls[0].set_result({A: ["from before"]})
    await soon(seek)
    assert consumer.thread.sought == [{A: 7}]
    fresh = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.polls[1].set_result({A: ["from seven on"]})
    assert await soon(fresh) == {A: ["from seven on"]}


async def test_what_waits_for_a_left_poll_gives_way_to_the_next_rebalance() -> None:
    consumer = HeldConsumer()
    poll = asyncio.create_task(consumer.fetch({A}))
    await asyncio.sleep(0.01)
    consumer.leave()
    await soon(poll)
    assert await soon(consumer.fetch({A})) == {}
    with pytest.raises(IllegalStateError):
        await soon(consumer.seek_wait({A: 7}))
    assert consumer.thread.sought == []
    consumer.polls[0].cancel()
