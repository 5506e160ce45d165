"""Speed of the dwell job through Kafka on one core: our Faust worker against Faust's own agent.

The same 200,000 fixes in one partition of a real Kafka; contenders one after the other in fresh
processes on the same core (the broker has the others), at least nine rounds. The first poll is
processed but neither timed nor counted, for every contender. Ours runs with the delivery recipe
on: alerts, state and positions in one fenced transaction. G3: at least 10 x the plain agent;
G4: at least 0.5 of a bare aiokafka loop.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks import dwell_job
from benchmarks.report import ROOT, Report, options
from benchmarks.rounds import as_text, figures, run_rounds
from benchmarks.speed import Watch, pack
from benchmarks.streams import broker
from benchmarks.worlds import program_of, scratch

MODULE = "benchmarks.speed_kafka"
BARE, PLAIN, TABLE, OURS = "aiokafka-getmany", "faust-agent", "faust-agent-table", "forewarn-worker"
CONTENDERS = (BARE, PLAIN, TABLE, OURS)
TOPIC_WORDS = "topic: feed.gps"


def main() -> int:
    """Measure and report; with `--one` be one contender."""
    asked = choices(__doc__ or "").parse_args()
    if asked.one:
        contend(asked.one, asked.data, asked.bootstrap, asked.topic)
        return 0
    asked.rounds = asked.rounds or (3 if asked.reduced else 9)
    report = Report("speed-kafka", "Baseline: the dwell job through Kafka", asked)
    bootstrap, topic = broker(lasting=True), f"perf-{uuid.uuid4().hex[:8]}"
    with scratch("speed-kafka") as folder:
        records = write_job(folder, asked, topic)
        asyncio.run(fill(bootstrap, topic, records))
        words = ["--data", str(folder), "--bootstrap", bootstrap, "--topic", topic]
        rounds = run_rounds(MODULE, CONTENDERS, asked.rounds, words)
    digests = {name: {one["digest"] for one in found} for name, found in rounds.found.items()}
    same = len(set().union(*digests.values())) == 1
    report.claim("every contender raised the same alerts (vehicle, start of the stay)", same,
                 next(iter(digests[BARE])))  # fmt: skip
    if not same:
        report.table(["contender", "digests"], [[n, " ".join(d)] for n, d in digests.items()])
        return report.close()
    first = {name: statistics.median(rounds.series(name, "first")) for name in CONTENDERS}
    report.say(
        f"{len(records):,} fixes in one partition, {asked.rounds} rounds; records in the first "
        "poll, which is not counted (for ours, neither is the last; median): "
        + ", ".join(f"{name} {count:,.0f}" for name, count in first.items()) + "."
    )  # fmt: skip
    report.table(
        ["contender", "fixes/s", "range", "fixes/s of CPU", "peak RSS MB"], figures(rounds)
    )
    rows = [
        [f"{OURS} / {under}", as_text(rounds.ratio(OURS, under)),
         as_text(rounds.ratio(OURS, under, "cpu_rate"))]
        for under in (PLAIN, TABLE, BARE)
    ]  # fmt: skip
    report.table(
        ["paired ratio", "wall: median (90 % interval)", "CPU: median (90 % interval)"], rows
    )
    for text, under, least in (
        ("G3: at least 10 x Faust's own agent", PLAIN, 10.0),
        ("G4: at least 0.50 of a bare aiokafka loop", BARE, 0.50),
    ):
        ratio = rounds.ratio(OURS, under)
        report.claim(
            text, ratio[0] >= least or (asked.reduced and ratio[2] >= least), as_text(ratio)
        )
    report.say(
        "The bare loop and the agents keep nothing: no offsets, no state that survives, no alert "
        "that leaves (the table variant writes a changelog). Ours saves state, positions and "
        "alerts in a transaction before it goes on."
    )
    return report.close()


def choices(about: str) -> argparse.ArgumentParser:
    """The command line of a race through Kafka; with `--one` a process is one contender."""
    parser = options(about, seed=20250101)
    parser.add_argument("--rounds", type=int, default=0, help="default 9, reduced 3")
    parser.add_argument("--one", help="be this contender (used by the rounds)")
    parser.add_argument("--data", type=Path, help="folder with the job's data (used by the rounds)")
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--topic", default="")
    return parser


def write_job(folder: Path, asked: argparse.Namespace, topic: str) -> Sequence[bytes]:
    """Write the dwell job's records and its pack, which reads this topic; answers the records."""
    dwell_job.write(folder, asked.seed, 600 if asked.reduced else dwell_job.VEHICLES)
    declare(folder, topic)
    records, _ = dwell_job.read(folder)
    return records


def declare(folder: Path, topic: str) -> None:
    """The dwell pack with a topic of its own."""
    declared = pack(folder) / "feeds/gps.yaml"
    text = (ROOT / "benchmarks/packs/dwell/feeds/gps.yaml").read_text("utf-8")
    declared.write_text(text.replace(TOPIC_WORDS, f"topic: {topic}"), "utf-8")


async def fill(bootstrap: str, topic: str, records: Sequence[bytes]) -> None:
    """One partition with every record and a heartbeat behind them."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - contenders choose their own client
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=262_144)
    await producer.start()
    for record in records:
        key = orjson.loads(record)["vid"].encode()
        await producer.send(topic, record, key, partition=0)
    await producer.flush()
    await producer.stop()


def contend(name: str, folder: Path, bootstrap: str, topic: str) -> None:
    """Be one contender and print its figures."""
    records, rings = dwell_job.read(folder)
    if name == OURS:
        ours(folder, bootstrap, len(records))
    elif name == BARE:
        asyncio.run(bare(bootstrap, topic, len(records), rings))
    else:
        agent(bootstrap, topic, len(records), rings, in_table=name == TABLE)


class Count:
    """Starts the clock after the first poll and stops it at the last record.

    Where one poll is worked on while the next is fetched (`ahead`), work on the second poll lies
    before the clock starts. It stops before the last poll then, so that as much lies outside at
    either end.
    """

    def __init__(self, total: int, *, ahead: bool = False) -> None:
        self.total, self.seen, self.first = total, 0, 0
        self.watch: Watch | None = None
        self._ahead = ahead
        self._laps: list[tuple[int, float, float]] = []

    def polled(self, count: int) -> bool:
        """Note records that were handled; answers whether they were the last."""
        self.seen += count
        if self.watch is None:
            self.first = self.seen
            self.watch = Watch(self.total - self.seen)
            self.watch.__enter__()
        elif self._ahead:
            self._laps.append((self.seen - self.first, *self.watch.passed()))
        return self.seen >= self.total

    def tell(self, alerts: Sequence[dwell_job.Alert]) -> None:
        """Print the figures."""
        assert self.watch is not None
        assert self.watch.count > 0, "the first poll held everything"
        self.watch.__exit__()
        if self._ahead:
            assert len(self._laps) > 1, "too few polls"
            self.watch.count, self.watch.wall_s, self.watch.cpu_s = self._laps[-2]
        said = json.dumps({**self.watch.figures(alerts), "first": self.first})
        print(said, file=sys.__stdout__, flush=True)  # Faust takes sys.stdout for its log


async def bare(bootstrap: str, topic: str, total: int, rings: Sequence[dwell_job.Ring]) -> None:
    """The loop by hand over `getmany`."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415

    loop, count = dwell_job.hand_orjson(dwell_job.cells(rings)), Count(total)
    alerts: list[dwell_job.Alert] = []
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, 0)
    done = False
    while not done:
        for some in (await consumer.getmany(timeout_ms=1000)).values():
            loop([one.value for one in some], alerts)
            done = count.polled(len(some))
    count.tell(alerts)
    await consumer.stop()


def agent(
    bootstrap: str, topic: str, total: int, rings: Sequence[dwell_job.Ring], *, in_table: bool
) -> None:
    """Faust as its own pages show it: an agent, `async for`, state in a dict or a table."""
    import faust  # noqa: PLC0415

    app = faust.App(
        f"perf-{uuid.uuid4().hex[:8]}", broker=f"kafka://{bootstrap}", store="memory://",
        topic_partitions=1, topic_replication_factor=1, stream_wait_empty=False,
        web_enabled=False, consumer_auto_offset_reset="earliest", topic_allow_declare=in_table,
        topic_disable_leader=True, datadir=tempfile.mkdtemp(),
    )  # fmt: skip
    source = app.topic(
        topic, value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw"
    )
    state: Any = app.Table("dwell", partitions=1, key_type=str) if in_table else {}
    inside, loads, count = dwell_job.cells(rings), orjson.loads, Count(total)
    alerts: list[dwell_job.Alert] = []

    def one(record: bytes) -> None:
        event = loads(record)
        if event["cls"] != "hazmat":
            return
        vid, lon, lat = event["vid"], event["lon"], event["lat"]
        if inside(lon, lat) or event["speed"] >= dwell_job.SLOW:
            state.pop(vid, None)
            return
        at_ms, stay = event["ts"], state.get(vid)
        if stay is None or dwell_job.far(stay[0], stay[1], lon, lat):
            state[vid] = [lon, lat, at_ms, False]
        elif not stay[3] and at_ms - stay[2] >= dwell_job.STAY_MS:
            state[vid] = [stay[0], stay[1], stay[2], True]
            alerts.append((vid, stay[2]))

    @app.agent(source)
    async def dwell(stream: Any) -> None:
        async for record in stream:
            one(record)
            if count.polled(1):
                count.tell(alerts)
                os._exit(0)

    sys.argv = ["perf", "worker", "-l", "warn", "--without-web"]
    app.main()


def ours(folder: Path, bootstrap: str, total: int) -> None:
    """Our worker with the delivery recipe; the alerts are those that were saved and published."""
    from engine.edge.streaming.link import Link  # noqa: PLC0415
    from engine.edge.streaming.worker import run_worker  # noqa: PLC0415
    from engine.ports import Outcome  # noqa: PLC0415

    tag = f"perf-{uuid.uuid4().hex[:8]}"
    count = Count(total, ahead=True)
    alerts: list[dwell_job.Alert] = []

    class Counting:
        def outcome(self, _space: str, _partition: int, outcome: Outcome) -> None:
            """An outcome was saved; the counts say how many events it was made of."""
            fired = (one for one in outcome.changes if one.transition == "fired")
            alerts.extend((one.key, one.since_ms) for one in fired)
            seen = outcome.counts.get(("events", "gps"), 0)
            if seen and count.polled(seen):
                count.tell(alerts)
                os._exit(0)

        def holding(self, units: int, ready: int) -> None:
            """Nothing."""

    link = Link(bootstrap=bootstrap, app=tag, prefix=tag, partitions=1)
    run_worker(link, program_of(folder / "pack"), watcher=Counting())


if __name__ == "__main__":
    sys.exit(main())
