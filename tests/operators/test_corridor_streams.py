"""corridor through the pipeline: the laws of streaming, with a route that a look-up chooses."""

import random
from functools import cache

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, fires_often, project
from law_stage import Stage as Laws
from small_world import Line

HOUR = 60 * MIN
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
  way: {type: text, optional: true}
"""
WAYS = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"id": "east", "posts": [0, 1, 2, 3]},
 "geometry": {"type": "LineString", "coordinates": [[120.9, 32.0], [120.95, 32.0]]}},
{"type": "Feature", "properties": {"id": "north"},
 "geometry": {"type": "LineString", "coordinates": [[120.9, 32.0], [120.9, 32.05]]}}]}"""
RULES = {
    "leaves": """by: car
when:
  corridor: {routes: ways, route: way, off: {by: 300 meters, at_least: 4m}, forget: 1h}
levels: {orange: away > 700 meters}
for: 1m
""",
    "turns": """by: car
when:
  corridor: {routes: ways, route: way, back: {by: 500 meters}, forget: 1h}
keep_firing_for: 2m
annotations:
  summary: "{{ car }} turned at {{ turned }}, is at {{ progress }}"
""",
    "late-or-early": """by: car
when:
  corridor:
    routes: ways
    route: "way if way != null else 'east'"
    section: {faster_than: 24 km/h, slower_than: 18 km/h, quiet: 3m}
    forget: 1h
""",
}
fixes = st.lists(
    st.tuples(
        st.sampled_from("pq"),
        st.sampled_from([0.5, 1, 1, 2, 4, 8]),
        st.sampled_from([-600, -40, 0, 300, 700, 700, 1300]),
        st.sampled_from([0, 0, 0, 40, 400, 900]),
        st.sampled_from(["east"] * 12 + ["north", None]),
    ),
    min_size=14,
    max_size=34,
)


def world(draws: list) -> list[Line]:
    clock, place = dict.fromkeys("pq", 0.0), dict.fromkeys("pq", 0.0)
    lines: list[Line] = []
    for car, wait, move, side, way in draws:
        clock[car] += wait
        place[car] = min(max(place[car] + move, 0.0), 4700.0)
        at = T0 + round(clock[car] * MIN)
        row = {"car": car, "at": at, "lon": 120.9 + place[car] / 94300, "lat": 32 + side / 111200}
        lines.append((at, "readings", orjson.dumps({**row, "way": way})))
    return sorted(lines)


@cache
def laws() -> Laws:
    return Laws(project(FEED, RULES, **{"zones__ways.geojson": WAYS}), 3 * HOUR)


@settings(max_examples=500, deadline=None)
@given(fixes, st.randoms(use_true_random=False))
def test_the_laws_of_streaming_hold(draws: list, rnd: random.Random) -> None:
    laws().hold(world(draws), rnd)


def test_every_rule_of_these_laws_fires_often() -> None:
    fires_often(laws(), fixes, world, RULES)
