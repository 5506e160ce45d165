"""Throughput end to end: our worker with the delivery recipe against Faust, Quix, a bare loop.

One core: the dwell job of `speed_kafka`, one partition, contenders in fresh processes on the same
core, at least nine rounds, the same alerts before any rate. State, alerts and positions of ours
are one fenced transaction a batch; Quix Streams keeps its state in RocksDB with a changelog topic,
Faust in a table with one, the bare loop keeps nothing. Two cores: one and two workers drain the
same four partitions, filled beforehand in one go; the broker shares the two cores with them.
Targets: 18 x Faust's agent (G3), 0.75 of the bare loop (G4), 2.5 x Quix Streams (G6).
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks import dwell_job, peers, speed_kafka
from benchmarks.report import ROOT, Report
from benchmarks.rounds import Rounds, as_text, figures, run_rounds
from benchmarks.speed_kafka import BARE, OURS, PLAIN, TABLE, choices, declare, fill, write_job
from benchmarks.streams import broker
from benchmarks.worlds import program_of, scratch

MODULE = "benchmarks.prove_throughput"
QUIX = "quix-streams"
CONTENDERS = (BARE, OURS, QUIX, PLAIN, TABLE)
PARTITIONS = 4
CHUNK = 2000
GOALS = (
    ("G3: at least 18 x plain Faust agents", PLAIN, 18.0),
    ("G4: at least 0.75 of a bare aiokafka loop", BARE, 0.75),
    ("G6: at least 2.5 x Quix Streams with its changelog", QUIX, 2.5),
)


def main() -> int:
    """Measure and report; with `--one` be one contender, or one worker of several."""
    parser = choices(__doc__ or "")
    parser.add_argument("--only", nargs="*", default=["one", "two"], help="cores to measure")
    asked = parser.parse_args()
    if asked.one:
        contend(asked)
        return 0
    asked.rounds = asked.rounds or (3 if asked.reduced else 9)
    report = Report("throughput", "Proof: throughput through Kafka with the delivery recipe", asked)
    bootstrap, topic = broker(lasting=True), f"perf-{uuid.uuid4().hex[:8]}"
    peers.installed(peers.QUIX)
    with scratch("throughput") as folder:
        records = write_job(folder, asked, topic)
        if "one" in asked.only:
            asyncio.run(fill(bootstrap, topic, records))
            words = ["--data", str(folder), "--bootstrap", bootstrap, "--topic", topic]
            one_core(
                report, asked, len(records), run_rounds(MODULE, CONTENDERS, asked.rounds, words)
            )
        if "two" in asked.only:
            two_cores(report, asked, folder, bootstrap, records)
    return report.close()


def contend(asked: argparse.Namespace) -> None:
    """Be one contender."""
    words = ["--data", str(asked.data), "--bootstrap", asked.bootstrap, "--topic", asked.topic]
    if asked.one == QUIX:
        peers.become("benchmarks.peer_quix", peers.QUIX, words)
    elif asked.one.startswith("member-"):
        member(asked.data, asked.bootstrap, asked.topic, asked.one)
    else:
        speed_kafka.contend(asked.one, asked.data, asked.bootstrap, asked.topic)


# --- one core -------------------------------------------------------------------------------


def one_core(report: Report, asked: argparse.Namespace, total: int, rounds: Rounds) -> None:
    """The same alerts, then rates and goals."""
    report.head("One core")
    digests = {name: {one["digest"] for one in found} for name, found in rounds.found.items()}
    same = len(set().union(*digests.values())) == 1
    report.claim("every contender raised the same alerts (vehicle, start of the stay)", same,
                 next(iter(digests[BARE])))  # fmt: skip
    if not same:
        report.table(["contender", "digests"], [[n, " ".join(d)] for n, d in digests.items()])
        return
    first = {name: statistics.median(rounds.series(name, "first")) for name in CONTENDERS}
    report.say(
        f"{total:,} fixes in one partition, {asked.rounds} rounds; records in the first poll, "
        "which is not counted (for ours, neither is the last; median): "
        + ", ".join(f"{name} {count:,.0f}" for name, count in first.items()) + "."
    )  # fmt: skip
    report.table(
        ["contender", "fixes/s", "range", "fixes/s of CPU", "peak RSS MB"], figures(rounds)
    )
    report.table(
        ["paired ratio", "wall: median (90 % interval)", "CPU: median (90 % interval)"],
        [
            [f"{OURS} / {under}", as_text(rounds.ratio(OURS, under)),
             as_text(rounds.ratio(OURS, under, "cpu_rate"))]
            for under in (PLAIN, TABLE, QUIX, BARE)
        ],
    )  # fmt: skip
    for text, under, least in GOALS:
        ratio = rounds.ratio(OURS, under)
        holds = ratio[0] >= least or (asked.reduced and ratio[2] >= least)
        report.claim(text, holds, as_text(ratio))
    spread = max(rounds.series(BARE)) / min(rounds.series(BARE))
    report.say(
        f"The yardstick's own spread in this run is {spread:.1f} x; above 3 it should be repeated."
    )


# --- one and two workers --------------------------------------------------------------------


def two_cores(
    report: Report,
    asked: argparse.Namespace,
    folder: Path,
    bootstrap: str,
    records: Sequence[bytes],
) -> None:
    """The same records drained by one worker and by two, interleaved."""
    found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for number in range(max(2, asked.rounds // 3)):
        for workers, some in found.items():
            some.append(drain(folder, bootstrap, records, workers))
        last = ", ".join(f"{n} workers {some[-1]['rate']:,.0f}" for n, some in found.items())
        print(f"scale-out round {number + 1}: {last}", flush=True)
    report.head("One and two workers")
    digests = {one["digest"] for some in found.values() for one in some}
    report.claim(
        "one worker and two raised the same alerts", len(digests) == 1, " ".join(sorted(digests))
    )
    rows = [
        [
            workers, len(some), f"{statistics.median(one['rate'] for one in some):,.0f}",
            f"{statistics.median(one['cpu_rate'] for one in some):,.0f}",
            ", ".join(f"{share:.0%}" for share in some[-1]["shares"]),
        ]
        for workers, some in found.items()
    ]  # fmt: skip
    report.table(
        ["workers", "rounds", "fixes/s together", "fixes/s of CPU of a worker",
         "shares of the records (last round)"], rows,
    )  # fmt: skip
    report.say(
        f"{PARTITIONS} partitions, filled at once while the workers wait. Each worker has a core; "
        "the broker has what they leave it, so with two workers all three share two cores and "
        "the rate of one core (of CPU) is the figure that carries over."
    )


def drain(folder: Path, bootstrap: str, records: Sequence[bytes], workers: int) -> dict[str, Any]:
    """Start workers on empty partitions, fill these in one go, and wait until all is worked on."""
    topic = f"scale-{uuid.uuid4().hex[:8]}"
    declare(folder, topic)
    parts = asyncio.run(prepare(bootstrap, topic, records))
    team = [Member(folder, bootstrap, topic, number, workers) for number in range(workers)]
    try:
        for one in team:
            one.ready.wait(60)
        time.sleep(1.0)
        asyncio.run(send(bootstrap, topic, parts))
        until = time.monotonic() + 120
        while sum(one.seen for one in team) < len(records) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)
    finally:
        for one in team:
            one.end()
    worked = [one for one in team if one.steps]
    begun = min(one.steps[0]["at"] for one in worked)
    ended = max(one.steps[-1]["at"] for one in worked)
    counted = sum(one.seen - one.steps[0]["seen"] for one in worked)
    used = sum(one.steps[-1]["cpu"] - one.steps[0]["cpu"] for one in worked)
    alerts = [(key, since) for one in team for key, since in one.alerts]
    total = sum(one.seen for one in team)
    assert total == len(records), f"{total} of {len(records)} were worked on"
    return {
        "rate": counted / (ended - begun), "cpu_rate": counted / used,
        "digest": dwell_job.digest(alerts), "shares": [one.seen / total for one in team],
    }  # fmt: skip


async def prepare(
    bootstrap: str, topic: str, records: Sequence[bytes]
) -> dict[int, list[list[bytes]]]:
    """Make the topic; cut the records into what each partition gets."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415

    from engine.edge.streaming.names import partition_of  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await admin.close()
    parts: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
    for record in records:
        key = json.loads(record)["vid"]
        parts[partition_of(key, PARTITIONS)].append(record)
    return {
        number: [some[start : start + CHUNK] for start in range(0, len(some), CHUNK)]
        for number, some in parts.items()
    }


async def send(bootstrap: str, topic: str, parts: dict[int, list[list[bytes]]]) -> None:
    """Everything, in batches that are closed before the first is sent."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=900_000)
    await producer.start()
    closed = []
    for chunks in zip_longest(*parts.values(), fillvalue=[]):  # the partitions side by side
        for number, chunk in zip(parts, chunks, strict=True):
            if chunk:
                batch = producer.create_batch()
                for value in chunk:
                    batch.append(key=None, value=value, timestamp=None)
                batch.close()
                closed.append((number, batch))
    sent = [await producer.send_batch(batch, topic, partition=number) for number, batch in closed]
    await asyncio.gather(*sent)
    await producer.stop()


class Member:
    """A worker process, and what it tells: one line when it is ready, one a saved batch."""

    def __init__(self, folder: Path, bootstrap: str, topic: str, number: int, of: int) -> None:
        self.ready, self.seen = threading.Event(), 0
        self.steps: list[dict[str, Any]] = []
        self.alerts: list[dwell_job.Alert] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, "--one", f"member-{number}-{PARTITIONS // of}",
             "--data", str(folder), "--bootstrap", bootstrap, "--topic", topic],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.sched_setaffinity(self._process.pid, {_core(number)})
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"ready"'):
                self.ready.set()
            elif line.startswith("{"):
                step = json.loads(line)
                self.alerts += [(key, since) for key, since in step.pop("alerts")]
                self.steps.append(step)
                self.seen = step["seen"]

    def end(self) -> None:
        """End it; what it did is told already."""
        self._process.kill()
        self._process.wait()


def member(folder: Path, bootstrap: str, topic: str, name: str) -> None:
    """Be one worker of several."""
    from engine.edge.streaming.link import Link  # noqa: PLC0415
    from engine.edge.streaming.worker import run_worker  # noqa: PLC0415
    from engine.ports import Outcome  # noqa: PLC0415

    wanted = int(name.rsplit("-", 1)[1])
    seen = 0

    def tell(**words: Any) -> None:
        print(json.dumps(words), file=sys.__stdout__, flush=True)

    class Telling:
        def outcome(self, _space: str, _partition: int, outcome: Outcome) -> None:
            """A batch is saved."""
            nonlocal seen
            count = outcome.counts.get(("events", "gps"), 0)
            alerts = [
                (one.key, one.since_ms) for one in outcome.changes if one.transition == "fired"
            ]
            if count or alerts:
                seen += count
                tell(seen=seen, at=time.monotonic(), cpu=time.process_time(), alerts=alerts)

        def holding(self, units: int, ready: int) -> None:
            """Ready once its share of the partitions is open."""
            if units == ready == wanted:
                tell(ready=True)

    link = Link(
        bootstrap=bootstrap, app=topic, prefix=topic, partitions=PARTITIONS, instance=name,
        session_s=6.0, heartbeat_s=1.0,
    )  # fmt: skip
    run_worker(link, program_of(folder / "pack"), watcher=Telling())


def _core(number: int) -> int:
    cores = sorted(os.sched_getaffinity(0))
    return cores[number % len(cores)]


if __name__ == "__main__":
    sys.exit(main())
