"""A small project of three rules on two feeds, and a way to run records through it."""

from collections.abc import Mapping, Sequence
from functools import cache

import orjson
from dormant_rows import check_dormant

from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Outcome, Record, SourceId, Write
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import DeclaredFile, LoadOptions, load_project

T0 = 1_772_413_200_000  # 2026-03-02 09:00 in Shanghai
MIN = 60_000

FILES = {
    "small/pack.yaml": """
pack: small
title: {zh: 小, en: Small}
owner: tests
version: "1.0"
""",
    "small/feeds/gps.yaml": """
feed: gps
title: {zh: 定位, en: Positions}
topic: feed.gps
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  car: text
  at: {type: time, format: epoch-ms}
  speed: {type: number, unit: km/h}
  lon: number
  lat: number
purpose: [tests]
""",
    "small/feeds/paid.yaml": """
feed: paid
title: {zh: 付款, en: Payments}
topic: feed.paid
format: json
key: number
id: [number]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
fields:
  number: text
  car: text
  at: {type: time, format: epoch-ms}
  amount: {type: number, unit: CNY}
purpose: [tests]
""",
    "small/stays.yaml": """
rule: stays
title: {zh: 停留, en: Stays}
status: stable
owner: tests
severity: yellow
from: gps
by: car
when:
  dwell: {radius: 100 meters, at_least: 10m, slower_than: 5 km/h,
          tolerate: {outside: 1m, silent: 4m}}
levels: {orange: {at_least: 20m}}
keep_firing_for: 3m
annotations:
  summary: {zh: "{{ car }} 停留 {{ held }}", en: "{{ car }} has stayed {{ held }}"}
""",
    "small/races.yaml": """
rule: races
title: {zh: 超速, en: Races}
status: stable
owner: tests
severity: blue
from: gps
by: car
when:
  match: {condition: speed > 80 km/h, times: {count: 2, within: 6m}, quiet: 5m}
""",
    "small/pays.yaml": """
rule: pays
title: {zh: 付款, en: Pays after a race}
status: stable
owner: tests
severity: yellow
from: [gps, paid]
by: car
when:
  deadline:
    start: {feed: gps, where: speed > 80 km/h}
    within: 15m
    need: {feed: paid, sum: amount, reach: 100 CNY}
""",
}


def compiled(files: Mapping[str, str]) -> Program:
    """The program of some declared files."""
    declared = [DeclaredFile(path, text.encode()) for path, text in files.items()]
    loaded = load_project(declared, LoadOptions(lint=False))
    assert loaded.project is not None, [problem.report() for problem in loaded.problems]
    return compile_project(loaded.project)


@cache
def program() -> Program:
    """The compiled project."""
    return compiled(FILES)


Line = tuple[int, str, bytes]
"""Event time, feed, raw record."""


def fix(minute: float, car: str, step: int, speed: float) -> Line:
    at = T0 + round(minute * MIN)
    place = {"lon": 120.9 + step * 0.0005, "lat": 32.0}
    return at, "gps", orjson.dumps({"car": car, "at": at, "speed": speed, **place})


def payment(minute: float, car: str, amount: float) -> Line:
    at = T0 + round(minute * MIN)
    return (
        at,
        "paid",
        orjson.dumps({"number": f"{car}-{at}", "car": car, "at": at, "amount": amount}),
    )


class Saved:
    """What would be on disk."""

    def __init__(self) -> None:
        self.meta: dict[str, bytes] = {}
        self.rows: dict[str, dict[tuple[str, str], bytes]] = {}
        self.changes: list[Change] = []
        self.outcomes: list[Outcome] = []

    def keep(self, space: str, outcome: Outcome) -> None:
        self.meta[space] = outcome.meta
        rows = self.rows.setdefault(space, {})
        for write in outcome.writes:
            if write.value is None:
                rows.pop((write.rule, write.key), None)
            else:
                rows[write.rule, write.key] = write.value
        self.changes += outcome.changes
        self.outcomes.append(outcome)


def run(
    lines: Sequence[Line],
    batches: Sequence[int] = (),
    restarts: Sequence[int] = (),
    *,
    hasty: Sequence[str] = (),
) -> Saved:
    """Feed lines in their order; cut after the indexes `batches`; lose memory at `restarts`.

    With `hasty` the logs are read in that order, each to its end before the next is looked at.
    """
    logs: dict[str, list[Record]] = {"gps": [], "paid": []}
    saved = Saved()
    engine, read = _start(saved)
    cuts = sorted({*batches, len(lines)})
    begin = 0
    for cut in cuts:
        for _, feed, value in lines[begin:cut]:
            logs[feed].append(Record(len(logs[feed]), value))
        if begin in restarts:
            engine, read = _start(saved)
        begin = cut
        for name, space in engine.spaces.items():
            for feed in hasty or program().spaces[name].feeds:
                fresh = logs[feed][read.get((name, feed), 0) :]
                space.ingest(feed, SourceId(feed), fresh)
                read[name, feed] = len(logs[feed])
                if hasty:
                    saved.keep(name, space.advance())
            saved.keep(name, space.advance())
    until = max((at for at, _, _ in lines), default=T0) + 60 * MIN
    for name, space in engine.spaces.items():
        saved.keep(name, space.advance(until))
    return saved


def _start(saved: Saved) -> tuple[Engine, dict[tuple[str, str], int]]:
    engine = Engine(program())
    read: dict[tuple[str, str], int] = {}
    for name, space in engine.spaces.items():
        for feed in program().spaces[name].feeds:
            space.announce(SourceId(feed))
        rows = [Write(*key, value) for key, value in saved.rows.get(name, {}).items()]
        for log, position in space.restore(saved.meta.get(name), rows).items():
            read[name, log] = position.committed
        check_dormant(space)
    return engine, read
