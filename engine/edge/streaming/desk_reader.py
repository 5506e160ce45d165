"""Alerts into the desk from their topic: (partition, offset) are kept with what they led to.

There is no consumer group: only the desk that holds the lease reads, all partitions, from where
the database says. A record that is read twice is a transition that is known.
"""

import asyncio
import contextlib

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from engine.edge import crashpoint
from engine.edge.desk.keeper import Keeper
from engine.edge.streaming.dispatcher import read_changes
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import Names
from engine.edge.streaming.table_topic import partitions_of
from engine.edge.streaming.topics import ensure_alerts

log = structlog.get_logger("desk")

TOGETHER = 100
POLL_MS = 200
RETRY_S = 2.0


class TopicReader:
    """Reads the topic of alerts for the desk that runs."""

    def __init__(self, link: Link, keeper: Keeper, lang: str = "en") -> None:
        """Say which broker; it is called at the first look."""
        self._link, self._keeper, self._lang = link, keeper, lang
        self._topic = Names(link.prefix, link.app).alerts
        self._reader: AIOKafkaConsumer | None = None
        self._closing: asyncio.Task[None] | None = None

    async def once(self) -> int:
        """Take what is there, one transaction's worth; answers how many records that were.

        A broker that is away is waited for a while; nothing is lost by it.

        Raises:
            LeaseLost: another desk runs.

        """
        try:
            reader = self._reader or await self._begin()
            polled = await reader.getmany(timeout_ms=POLL_MS, max_records=TOGETHER)
        except (KafkaError, OSError, ValueError) as reason:
            log.warning("desk-broker-away", reason=repr(reason))
            await self.close()
            await asyncio.sleep(RETRY_S)
            return 0
        if not polled:
            return 0
        crashpoint.passing("desk-read")
        changes, troubles = read_changes([one for some in polled.values() for one in some])
        for trouble in troubles:
            log.warning("alert-unreadable", where=trouble.detail[:200])
        ends = {_log(place): some[-1].offset + 1 for place, some in polled.items()}
        await self._keeper.take(changes, ends)
        return sum(len(some) for some in polled.values())

    def forget(self) -> None:
        """Look up again where to go on: another desk may have gone on meanwhile."""
        reader, self._reader = self._reader, None
        if reader is not None:
            self._closing = asyncio.create_task(reader.stop(), name="desk-reader-stops")

    async def close(self) -> None:
        """Let go of the broker."""
        self.forget()
        closing, self._closing = self._closing, None
        if closing is not None:
            with contextlib.suppress(KafkaError, OSError):
                await closing

    async def _begin(self) -> AIOKafkaConsumer:
        """Open the topic's partitions, each where the database says."""
        await wait_for_broker(self._link, self._lang, wait=True)
        await ensure_alerts(self._link)
        reader = AIOKafkaConsumer(
            **self._link.client(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await reader.start()
        try:
            places = await partitions_of(self._topic, self._link.client())
            reader.assign(places)
            known = await self._keeper.positions()
            for place in places:
                if start := known.get(_log(place)):
                    reader.seek(place, start)
        except BaseException:
            await reader.stop()
            raise
        self._reader = reader
        return reader


def _log(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
