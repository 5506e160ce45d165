"""The tests' hands on Kafka: feeds filled, workers started, killed and stopped, topics read."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec
import stream_world as world
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord
from stream_worker import link, program

from engine.edge.streaming.changelog import META, read_back
from engine.edge.streaming.topics import Layout, lay_out
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId, Write
from engine.state.codec import unpack_meta

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("stream_worker.py")


class Stage:
    """One test's own topics on the shared broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.tag = f"t{uuid.uuid4().hex[:8]}"
        self.program = program(self.tag)
        self.link = link(bootstrap, self.tag)
        self.layout: Layout
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    async def open(self) -> None:
        """Make the topics."""
        self.layout = await lay_out(self.link, self.program)

    async def send(self, records: Sequence[world.Sent], pause_s: float = 0.0) -> None:
        """Write records in their order, keyed as a feed's producer would."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)
        await producer.start()
        try:
            for number, one in enumerate(records):
                await producer.send(
                    f"{self.tag}.{one.feed}", one.value, one.key.encode(), timestamp_ms=one.at_ms
                )
                if pause_s and number % 200 == 199:
                    await asyncio.sleep(pause_s)
            await producer.flush()
        finally:
            await producer.stop()

    async def finish(self, at_ms: int) -> None:
        """Say in every partition of every feed that it is complete up to `at_ms`."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for topic in self.layout.feeds.values():
                for partition in range(self.layout.counts[topic]):
                    beat = world.heartbeat(at_ms)
                    await producer.send(topic, beat, partition=partition, timestamp_ms=at_ms)
            await producer.flush()
        finally:
            await producer.stop()

    def start(self, name: str, bootstrap: str = "", **more: object) -> None:
        """Start a worker process; one that ran under this name must have ended."""
        asked = {
            "bootstrap": bootstrap or self.bootstrap, "tag": self.tag, "instance": name, **more
        }  # fmt: skip
        self.workers[name] = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(asked)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self.workers[name].kill()
        self.workers[name].wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send any other signal."""
        self.workers[name].send_signal(number)

    def close(self) -> None:
        """End every worker that still runs."""
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
        for worker in self.workers.values():
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    async def settled(self, at_ms: int, timeout_s: float = 60.0) -> dict[str, list[Write]]:
        """Wait until every partition is complete up to `at_ms`; answers the saved rows by space."""
        until = time.monotonic() + timeout_s
        while True:
            rows: dict[str, list[Write]] = {}
            behind: list[str] = []
            for name, space in self.layout.spaces.items():
                for partition in range(space.partitions):
                    kept = await read_back(self.link, self.layout.names.state(name), partition)
                    meta = kept.pop(META, None)
                    if meta is None or unpack_meta(meta).watermark < at_ms:
                        behind.append(f"{name}/{partition}")
                    for raw, value in kept.items():
                        rule, _, key = raw.decode().partition("\0")
                        rows.setdefault(name, []).append(Write(rule, key, value))
            if not behind:
                return {name: sorted(found) for name, found in rows.items()}
            if time.monotonic() > until:
                raise TimeoutError(", ".join(behind))
            await asyncio.sleep(0.5)

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """Every committed record of a topic."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        await reader.start()
        try:
            places = [TopicPartition(topic, one) for one in range(self.layout.counts[topic])]
            reader.assign(places)
            await reader.seek_to_beginning(*places)
            ends = await reader.end_offsets(places)
            found: list[ConsumerRecord] = []
            while any([await reader.position(place) < ends[place] for place in places]):
                for records in (await reader.getmany(timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await reader.stop()

    async def waited(self, topic: str, count: int, timeout_s: float = 40.0) -> list[ConsumerRecord]:
        """Every record of a topic once there are so many."""
        until = time.monotonic() + timeout_s
        while len(found := await self.read(topic)) < count:
            if time.monotonic() > until:
                message = f"{len(found)} of {count} records in {topic}"
                raise TimeoutError(message)
            await asyncio.sleep(0.3)
        return found

    async def alerts(self) -> list[Change]:
        """Every transition that was published, sorted; repeats stay."""
        records = await self.read(self.layout.names.alerts)
        return in_order([msgspec.json.decode(one.value, type=Change) for one in records])


def in_order(changes: Sequence[Change]) -> list[Change]:
    """Transitions sorted by what they are about, so that runs can be compared."""
    return sorted(changes, key=lambda one: (one.rule, one.key, one.at_ms, one.delivery_id))


def in_process(
    stage: Stage, records: Sequence[world.Sent], until_ms: int
) -> tuple[list[Change], dict[str, list[Write]]]:
    """What the core makes of the same records without Kafka: transitions and final rows."""
    changes: list[Change] = []
    rows: dict[str, list[Write]] = {}
    for name, space in Engine(stage.program).spaces.items():
        for feed in space.program.feeds:
            space.announce(SourceId(feed))
            taken = [
                Record(offset, one.value, one.at_ms)
                for offset, one in enumerate(records)
                if one.feed == feed
            ]
            taken.append(Record(len(records), world.heartbeat(until_ms), until_ms))
            space.ingest(feed, SourceId(feed), taken)
        outcome = space.advance()
        assert not outcome.late, outcome.late[:3]
        changes += outcome.changes
        kept = sorted(row for row in outcome.writes if row.value is not None)
        if kept:
            rows[name] = kept
    return in_order(changes), rows
