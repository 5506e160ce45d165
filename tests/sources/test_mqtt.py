"""MQTT with a real Mosquitto: nothing is acknowledged before it is kept, nothing is lost."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from mosquitto import Mosquitto, mosquitto, users_file
from terminal_stage import gateway, until

from connectors.sources.mqtt import Options, build
from engine.ports import SourceContext


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.mqtt._AGAIN_S", (0.05,))
    monkeypatch.setattr("connectors.sources.mqtt._DISK_S", 0.05)


def source(broker: Mosquitto, **options: Any) -> Callable[[SourceContext], Any]:
    given = {
        "feed": "gps",
        "host": "127.0.0.1",
        "port": broker.port,
        "topics": ["city/#"],
        **options,
    }
    return lambda context: build("city", Options(**given), context)


async def publish(broker: Mosquitto, *numbers: int, retain: bool = False, **words: Any) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port, **words) as client:
        for number in numbers:
            await client.publish(f"city/site{number}/air", json.dumps({"t": number}), 1, retain)


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with gateway(tmp_path, source(broker)) as stage:
        await until(lambda: stage.counts["connected"] == 1)
        await publish(broker, 1, 2)
        await until(lambda: [one["t"] for one in stage.records] == [1, 2])
        stage.journal.full = True
        await publish(broker, 3)
        await until(lambda: stage.counts["not-kept"] > 0)
    async with gateway(tmp_path, source(broker)) as stage:
        await until(lambda: [one["t"] for one in stage.records] == [3])
        await asyncio.sleep(0.2)
        assert len(stage.records) == 1


async def test_what_is_published_while_we_are_away_waits_at_the_broker(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with gateway(tmp_path, source(broker)) as stage:
        await until(lambda: stage.counts["connected"] == 1)
        await asyncio.sleep(0.1)
    await publish(broker, *range(50))
    async with gateway(tmp_path, source(broker)) as stage:
        await until(lambda: len(stage.records) == 50)


async def test_a_broker_that_comes_back_is_found_again(tmp_path: Path, broker: Mosquitto) -> None:
    async with gateway(tmp_path, source(broker)) as stage:
        await until(lambda: stage.counts["connected"] == 1)
        broker.stop()
        await until(lambda: stage.counts["disconnected"] > 0)
        broker.start()
        await until(lambda: stage.counts["connected"] == 2, 20)
        await asyncio.sleep(0.1)
        await publish(broker, 7)
        await until(lambda: [one["t"] for one in stage.records] == [7])


async def test_fields_of_the_topic_come_into_the_record_and_bad_ones_are_put_aside(
    tmp_path: Path, broker: Mosquitto
) -> None:
    fields = {"topic_fields": {"site": 2, "deep": 9}}
    async with gateway(tmp_path, source(broker, **fields)) as stage:
        await until(lambda: stage.counts["connected"] == 1)
        await asyncio.sleep(0.1)
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("city/east/air", b'{"t":1}', 1)
            await client.publish("city/east/air", b"\xff", 1)
            await client.publish("city/west/air", b"[1]", 0)
        await until(lambda: len(stage.refused) == 2 and len(stage.records) == 1)
        assert stage.records == [{"t": 1, "site": "east"}]
        assert {one[0] for one in stage.refused} == {"bad-json"}


async def test_kept_values_are_records_only_where_they_shall_be(
    tmp_path: Path, broker: Mosquitto
) -> None:
    await publish(broker, 1, retain=True)
    silent = source(broker, retained=False, client_id="a")
    async with gateway(tmp_path, silent) as stage, gateway(tmp_path, source(broker)) as other:
        await until(lambda: len(other.records) == 1)
        await until(lambda: stage.counts["messages"] == 1)
        assert not stage.records


async def test_a_name_and_password_are_shown(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    users = users_file(tmp_path / "broker", {"us": "geheim"})
    (tmp_path / "pw").write_text("geheim\n")
    with mosquitto(tmp_path / "broker", users) as broker:
        us = source(broker, username="us", password_file="pw")
        async with gateway(tmp_path, us) as stage:
            await until(lambda: stage.counts["connected"] == 1)
            await asyncio.sleep(0.1)
            await publish(broker, 5, username="us", password="geheim")
            await until(lambda: len(stage.records) == 1)
        async with gateway(tmp_path, source(broker, username="us", client_id="x")) as stage:
            await until(lambda: stage.counts["disconnected"] > 0)
