"""A real Kafka and real Faust workers as processes: filled, started, killed, read back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from benchmarks.report import ROOT
from benchmarks.worlds import copy_pack, program_of, settings
from engine.edge.streaming.changelog import META, read_back
from engine.edge.streaming.link import Link
from engine.edge.streaming.topics import Layout, lay_out
from engine.model.change import Change
from engine.ports import Write
from engine.state.codec import unpack_meta


class Sent(NamedTuple):
    """One record as a feed's producer sends it; an empty key is for every partition."""

    feed: str
    key: str
    value: bytes


def broker(*, lasting: bool = False) -> str:
    """Start the test broker unless it runs; its address. What is measured asks a lasting one."""
    home = Path(tempfile.gettempdir()) / f"forewarn-kafka-lasting-{os.getuid()}"
    more = ["--lasting", "--home", str(home)] if lasting else []
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/broker/kafka.py"), "start", *more],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


class Stage:
    """One installation with topics of its own on the shared broker."""

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        packs: Mapping[str, Path],
        world: Path | None = None,
        partitions: int = 3,
        more: Mapping[str, Any] | None = None,
        **kafka: Any,
    ) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.tag = f"p{uuid.uuid4().hex[:8]}"
        for name, pack in packs.items():
            place = copy_pack(pack, folder / name, world)
            for feed in place.glob("feeds/*.yaml"):
                text = feed.read_text("utf-8").replace("topic: feed.", f"topic: {self.tag}.")
                feed.write_text(text, "utf-8")
        limits = {"session_s": 6.0, "heartbeat_s": 1.0, "save_every_s": 0.5, **kafka}
        self.kafka = {"app": self.tag, "prefix": self.tag, "partitions": partitions, **limits}
        self.common = {
            "packs": sorted(packs), "broker": f"kafka://{bootstrap}", "kafka": self.kafka,
            "metrics": {"port": -1}, "log": {"format": "json", "level": "warning"}, **(more or {}),
        }  # fmt: skip
        settings(folder, **self.common)
        self.link = Link(bootstrap=bootstrap, **self.kafka)
        self.program = program_of(*(folder / name for name in packs))
        self.layout: Layout = asyncio.run(lay_out(self.link, self.program))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, role: str = "worker") -> None:
        """Start a process; one that ran under this name must have ended."""
        log = (self.folder / f"{name}.log").open("ab")
        env = {**os.environ, "PYTHONPATH": str(ROOT), "FOREWARN_KAFKA__INSTANCE": name}
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(self.folder), "--role", role],
            cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self, name: str, within_s: float = 20.0) -> int:
        """SIGTERM, and wait for the end; answers the exit code."""
        self.processes[name].send_signal(signal.SIGTERM)
        return self.processes[name].wait(within_s)

    def close(self) -> None:
        """End everything that still runs."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        """What the processes said last."""
        said = [
            (path.name, path.read_text("utf-8", "replace")) for path in self.folder.glob("*.log")
        ]
        return "\n".join(f"{name}: {text[-1500:]}" for name, text in said if text)

    def producer(self) -> AIOKafkaProducer:
        """What writes the feeds' records."""
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=5, max_batch_size=262_144
        )

    async def send(self, records: Iterable[Sent], pause_s: float = 0.0, each: int = 500) -> int:
        """Write records in their order; a pause after every `each` makes a stream of them."""
        producer = self.producer()
        await producer.start()
        count = 0
        sent: list[asyncio.Future[Any]] = []
        try:
            for one in records:
                topic = self.layout.feeds.get(one.feed)
                if topic is None:
                    continue
                count += 1
                if one.key:
                    sent.append(await producer.send(topic, one.value, one.key.encode()))
                else:
                    sent += [
                        await producer.send(topic, one.value, partition=partition)
                        for partition in range(self.layout.counts[topic])
                    ]
                if pause_s and count % each == 0:
                    await asyncio.sleep(pause_s)
            await producer.flush()
            await asyncio.gather(*sent)  # a record that did not arrive would look lost by us
        finally:
            await producer.stop()
        return count

    async def settled(self, at_ms: int, timeout_s: float) -> dict[str, list[Write]]:
        """Wait until every partition is complete up to `at_ms`; the saved rows by key space."""
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
                message = f"{', '.join(behind)}\n{self.logs()}"
                raise TimeoutError(message)
            await asyncio.sleep(1.0)

    async def backlog(self) -> tuple[int, int, int]:
        """Records that wait in saved partitions, records not read at all, records read."""
        waiting = unread = read = 0
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await reader.start()
        try:
            for name, space in self.layout.spaces.items():
                for partition in range(space.partitions):
                    kept = await read_back(self.link, self.layout.names.state(name), partition)
                    meta = kept.get(META)
                    known = {} if meta is None else unpack_meta(meta).positions
                    for topic in space.inputs:
                        place = TopicPartition(topic, partition)
                        end = (await reader.end_offsets([place]))[place]
                        there = known.get(f"{topic}/{partition}")
                        waiting += 0 if there is None else there[1] - there[0]
                        unread += end - (0 if there is None else there[1])
                        read += 0 if there is None else there[1]
        finally:
            await reader.stop()
        return waiting, unread, read

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

    async def alerts(self) -> list[Change]:
        """Every transition that was published; repeats stay."""
        records = await self.read(self.layout.names.alerts)
        return [msgspec.json.decode(one.value, type=Change) for one in records]


def changes_of(lines: Sequence[bytes]) -> list[Change]:
    """Changes written one a line."""
    return [msgspec.json.decode(line, type=Change) for line in lines if line]


def plain(change: Change) -> tuple[str, ...]:
    """What must be equal in all runs: episode, transition, event time, severity, text, evidence."""
    return (
        change.rule, change.key, change.episode_id, str(change.transition), str(change.at_ms),
        change.severity, json.dumps(change.summary, ensure_ascii=False, sort_keys=True),
        json.dumps(change.evidence, ensure_ascii=False, sort_keys=True), change.delivery_id,
    )  # fmt: skip
