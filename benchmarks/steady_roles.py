"""The two processes beside the worker under load: one sends fixes on a schedule, one listens.

They speak with whoever started them by lines of JSON, and wait for `go`.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from benchmarks import dwell_job

TICK_S = 0.002
EACH = 50
"""Every so many records one is a probe."""
PROBES = 5_000
"""Keys of probes; each comes again after all others."""
CHUNK = 4_000


def main() -> int:
    """Be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["produce", "listen"])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=int, default=0, help="number of the run")
    parser.add_argument("--alerts", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rate", type=int, default=0, help="records a second; 0: all at once")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--count", type=int, default=0)
    asked = parser.parse_args()
    asyncio.run(produce(asked) if asked.role == "produce" else listen(asked))
    return 0


def say(word: str, **more: Any) -> None:
    """Tell whoever started us."""
    print(json.dumps({"word": word, **more}), flush=True)


async def told(word: str) -> None:
    """Wait until we are told this word."""
    while (await asyncio.to_thread(sys.stdin.readline)).strip() != word:
        pass


class Fixes:
    """Fixes of the dwell job over and over, with the instant they are due; probes between them."""

    def __init__(self, folder: Path, run: int) -> None:
        self._run = run
        records, _ = dwell_job.read(folder)
        self._heads = [record[: record.rindex(b'"ts":') + 5] for record in records]
        self._probes: Iterator[bytes] = self._probe_heads()
        self.sent = self.probes = 0

    def _probe_heads(self) -> Iterator[bytes]:
        turn = 0
        while True:
            speed = b"99.0" if turn % 2 == 0 else b"0.0"
            for number in range(PROBES):
                yield (
                    b'{"vid":"P%02d%05d","plate":"P","cls":"probe","lon":120.0,"lat":29.0,"speed":%s,"ts":'
                    % (self._run, number, speed)
                )
            turn += 1

    def one(self, due_ns: int) -> bytes:
        """The next record."""
        self.sent += 1
        stamp = b'%d,"due":%d}' % (due_ns // 1_000_000, due_ns)
        if self.sent % EACH:
            return self._heads[self.sent % len(self._heads)] + stamp
        head = next(self._probes)
        self.probes += head[-11:-6] == b":99.0"
        return head + stamp


async def produce(asked: argparse.Namespace) -> None:
    """Send on a schedule that does not wait for anybody."""
    fixes = Fixes(asked.data, asked.run)
    await _make(asked.bootstrap, asked.topic)
    producer = AIOKafkaProducer(bootstrap_servers=asked.bootstrap, max_batch_size=900_000)
    await producer.start()
    answers: set[asyncio.Future[object]] = set()

    async def send(count: int, step_ns: float, first_ns: int) -> None:
        batch = producer.create_batch()
        for number in range(count):
            batch.append(
                key=None, value=fixes.one(first_ns + int(number * step_ns)), timestamp=None
            )
        batch.close()
        answer = await producer.send_batch(batch, asked.topic, partition=0)
        answers.add(answer)
        answer.add_done_callback(answers.discard)

    say("ready")
    await told("go")
    wall_ns, begun, late_ms = time.time_ns(), time.perf_counter(), 0.0
    if not asked.rate:
        for start in range(0, asked.count, CHUNK):
            await send(min(CHUNK, asked.count - start), 1_000.0, wall_ns + start * 1_000)
    else:
        step_ns, number = 1e9 / asked.rate, 0
        while (now := time.perf_counter() - begun) < asked.seconds:
            due = int(now * asked.rate)
            if due > number:
                first_ns = wall_ns + int(number * step_ns)
                late_ms = max(late_ms, now * 1000 - number * step_ns / 1e6)
                for start in range(number, due, CHUNK):
                    count = min(CHUNK, due - start)
                    await send(count, step_ns, first_ns + int((start - number) * step_ns))
                number = due
            await asyncio.sleep(TICK_S)
    while answers:
        await asyncio.wait(set(answers))
    await producer.stop()
    say("done", sent=fixes.sent, probes=fixes.probes, late_ms=late_ms)


async def _make(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    except TopicAlreadyExistsError:
        return
    finally:
        await admin.close()


class Fix(msgspec.Struct):
    """What the bare consumer reads of a probe."""

    vid: str
    speed: float
    ts: int
    due: int


class Alert(msgspec.Struct):
    """What it reads of an alert."""

    rule: str
    key: str
    transition: str
    at_ms: int


async def listen(asked: argparse.Namespace) -> None:
    """Note when a bare consumer has a probe and when the alert for it is there, by the clock."""
    common = {"bootstrap_servers": asked.bootstrap, "enable_auto_commit": False}
    feed, alerts = TopicPartition(asked.topic, 0), TopicPartition(asked.alerts, 0)
    await _make(asked.bootstrap, asked.topic)
    bare = AIOKafkaConsumer(**common)
    told_of = AIOKafkaConsumer(**common, isolation_level="read_committed")
    await bare.start()
    await told_of.start()
    bare.assign([feed])
    told_of.assign([alerts])
    await bare.seek_to_end(feed)
    await told_of.seek_to_end(alerts)
    await bare.position(feed)
    await told_of.position(alerts)
    probes: dict[tuple[str, int], tuple[int, float]] = {}
    early: dict[tuple[str, int], int] = {}
    pairs: list[tuple[float, float]] = []
    answered: set[tuple[str, int]] = set()
    twice = 0
    read_fix = msgspec.json.Decoder(Fix).decode
    read_alert = msgspec.json.Decoder(Alert).decode

    def pair(known: tuple[str, int], due_ns: int, bare_ms: float, at_ns: int) -> None:
        pairs.append((bare_ms, (at_ns - due_ns) / 1e6))
        answered.add(known)

    async def read_feed() -> None:
        while True:
            for some in (await bare.getmany(timeout_ms=1000)).values():
                now = time.time_ns()
                for one in some:
                    if one.value[8:9] != b"P":
                        continue
                    fix = read_fix(one.value)
                    if fix.speed < 50:
                        continue
                    known, bare_ms = (fix.vid, fix.ts), (now - fix.due) / 1e6
                    if known in early:
                        pair(known, fix.due, bare_ms, early.pop(known))
                    else:
                        probes[known] = (fix.due, bare_ms)

    async def read_alerts() -> None:
        nonlocal twice
        while True:
            for some in (await told_of.getmany(timeout_ms=1000)).values():
                now = time.time_ns()
                for one in some:
                    alert = read_alert(one.value)
                    if alert.rule != "probe" or alert.transition != "fired":
                        continue
                    known = (alert.key, alert.at_ms)
                    if known in answered or known in early:
                        twice += 1
                    elif known in probes:
                        pair(known, *probes.pop(known), now)
                    else:
                        early[known] = now

    reading = [asyncio.create_task(read_feed()), asyncio.create_task(read_alerts())]
    say("ready")
    await told("stop")
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await bare.stop()
    await told_of.stop()
    asked.out.write_text(json.dumps({"pairs": pairs, "open": len(probes), "twice": twice}))
    say("done", pairs=len(pairs))


if __name__ == "__main__":
    sys.exit(main())
