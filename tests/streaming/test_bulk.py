"""A partition read in bulk holds what a reader of committed records sees, and nothing else."""

import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError
from stream_worker import link

from engine.edge.streaming import bulk
from engine.edge.streaming.bulk import read_bulk
from engine.edge.streaming.changelog import read_back


@pytest.fixture
async def topic(bootstrap: str) -> str:
    """A topic of one partition, with a committed, an ended and a committed transaction."""
    name = f"bulk-{uuid.uuid4().hex[:8]}"
    admin = link(bootstrap, name).admin()
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=name, max_batch_size=4000
    )
    await producer.start()
    for turn, (start, kept) in enumerate([(0, True), (100, False), (150, True)]):
        await producer.begin_transaction()
        for number in range(start, start + 100):
            value = None if turn == 2 and number % 3 == 0 else b"%d of %d" % (number, turn) * 20
            await producer.send(name, value, b"key %d" % number, partition=0)
        await (producer.commit_transaction() if kept else producer.abort_transaction())
    await producer.stop()
    return name


async def by_polls(bootstrap: str, topic: str) -> dict[bytes, bytes]:
    """The same, read the way aiokafka means it to be read."""
    place, kept = TopicPartition(topic, 0), {}
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    await reader.start()
    reader.assign([place])
    reader.seek(place, 0)
    end = (await reader.end_offsets([place]))[place]
    while await reader.position(place) < end:
        for record in (await reader.getmany(place, timeout_ms=500)).get(place, []):
            kept[record.key] = record.value
    await reader.stop()
    return {key: value for key, value in kept.items() if value is not None}


@pytest.mark.parametrize("size", [1, 6_000, bulk.FETCH_BYTES])
async def test_what_was_rolled_back_or_forgotten_is_left_out(
    bootstrap: str, topic: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether an answer holds one batch, a few, or everything."""
    monkeypatch.setattr(bulk, "FETCH_BYTES", size)
    kept = await read_back(link(bootstrap, topic), topic, 0)
    assert kept == await by_polls(bootstrap, topic)
    assert len(kept) == 100 + 100 - len(range(150, 250, 3))
    assert kept[b"key 151"] == b"151 of 2" * 20


async def test_a_partition_that_does_not_grow_to_its_end_is_given_up(
    bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "STALLED_S", 0.5)
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await reader.start()
    try:
        with pytest.raises(KafkaError, match="stopped at 303 of 500"):
            await read_bulk(reader, TopicPartition(topic, 0), (0, 500), list)
    finally:
        await reader.stop()


async def test_an_offset_that_the_broker_does_not_have_is_refused_at_once(
    bootstrap: str, topic: str
) -> None:
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await reader.start()
    try:
        with pytest.raises(KafkaError, match=topic):
            await read_bulk(reader, TopicPartition(topic, 0), (10_000, 10_001), list)
    finally:
        await reader.stop()
