"""A world as Kafka records: the one place where the simulators write to a broker.

Topic `feed.<feed>`, message key = the feed's key, so that all records of a key are in one
partition; a heartbeat goes to every partition of its topic. The client is imported only here and
only when it is used.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from simulators.pace import paced
from simulators.scenario import Item, World


def produce_records(
    world: World,
    servers: str,
    rate: float = 0.0,
    prefix: str = "feed.",
    partitions: int = 0,
    client: Mapping[str, Any] | None = None,
) -> Counter[str]:
    """Write all records in order of arrival and wait for the broker's acknowledgement.

    With `partitions` > 0 missing topics are made first, with that many partitions. `client` are
    further arguments of the Kafka client: how to get in (`kafka_access.py`).
    """
    place = {"bootstrap_servers": servers.removeprefix("kafka://").split(","), **(client or {})}
    return asyncio.run(_produce(world, place, rate, prefix, partitions))


async def _produce(
    world: World, place: dict[str, Any], rate: float, prefix: str, partitions: int
) -> Counter[str]:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - only who writes Kafka needs the client

    topics = {feed.name: prefix + feed.name for feed in world.feeds}
    if partitions > 0:
        await _make_topics(place, list(topics.values()), partitions)
    producer: Any = AIOKafkaProducer(**place, acks="all", enable_idempotence=True, linger_ms=5)
    counts: Counter[str] = Counter()
    await producer.start()
    try:
        shares = {name: await producer.partitions_for(topic) for name, topic in topics.items()}
        for batch in paced(world.items(), rate):
            sent = [await one for item in batch for one in _sends(producer, topics, shares, item)]
            await asyncio.gather(*sent)
            counts.update(item.feed for item in batch)
    finally:
        await producer.stop()
    return counts


def _sends(
    producer: Any, topics: dict[str, str], shares: dict[str, set[int]], item: Item
) -> list[Any]:
    """The send calls of one record: one, or one for each partition for a heartbeat."""
    topic, when = topics[item.feed], item.arrival_ms
    if item.key:
        return [producer.send(topic, item.value, item.key.encode(), timestamp_ms=when)]
    return [
        producer.send(topic, item.value, partition=number, timestamp_ms=when)
        for number in sorted(shares[item.feed])
    ]


async def _make_topics(place: dict[str, Any], names: list[str], partitions: int) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415 - as above

    admin: Any = AIOKafkaAdminClient(**place)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        missing = [NewTopic(name, partitions, 1) for name in names if name not in known]
        if missing:
            await admin.create_topics(missing)
    finally:
        await admin.close()
