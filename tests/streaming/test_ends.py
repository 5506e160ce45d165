"""From the alerts topic into the store, and Kafka as a source and a sink of the embedded daemon."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import stream_world as world
from aiokafka.admin import NewTopic
from stream_stage import Stage

from connectors.sinks import kafka as kafka_sink
from connectors.sources import kafka as kafka_source
from engine.edge.store import Store
from engine.edge.streaming.dispatcher import run_dispatcher
from engine.edge.streaming.ledger import Ledger, Parcel
from engine.edge.streaming.parcels import alert_parcels
from engine.errors import Permanent, Retryable
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.ports import Batch, Journal, Record, SinkContext, SourceContext, SourceId

pytestmark = pytest.mark.kafka


def change(number: int, ordinal: int = 0) -> Change:
    """A transition of the n-th episode."""
    episode = episode_id("rule", f"k{number}", number)
    return Change(
        delivery_id=delivery_id(episode, "fired", ordinal),
        episode_id=episode,
        rule="rule",
        rule_hash="hash",
        key=f"k{number}",
        transition=Transition.FIRED,
        ordinal=ordinal,
        at_ms=number,
        since_ms=number,
        severity="blue",
    )


async def test_the_dispatcher_stores_every_transition_once_even_when_it_is_stopped_and_repeats(
    stage: Stage, tmp_path: Path
) -> None:
    changes = [change(number) for number in range(300)]
    ledger = Ledger(stage.link, f"{stage.tag}-test")
    await ledger.open()
    stored: list[str] = []
    for part in (changes[:120], changes[100:220], changes[150:]):  # some are published twice
        await ledger.commit(alert_parcels(stage.layout, part))
        async with store(tmp_path) as kept:
            kept.listen(lambda new: stored.extend(one.delivery_id for one in new.changes))
            task = asyncio.create_task(run_dispatcher(stage.link, kept))
            wanted = {one.delivery_id for one in part}
            await until(lambda wanted=wanted: wanted <= set(stored))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    await ledger.close()

    assert sorted(stored) == sorted(one.delivery_id for one in changes)


async def test_the_dispatcher_tells_of_a_foreign_record_and_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    topic = stage.layout.names.alerts
    ledger = Ledger(stage.link, f"{stage.tag}-test")
    await ledger.open()
    parcels = alert_parcels(stage.layout, [change(1)])
    foreign = parcels[0].lines[0]._replace(value=b"{}")
    await ledger.commit([Parcel(topic, 0, [foreign]), *parcels])
    await ledger.close()
    stored: list[str] = []
    async with store(tmp_path) as kept:
        kept.listen(lambda new: stored.extend(one.delivery_id for one in new.changes))
        task = asyncio.create_task(run_dispatcher(stage.link, kept))
        await until(lambda: bool(stored))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert stored == [change(1).delivery_id]


async def test_the_source_gives_every_partition_and_goes_on_where_it_was_told(stage: Stage) -> None:
    records = world.story(seed=1, vehicles=4, minutes=20, projects=0)
    await stage.send(records)
    first = await taken(stage, {}, len(records))
    assert sorted(one.value for some in first for one in some.records) == sorted(
        one.value for one in records
    )
    assert {some.source.partition for some in first} <= {5, 6, 7}
    half = {some.log: some.records[len(some.records) // 2].offset for some in first}
    left = sum(1 for some in first for one in some.records if one.offset >= half[some.log])

    again = await taken(stage, half, left)

    assert sum(len(some.records) for some in again) == left
    assert all(one.offset >= half[some.log] for some in again for one in some.records)


async def test_the_sink_writes_a_keyed_record_with_its_delivery_id(stage: Stage) -> None:
    body = b'{"episode_id": "e1", "delivery_id": "d1"}'
    sink = make_sink(stage.bootstrap, stage.layout.names.late)
    await sink.open()
    await asyncio.gather(*(sink.send(f"d{number}", body, 1) for number in range(20)))
    await sink.close()
    await sink.close()
    written = await stage.read(stage.layout.names.late)
    assert [one.key for one in written] == [b"e1"] * 20
    assert {dict(one.headers)["delivery-id"] for one in written} == {
        f"d{number}".encode() for number in range(20)
    }


async def test_the_sink_says_which_failures_are_worth_another_try(stage: Stage) -> None:
    away = make_sink("127.0.0.1:1", "anything")
    with pytest.raises(Retryable):
        await away.send("d1", b"{}", 1)
    await away.close()
    small = f"{stage.tag}.small"
    admin = stage.link.admin()
    await admin.start()
    await admin.create_topics([NewTopic(small, 1, 1, topic_configs={"max.message.bytes": "400"})])
    await admin.close()
    sink = make_sink(stage.bootstrap, small)
    with pytest.raises(Permanent):
        await sink.send("d1", b'{"episode_id": "e1", "x": "%s"}' % (b"x" * 500), 1)
    await sink.send("d2", b'{"episode_id": "e1"}', 1)
    await sink.close()


def make_sink(bootstrap: str, topic: str) -> kafka_sink.KafkaSink:
    """The sink as wiring makes it."""
    options = kafka_sink.Options(bootstrap=bootstrap, topic=topic, timeout_s=5)
    return kafka_sink.build("out", options, SinkContext(folder="."))


async def taken(stage: Stage, resume: dict[str, int], count: int) -> list[Batch]:
    """Read until `count` records came; one batch a log."""
    context = SourceContext(
        feed="gps",
        format="json",
        partition=5,
        folder=".",
        time_of=lambda _: None,
        reason=lambda _: None,
        journal=cast("Journal", None),
    )
    options = kafka_source.Options(
        feed="gps", bootstrap=stage.bootstrap, topic=f"{stage.tag}.gps", wait_s=5
    )
    source = kafka_source.build("in", options, context)
    await source.open(resume)
    assert source.ids == [SourceId("gps", number) for number in (5, 6, 7)]
    found: dict[tuple[str, SourceId], list[Record]] = {}
    batches = source.batches()
    while sum(len(records) for records in found.values()) < count:
        some = await anext(batches)
        found.setdefault((some.log, some.source), []).extend(some.records)
    await source.close()
    return [Batch(log, source_id, records) for (log, source_id), records in found.items()]


@contextlib.asynccontextmanager
async def store(folder: Path) -> AsyncIterator[Store]:
    """A store that lets go of its folder."""
    kept = Store(folder, lambda _: ())
    try:
        yield kept
    finally:
        closing = kept.close()
        if asyncio.iscoroutine(closing):
            await closing


async def until(holds, timeout_s: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - whoever makes it hold knows nothing of us
            await asyncio.sleep(0.05)
