"""A compacted topic as a feed: the latest of each key, then changes, and withdrawals."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from stream_stage import Stage

from connectors.sources.topic import Options, TopicSource, build
from engine.ports import Journal, Record, SourceContext

pytestmark = pytest.mark.kafka
WITHDRAWAL = {"key": "id", "field": "gone", "time": "at", "format": "epoch-ms"}


def source(stage: Stage, counts: Counter[str], **options: Any) -> TopicSource:
    """The source as wiring makes it."""
    context = SourceContext(
        feed="gps", format="json", partition=0, folder=".", time_of=lambda _: None,
        reason=lambda _: None, journal=cast("Journal", None),
        count=lambda what, n: counts.update({what: n}),
    )  # fmt: skip
    given = {"feed": "gps", "bootstrap": stage.bootstrap, "topic": f"{stage.tag}.gps", "wait_s": 5}
    return build("sites", Options.model_validate({**given, **options}), context)


async def write(stage: Stage, *rows: tuple[str, object]) -> None:
    """Values by key; None is a tombstone."""
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap)
    await producer.start()
    for key, value in rows:
        body = None if value is None else json.dumps({"id": key, "v": value}).encode()
        await producer.send_and_wait(f"{stage.tag}.gps", body, key.encode())
    await producer.stop()


async def taken(
    reader: TopicSource, count: int, resume: Mapping[str, int] | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """So many records, and where each log goes on."""
    await reader.open(resume or {})
    found: list[Record] = []
    places: dict[str, int] = {}
    batches = reader.batches()
    while len(found) < count:
        batch = await anext(batches)
        found += batch.records
        places[batch.log] = batch.records[-1].offset + 1
    await reader.close()
    return [json.loads(one.value) for one in found], places


async def test_first_the_latest_of_each_key_then_every_change(stage: Stage) -> None:
    counts: Counter[str] = Counter()
    await write(stage, ("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", None), ("a", 3))
    reader = source(stage, counts, withdrawal=WITHDRAWAL)
    await reader.open({})
    batches = reader.batches()
    found: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    while len(found) < 3:
        batch = await anext(batches)
        found += [json.loads(one.value) for one in batch.records]
        places[batch.log] = batch.records[-1].offset + 1
    await write(stage, ("a", 4), ("a", 5))
    while len(found) < 5:
        found += [json.loads(one.value) for one in (await anext(batches)).records]
    await reader.close()
    assert all(one.pop("at", 1) > 0 for one in found)
    assert sorted(found[:3], key=lambda one: one["id"]) == [
        {"id": "a", "v": 3}, {"id": "b", "gone": True}, {"id": "c", "v": 1},
    ]  # fmt: skip
    assert found[3:] == [{"id": "a", "v": 4}, {"id": "a", "v": 5}]
    assert counts["tombstones"] == 1
    await write(stage, ("a", 6))
    again, _ = await taken(source(stage, counts), 3, places)
    assert again == [{"id": "a", "v": 4}, {"id": "a", "v": 5}, {"id": "a", "v": 6}]


async def test_without_a_declared_withdrawal_a_tombstone_is_counted_only(stage: Stage) -> None:
    counts: Counter[str] = Counter()
    await write(stage, ("a", 1), ("a", None), ("b", 2))
    found, _ = await taken(source(stage, counts), 1)
    assert found == [{"id": "b", "v": 2}]
    assert counts["tombstones"] == 1
