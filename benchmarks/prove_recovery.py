"""Recovery: a million keys read back by our worker, a plain Faust table, a bare consumer (G13).

The state is written the way a worker writes it: events through the core, its rows and its record
in transactions of the partition's ledger. Then fresh processes on one core, one after the other,
at least nine rounds: from "this partition is mine" to "every key is there and records are read".
Faust reads a changelog of its own table with the same four values a key. It would need minutes for
a million, so it gets two smaller numbers of keys, and the line through both, start included, says
what it takes for as many as ours has. Target: at least 30 x faster than Faust (G13).
"""

import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks import dwell_job
from benchmarks.report import Report, options
from benchmarks.rounds import as_text, median_interval, run_rounds
from benchmarks.speed import pack
from benchmarks.streams import broker
from benchmarks.worlds import program_of, scratch

MODULE = "benchmarks.prove_recovery"
BARE, OURS = "aiokafka-read", "forewarn-worker"
FEW, MORE = "faust-table-few", "faust-table-more"
CONTENDERS = (BARE, OURS, FEW, MORE)
PART = 4
"""The smaller Faust table has this part of the larger one's keys."""
CHUNK = 20_000
GOAL = 30.0


def main() -> int:
    """Measure and report; with `--one` be one contender."""
    parser = options(__doc__ or "", seed=20250101)
    parser.add_argument("--keys", type=int, default=0, help="default 1,000,000, reduced 60,000")
    parser.add_argument("--faust-keys", type=int, default=0, help="default 60,000, reduced 12,000")
    parser.add_argument("--rounds", type=int, default=0, help="default 9, reduced 3")
    parser.add_argument("--one", help="be this contender (used by the rounds)")
    parser.add_argument("--data", type=Path, help="folder with the pack (used by the rounds)")
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--tag", default="")
    asked = parser.parse_args()
    if asked.one:
        contend(asked)
        return 0
    asked.rounds = asked.rounds or (3 if asked.reduced else 9)
    asked.keys = asked.keys or (60_000 if asked.reduced else 1_000_000)
    asked.faust_keys = asked.faust_keys or (12_000 if asked.reduced else 60_000)
    report = Report("recovery", "Proof: how fast saved state comes back", asked)
    bootstrap, tag = broker(lasting=True), f"rec-{uuid.uuid4().hex[:8]}"
    with scratch("recovery") as folder:
        prepare(folder, tag)
        written = asyncio.run(write_state(folder, bootstrap, tag, asked.keys))
        asyncio.run(write_changelog(bootstrap, f"{tag}-{FEW}", asked.faust_keys // PART))
        asyncio.run(write_changelog(bootstrap, f"{tag}-{MORE}", asked.faust_keys))
        words = ["--data", str(folder), "--bootstrap", bootstrap, "--tag", tag]
        words += ["--keys", str(asked.keys), "--faust-keys", str(asked.faust_keys)]
        rounds = run_rounds(MODULE, CONTENDERS, asked.rounds, words)
    tell(report, asked, rounds, written)
    return report.close()


def tell(report: Report, asked: Any, rounds: Any, written: Mapping[str, Any]) -> None:
    """Figures and claims."""
    found = rounds.found
    report.say(
        f"{asked.keys:,} keys of one rule in one partition, {written['bytes'] / 1e6:,.0f} MB of "
        f"rows written in {written['seconds']:.0f} s; Faust: {asked.faust_keys // PART:,} and "
        f"{asked.faust_keys:,} keys in the changelog of one table, JSON as Faust writes it. "
        f"{asked.rounds} rounds, every contender "
        "in a fresh process on the same core."
    )
    report.claim(
        "our worker restored every key, and each row as it was written",
        all(one["digest"] == written["digest"] for one in found[OURS]),
        f"{found[OURS][0]['keys']:,} keys, {written['digest']}",
    )
    report.claim(
        "the bare consumer read every row",
        all(one["keys"] == asked.keys for one in found[BARE]),
        found[BARE][0]["keys"],
    )
    report.claim(
        "Faust's table held every key",
        all(one["keys"] == asked.faust_keys for one in found[MORE])
        and all(one["keys"] == asked.faust_keys // PART for one in found[FEW]),
        f"{found[FEW][0]['keys']:,} and {found[MORE][0]['keys']:,}",
    )
    rows = []
    for name in CONTENDERS:
        took = rounds.series(name, "wall_s")
        used = statistics.median(rounds.series(name, "cpu_s"))
        keys = found[name][0]["keys"]
        rows.append([
            name, f"{keys:,}", f"{statistics.median(took):.2f}",
            f"{min(took):.2f} to {max(took):.2f}", f"{used:.2f}",
            f"{statistics.median(took) / keys * 1e6:.2f}",
            f"{statistics.median(one['rss_mb'] for one in found[name]):.0f}",
        ])  # fmt: skip
    report.table(
        ["contender", "keys", "s", "range", "CPU s", "s per million keys", "peak RSS MB"], rows
    )
    beyond = (asked.keys - asked.faust_keys) / (asked.faust_keys - asked.faust_keys // PART)
    pairs = zip(rounds.series(FEW, "wall_s"), rounds.series(MORE, "wall_s"), strict=True)
    faust = [more + (more - few) * beyond for few, more in pairs]
    ours_s = rounds.series(OURS, "wall_s")
    over = median_interval([one / other for one, other in zip(faust, ours_s, strict=True)])
    plain = statistics.median(faust)
    report.say(
        f"Faust for {asked.keys:,} keys, by the line through its two measures of each round: "
        f"{plain:,.0f} s (median)."
    )
    ours_to_bare = rounds.ratio(OURS, BARE)
    per_key = {
        "plain Faust table": plain,
        OURS: statistics.median(ours_s),
        BARE: statistics.median(rounds.series(BARE, "wall_s")),
    }
    report.table(
        ["restoring", "s per million keys"],
        [[name, f"{took / asked.keys * 1e6:,.1f}"] for name, took in per_key.items()],
    )
    report.table(
        ["paired ratio of speeds", "median (90 % interval)"],
        [[f"{OURS} / plain Faust table", as_text(over)],
         [f"{OURS} / {BARE}", as_text(ours_to_bare)]],
    )  # fmt: skip
    report.claim(
        f"G13: our worker is at least {GOAL:.0f} x as fast as plain Faust tables",
        over[0] >= GOAL or (asked.reduced and over[2] >= GOAL),
        as_text(over),
    )
    touched = statistics.median(one["touch_us"] for one in found[OURS])
    report.say(
        "Ours counts from the moment the group gave the partition to the moment its records are "
        "read: fencing the writer before, reading the log, decoding every row, asking for its "
        "timers. A row is taken up when its key is touched for the first time (decision 43); that "
        f"took {touched:.1f} us of CPU a key here, all keys one after the other. The bare consumer "
        "reads the same log and does nothing with it."
    )


def prepare(folder: Path, tag: str) -> None:
    """The dwell pack with a topic of its own."""
    dwell_job.write(folder, vehicles=1)
    declared = pack(folder) / "feeds/gps.yaml"
    text = declared.read_text("utf-8").replace("topic: feed.gps", f"topic: {tag}.gps")
    declared.write_text(text, "utf-8")


def standing(keys: int) -> Iterator[list[bytes]]:
    """One fix of every vehicle, all standing outside permitted ground, in chunks."""
    for start in range(0, keys, CHUNK):
        yield [
            orjson.dumps({
                "vid": f"V{number:07d}", "plate": f"浙B{number:07d}", "cls": "hazmat",
                "lon": round(100.0 + number * 1e-5, 6), "lat": 20.0, "speed": 0.0,
                "ts": dwell_job.START_MS + number // 1000,
            })
            for number in range(start, min(start + CHUNK, keys))
        ]  # fmt: skip


async def write_state(folder: Path, bootstrap: str, tag: str, keys: int) -> dict[str, Any]:
    """Every key's row and the partition's record, as a worker would have saved them."""
    from engine.edge.streaming.ledger import Ledger  # noqa: PLC0415 - contenders choose their own
    from engine.edge.streaming.parcels import outcome_parcels  # noqa: PLC0415
    from engine.edge.streaming.topics import lay_out  # noqa: PLC0415
    from engine.edge.streaming.worker import new_core  # noqa: PLC0415
    from engine.ports import Record, SourceId  # noqa: PLC0415

    link, program = _link(bootstrap, tag), program_of(folder / "pack")
    layout = await lay_out(link, program)
    (name,) = layout.spaces
    core, source = new_core(program.spaces[name], 0, 1), SourceId("gps", 0)
    ledger = Ledger(link, layout.names.writer(layout.names.state(name), 0))
    begun, offset, size, hashed = time.monotonic(), 0, 0, 0
    last: dict[str, bytes] = {}
    await ledger.open()
    core.announce(source)
    for chunk in standing(keys):
        records = [Record(offset + number, value) for number, value in enumerate(chunk)]
        core.ingest(f"{tag}.gps/0", source, records)
        offset += len(chunk)
        outcome = core.advance()
        last |= {row.key: row.value for row in outcome.writes if row.value is not None}
        await ledger.commit(outcome_parcels(layout, name, 0, outcome))
    outcome = core.advance(dwell_job.START_MS + keys // 1000)
    last |= {row.key: row.value for row in outcome.writes if row.value is not None}
    await ledger.commit(outcome_parcels(layout, name, 0, outcome))
    await ledger.close()
    for key, value in last.items():
        size += len(key) + len(value)
        hashed ^= _hash(key, value)
    assert len(last) == keys, f"{len(last)} of {keys} keys have a row"
    # what the worker is to read next is there, so that its positions are true
    await fill(bootstrap, f"{tag}.gps", keys)
    return {
        "bytes": size, "seconds": time.monotonic() - begun, "digest": f"{len(last)}:{hashed:016x}",
    }  # fmt: skip


async def fill(bootstrap: str, topic: str, keys: int) -> None:
    """The records that the saved positions speak of, in the feed's own topic."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=900_000)
    await producer.start()
    sent = []
    for chunk in standing(keys):
        for start in range(0, len(chunk), 4000):
            batch = producer.create_batch()
            for value in chunk[start : start + 4000]:
                batch.append(key=None, value=value, timestamp=None)
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*sent)
    await producer.stop()


async def write_changelog(bootstrap: str, tag: str, keys: int) -> None:
    """The changelog of a Faust table, with the values that the table contender keeps."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([
        NewTopic(f"{tag}-faust-dwell-changelog", 1, 1, topic_configs={"cleanup.policy": "compact"}),
        NewTopic(f"{tag}.faust", 1, 1),
    ])  # fmt: skip
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, max_batch_size=262_144)
    await producer.start()
    for number in range(keys):
        value = [round(100.0 + number * 1e-5, 6), 20.0, dwell_job.START_MS + number // 1000, False]
        await producer.send(
            f"{tag}-faust-dwell-changelog", orjson.dumps(value), orjson.dumps(f"V{number:07d}"),
            partition=0,
        )  # fmt: skip
    await producer.flush()
    await producer.stop()


def contend(asked: Any) -> None:
    """Be one contender and print its figures."""
    if asked.one == OURS:
        ours(asked.data, asked.bootstrap, asked.tag)
    elif asked.one == BARE:
        asyncio.run(bare(asked.bootstrap, f"{asked.tag}.state-vid"))
    else:
        keys = asked.faust_keys // PART if asked.one == FEW else asked.faust_keys
        faust_table(asked.bootstrap, f"{asked.tag}-{asked.one}", keys)


def peak() -> float:
    """Most memory this process had, in MB; what getrusage says is also our parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def say(keys: int, wall_s: float, cpu_s: float, **more: Any) -> None:
    """Print the figures."""
    figures = {
        "rate": keys / wall_s, "wall_s": wall_s, "cpu_s": cpu_s, "rss_mb": peak(), "keys": keys,
    }  # fmt: skip
    # on a line of its own, whatever Faust's spinner left there
    print(f"\n{json.dumps({**figures, **more})}", file=sys.__stdout__, flush=True)


def ours(folder: Path, bootstrap: str, tag: str) -> None:
    """Our worker, from "these partitions are mine" to "all of them are read"."""
    from engine.edge.streaming.worker import new_core, run_worker  # noqa: PLC0415
    from engine.ports import Core, Outcome, Write  # noqa: PLC0415
    from engine.ruleset.compile import SpaceProgram  # noqa: PLC0415

    restored: list[Sequence[Write]] = []
    cores: list[Any] = []
    begun: list[float] = []

    def make_core(space: SpaceProgram, partition: int, partitions: int) -> Core:
        core = new_core(space, partition, partitions)
        restore = core.restore

        def watched(meta: bytes | None, rows: Sequence[Write]) -> Any:
            restored.append(rows)  # as they are: to look at them costs what is measured
            return restore(meta, rows)

        cores.append(core)
        core.restore = watched  # type: ignore[method-assign]
        return core

    class Watching:
        def outcome(self, _space: str, _partition: int, _outcome: Outcome) -> None:
            """Nothing."""

        def holding(self, units: int, ready: int) -> None:
            """The partition was given to us, or is restored."""
            if units and not ready and not begun:
                begun.extend((time.perf_counter(), time.process_time()))
            elif units and units == ready:
                wall_s, cpu_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
                peak_mb, keys, hashed = peak(), 0, 0
                for row in (one for rows in restored for one in rows):
                    keys, hashed = keys + 1, hashed ^ _hash(row.key, row.value or b"")
                digest = f"{keys}:{hashed:016x}"
                say(keys, wall_s, cpu_s, digest=digest, rss_mb=peak_mb, touch_us=touch(cores))
                os._exit(0)

    # a fresh group each time: joining an old one waits for the member that was killed
    link = _link(bootstrap, tag, instance=f"{tag}-worker")
    run_worker(link, program_of(folder / "pack"), watcher=Watching(), make_core=make_core)


def touch(cores: Sequence[Any]) -> float:
    """Microseconds of CPU that taking up a dormant row takes, over all of them."""
    pairs = [
        (core, n, key) for core in cores for n, rows in core.dormant.rows.items() for key in rows
    ]
    begun = time.process_time()
    for core, number, key in pairs:
        core.dormant.rouse(number, key)
    return (time.process_time() - begun) / max(1, len(pairs)) * 1e6


async def bare(bootstrap: str, topic: str) -> None:
    """A consumer that reads the log of committed rows and does nothing with it."""
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415

    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed",
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )  # fmt: skip
    await consumer.start()
    place = TopicPartition(topic, 0)
    wall, cpu = time.perf_counter(), time.process_time()
    consumer.assign([place])
    end, keys = (await consumer.end_offsets([place]))[place], 0
    consumer.seek(place, 0)
    while await consumer.position(place) < end:
        for some in (await consumer.getmany(timeout_ms=500)).values():
            keys += sum(bool(one.key) for one in some)
    say(keys, time.perf_counter() - wall, time.process_time() - cpu)
    await consumer.stop()


def faust_table(bootstrap: str, tag: str, keys: int) -> None:
    """A plain Faust table in memory that comes back from its changelog."""
    import faust  # noqa: PLC0415

    app = faust.App(
        f"{tag}-faust", broker=f"kafka://{bootstrap}", store="memory://", topic_partitions=1,
        topic_replication_factor=1, stream_wait_empty=False, web_enabled=False,
        topic_allow_declare=True, topic_disable_leader=True, datadir=tempfile.mkdtemp(),
        consumer_group_instance_id=f"{tag}-faust", broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
    )  # fmt: skip
    table: Any = app.Table("dwell", partitions=1, key_type=str)
    source = app.topic(f"{tag}.faust", value_type=bytes, value_serializer="raw")
    begun: list[float] = []

    @app.agent(source)
    async def keep(stream: Any) -> None:
        async for _ in stream:
            table["x"] = 1

    @app.on_partitions_assigned.connect
    async def assigned(*_ignored: Any, **_more: Any) -> None:
        begun[:] = [time.perf_counter(), time.process_time()]

    @table.on_recover  # type: ignore[untyped-decorator]
    async def recovered(*_ignored: Any) -> None:
        if len(table) >= keys:
            wall_s, cpu_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
            say(len(table), wall_s, cpu_s)
            os._exit(0)

    sys.argv = ["perf", "worker", "-l", "warn", "--without-web"]
    app.main()


def _link(bootstrap: str, tag: str, instance: str = "") -> Any:
    from engine.edge.streaming.link import Link  # noqa: PLC0415

    return Link(
        bootstrap=bootstrap, app=tag, prefix=tag, partitions=1, instance=instance,
        session_s=6.0, heartbeat_s=1.0,
    )  # fmt: skip


def _hash(key: str, value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode() + b"\0" + value, digest_size=8).digest())


if __name__ == "__main__":
    sys.exit(main())
