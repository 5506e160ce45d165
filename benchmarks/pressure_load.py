"""A hot key, bad records and a burst: what they do to a worker that has a core of its own.

The worker reads four partitions. Latency is from the instant at which a record was due to be sent
until a reader of committed records has the alert that it raised.
"""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pressure_stage import Proof
from benchmarks.rounds import as_text, median_interval
from benchmarks.steady import Sample, Steady, hear, role, share, tell

PARTITIONS = 4
RATE = 4_630
"""Records a second: the mean of the mission's city."""
HOT, BAD = "half from one key", "12 bad for 100 good"
MOST_RATIO = 2.0
VEHICLES = 300
WAIT_S = 400.0
SETTLE_S = 2.0
"""The first seconds of a run are not judged."""
Told = tuple[str, str, int, float]
"""Key, transition, event time (ms), how late it was heard (ms)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is sent: good records a second, for how long, and what is special about them.

    Attributes:
        hot: Share of the records that one vehicle sends.
        bad: Bad records for each good one.
        burst: From which second, for how many, how many times the rate.

    """

    rate: int
    seconds: float
    hot: float = 0.0
    bad: float = 0.0
    burst: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def words(self) -> list[str]:
        """For the command line of the producer."""
        return [
            "--rate", str(self.rate), "--seconds", str(self.seconds), "--hot", str(self.hot),
            "--bad", str(self.bad), "--burst", *map(str, self.burst),
        ]  # fmt: skip


@dataclass(slots=True)
class Heard:
    """What one run showed.

    Attributes:
        told: What the producer said at its end: records, bad ones, those of the hot vehicle.
        alerts: Every alert of a probe.
        samples: The worker, several times a second.

    """

    told: dict[str, Any]
    alerts: list[Told]
    samples: list[Sample]

    @property
    def began_ms(self) -> int:
        """When the first record was due (UTC ms)."""
        return int(self.told["began_ms"])

    def latencies(self, after_s: float = SETTLE_S, before_s: float = float("inf")) -> list[float]:
        """How late alerts were whose records were due between these seconds."""
        first, last = self.began_ms + after_s * 1000, self.began_ms + before_s * 1000
        return [late for _, _, at_ms, late in self.alerts if first <= at_ms < last]

    def p99(self, after_s: float = SETTLE_S, before_s: float = float("inf")) -> float:
        """Of these; endless if there are none."""
        some = self.latencies(after_s, before_s)
        return share(some, 0.99) if some else float("inf")


class Pressed(Steady):
    """A worker that reads several partitions, and load of a shape for it."""

    roles = "benchmarks.pressure_roles"

    def __init__(self, bootstrap: str, folder: Path, rules: Iterable[tuple[str, str]] = ()) -> None:
        folder.mkdir()
        super().__init__(bootstrap, folder, VEHICLES, partitions=PARTITIONS)
        for name, text in rules:
            (folder / f"pack/{name}.yaml").write_text(text, "utf-8")
        self.bad = 0.0

    def words(self) -> list[str]:
        """What both roles must know."""
        return [*super().words(), "--partitions", str(PARTITIONS), "--bad", str(self.bad)]

    def press(self, shape: Shape, after_s: float = 3.0, every_s: float = 0.5) -> Heard:
        """Put on load of this shape, and wait until every alert was heard."""
        out = self.folder / f"heard-{uuid.uuid4().hex[:6]}.json"
        self.bad = shape.bad
        words = self.words()
        listener = role(self.roles, "listen", [*words, "--alerts", f"{self.tag}.alerts",
                                               "--out", str(out)])  # fmt: skip
        producer = role(self.roles, "produce", [*words, *shape.words()])
        samples: list[Sample] = []
        try:
            for one in (listener, producer):
                hear(one, "ready")
                tell(one, "go")
            before, begun = self.look(0.0).handled, time.monotonic()
            while time.monotonic() - begun < shape.seconds:
                time.sleep(every_s)
                samples.append(self.look(begun))
            told = hear(producer, "done", seconds=120)
            while samples[-1].handled - before < told["sent"] and time.monotonic() < begun + WAIT_S:
                time.sleep(every_s)
                samples.append(self.look(begun))
            time.sleep(after_s)
            tell(listener, "stop")
            hear(listener, "done")
        finally:
            for one in (listener, producer):
                one.kill()
                one.wait()
                for pipe in (one.stdin, one.stdout):
                    if pipe is not None:
                        pipe.close()
        return Heard(told, [tuple(one) for one in json.loads(out.read_text())], samples)


@contextmanager
def pressed(proof: Proof, name: str, rules: Iterable[tuple[str, str]] = ()) -> Iterator[Pressed]:
    """An installation that is ended afterwards, however it goes."""
    stage = Pressed(proof.bootstrap, proof.folder / name, rules)
    try:
        yield stage
    finally:
        stage.stop()


def hot_key(proof: Proof) -> None:
    """The same total rate evenly, with one vehicle that sends half of it, and with bad records."""
    report, small = proof.report, proof.report.asked.reduced
    seconds, rounds = (8.0, 1) if small else (15.0, 5)
    shapes = {
        "even": Shape(RATE, seconds),
        HOT: Shape(RATE, seconds, hot=0.5),
        BAD: Shape(RATE, seconds, bad=0.12),
    }
    found: dict[str, list[Heard]] = {name: [] for name in shapes}
    with pressed(proof, "hot") as stage:
        stage.start()
        stage.press(Shape(RATE, 3.0), after_s=1.0)  # nothing is warm yet
        for _ in range(rounds):
            for name, shape in shapes.items():
                found[name].append(stage.press(shape, after_s=1.0))
    report.head("A hot key, and bad records, under a steady rate")
    report.say(f"{RATE:,} good records a second in {PARTITIONS} partitions, {rounds} rounds of "
               f"{seconds:.0f} s each; every fiftieth is a probe of another key.")  # fmt: skip
    report.table(
        ["load", "round", "records", "bad", "of the hot key", "alerts", "p50 ms", "p99 ms",
         "producer's worst ms"],
        [[name, number + 1, one.told["sent"], one.told["broken"], one.told["heated"],
          len(one.latencies()), share(one.latencies(), 0.5), one.p99(), one.told["late_ms"]]
         for name, some in found.items() for number, one in enumerate(some)],
    )  # fmt: skip
    short = sum(abs(one.told["probes"] - _fired(one)) for some in found.values() for one in some)
    report.claim("every probe raised its alert", short <= PARTITIONS * rounds * len(shapes),
                 f"{short} that nothing followed")  # fmt: skip
    claims = {
        HOT: "other keys' p99 is below twice that without the hot key",
        BAD: "good records' p99 is below twice that without bad ones",
    }
    for name, what in claims.items():
        pairs = zip(found[name], found["even"], strict=True)
        ratio = median_interval([one.p99() / other.p99() for one, other in pairs])
        report.claim(what, ratio[0] < MOST_RATIO, as_text(ratio))


def poisoned_rate(proof: Proof) -> None:
    """How fast a backlog is drained, counting good records only, with more and more bad ones."""
    report, small = proof.report, proof.report.asked.reduced
    records, rounds = (60_000, 1) if small else (150_000, 3)
    found: dict[float, list[int]] = {bad: [] for bad in (0.0, 0.01, 0.12)}
    for number in range(rounds):
        for bad, rates in found.items():
            with pressed(proof, f"drain-{number}-{bad}") as stage:
                stage.bad = bad
                rates.append(stage.capacity(records))
    report.head("A backlog with bad records in it")
    report.table(["bad records for a good one", "good records/s", "of the rate without: median"], [
        [f"{bad:.0%}", ", ".join(f"{rate:,}" for rate in rates),
         as_text(median_interval([one / other for one, other in
                                  zip(rates, found[0.0], strict=True)]))]
        for bad, rates in found.items()
    ])  # fmt: skip
    worst = min(found[0.12])
    report.claim("with one bad record in nine the rate still is three times the city's mean",
                 worst >= 3 * RATE, f"{worst:,}/s")  # fmt: skip


def _fired(heard: Heard) -> int:
    return sum(transition == "fired" for _, transition, _, _ in heard.alerts)
