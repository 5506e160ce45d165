"""Ten times the usual load for a minute: more than the worker can do, and then it must catch up.

A dear rule makes the worker slow enough that the burst exceeds what it can do. The same records
are read back afterwards and run through the bare core: the alerts must be the same.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.pressure_load import PARTITIONS, SETTLE_S, Heard, Shape, pressed
from benchmarks.pressure_roles import due
from benchmarks.pressure_rules import LONGEST
from benchmarks.pressure_stage import Proof
from benchmarks.steady import Sample, Steady
from benchmarks.worlds import in_memory, program_of

TIMES = 10.0
OVER = 1.25
"""The burst is so many times what the worker can do."""
DRAIN, SAME = 3.0, 2.0
MORE_MB = 256.0
"""What memory may grow by while records wait: the client holds a megabyte of each partition."""
DEAR = """\
rule: dear
title: {zh: 昂贵, en: Dear}
status: stable
owner: proof
severity: blue
from: gps
by: vid
when:
  match: "QUESTION"
"""


def burst(proof: Proof) -> None:
    """Measure what the worker can do, then press it."""
    report, small = proof.report, proof.report.asked.reduced
    before_s, burst_s, after_s = (4.0, 6.0, 26.0) if small else (10.0, 60.0, 180.0)
    question = " or ".join(f"matches(plate, '^([a-z]+)+x?y{n}$')" for n in range(LONGEST))
    rules = [("dear", DEAR.replace("QUESTION", question))]
    with pressed(proof, "capacity", rules) as stage:
        capacity = stage.capacity(40_000 if small else 100_000)
    base = int(capacity * OVER / TIMES)
    shape = Shape(base, before_s + burst_s + after_s, burst=(before_s, burst_s, TIMES))
    with pressed(proof, "burst", rules) as stage:
        stage.start()
        heard = stage.press(shape, every_s=0.25)
        wanted = asyncio.run(expected(stage))
    report.head("A burst of ten times the load")
    report.say(f"{base:,} records a second, {TIMES:.0f} times that for {burst_s:.0f} s; alone on "
               f"its core the worker drains {capacity:,}/s with a rule that is dear.")  # fmt: skip
    equal(proof, heard, wanted)
    caught_up(proof, heard, shape)


def equal(proof: Proof, heard: Heard, wanted: Counter[tuple[str, str, int]]) -> None:
    """Nothing lost, nothing doubled."""
    found = Counter((key, transition, at_ms) for key, transition, at_ms, _ in heard.alerts)
    lost, extra = wanted - found, found - wanted
    report = proof.report
    report.claim("every alert of the bare core over the same records was published",
                 not lost, f"{wanted.total():,} alerts of {heard.told['sent']:,} records, "
                 f"{lost.total()} lost")  # fmt: skip
    report.claim("and no other, and none twice", not extra, extra.total())


def caught_up(proof: Proof, heard: Heard, shape: Shape) -> None:
    """How long the backlog lasted, how fast it went, and what memory did."""
    report = proof.report
    begin, for_s, _ = shape.burst
    start = heard.samples[0].handled - due(shape.rate, [*shape.burst], heard.samples[0].at_s)
    behind = [(one, _sent(shape, one) - one.handled + start) for one in heard.samples]
    end = begin + for_s
    late = [pair for pair in behind if pair[0].at_s >= end]
    most = max(waiting for _, waiting in behind)
    over = next((one for one, waiting in late if waiting < shape.rate * 0.5), late[-1][0])
    first = late[0][0]
    drained = (over.handled - first.handled) / max(over.at_s - first.at_s, 0.25)
    used = (over.cpu_s - first.cpu_s) / max(over.at_s - first.at_s, 0.25)
    quiet = [one.rss_mb for one in heard.samples if SETTLE_S <= one.at_s < begin]
    memory, peak = statistics.median(quiet), max(one.rss_mb for one in heard.samples)
    calm = heard.p99(SETTLE_S, begin)
    after = _recovered(heard, shape, calm)
    report.table(["what", "value"], [
        ["most records waiting", most],
        ["of them left when the burst ended", late[0][1]],
        ["until none waited, s after the burst", over.at_s - end],
        ["records/s in that time", drained],
        ["share of its core that the worker got and used in that time", used],
        ["p99 before the burst, ms", calm],
        ["p99 of records of the burst, ms", heard.p99(begin, end)],
        ["until p99 of a second was back below twice that before, s after the burst", after],
        ["p99 of what was sent after that, ms", heard.p99(end + after)],
        ["RSS before the burst, MB", memory], ["its peak, MB", peak],
        ["its end, MB", heard.samples[-1].rss_mb],
        ["producer's worst delay, ms", heard.told["late_ms"]],
    ])  # fmt: skip
    report.claim("the burst was more than the worker could do", late[0][1] > shape.rate,
                 f"{late[0][1]:,} records waited at its end")  # fmt: skip
    report.claim("the backlog was drained at three times the arrival at least",
                 drained >= DRAIN * shape.rate, f"{drained / shape.rate:.1f} times")  # fmt: skip
    report.claim(f"memory grew by less than {MORE_MB:.0f} MB", peak - memory < MORE_MB,
                 f"{peak - memory:.0f} MB")  # fmt: skip
    report.claim("p99 came back below twice that before the burst",
                 after < shape.seconds - end, f"after {after:.0f} s")  # fmt: skip


def _sent(shape: Shape, one: Sample) -> int:
    """How many records were due by a sample, after the end too."""
    return due(shape.rate, [*shape.burst], min(one.at_s, shape.seconds))


def _recovered(heard: Heard, shape: Shape, calm: float) -> float:
    """Seconds after the burst from which on every second's p99 was below twice that before."""
    end = shape.burst[0] + shape.burst[1]
    last = 0.0
    for second in range(int(shape.seconds - end)):
        if heard.latencies(end + second, end + second + 1) and (
            heard.p99(end + second, end + second + 1) >= SAME * calm
        ):
            last = second + 1.0
    return last


async def expected(stage: Steady) -> Counter[tuple[str, str, int]]:
    """What the bare core says of the records in the topic, partition by partition."""
    (stage.folder / "pack/dear.yaml").unlink()  # it never fires, and would take minutes
    program = program_of(stage.folder / "pack")
    found: Counter[tuple[str, str, int]] = Counter()
    for partition in range(PARTITIONS):
        values = await _read(stage, partition)
        run = in_memory(program, (("gps", value) for value in values), 0)
        found += Counter((one.key, str(one.transition), one.at_ms) for one in run.changes
                         if one.rule == "probe")  # fmt: skip
    return found


async def _read(stage: Steady, partition: int) -> Sequence[bytes]:
    reader = AIOKafkaConsumer(
        bootstrap_servers=stage.bootstrap, enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )  # fmt: skip
    await reader.start()
    try:
        place = TopicPartition(stage.topic, partition)
        reader.assign([place])
        await reader.seek_to_beginning(place)
        end, values = (await reader.end_offsets([place]))[place], list[bytes]()
        while await reader.position(place) < end:
            for some in (await reader.getmany(timeout_ms=500)).values():
                values += [one.value or b"" for one in some]
        return values
    finally:
        await reader.stop()
