"""Records that a gateway kept, on their way into the topics of their feeds.

    sources --> inbox of the gateway's own store --> topic of the feed --> workers

A record leaves the store only when the broker has acknowledged it, so a gateway that dies or a
broker that is away loses nothing; what was sent and not yet noted is sent again, and the event id
of the feed drops the repeat. Records of a log arrive in its order; the key is that of the feed.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from engine.decode.record import Bad, FeedDecoder
from engine.edge.store import Store
from engine.edge.streaming.link import Link, wait_for_broker
from engine.ports import Position, Record, Source

log = structlog.get_logger("gateway")

READER = "gateway"
"""The name under which a gateway notes how far it sent each log."""
_TRIM_S = 10.0
_AGAIN_S = (0.5, 1.0, 2.0, 5.0)


class Forwarder:
    """Writes records of feeds to their topics; every copy that must have one acknowledges it."""

    def __init__(self, link: Link, decoders: Mapping[str, FeedDecoder], lang: str) -> None:
        """Prepare; `open` connects."""
        self._link, self._lang = link, lang
        self._decoders = decoders
        self._keys = {name: one.key_of(one.spec.key) for name, one in decoders.items()}
        self._producer: AIOKafkaProducer | None = None

    async def send(self, feed: str, records: Sequence[Record]) -> None:
        """Write records; returns when the broker has them, however long it is away."""
        tries = 0
        while True:
            try:
                await self._send(feed, records)
            except (KafkaError, OSError) as error:
                wait_s = _AGAIN_S[min(tries, len(_AGAIN_S) - 1)]
                log.warning("forward", feed=feed, error=str(error), wait_s=wait_s)
                await self.close()
                await asyncio.sleep(wait_s)
                tries += 1
            else:
                return

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError):
                await producer.stop()

    async def _send(self, feed: str, records: Sequence[Record]) -> None:
        producer = await self._connected()
        decoder, topic = self._decoders[feed], self._decoders[feed].spec.topic
        waiting = []
        for record in records:
            value = record.value
            if decoder.watermark(value) is not None:
                places = sorted(await producer.partitions_for(topic))
                waiting += [await producer.send(topic, value, partition=one) for one in places]
                continue
            found = decoder.decode(value)
            key = "" if isinstance(found, Bad) else self._keys[feed](found[1])
            waiting.append(await producer.send(topic, value, key.encode() or None))
        for one in waiting:
            await one

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            await wait_for_broker(self._link, self._lang, wait=True)
            producer = AIOKafkaProducer(
                **self._link.client(), acks="all", enable_idempotence=True, linger_ms=5
            )
            self._producer = producer  # closed by `close`, also when it never came up
            await producer.start()
        return self._producer


async def forward(
    store: Store,
    sources: Sequence[Source],
    feeds: Mapping[str, str],
    forwarder: Forwarder,
    count: Callable[[str, str, int], None],
) -> None:
    """Hand on what sources give, until cancelled or until every one of them has ended.

    Args:
        store: Keeps inboxes, and how far each log was sent.
        sources: Not yet open.
        feeds: The feed of each source.
        forwarder: Writes them.
        count: Takes how many records of a source were sent.

    """
    starts = {name: one.committed for name, one in (await store.positions(READER)).items()}
    opened: list[Source] = []
    tasks: list[asyncio.Task[None]] = []
    try:
        for source in sources:
            opened.append(source)
            await source.open(starts)
        log.info("started", sources=len(sources))
        carrying = [
            asyncio.create_task(_carry(store, source, feeds[source.name], forwarder, count))
            for source in sources
        ]
        trimming = asyncio.create_task(_trim(store, set(feeds.values())))
        tasks = [*carrying, trimming]
        await asyncio.gather(*carrying)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in opened:
            await source.close()
        await forwarder.close()


async def _carry(
    store: Store,
    source: Source,
    feed: str,
    forwarder: Forwarder,
    count: Callable[[str, str, int], None],
) -> None:
    async for batch in source.batches():
        if not batch.records:
            continue
        await forwarder.send(feed, batch.records)
        end = batch.records[-1].offset + 1
        await store.accept([], {batch.log: Position(end, end, 0)}, READER)
        count(source.name, "forwarded", len(batch.records))


async def _trim(store: Store, feeds: Collection[str]) -> None:
    """Forget what was sent."""
    while True:
        await asyncio.sleep(_TRIM_S)
        await store.trim(dict.fromkeys(feeds, (READER,)))
