"""Records into an installation little by little, and a look at how far its workers have come."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from benchmarks.installation import Installation
from benchmarks.streams import Stage
from engine.edge.streaming.changelog import META
from engine.state.codec import unpack_meta


class Lookout:
    """Follows what the workers save, so that a look costs little."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=stage.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._spaces = {
            TopicPartition(stage.layout.names.state(name), partition): name
            for name, space in stage.layout.spaces.items()
            for partition in range(space.partitions)
        }
        self._routed = [
            TopicPartition(space.inputs[0], partition)
            for space in stage.layout.spaces.values()
            if not space.direct
            for partition in range(space.partitions)
        ]
        self._routers = {
            TopicPartition(stage.layout.names.route(space.name, feed), partition): TopicPartition(
                topic, partition
            )
            for space in stage.layout.spaces.values()
            for feed, topic in stage.layout.feeds.items()
            if topic in space.routed_from
            for partition in range(stage.layout.counts[topic])
        }
        self._ended = dict.fromkeys(self._routed, 0)
        read = [
            (state, TopicPartition(topic, state.partition))
            for state, name in self._spaces.items()
            for topic in stage.layout.spaces[name].inputs
        ]
        self._feeds = [pair for pair in read if pair[1] not in self._ended]
        self._feeds += self._routers.items()
        self._sent_on = [pair for pair in read if pair[1] in self._ended]
        self._positions: dict[TopicPartition, Mapping[str, Any]] = {}
        self._lock = asyncio.Lock()
        self.watermark = 0

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reader.assign([*self._spaces, *self._routed, *self._routers])
        await self._reader.seek_to_beginning()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def look(self) -> tuple[int, int, int]:
        """Records that wait in workers, records not read yet, records read; as last saved."""
        async with self._lock:
            return await self._look()

    async def reached(self, within_s: float) -> float:
        """Wait until all that was in the feeds when we asked is read; seconds, or inf.

        A router's records and its position become visible together: once the routers have read
        everything, all that they sent on is there to be read by the evaluators.
        """
        begun = time.monotonic()
        wanted: dict[tuple[TopicPartition, TopicPartition], int] = {}
        while time.monotonic() - begun < within_s:
            try:
                wanted = wanted or await self._ends(self._feeds)
                await self.look()
            except KafkaError:  # a broker is away
                await asyncio.sleep(0.2)
                continue
            sent_on = {(state, place): self._ended[place] for state, place in self._sent_on}
            if self._have_read(wanted) and self._have_read(sent_on):
                return time.monotonic() - begun
            await asyncio.sleep(0.05)
        return float("inf")

    def _have_read(self, wanted: "Mapping[tuple[TopicPartition, TopicPartition], int]") -> bool:
        return all(self._position(state, place)[1] >= end for (state, place), end in wanted.items())

    async def _ends(
        self, pairs: "Sequence[tuple[TopicPartition, TopicPartition]]"
    ) -> "dict[tuple[TopicPartition, TopicPartition], int]":
        """Where each input ends now; behind its last record a routed topic has marks."""
        ends = await self._reader.end_offsets([place for _, place in pairs])
        ends |= self._ended
        return {(state, place): ends[place] for state, place in pairs}

    def _position(self, state: TopicPartition, place: TopicPartition) -> tuple[int, int]:
        there = self._positions.get(state, {}).get(f"{place.topic}/{place.partition}")
        return (0, 0) if there is None else (there[0], there[1])

    async def _look(self) -> tuple[int, int, int]:
        while polled := await self._reader.getmany(timeout_ms=20):
            for place, records in polled.items():
                if place in self._ended:
                    told = [record.offset + 1 for record in records if record.value]  # no mark
                    self._ended[place] = max(told, default=self._ended[place])
                    continue
                for record in records:
                    if record.key != META or not record.value:
                        continue
                    if (feed := self._routers.get(place)) is not None:
                        start, _ = msgspec.msgpack.decode(record.value)
                        self._positions[place] = {f"{feed.topic}/{feed.partition}": (start, start)}
                    else:
                        meta = unpack_meta(record.value)
                        self._positions[place] = meta.positions
                        self.watermark = max(self.watermark, meta.watermark)
        waiting = unread = read = 0
        for (state, place), end in (await self._ends([*self._feeds, *self._sent_on])).items():
            committed, frontier = self._position(state, place)
            waiting += frontier - committed
            unread += end - frontier
            read += frontier
        return waiting, unread, read


class Feed:
    """The world's records, let out little by little up to the share that is allowed.

    Attributes:
        gate: Held while nothing may be sent.
        share: How much of the world may be sent, from 0 to 1.
        sent: How many records were.

    """

    EVERY_S = 0.15

    def __init__(self, stage: Installation) -> None:
        self._stage = stage
        self._records = [one for one in stage.city.records if one.feed in stage.layout.feeds]
        self._task: asyncio.Task[None] | None = None
        self.gate = asyncio.Lock()
        self.share = 0.0
        self.sent = 0

    @property
    def is_over(self) -> bool:
        """Whether the whole world was sent."""
        return self.sent >= len(self._records)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._trickle())
        return self

    async def __aexit__(self, *failed: object) -> None:
        """Send all that is left, unless something went wrong."""
        assert self._task is not None
        async with self.gate:  # what is being sent is sent: cut off, it would be lost by us
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if failed[0] is None:
            await self.send(len(self._records) - self.sent)

    async def send(self, count: int) -> None:
        """Send so many at once; waits while somebody holds the gate."""
        async with self.gate:
            some = self._records[self.sent : self.sent + count]
            self.sent += len(some)
            await self._stage.send(some)

    async def over(self, seconds: float, share: float) -> None:
        """Allow this share evenly within some time."""
        begun, before = time.monotonic(), self.share
        while (passed := time.monotonic() - begun) < seconds:
            self.share = before + (share - before) * passed / seconds
            await asyncio.sleep(self.EVERY_S)
        self.share = share

    async def _trickle(self) -> None:
        while not self.is_over:
            allowed = int(len(self._records) * min(1.0, self.share)) - self.sent
            if allowed > 0:
                await self.send(max(20, allowed // 6))
            await asyncio.sleep(self.EVERY_S)
