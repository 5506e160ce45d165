"""cross: every fix against shapes asked anew, jitter at an edge, and the laws of streaming."""

import random
from dataclasses import replace
from functools import cache
from typing import Any

import cross_oracle as oracle
import orjson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, fires_often, project
from law_stage import Stage as Laws
from operator_stage import Stage
from small_world import Line

from engine.geo import geojson
from engine.geo.passing import Path
from engine.operators.cross import CrossLogic
from engine.operators.cross_sides import Place
from engine.operators.specs.cross import CrossSpec, How

HOUR = 60 * MIN
STEP = 0.001  # degrees, about 111 metres: one square of the tests' maps


def square(west: float, south: float, east: float, north: float) -> Any:
    return shapely.box(west * STEP, south * STEP, east * STEP, north * STEP)


ZONES = (("a", square(2.5, -2.5, 4.5, 2.5)), ("b", square(3.5, -0.5, 6.5, 0.5)))
WALL: tuple[tuple[str, Any], ...] = (
    ("wall", shapely.LineString([(3.3 * STEP, -2.5 * STEP), (3.6 * STEP, 2.5 * STEP)])),
)


def stage(words: oracle.Words) -> Stage:
    spec = CrossSpec(
        How(words.how), "", words.direction, None, words.gap, words.at_least, None, words.margin,
        words.fixes, words.first_counts, words.quiet, words.forget,
    )  # fmt: skip

    def covers(shape: Any) -> Any:
        return lambda x, y: shape.covers(shapely.Point(x, y))

    places = [
        Place(name, {"id": name}, Path(geojson.rings_of(shape)), covers(shape))
        for name, shape in words.zones
    ]
    places += [
        Place(name, {"id": name}, Path([list(line.coords)]), None) for name, line in words.lines
    ]

    def make(judge, host, codec):
        asked = (lambda event, _names: event["ok"]) if words.asks else None
        where = {"gps": lambda event: (event["x"], event["y"])}
        scope: Any = lambda *_: {}  # noqa: E731
        return CrossLogic(spec, places, where, asked, scope, judge, host, codec)

    return Stage(make)


def told(words: oracle.Words, fixes: list[oracle.Fix], until: int, restart: int = -1) -> list:
    scene = stage(words)
    for number, (at, x, y, ok) in enumerate(fixes):
        if number == restart:
            scene.timers_before(at)
            scene.restart(["k"], at)
        scene.event("gps", "k", {"x": x, "y": y, "ok": ok}, at)
    scene.timers_before(until + 1)
    said = zip(scene.judge.parts, scene.judge.said, strict=True)
    return sorted((what, part, since, at) for part, (what, _, since, at, _) in said)


steps = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 2, 5]), st.integers(0, 8), st.integers(-2, 3),
        st.sampled_from([True, True, False]),
    ),
    min_size=8, max_size=20,
)  # fmt: skip
common = {
    "gap": st.sampled_from([0, MIN, 3 * MIN, HOUR, HOUR]),
    "asks": st.booleans(),
    "fixes": st.sampled_from([1, 1, 1, 2]),
    "margin": st.sampled_from([0, 0, 0, 70, 160]),
}
WORDS = st.one_of(
    st.builds(
        oracle.Words, st.sampled_from(["enters", "leaves", "passes"]), zones=st.just(ZONES),
        at_least=st.sampled_from([0, 0, 3 * MIN]), first_counts=st.booleans(), **common,
    ),
    st.builds(
        oracle.Words, st.sampled_from(["leaves", "passes"]), zones=st.just(ZONES),
        quiet=st.just(3 * MIN), **common,
    ),
    st.builds(
        oracle.Words, st.just("passes"), lines=st.just(WALL),
        direction=st.sampled_from([-1, 0, 1]), quiet=st.sampled_from([0, 4 * MIN]), **common,
    ),
)  # fmt: skip


def build(steps: list) -> list[oracle.Fix]:
    at, fixes = 0, []
    for wait, x, y, ok in steps:
        at += wait * MIN
        # Off the corners' and edges' lines, where an inexact oracle could see it otherwise.
        fixes.append((at, (x + 0.013 * y) * STEP, (y + 0.017 * x) * STEP, ok))
    return fixes


@settings(max_examples=1000, deadline=None)
@given(steps, WORDS, st.integers(-1, 19))
def test_crossings_are_those_that_brute_force_finds(
    steps: list, words: oracle.Words, restart: int
) -> None:
    fixes = build(steps)
    until = fixes[-1][0] + HOUR
    assert told(words, fixes, until, restart) == oracle.episodes(words, fixes, until)


def test_many_of_these_crossings_fire() -> None:
    """A law that holds because nothing happens proves nothing."""
    fired: list[bool] = []

    @settings(max_examples=200, deadline=None, database=None)
    @given(steps, WORDS)
    def look(steps: list, words: oracle.Words) -> None:
        fired.append(bool(oracle.episodes(words, build(steps), 10**9)))

    look()
    assert sum(fired) > 0.3 * len(fired)


def track(text: str) -> list[oracle.Fix]:
    """One fix a minute along the equator: a digit is the square, `.` no fix, small x a metre."""
    return [
        (minute * MIN, int(mark) * STEP, 0.0, True)
        for minute, mark in enumerate(text)
        if mark != "."
    ]


A = (("a", ZONES[0][1]),)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        pytest.param({"how": "enters"}, "0133", [("fired", 2)], id="enters"),
        pytest.param({"how": "enters"}, "3330", [], id="a-first-fix-inside-is-no-entry"),
        pytest.param({"how": "enters", "first_counts": True}, "33", [("fired", 0)],
                     id="unless-it-counts"),
        pytest.param({"how": "enters"}, "013306", [("fired", 2), ("cleared", 4)], id="and-is-out"),
        pytest.param({"how": "enters", "at_least": 2 * MIN}, "01334", [("fired", 4)],
                     id="inside-for-two-minutes-exactly"),
        pytest.param({"how": "enters", "at_least": 2 * MIN}, "01330", [], id="a-minute-short"),
        pytest.param({"how": "enters", "gap": 2 * MIN}, "0.666", [("fired", 2), ("cleared", 3)],
                     id="through-between-two-fixes"),
        pytest.param({"how": "enters", "gap": 2 * MIN}, "0..66", [],
                     id="too-far-apart-to-be-believed"),
        pytest.param({"how": "leaves"}, "3306", [("fired", 2)], id="leaves"),
        pytest.param({"how": "leaves"}, "33066633", [("fired", 2), ("cleared", 6)],
                     id="until-it-is-back"),
        pytest.param({"how": "passes"}, "0136", [("fired", 3)], id="in-and-out-again-is-passing"),
        pytest.param({"how": "passes"}, "3366", [], id="only-out-is-not"),
        pytest.param({"how": "enters", "fixes": 2}, "0103033", [("fired", 6)],
                     id="two-fixes-in-a-row"),
    ],
)  # fmt: skip
def test_crossings_minute_by_minute(words: dict, text: str, expected: list) -> None:
    fixes = track(text)
    for restart in range(-1, len(fixes)):
        said = told(oracle.Words(zones=A, **words), fixes, len(text) * MIN, restart)
        assert sorted((what, at // MIN) for what, _, _, at in said) == sorted(expected)


@pytest.mark.parametrize("how", ["enters", "leaves", "passes"])
def test_a_parked_vehicle_at_the_border_crosses_once_at_most(how: str) -> None:
    rnd = random.Random(3)
    metre = 1 / oracle.M
    fixes = [(0, 0.0, 0.0, True)] + [
        (n * MIN, 2.5 * STEP + rnd.uniform(-20, 20) * metre, 0.0, True) for n in range(1, 300)
    ]
    loose = told(oracle.Words(how, zones=A), fixes, 400 * MIN)
    firm = told(oracle.Words(how, zones=A, margin=50), fixes, 400 * MIN)
    assert len(loose) > 50
    assert len(firm) <= 1


def test_a_parked_vehicle_on_a_line_never_passes_it() -> None:
    rnd = random.Random(4)
    metre = 1 / oracle.M
    fixes = [(n * MIN, 3.45 * STEP + rnd.uniform(-20, 20) * metre, 0.0, True) for n in range(300)]
    loose = oracle.Words("passes", lines=WALL, gap=5 * MIN)
    assert len(told(loose, fixes, 400 * MIN)) > 50
    assert told(replace(loose, margin=50), fixes, 400 * MIN) == []


@pytest.mark.parametrize(
    ("text", "direction", "passages"),
    [
        pytest.param("06", 1, 1, id="east-is-left-to-right-of-a-line-drawn-north"),
        pytest.param("06", -1, 0, id="and-not-right-to-left"),
        pytest.param("60", -1, 1, id="west-is-right-to-left"),
        pytest.param("0606", 0, 1, id="to-and-fro-at-every-fix-is-one-alert"),
        pytest.param("0506", 1, 2, id="each-way-there-counts"),
    ],
)
def test_directions_are_as_seen_along_the_line(text: str, direction: int, passages: int) -> None:
    words = oracle.Words("passes", lines=WALL, gap=5 * MIN, direction=direction)
    said = told(words, track(text), HOUR)
    assert [what for what, _, _, _ in said].count("fired") == passages


def test_a_track_that_stops_on_a_line_passes_it_once() -> None:
    line = (("l", shapely.LineString([(3 * STEP, -STEP), (3 * STEP, STEP)])),)
    for text in ("036", "0336", "0346", "630"):
        words = oracle.Words("passes", lines=line, gap=5 * MIN)
        fired = [one for one in told(words, track(text), HOUR) if one[0] == "fired"]
        assert len(fired) == 1, text


def test_a_line_of_many_corners_is_passed_where_it_bends() -> None:
    bends = [(3 * STEP, -STEP), (3 * STEP, 0.0), (4 * STEP, 0.0), (4 * STEP, STEP)]
    line = (("l", shapely.LineString(bends)),)
    words = oracle.Words("passes", lines=line, gap=5 * MIN)
    assert len(told(words, track("06"), HOUR)) == 1


FEED = """
feed: readings
title: {zh: 定位, en: Positions}
topic: feed.readings
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  car: text
  at: {type: time, format: epoch-ms}
  lon: number
  lat: number
  speed: {type: number, unit: km/h}
"""
RULES = {
    "goes-in": """by: car
when: {cross: {enters: areas, first_fix: counts, while: speed <= zone.limit * 1 km/h, forget: 1h}}
levels: {orange: {at_least: 3m}}
""",
    "goes-out": """by: car
when: {cross: {leaves: areas, fixes: 2, forget: 1h}}
for: 1m
""",
    "goes-through": """by: car
when: {cross: {passes: areas, gap: 4m, margin: 20 meters, quiet: 3m, forget: 1h}}
""",
    "passes-the-wall": """by: car
when:
  cross: {passes: walls, direction: left-to-right, margin: 30 meters, gap: 4m, forget: 1h}
keep_firing_for: 2m
""",
    "goes-east": """by: car
when:
  cross: {enters: areas, bearing: {from: 45 degrees, to: 135 degrees}, at_least: 30s, forget: 1h}
""",
}


def layer(*features: tuple[str, Any]) -> str:
    made = [
        {"type": "Feature", "properties": {"id": name, "limit": 50},
         "geometry": orjson.loads(shapely.to_geojson(shape))}
        for name, shape in features
    ]  # fmt: skip
    return orjson.dumps({"type": "FeatureCollection", "features": made}).decode()


drives = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from([0.5, 1, 1, 2, 6]), st.integers(0, 8),
        st.sampled_from([0, 0, 0, 1]), st.sampled_from([20, 40, 60]),
    ),
    min_size=18, max_size=32,
)  # fmt: skip


def world(draws: list) -> list[Line]:
    clock = dict.fromkeys("pq", 0.0)
    lines: list[Line] = []
    for car, wait, x, y, speed in draws:
        clock[car] += wait
        at = T0 + round(clock[car] * MIN)
        row = {"car": car, "at": at, "lon": x * STEP, "lat": y * STEP, "speed": speed}
        lines.append((at, "readings", orjson.dumps(row)))
    return sorted(lines)


@cache
def laws() -> Laws:
    program = project(
        FEED, RULES,
        **{"zones__areas.geojson": layer(*ZONES), "zones__walls.geojson": layer(*WALL)},
    )  # fmt: skip
    return Laws(program, 4 * HOUR)


@settings(max_examples=500, deadline=None)
@given(drives, st.randoms(use_true_random=False))
def test_the_laws_of_streaming_hold(draws: list, rnd: random.Random) -> None:
    laws().hold(world(draws), rnd)


def test_every_rule_of_these_laws_fires_often() -> None:
    fires_often(laws(), drives, world, RULES)
