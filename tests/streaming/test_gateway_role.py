"""The gateway on Kafka: what it acknowledged reaches the topic, keyed as the feed is."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from stream_stage import Stage
from terminal_stage import until

from connectors.sources.door import DoorSource
from connectors.sources.jtt808 import Options, build
from engine.decode.record import FeedDecoder
from engine.edge.store import Store
from engine.edge.streaming.forward import Forwarder, forward
from engine.edge.streaming.names import partition_of
from engine.edge.wiring import feed_context
from engine.ruleset.compile import compile_project
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile
from simulators.terminals import Fleet

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).resolve().parents[2]
FEED = """
feed: gps
title: {en: Positions, zh: 定位}
topic: TOPIC
format: json
key: terminal
id: [terminal, serial]
time: {field: time, format: iso8601}
lateness: 0s
fields:
  terminal: {type: text, max_length: 20}
  time: {type: time, format: iso8601}
  serial: integer
  speed: {type: number, unit: km/h}
"""
RULE = """
rule: fast
title: {en: Fast, zh: 快}
owner: tests
severity: blue
from: gps
by: terminal
when: {match: {condition: speed > 100 km/h}}
annotations: {summary: {en: fast, zh: 快}}
"""
PACK = b"pack: p\ntitle: {en: P, zh: P}\nowner: tests\nversion: 0.1.0\n"


def decoders(topic: str) -> Mapping[str, FeedDecoder]:
    """The feed of the tests, which goes to this topic."""
    files = [
        DeclaredFile("p/pack.yaml", PACK),
        DeclaredFile("p/feeds/gps.yaml", FEED.replace("TOPIC", topic).encode()),
        DeclaredFile("p/fast.yaml", RULE.encode()),
    ]
    loaded = load_project(files)
    assert loaded.project is not None, loaded.report()
    program = compile_project(loaded.project)
    return {name: feed.decoder for name, feed in program.feeds.items()}


async def read(stage: Stage, count: int) -> list[tuple[int, bytes, dict[str, Any]]]:
    """Partition, key and value of so many records of the topic."""
    topic = f"{stage.tag}.gps"
    reader = AIOKafkaConsumer(bootstrap_servers=stage.bootstrap, auto_offset_reset="earliest")
    await reader.start()
    reader.assign([TopicPartition(topic, number) for number in range(3)])
    found: list[tuple[int, bytes, dict[str, Any]]] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            polled = await reader.getmany(timeout_ms=500)
            found += [
                (place.partition, one.key, json.loads(one.value))
                for place, records in polled.items()
                for one in records
            ]
    await reader.stop()
    return found


async def listening(source: DoorSource) -> None:
    """Wait until it has a port."""
    await until(lambda: source.port > 0)


async def test_acknowledged_reports_reach_the_topic_also_after_a_stop(
    stage: Stage, tmp_path: Path
) -> None:
    known = decoders(f"{stage.tag}.gps")
    sent: Counter[str] = Counter()
    fleet: Fleet | None = None
    for life in range(2):
        store = Store(tmp_path, lambda _: ())
        context = feed_context(known["gps"], 0, tmp_path, store)
        source = build("gate", Options(feed="gps", port=0, open=True), context)
        work = asyncio.create_task(
            forward(
                store, [source], {"gate": "gps"}, Forwarder(stage.link, known, "en"),
                lambda _, what, n: sent.update({what: n}),
            )
        )  # fmt: skip
        await listening(source)
        fleet = fleet or Fleet("127.0.0.1", source.port)
        fleet.port = source.port
        if life == 0:  # stopped at once: what was acknowledged waits in the folder
            await fleet.drive(20, 5)
        else:
            await until(lambda: sent["forwarded"] >= 100, 30)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await store.close()
    assert fleet is not None
    found = await read(stage, 100)
    pairs = Counter((value["terminal"], value["serial"]) for _, _, value in found)
    assert set(pairs) == fleet.acknowledged
    assert all(key.decode() == value["terminal"] for _, key, value in found)
    assert all(partition == partition_of(key.decode(), 3) for partition, key, _ in found)


async def test_a_gateway_that_is_killed_loses_nothing_that_it_acknowledged(
    stage: Stage, tmp_path: Path
) -> None:
    topic = f"{stage.tag}.gps"
    (tmp_path / "p/feeds").mkdir(parents=True)
    (tmp_path / "p/pack.yaml").write_bytes(PACK)
    (tmp_path / "p/feeds/gps.yaml").write_text(FEED.replace("TOPIC", topic))
    (tmp_path / "p/fast.yaml").write_text(RULE)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "packs": ["p"], "broker": f"kafka://{stage.bootstrap}", "metrics": {"port": -1},
        "kafka": {"prefix": stage.tag, "app": stage.tag},
        "sources": {"gate": {"kind": "jtt808", "feed": "gps", "port": port, "open": True}},
    }  # fmt: skip
    (tmp_path / "forewarn.yaml").write_text(json.dumps(settings))

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "engine", "run", str(tmp_path), "--role", "gateway"]
        with (tmp_path / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log
            )

    gateway, fleet = start(), Fleet("127.0.0.1", port)
    driving = asyncio.create_task(fleet.drive(20, 20))
    try:
        await until(lambda: len(fleet.acknowledged) > 100, 60)
        gateway.kill()
        gateway.wait()
        gateway = start()
        await asyncio.wait_for(driving, 60)
        found = await read(stage, 400)
        while len({(one[2]["terminal"], one[2]["serial"]) for one in found}) < 400:
            found = await read(stage, len(found) + 1)
    finally:
        driving.cancel()
        gateway.terminate()
        code = gateway.wait(30)
    assert {(one[2]["terminal"], one[2]["serial"]) for one in found} == fleet.acknowledged
    assert code == 0
