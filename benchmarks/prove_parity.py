"""Parity: the same records through every runner give the same alerts, word for word.

Runners: (1) the bench of the rule tests, (2) `forewarn replay`, (3) the embedded daemon, (4) Faust
on Kafka with one worker and (5) with three. Compared: rule, key, episode, transition, event time,
severity, text, evidence, delivery id. A seeded fault in the core of one runner must be seen.
"""

import asyncio
import contextlib
import csv
import gzip
import hashlib
import json
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import operators_faults, operators_world
from benchmarks.report import ROOT, Report, options
from benchmarks.streams import Sent, Stage, broker, changes_of, plain
from benchmarks.worlds import RULES, copy_pack, program_of, scratch, settings, sources, write_world
from engine.decode.shape import columns_of_feed
from engine.model.calendar import WorkCalendar
from engine.model.change import Change
from engine.operators.specs.dwell import DwellSpec
from engine.ruleset.compile import compile_project
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script, Telling, script
from engine.ruletest.wire import Letter

PACKS = ROOT / "benchmarks/packs"
DAY_FILE = "austin-bus-gps-2017-03-16.csv.gz"
ENOUGH = 300
Alerts = list[tuple[str, ...]]


@dataclass(slots=True)
class Case:
    """One pack with the recording that every runner reads.

    Attributes:
        folder: Holds `world/<feed>.<ending>`.
        letters: The records in order of arrival, heartbeats included.
        end_ms: The last heartbeat's instant.

    """

    name: str
    pack: Path
    folder: Path
    ending: str
    letters: list[tuple[Letter, str]]
    end_ms: int

    @property
    def world(self) -> Path:
        return self.folder / "world"


def main() -> int:
    """Compare all runners on all packs."""
    parser = options(__doc__ or "")
    parser.add_argument("--only", nargs="*", default=["hazmat", "wages", "operators", "bus"])
    parser.add_argument("--no-kafka", action="store_true", help="leave out the Faust runners")
    asked = parser.parse_args()
    report = Report("parity", "Proof: every runner gives the same alerts", asked)
    for name in asked.only:
        with scratch("parity") as folder:
            case = make(name, folder, seed=asked.seed, reduced=asked.reduced)
            if case is None:
                report.claim(f"{name}: the recording {DAY_FILE} is there", holds=False)
                continue
            prove(report, case, kafka=not asked.no_kafka)
    return report.close()


def prove(report: Report, case: Case, *, kafka: bool) -> None:
    """Run one case everywhere and compare."""
    report.head(case.name)
    runners: dict[str, Callable[[Case], list[Change]]] = {
        "rule-test bench": bench,
        "rule-test bench, restarted": lambda one: bench(one, Telling.RESTARTED),
        "forewarn replay": replay,
        "embedded daemon": embedded,
    }
    if kafka:
        runners["Faust, 1 worker"] = lambda one: faust(one, 1)
        runners["Faust, 3 workers"] = lambda one: faust(one, 3)
    rows, results = [], {}
    for name, run in runners.items():
        begun = time.monotonic()
        alerts = sorted(plain(change) for change in run(case))
        results[name] = alerts
        kinds = Counter(alert[3] for alert in alerts)
        said = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        rows.append([name, len(alerts), said, digest(alerts), f"{time.monotonic() - begun:.0f}"])
    feeds = Counter(letter.feed for letter, _ in case.letters)
    report.say(
        f"{sum(feeds.values()):,} records ({', '.join(f'{f} {n:,}' for f, n in feeds.items())})"
    )
    report.table(["runner", "transitions", "by kind", "digest", "s"], rows)
    first = next(iter(results.values()))
    for name, alerts in results.items():
        different = difference(first, alerts)
        report.claim(f"{name}: the same alerts", not different, f"{len(different)} differ")
        if different:
            report.code("\n".join(str(one)[:400] for one in different[:6]))
    if case.name == "operators":
        operators_faults.judge(report, program_of(case.pack), first)
        faulty = [sorted(plain(change) for change in bench(case, faulty=True))]
        operators_faults.judge_faults(report, program_of(case.pack), difference(first, *faulty))
        return
    if case.name == "bus":
        _stays(report, case, first)
    elif not report.asked.reduced:
        kinds = Counter(alert[3] for alert in first)
        report.claim(
            f"at least {ENOUGH} transitions, with climbs or clears",
            len(first) >= ENOUGH and kinds["cleared"] + kinds["raised"] > 0,
            len(first),
        )
        report.claim("at least 200,000 records", sum(feeds.values()) >= 200_000)
    with fault(case) as what:
        broken = sorted(plain(change) for change in bench(case, faulty=True))
    different = difference(first, broken)
    report.claim(
        f"a seeded fault ({what}) turns the comparison red",
        bool(different),
        f"{len(different)} differ",
    )


def difference(one: Alerts, other: Alerts) -> list[tuple[str, tuple[str, ...]]]:
    """What only one of two runs has, repeats counted."""
    left, right = Counter(one), Counter(other)
    return [("only in the first", x) for x in (left - right).elements()] + [
        ("only in this", x) for x in (right - left).elements()
    ]


def digest(alerts: Alerts) -> str:
    """A short name of a set of alerts."""
    return hashlib.sha256(json.dumps(alerts).encode()).hexdigest()[:12]


# --- cases ------------------------------------------------------------------------------------


def make(name: str, folder: Path, *, seed: int, reduced: bool) -> Case | None:
    """The recording of a case, written once."""
    if name == "bus":
        return bus_day(folder)
    if name == "operators":
        return every_operator(folder, seed=seed, reduced=reduced)
    choices: dict[str, dict[str, Any]] = {
        "hazmat": {"vehicles": 40 if reduced else 160, "hours": 12.0 if reduced else 24.0},
        "wages": {"projects": 60 if reduced else 560, "days": 150 if reduced else 270},
    }
    sizes = choices[name]
    kind = "fleet" if name == "hazmat" else "payroll"
    world = write_world(kind, folder / "world", seed=seed, noise="default", **sizes)
    letters = [
        (Letter(item.feed, item.time_ms, item.value, barrier=not item.key), item.key)
        for item in world.items()
    ]
    pack = copy_pack(RULES / name, folder / name, folder / "world")
    return Case(name, pack, folder, "jsonl", letters, world.end_ms)


def every_operator(folder: Path, *, seed: int, reduced: bool) -> Case:
    """A day in which every operator fires often."""
    letters, end_ms = operators_world.letters(seed, *((8, 2) if reduced else (24, 6)))
    operators_world.write(letters, folder / "world")
    pack = copy_pack(PACKS / "operators", folder / "operators")
    return Case("operators", pack, folder, "jsonl", letters, end_ms)


def bus_day(folder: Path) -> Case | None:
    """A day of real buses in order of time, its columns as the feed declares them."""
    data = Path(os.environ.get("FOREWARN_DATA", ROOT.parent / "shared/data")) / DAY_FILE
    if not data.exists():
        return None
    pack = copy_pack(PACKS / "bus", folder / "bus")
    (feed,) = program_of(pack).feeds.values()
    columns = columns_of_feed(feed.spec)
    with gzip.open(data, "rt", encoding="utf-8") as file:
        rows = sorted(
            csv.DictReader(file), key=lambda row: datetime.fromisoformat(row["timestamp"])
        )
    place = folder / "world/bus-gps.csv"
    place.parent.mkdir()
    letters: list[tuple[Letter, str]] = []
    with place.open("w", encoding="utf-8", newline="") as out:
        out.write(",".join(columns) + "\n")
        for row in rows:
            values = [row.get(column, "") for column in columns]
            assert not any("," in value or '"' in value or "\n" in value for value in values)
            line = ",".join(values)
            at_ms = int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)
            letters.append((Letter("bus-gps", at_ms, line.encode()), row["vehicle_id"]))
            out.write(line + "\n")
        end_ms = letters[-1][0].at_ms + 1
        letters.append((Letter("bus-gps", end_ms, b"#watermark,%d" % end_ms, barrier=True), ""))
        out.write(f"#watermark,{end_ms}\n")
    return Case("bus", pack, folder, "csv", letters, end_ms)


# --- runners ----------------------------------------------------------------------------------


def bench(
    case: Case, telling: Telling = Telling.AS_WRITTEN, *, faulty: bool = False
) -> list[Change]:
    """The runner of the rule tests."""
    program = program_of(case.pack)
    if faulty:
        program = compile_project(
            replace(
                program.project,
                rules={
                    name: operators_faults.faulty(rule)
                    if case.name == "operators"
                    else _wider(rule, 10 if case.name == "bus" else 1)
                    for name, rule in program.project.rules.items()
                },
            )
        )
    letters = [letter for letter, _ in case.letters]
    told = script(telling, letters, {n: f.spec.lateness_ms for n, f in program.feeds.items()})
    told = Script(told.letters, max(told.batch, 500), told.restarts)
    return Bench(program, case.end_ms - 1).play(told).changes


def replay(case: Case) -> list[Change]:
    """`forewarn replay` as a process."""
    out = case.folder / "replayed.jsonl"
    _engine("replay", *_recordings(case), "--rules", str(case.pack), "--out", str(out))
    return changes_of(out.read_bytes().splitlines())


def embedded(case: Case) -> list[Change]:
    """The daemon without a broker as a process; the changes are read from its store."""
    folder = case.folder / "daemon"
    folder.mkdir()
    feeds = sorted({letter.feed for letter, _ in case.letters})
    given = sources(feeds, "../world")
    for one in given.values():
        one["path"] = one["path"].replace(".jsonl", f".{case.ending}")
    sinks = {"console-webhook": {"kind": "jsonl", "path": "alerts.jsonl"}}
    settings(
        folder, packs=[f"../{case.pack.name}"], sources=given, sinks=sinks, metrics={"port": -1}
    )
    _engine("run", str(folder), "--once")
    with contextlib.closing(sqlite3.connect(folder / "data/forewarn.db")) as link:
        return changes_of([row[0] for row in link.execute("SELECT body FROM changes")])


def faust(case: Case, workers: int) -> list[Change]:
    """Workers on Kafka; the changes are read from the alerts topic, repeats included."""
    folder = case.folder / f"faust-{workers}"
    folder.mkdir()
    stage = Stage(broker(), folder, {case.pack.name: case.pack}, case.world)
    try:
        for number in range(workers):
            stage.start(f"w{number}")
        records = [Sent(letter.feed, key, letter.value) for letter, key in case.letters]
        return asyncio.run(_flow(stage, records, case.end_ms))
    finally:
        stage.close()


async def _flow(stage: Stage, records: Sequence[Sent], end_ms: int) -> list[Change]:
    await stage.send(records)
    await stage.settled(end_ms, timeout_s=900)
    return await stage.alerts()


def _recordings(case: Case) -> list[str]:
    return [str(case.world)]


def _engine(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"forewarn {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}"
        raise RuntimeError(message)


# --- faults and the oracle ----------------------------------------------------------------------


def _wider(rule: Any, by_m: float) -> Any:
    """A dwell rule whose circle is a little too wide."""
    if isinstance(rule.when, DwellSpec) and rule.when.radius_m is not None:
        return replace(rule, when=replace(rule.when, radius_m=rule.when.radius_m + by_m))
    return rule


@contextlib.contextmanager
def fault(case: Case) -> Iterator[str]:
    """A small mistake in the core of this process; answers what it is."""
    if case.name != "wages":
        yield f"the circle of a dwell rule {10 if case.name == 'bus' else 1} m wider"
        return
    right = WorkCalendar.add

    def wrong(self: WorkCalendar, *given: Any, **more: Any) -> int:
        return right(self, *given, **more) + 1

    WorkCalendar.add = wrong  # type: ignore[method-assign]
    try:
        yield "limits end 1 ms later"
    finally:
        WorkCalendar.add = right  # type: ignore[method-assign]


def _stays(report: Report, case: Case, alerts: Alerts) -> None:
    """The alerts of the bus day against a plain scan that knows nothing of the engine."""
    tracks: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    with (case.world / "bus-gps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            lat, lon = float(row["latitude"]), float(row["longitude"])
            if lat or lon:
                at_ms = int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)
                tracks[row["vehicle_id"]].append((at_ms, lon, lat))
    found = set()
    for vehicle, fixes in tracks.items():
        first = 0
        while first < len(fixes):
            last = first
            while last + 1 < len(fixes) and _metres(fixes[first], fixes[last + 1]) <= 100.0:
                last += 1
            stay = fixes[last][0] - fixes[first][0] >= 20 * 60_000
            if stay:
                found.add((vehicle, fixes[first][0]))
            first = last + 1 if stay else first + 1
    fired = {
        (alert[1], int(json.loads(alert[7])["operator"]["since"]))
        for alert in alerts
        if alert[3] == "fired"
    }
    report.claim(
        "the plain scan counts 91 stays of 79 vehicles",
        (len(found), len({v for v, _ in found})) == (91, 79),
        f"{len(found)} of {len({v for v, _ in found})}",
    )
    report.claim("the alerts are these stays", fired == found, f"{len(fired ^ found)} differ")
    report.table(
        ["only in", "vehicle", "since (UTC ms)"],
        [
            *(["the scan", *one] for one in sorted(found - fired)),
            *(["the alerts", *one] for one in sorted(fired - found)),
        ]
        or [["no difference", "", ""]],
    )


def _metres(one: tuple[int, float, float], other: tuple[int, float, float]) -> float:
    """Great-circle distance (haversine, mean Earth radius)."""
    low, high = math.radians(one[2]), math.radians(other[2])
    half = math.sin((high - low) / 2) ** 2
    half += math.cos(low) * math.cos(high) * math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(half))


if __name__ == "__main__":
    sys.exit(main())
