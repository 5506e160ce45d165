"""Alerts of the topic become cases: read on from the database's places, each transition once."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from cases_stage import change
from desk_stage import a_keeper
from sqlalchemy import func, select
from stream_stage import Stage

from engine.edge.desk.keeper import Keeper
from engine.edge.desk.tables import moves
from engine.edge.streaming.desk_reader import TopicReader
from engine.edge.streaming.names import Names
from engine.edge.streaming.topics import ensure_alerts
from engine.model.change import Change

pytestmark = pytest.mark.kafka


async def tell(stage: Stage, *values: Change | bytes) -> None:
    """Put alerts, or what is none, into the topic."""
    topic = Names(stage.link.prefix, stage.link.app).alerts
    await ensure_alerts(stage.link)
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap)
    await producer.start()
    try:
        for value in values:
            raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
            key = value.episode_id.encode() if isinstance(value, Change) else b"?"
            await producer.send_and_wait(topic, raw, key)
    finally:
        await producer.stop()


async def read(reader: TopicReader, wanted: int) -> None:
    """Take until so many records were read."""
    async with asyncio.timeout(60):
        while wanted > 0:
            wanted -= await reader.once()


async def opened(keeper: Keeper) -> int:
    query = select(func.count()).select_from(moves).where(moves.c.verb == "open")
    return await keeper.store.read(lambda link: int(link.execute(query).scalar_one()))


async def test_a_desk_goes_on_where_the_database_says(stage: Stage, tmp_path: Path) -> None:
    alerts = [change(key=f"K{number}", rule="a") for number in range(8)]
    async with a_keeper(tmp_path) as keeper:
        await tell(stage, *alerts[:4], b"not json", alerts[0])
        reader = TopicReader(stage.link, keeper)
        try:
            await read(reader, 6)
            assert await opened(keeper) == 4
            assert sum((await keeper.positions()).values()) == 6
            reader.forget()
            await tell(stage, *alerts[4:])
            await read(reader, 4)
        finally:
            await reader.close()
        assert await opened(keeper) == 8
        assert sum((await keeper.positions()).values()) == 10
