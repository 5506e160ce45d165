"""The two processes beside a worker under pressure: one sends load of a shape, one hears alerts.

The load is that of `steady_roles`, spread over partitions by key, with up to three things more:
one vehicle that sends a share of all records, bad records between the good ones, and a burst.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from aiokafka.producer.message_accumulator import BatchBuilder

from benchmarks.steady_roles import CHUNK, EACH, Alert, Fixes, say, told
from engine.edge.streaming.names import partition_of

TICK_S = 0.005
KEY_AT = len(b'{"vid":"')
BROKEN = (
    b"not a record", b'{"vid": "V000001", "lon": ', b'{"vid": 7, "ts": "yesterday"}', b"[1, 2]",
    b'{"vid": "V000001", "plate": "x", "cls": "hazmat", "lon": 500, "lat": 1, "speed": 0, "ts": 1}',
    b'{"vid": "\xff\xfe"}', b"", b'{"vid": "V000001"}',
)  # fmt: skip


class Mixed(Fixes):
    """Fixes with their partitions, a hot vehicle, and bad records between them."""

    def __init__(self, folder: Path, run: int, partitions: int, hot: float, bad: float) -> None:
        super().__init__(folder, run)
        self._partitions, self._hot, self._bad = partitions, hot, bad
        self._places = [self._place(head) for head in self._heads]
        vehicle = self._heads[0][: KEY_AT + 8]
        self._vehicle = [head for head in self._heads if head.startswith(vehicle)]
        self._hot_due = self._bad_due = 0.0
        self.broken = self.heated = 0

    def _place(self, head: bytes) -> int:
        key = head[KEY_AT : head.index(b'"', KEY_AT)]
        return partition_of(key.decode(), self._partitions)

    def some(self, due_ns: int) -> list[tuple[int, bytes]]:
        """The next good record and the bad ones behind it, each with its partition."""
        if (self.sent + 1) % EACH:
            self._hot_due += self._hot
        if self._hot_due >= 1.0:
            self._hot_due -= 1.0
            self.sent += 1
            self.heated += 1
            head = self._vehicle[self.sent % len(self._vehicle)]
            value = head + b'%d,"due":%d}' % (due_ns // 1_000_000, due_ns)
            place = self._places[0]
        else:
            value = self.one(due_ns)
            number = self.sent % len(self._heads)
            place = self._places[number] if self.sent % EACH else self._place(value)
        found = [(place, value)]
        self._bad_due += self._bad
        while self._bad_due >= 1.0:
            self._bad_due -= 1.0
            self.broken += 1
            found.append((place, BROKEN[self.broken % len(BROKEN)]))
        return found


def main() -> int:
    """Be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["produce", "listen"])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=int, default=0, help="number of the run")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--alerts", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rate", type=int, default=0, help="good records a second; 0: at once")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--hot", type=float, default=0.0, help="share of one vehicle")
    parser.add_argument("--bad", type=float, default=0.0, help="bad records for each good one")
    parser.add_argument("--burst", type=float, nargs=3, default=[0.0, 0.0, 1.0],
                        help="from, for so many seconds, times the rate")  # fmt: skip
    asked = parser.parse_args()
    asyncio.run(produce(asked) if asked.role == "produce" else listen(asked))
    return 0


def due(rate: float, burst: list[float], now_s: float) -> int:
    """How many good records have been due by now."""
    begin, for_s, times = burst
    return int(rate * (now_s + (times - 1) * min(max(now_s - begin, 0.0), for_s)))


async def produce(asked: argparse.Namespace) -> None:
    """Send on a schedule that does not wait for anybody."""
    mixed = Mixed(asked.data, asked.run, asked.partitions, asked.hot, asked.bad)
    await make(asked.bootstrap, asked.topic, asked.partitions)
    producer = AIOKafkaProducer(bootstrap_servers=asked.bootstrap, max_batch_size=900_000)
    await producer.start()
    answers: set[asyncio.Future[object]] = set()

    async def send(count: int, first_ns: int, step_ns: float) -> None:
        batches: dict[int, BatchBuilder] = {}
        for number in range(count):
            for place, value in mixed.some(first_ns + int(number * step_ns)):
                batch = batches.get(place) or batches.setdefault(place, producer.create_batch())
                batch.append(key=None, value=value, timestamp=None)
        for place, batch in batches.items():
            batch.close()
            answer = await producer.send_batch(batch, asked.topic, partition=place)
            answers.add(answer)
            answer.add_done_callback(answers.discard)

    say("ready")
    await told("go")
    wall_ns, begun, late_ms, last_s = time.time_ns(), time.perf_counter(), 0.0, 0.0
    if not asked.rate:
        for start in range(0, asked.count, CHUNK):
            await send(min(CHUNK, asked.count - start), wall_ns + start * 1_000, 1_000.0)
    while asked.rate and (now_s := time.perf_counter() - begun) < asked.seconds:
        number = due(asked.rate, asked.burst, now_s) - mixed.sent
        late_ms = max(late_ms, (now_s - last_s) * 1000)
        step_ns = (now_s - last_s) * 1e9 / max(number, 1)
        for start in range(0, number, CHUNK):
            first_ns = wall_ns + int(last_s * 1e9 + start * step_ns)
            await send(min(CHUNK, number - start), first_ns, step_ns)
        last_s = now_s
        await asyncio.sleep(TICK_S)
    while answers:
        await asyncio.wait(set(answers))
    await producer.stop()
    say("done", sent=mixed.sent, broken=mixed.broken, heated=mixed.heated, probes=mixed.probes,
        late_ms=late_ms, began_ms=wall_ns // 1_000_000)  # fmt: skip


async def make(bootstrap: str, topic: str, partitions: int) -> None:
    """Make the feed's topic unless it is there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    except TopicAlreadyExistsError:
        return
    finally:
        await admin.close()


async def listen(asked: argparse.Namespace) -> None:
    """Note each alert of a probe: its key, transition, event time and how late it came (ms)."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=asked.bootstrap, enable_auto_commit=False,
        isolation_level="read_committed",
    )  # fmt: skip
    await reader.start()
    places = [TopicPartition(asked.alerts, one) for one in range(asked.partitions)]
    reader.assign(places)
    await reader.seek_to_end(*places)
    for place in places:
        await reader.position(place)
    heard: list[tuple[str, str, int, float]] = []

    async def read() -> None:
        while True:
            for some in (await reader.getmany(timeout_ms=1000)).values():
                now_ms = time.time_ns() / 1e6
                for one in some:
                    alert = decode(one.value)
                    if alert.rule == "probe":
                        found = (alert.key, alert.transition, alert.at_ms, now_ms - alert.at_ms)
                        heard.append(found)

    decode = msgspec.json.Decoder(Alert).decode
    reading = asyncio.create_task(read())
    say("ready")
    await told("stop")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await reader.stop()
    asked.out.write_text(json.dumps(heard))
    say("done", heard=len(heard))


if __name__ == "__main__":
    sys.exit(main())
