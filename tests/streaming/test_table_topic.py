"""A compacted topic read to its end is a table: the last value of each key, none taken away."""

import asyncio
import json
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.edge.reference.answers import Answers
from engine.edge.reference.sql import Databases
from engine.errors import EnvironmentUnusable
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile

PACK = "pack: p\ntitle: {zh: 甲, en: A}\nowner: o\nversion: 1.0.0\n"


def files(topic: str) -> list[DeclaredFile]:
    table = (
        f"table: limits\nkey: van\nfields: {{van: text, most: number}}\ntopic: {{name: {topic}}}\n"
    )
    return [
        DeclaredFile("p/pack.yaml", PACK.encode()),
        DeclaredFile("p/tables/limits.yaml", table.encode()),
    ]


async def put(bootstrap: str, topic: str, *records: tuple[str, object]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for key, value in records:
            raw = None if value is None else json.dumps(value).encode()
            await producer.send_and_wait(topic, raw, key.encode())
    finally:
        await producer.stop()


async def test_the_last_value_of_each_key_is_its_row(bootstrap: str, tmp_path: Path) -> None:
    topic = f"limits-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 3, 1, topic_configs={"cleanup.policy": "compact"})])
    await admin.close()
    await put(
        bootstrap, topic,
        *((f"V{n}", {"van": f"V{n}", "most": n}) for n in range(20)),
        ("V1", {"van": "V1", "most": 90}), ("V2", None),
    )  # fmt: skip
    answers = Answers(Databases({"broker": f"kafka://{bootstrap}"}, tmp_path))
    found = await asyncio.to_thread(answers.beside, files(topic))
    loaded = load_project(found)
    project = loaded.project
    assert project is not None, loaded.report()
    table = project.tables["limits"]
    assert len(table.rows) == 19
    assert table.at(("V1",), 0) == {"van": "V1", "most": 90}
    assert table.at(("V2",), 0) is None
    databases = answers.databases
    again = await asyncio.to_thread(databases.ask, "broker", topic)
    assert again == next(file.raw for file in found if file.path.endswith(".answer"))
    await put(bootstrap, topic, ("V2", {"van": "V2", "most": 5}))
    assert await asyncio.to_thread(databases.ask, "broker", topic) != again
    await put(bootstrap, topic, ("V3", ["no", "row"]))
    with pytest.raises(EnvironmentUnusable, match="V3"):
        await asyncio.to_thread(databases.ask, "broker", topic)


async def test_a_topic_that_is_not_there_is_told(bootstrap: str, tmp_path: Path) -> None:
    databases = Databases({"broker": f"kafka://{bootstrap}"}, tmp_path)
    with pytest.raises(EnvironmentUnusable, match="nowhere-at-all"):
        await asyncio.to_thread(databases.ask, "broker", "nowhere-at-all")
