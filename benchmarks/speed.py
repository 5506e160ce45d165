"""Speed of the dwell job on one core: compiled rules against loops written by hand (G1).

200,000 fixes of 2,000 vehicles, 500 permitted polygons. Contenders run one after the other in
fresh processes on the same core, at least nine rounds; only ratios within a round mean anything.
Before any rate the alerts of all contenders must be the same. Also: the embedded daemon end to
end, the cost of rules that do not match (G9, G10), and memory per key (G12).
"""

import gc
import json
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks import dwell_job
from benchmarks.report import ROOT, Report, options
from benchmarks.rounds import Rounds, as_text, figures, median_interval, one, run_rounds
from benchmarks.worlds import program_of, scratch, settings
from engine.edge.collector import calm_collector
from engine.pipeline import Engine
from engine.ports import Record, SourceId

PACK = ROOT / "benchmarks/packs/dwell"
BATCH = 4000
"""Records a call: what the file source hands over at once unless told otherwise."""
CLASSES = 20
RULES = (1, 10, 100, 1000)
MODULE = "benchmarks.speed"
HAND, HAND_TYPED, SAME = "hand-orjson", "hand-msgspec", "hand-msgspec-our-geofence"
LISTS = tuple(f"functions-{count}" for count in RULES)
MORE = tuple(f"compiled-{count}" for count in RULES[1:])
SAVING = "compiled-saving"
JOBS = (HAND, HAND_TYPED, SAME, "compiled", SAVING, "embedded")


def main() -> int:
    """Measure and report; with `--one` be one contender."""
    parser = options(__doc__ or "", seed=20250101)
    parser.add_argument("--rounds", type=int, default=0, help="default 9, reduced 3")
    parser.add_argument("--one", help="be this contender (used by the rounds)")
    parser.add_argument("--data", type=Path, help="folder with the job's data (used by the rounds)")
    parser.add_argument("--keys", type=int, default=0, help="for the memory contenders")
    parser.add_argument("--only", nargs="*", default=["job", "rules", "memory"])
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(contend(asked.one, asked.data, asked.keys)))
        return 0
    asked.rounds = asked.rounds or (3 if asked.reduced else 9)
    report = Report("speed", "Baseline: the dwell job in memory and in the daemon", asked)
    with scratch("speed") as folder:
        vehicles = 400 if asked.reduced else dwell_job.VEHICLES
        dwell_job.write(folder, asked.seed, vehicles)
        pack(folder)
        words = ["--data", str(folder)]
        report.say(
            f"{vehicles * dwell_job.FIXES:,} fixes of {vehicles:,} vehicles, "
            f"{dwell_job.POLYGONS} polygons, {asked.rounds} rounds, batches of {BATCH:,}."
        )
        if "job" in asked.only:
            the_job(report, run_rounds(MODULE, JOBS, asked.rounds, words))
        if "rules" in asked.only:
            the_rules(report, run_rounds(MODULE, ("compiled", *MORE, *LISTS), asked.rounds, words))
        if "memory" in asked.only:
            the_memory(report, words, reduced=asked.reduced)
    return report.close()


def the_job(report: Report, rounds: Rounds) -> None:
    """G1, and the daemon."""
    report.head("The job")
    digests = {name: {one["digest"] for one in found} for name, found in rounds.found.items()}
    same = len(set().union(*digests.values())) == 1
    report.claim(
        "every contender raised the same alerts (vehicle, start of the stay)",
        same,
        next(iter(digests[HAND])),
    )
    if not same:
        report.table(["contender", "digests"], [[n, " ".join(d)] for n, d in digests.items()])
        return
    report.table(
        ["contender", "fixes/s", "range", "fixes/s of CPU", "peak RSS MB"], figures(rounds)
    )
    rows = [
        [
            f"{over} / {under}",
            as_text(rounds.ratio(over, under)),
            as_text(rounds.ratio(over, under, "cpu_rate")),
        ]
        for over in ("compiled", SAVING, "embedded")
        for under in (HAND, HAND_TYPED, SAME)
    ]
    report.table(
        ["paired ratio", "wall: median (90 % interval)", "CPU: median (90 % interval)"], rows
    )
    spread = max(rounds.series(HAND)) / min(rounds.series(HAND))
    report.say(
        f"The yardstick's own spread in this run is {spread:.1f} x; "
        "above 3 the run should be repeated."
    )
    ratio = rounds.ratio("compiled", HAND, "cpu_rate")
    goal(
        report,
        "G1: compiled rules are at least 0.60 of the hand-written loop (orjson)",
        ratio,
        0.60,
    )
    report.say(
        "The compiled rule does more than the loops: reorder buffer, late events, duplicates, "
        "timers, clears and evidence. It runs in memory, as a replay does; `compiled-saving` also "
        "makes the state rows of every batch, as the daemon does before it writes them."
    )


def goal(report: Report, text: str, ratio: tuple[float, float, float], least: float) -> None:
    """A goal fails only when the whole interval is below it."""
    verdict = ratio[0] >= least or (ratio[2] >= least and report.asked.reduced)
    report.claim(text, verdict, as_text(ratio))


def the_rules(report: Report, rounds: Rounds) -> None:
    """G9 and G10: rules that do not match."""
    report.head("Rules that do not match")
    rows = []
    for count in RULES:
        name = "compiled" if count == 1 else f"compiled-{count}"
        rows.append(
            [
                count,
                f"{statistics.median(rounds.series(name)):,.0f}",
                as_text(rounds.ratio(name, "compiled", "cpu_rate")),
                f"{statistics.median(rounds.series(f'functions-{count}', 'ns')):,.0f}",
            ]
        )
    report.table(
        ["rules", "fixes/s", "CPU rate against 1 rule", "list of functions, ns a fix"], rows
    )
    slopes = []
    for few, many, low, high in zip(
        rounds.found["compiled"], rounds.found["compiled-1000"], rounds.found["functions-1"],
        rounds.found["functions-1000"], strict=True,
    ):  # fmt: skip
        ours = (1e9 / many["cpu_rate"] - 1e9 / few["cpu_rate"]) / (RULES[-1] - 1)
        slopes.append(ours / ((high["ns"] - low["ns"]) / (RULES[-1] - 1)))
    goal(
        report,
        f"G10: with 1,000 rules in {CLASSES} classes at least 0.50 of the rate with one",
        rounds.ratio("compiled-1000", "compiled", "cpu_rate"),
        0.50,
    )
    slope = median_interval(slopes)
    report.claim(
        "G9: one more rule costs at most 0.25 of a function in a list",
        slope[0] <= 0.25,
        as_text(slope),
    )


def the_memory(report: Report, words: Sequence[str], *, reduced: bool) -> None:
    """G12: bytes per standing vehicle against a plain dict of lists."""
    report.head("Memory per key")
    sizes = (50_000, 100_000, 200_000) if reduced else (250_000, 500_000, 1_000_000)
    rows, slopes = [], {}
    for name in ("keys-plain", "keys-compiled"):
        grown = [
            one(MODULE, name, [*words, "--keys", str(size)], core=0)["grown"] for size in sizes
        ]
        slopes[name] = (grown[-1] - grown[0]) / (sizes[-1] - sizes[0])
        rows.append([name, *(f"{value / 1024**2:,.0f}" for value in grown), f"{slopes[name]:,.0f}"])
    report.table(["contender", *(f"MB at {size:,}" for size in sizes), "bytes a key"], rows)
    ratio = slopes["keys-compiled"] / slopes["keys-plain"]
    report.say(
        f"One fix of each vehicle, standing outside the zones: {ratio:.2f} of dict to list. "
        "The goal of the first release (G12, <= 1.25) is for a later issue; this is the baseline. "
        "A vehicle that drives leaves nothing behind."
    )


# --- contenders ---------------------------------------------------------------------------------


def contend(name: str, folder: Path, keys: int) -> dict[str, Any]:
    """Be one contender; the figures of one run."""
    if name.startswith("keys-"):
        return {"rate": 0, "grown": grow(name, folder, keys)}
    if name == "embedded":
        return embedded(folder)
    records, rings = dwell_job.read(folder)
    if name.startswith("functions-"):
        return functions(records, int(name.split("-")[1]))
    if name.startswith("compiled"):
        if name == SAVING:
            return compiled(records, folder, 1, saves=True)
        count = int(name.split("-")[1]) if "-" in name else 1
        return compiled(records, folder, count)
    if name == SAME:
        (zones,) = program_of(folder / "pack").project.zones.values()
        inside: Callable[[float, float], bool] = zones.inside
    else:
        inside = dwell_job.cells(rings)
    make = dwell_job.hand_orjson if name == HAND else dwell_job.hand_msgspec
    alerts: list[dwell_job.Alert] = []
    loop = make(inside)
    with Watch(len(records)) as watch:
        loop(records, alerts)
    return watch.figures(alerts)


def compiled(
    records: Sequence[bytes], folder: Path, rules: int, *, saves: bool = False
) -> dict[str, Any]:
    """The compiled rules in memory, as a replay runs them; with `saves`, as a daemon does."""
    if rules > 1:
        shutil.copytree(folder / "pack", folder / f"pack-{rules}", dirs_exist_ok=True)
        for number in range(rules - 1):
            (folder / f"pack-{rules}/other-{number:04d}.yaml").write_text(
                other_rule(number), "utf-8"
            )
    program = program_of(folder / ("pack" if rules == 1 else f"pack-{rules}"))
    (space,) = Engine(program, saves=saves).spaces.values()
    source = SourceId("gps")
    space.announce(source)
    given = [Record(number, value) for number, value in enumerate(records)]
    changes = []
    with calm_collector(), Watch(len(records)) as watch:  # as the daemon and the workers do
        for start in range(0, len(given), BATCH):
            space.ingest("gps", source, given[start : start + BATCH])
            changes += space.advance().changes
    return watch.figures([(c.key, c.since_ms) for c in changes if c.transition == "fired"])


def embedded(folder: Path) -> dict[str, Any]:
    """The daemon from its first batch to the last transaction, as `run --once` does it."""
    from engine.edge.daemon import run_embedded  # noqa: PLC0415 - only this contender needs it
    from engine.edge.embedded import Embedded  # noqa: PLC0415
    from engine.edge.logs import set_up_logs  # noqa: PLC0415
    from engine.edge.settings import read_settings  # noqa: PLC0415
    from engine.edge.store.schema import connect_reader  # noqa: PLC0415

    set_up_logs("error", "json")
    place = folder / "daemon"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    source = {"kind": "file", "feed": "gps", "path": "../gps.jsonl"}
    settings(place, packs=["../pack"], sources={"gps": source}, metrics={"port": -1})
    count = sum(1 for _ in (folder / "gps.jsonl").open("rb"))
    watch = Watch(count)
    loop, finish = Embedded._loop, Embedded._finish  # noqa: SLF001 - to time what lies between

    async def timed_loop(self: Embedded, *given: Any, **more: Any) -> None:
        watch.__enter__()
        await loop(self, *given, **more)

    async def timed_finish(self: Embedded) -> None:
        await finish(self)
        watch.__exit__()

    Embedded._loop, Embedded._finish = timed_loop, timed_finish  # type: ignore[method-assign]  # noqa: SLF001
    code = run_embedded(read_settings(place, {}), program_of(folder / "pack").project, once=True)
    assert code == 0, code
    link = connect_reader(place / "data/forewarn.db")
    rows = link.execute("SELECT body FROM changes WHERE transition = 'fired'").fetchall()
    link.close()
    return watch.figures([(c["key"], c["since_ms"]) for c in (json.loads(row[0]) for row in rows)])


def functions(records: Sequence[bytes], count: int) -> dict[str, Any]:
    """The same three-term conditions as closures in a list, called one after the other."""
    import orjson  # noqa: PLC0415 - only this contender needs it

    events = [orjson.loads(record) for record in records[:: max(1, count // 10) * 4]]

    def closure(kind: str) -> Callable[[dict[str, Any]], bool]:
        return lambda event: event["cls"] == kind and event["speed"] < 5 and event["lon"] > 121

    rules = [closure(f"kind-{number % CLASSES}") for number in range(count)]
    with Watch(len(events)) as watch:
        for event in events:
            for rule in rules:
                rule(event)
    return {**watch.figures([]), "ns": watch.cpu_s / len(events) * 1e9}


def grow(name: str, folder: Path, keys: int) -> int:
    """Bytes of resident memory that so many standing vehicles need."""
    if name == "keys-plain":
        gc.collect()
        before = resident()
        state = {f"V{number:08d}": [120.0, 30.0, number, False] for number in range(keys)}
        assert len(state) == keys
        return resident() - before
    program = program_of(folder / "pack")
    (space,) = Engine(program).spaces.values()
    source = SourceId("gps")
    space.announce(source)
    gc.collect()
    before = resident()
    for start in range(0, keys, BATCH):
        records = [Record(n, fix(n)) for n in range(start, min(keys, start + BATCH))]
        space.ingest("gps", source, records)
        space.advance()
    gc.collect()
    assert space.sizes()["hazmat-dwell"] >= keys - 1, space.sizes()
    return resident() - before


def fix(number: int) -> bytes:
    """A standing vehicle far from every zone."""
    at_ms = dwell_job.START_MS + number
    return (
        b'{"vid":"V%08d","plate":"x","cls":"hazmat","lon":100.5,"lat":20.5,"speed":0.0,"ts":%d}'
        % (number, at_ms)
    )


def resident() -> int:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Watch:
    """Times a block in wall and CPU seconds, with the garbage of before out of the way."""

    def __init__(self, count: int) -> None:
        self.count, self.wall_s, self.cpu_s = count, 0.0, 0.0

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_ignored: object) -> None:
        self.wall_s, self.cpu_s = self.passed()

    def passed(self) -> tuple[float, float]:
        """Wall and CPU seconds until now."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu

    def figures(self, alerts: Sequence[dwell_job.Alert]) -> dict[str, Any]:
        """What a round keeps."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "rate": self.count / self.wall_s, "cpu_rate": self.count / self.cpu_s,
            "digest": dwell_job.digest(alerts), "rss_mb": peak / 1024,
        }  # fmt: skip


def pack(folder: Path) -> Path:
    """The committed rule with the generated polygons."""
    place = folder / "pack"
    shutil.copytree(PACK, place, dirs_exist_ok=True)
    (place / "zones").mkdir(exist_ok=True)
    rings = json.loads((folder / "rings.json").read_text())
    (place / "zones/permitted.geojson").write_bytes(dwell_job.layer(rings))
    return place


def other_rule(number: int) -> str:
    """A rule of three terms that no fix matches."""
    return (
        f"rule: other-{number:04d}\n"
        f"title: {{zh: 别的 {number}, en: Other {number}}}\n"
        "status: draft\nowner: bench\nseverity: blue\nfrom: gps\nby: vid\n"
        f"where: cls == 'kind-{number % CLASSES}' and speed < 5 km/h and lon > 121\n"
        "when:\n  match: lat > 0\n"
    )


if __name__ == "__main__":
    sys.exit(main())
