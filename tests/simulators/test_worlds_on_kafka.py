"""A world on a real broker: every record once, keys kept together, heartbeats everywhere."""

import asyncio
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from simulators.to_kafka import produce_records
from simulators.worlds import make

BROKER = Path(__file__).parents[1] / "broker" / "kafka.py"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The address of a broker of this module alone."""
    home = str(tmp_path_factory.mktemp("kafka") / "home")
    started = _broker("start", home)
    if started.returncode:
        reason = f"no Kafka for this test: {started.stderr.strip()}"
        if os.environ.get("FOREWARN_REQUIRE_KAFKA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    yield started.stdout.strip()
    _broker("stop", home)


def _broker(command, home):
    call = [sys.executable, str(BROKER), command, "--home", home]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.mark.kafka
async def test_a_world_is_written_to_its_topics_by_key(servers, tmp_path):
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415 - needs the broker

    world = make("payroll", seed=31, projects=6, days=60)
    prefix = f"{tmp_path.name}."
    counts = await asyncio.to_thread(produce_records, world, servers, 0.0, prefix, 3)
    items = list(world.items())
    assert sum(counts.values()) == len(items)
    for feed in world.feeds:
        shares = [TopicPartition(prefix + feed.name, number) for number in range(3)]
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign(shares)
            ends = await consumer.end_offsets(shares)
            seen: dict[int, list[tuple[bytes | None, bytes]]] = defaultdict(list)
            while await _unread(consumer, ends):
                for share, records in (await consumer.getmany(timeout_ms=500)).items():
                    seen[share.partition] += [(record.key, record.value) for record in records]
        finally:
            await consumer.stop()
        beats = [item.value for item in items if item.feed == feed.name and not item.key]
        for records in seen.values():
            assert [value for key, value in records if key is None] == beats
        keyed = [(key, value) for records in seen.values() for key, value in records if key]
        expected = [(i.key.encode(), i.value) for i in items if i.feed == feed.name and i.key]
        assert sorted(keyed) == sorted(expected)
        homes = [{key for key, _ in records if key} for records in seen.values()]
        assert sum(map(len, homes)) == len(set().union(*homes))


async def _unread(consumer, ends):
    """Whether some partition has records left."""
    return any([await consumer.position(share) < end for share, end in ends.items()])
