"""Keys around the corner of four map cells, so that hardly anything happens in one cell alone."""

from collections.abc import Iterable, Sequence
from functools import cache
from math import cos, radians

import near_oracle as oracle
import orjson
from kept_rows import check_kept
from small_world import MIN, T0, compiled

from engine.chain import Chain
from engine.geo.distance import M_PER_DEGREE
from engine.geo.places import Places, step_for
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import Program
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

RADIUS = 190.0
STEP = 90.0
LATENESS = 5 * MIN

FEED = """
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
  kind: text
  lon: number
  lat: number
purpose: [tests]
"""
PACK = "pack: near\ntitle: {zh: 近, en: Near}\nowner: tests\nversion: '1.0'\n"
RULE = """
rule: company
title: {{zh: 聚集, en: Company}}
owner: tests
severity: yellow
from: gps
by: car
when:
  near: {{{near}}}
{more}
annotations:
  summary: {{zh: "{{{{ size }}}} {{{{ key }}}}", en: "{{{{ size }}}} {{{{ car }}}}"}}
"""

PLAIN = oracle.Words(RADIUS, 10 * MIN, 3, 6 * MIN)
KIND = oracle.Words(RADIUS, 10 * MIN, 3, 6 * MIN, outside=3 * MIN)
PAIRS = oracle.Words(RADIUS, 8 * MIN, 2, None, outside=2 * MIN)
MEETING = oracle.Words(RADIUS, 6 * MIN, 3, 8 * MIN, needs=(("a", 1), ("b", 2)))
ESCORT = oracle.Words(RADIUS, 5 * MIN, 2, 8 * MIN, needs=(("a", 1), ("b", 1)), apart=("a", "b"))


def spelled(ms: int) -> str:
    return f"{ms // 1000}s"


def declared(words: oracle.Words) -> str:
    """The operator as YAML."""
    parts = [f"radius: {words.radius:g} meters, at_least: {spelled(words.at_least)}"]
    parts.append("slower_than: 20 km/h")
    tolerate = f"outside: {spelled(words.outside)}" if words.outside else ""
    if words.silent is not None:
        tolerate += f"{', ' if tolerate else ''}silent: {spelled(words.silent)}"
    if tolerate:
        parts.append(f"tolerate: {{{tolerate}}}")
    if words.needs:
        kinds = ", ".join(
            f"{name}: {{where: \"kind == '{name}'\", count: {need}}}" for name, need in words.needs
        )
        parts.append(f"kinds: {{{kinds}}}")
    else:
        parts.append(f"count: {words.count}")
    if words.apart:
        parts.append(f"apart: {{kind: {words.apart[0]}, from: {words.apart[1]}}}")
    return ", ".join(parts)


@cache
def program(words: oracle.Words, more: str = "") -> Program:
    """The compiled project of one rule."""
    rule = RULE.format(near=declared(words), more=more)
    return compiled({"n/pack.yaml": PACK, "n/feeds/gps.yaml": FEED, "n/company.yaml": rule})


@cache
def corner() -> tuple[float, float]:
    """A position where four cells meet."""
    places = Places(float(step_for(2 * RADIUS)), 2 * RADIUS)
    lon, lat = 120.9, 32.0
    row, column = places.home(lon, lat)
    while places.home(lon, lat)[0] == row:
        lat -= 1e-5
    while places.home(lon, lat) == (row - 1, places.home(lon, lat)[1]) == (row - 1, column):
        lon += 1e-5
    column = places.home(lon, lat)[1]
    while places.home(lon, lat)[1] == column:
        lon += 1e-5
    return lon, lat


def position(east: float, north: float) -> tuple[float, float]:
    """A position so many metres from the corner."""
    lon, lat = corner()
    return lon + east / (M_PER_DEGREE * cos(radians(lat))), lat + north / M_PER_DEGREE


def letter(fix: oracle.Fix) -> Letter:
    """A fix as its feed sends it."""
    at, who, east, north, kind, there = fix
    lon, lat = position(east, north)
    speed = 5 if there else 60
    event = {"car": who, "at": T0 + at, "speed": speed, "kind": kind, "lon": lon, "lat": lat}
    return Letter("gps", T0 + at, orjson.dumps(event))


def play(
    fixes: Sequence[oracle.Fix],
    words: oracle.Words,
    until: int,
    *,
    batch: int = 50,
    restarts: Iterable[int] = (),
    more: str = "",
) -> list[Change]:
    """What the engine makes of fixes in this order of arrival."""
    letters = [letter(fix) for fix in fixes]
    played = Bench(program(words, more), T0 + until).play(
        Script(letters, batch, frozenset(restarts))
    )
    assert not played.troubles, played.troubles
    assert not played.rejected, played.rejected
    return sorted(played.changes, key=lambda one: (one.at_ms, one.key, one.since_ms, one.ordinal))


class Run:
    """One engine that takes records and keeps what would be saved."""

    def __init__(self, made: Program, feed: str = "gps", space: str = "car") -> None:
        self.feed, self.first = feed, space
        self.spaces = Engine(made).spaces
        self.chain = Chain(made.spaces)
        self.kept: dict[tuple[str, str, str], bytes] = {}
        self.meta: dict[str, bytes] = {}
        self.changes: list[Change] = []
        self.spaces[space].announce(SourceId(feed))
        self.chain.announce(self.spaces)

    def take(self, letters: Sequence[Letter]) -> None:
        """Let records in."""
        records = [Record(place, one.value) for place, one in enumerate(letters)]
        self.spaces[self.first].ingest(self.feed, SourceId(self.feed), records)
        self._advance(None)

    def finish(self, until_ms: int) -> None:
        """End of input."""
        self._advance(until_ms)

    def _advance(self, until_ms: int | None) -> None:
        for name, outcome, _ in self.chain.advance(self.spaces, self.spaces, until_ms):
            self.meta[name] = outcome.meta
            self.changes += outcome.changes
            for row in outcome.writes:
                self.kept[name, row.rule, row.key] = row.value or b""
        for name, space in self.spaces.items():
            kept = {(r, key): value for (s, r, key), value in self.rows().items() if s == name}
            check_kept(space, kept)

    def rows(self) -> dict[tuple[str, str, str], bytes]:
        """The rows that are not forgotten."""
        return {place: value for place, value in self.kept.items() if value}

    def sizes(self) -> dict[str, int]:
        """How many keys each part remembers."""
        return {rule: n for space in self.spaces.values() for rule, n in space.sizes().items()}


def told(changes: Iterable[Change]) -> list[oracle.Told]:
    """Changes in the oracle's words."""
    found = [(str(one.transition), one.key, one.since_ms - T0, one.at_ms - T0) for one in changes]
    return sorted(found, key=lambda one: (one[3], one[1], one[2], one[0]))
