"""match, dwell, deadline, silence, cluster, correlate through the pipeline: the laws of streaming.

Of each: a restart anywhere, any order within the lateness, every record twice, any cut into batches
change nothing, and memory returns to nothing.
"""

import random
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, Stage, fires_often, project
from small_world import Line

HOUR = 60 * MIN
DAY = 24 * HOUR
FEED = """
feed: readings
title: {zh: 记录, en: Records}
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
  what: text
  level: {type: number, optional: true}
  speed: {type: number, unit: km/h}
  lon: number
  lat: number
purpose: [tests]
"""
MATCH = {
    "high": "by: car\nwhen: {match: {condition: level > 3, quiet: 4m}}\n"
    "levels: {orange: level > 6}\n",
    "high-twice": "by: car\n"
    "when: {match: {condition: level > 2, times: {count: 2, within: 6m}, quiet: 3m}}\n"
    "keep_firing_for: 2m\n",
    "until-low": "by: car\nwhen: {match: {condition: level > 4, quiet: 40m}}\nclear: level < 2\n",
}
DWELL = {
    "stays": "by: car\nwhen:\n  dwell: {radius: 100 meters, at_least: 6m, slower_than: 10 km/h,\n"
    "    tolerate: {outside: 2m, silent: 5m}}\nlevels: {orange: {at_least: 10m}}\n",
    "stays-for-long": "by: car\nwhen:\n  dwell: {radius: 250 meters, at_least: 8m,\n"
    "    slower_than: 20 km/h, tolerate: {outside: 60s, silent: 9m}}\n"
    "clear: speed > 20 km/h\nkeep_firing_for: 2m\n",
}
DEADLINE = {
    "unshut": """by: car
when:
  deadline:
    start: {feed: readings, where: what == "open"}
    within: 8m
    need: {feed: readings, where: what == "shut"}
    cancel: {feed: readings, where: what == "stop"}
levels: {orange: {overdue: 5m}}
""",
    "unpaid": """by: car
when:
  deadline:
    start: {feed: readings, where: what == "open"}
    within: 15m
    need: {feed: readings, where: what == "pay", sum: level, reach: 9}
    cancel: {feed: readings, where: what == "stop"}
    warn: [{left: 5m, severity: blue}]
""",
}
SILENCE = {
    "silent": "by: car\nwhen: {silence: {at_least: 5m, forget: 1h}}\n"
    "levels: {orange: {at_least: 9m}}\n",
    "silent-of-highs": "by: car\nwhere: level > 2\nwhen: {silence: {at_least: 12m, forget: 2h}}\n"
    "keep_firing_for: 3m\n",
}
CLUSTER = {
    "alike": "by: what\nwhen: {cluster: {at_least: 3, within: 12m, near: 200 meters}}\n",
    "by-many": "by: what\n"
    "when: {cluster: {at_least: 2, within: 20m, distinct: car, grows: [3, 4]}}\n"
    "keep_firing_for: 2m\n",
}
SIGNALS = """    signals:
      opened: {feed: readings, where: what == "open", within: 6m}
      paid: {feed: readings, where: what == "pay"}
      high: {feed: readings, where: level > 4, weight: 2}
"""
CORRELATE = {
    "two-signs": f"by: car\nwhen:\n  correlate:\n    within: 10m\n    at_least: 2\n{SIGNALS}",
    "one-without": "by: car\nwhen:\n  correlate:\n    within: 10m\n"
    f"    condition: high and not paid\n{SIGNALS}",
    "score-that-fades": "by: car\nwhen:\n  correlate:\n    within: 20m\n"
    f"    score: {{reach: 3, half_life: 8m}}\n{SIGNALS}",
}
RULES = {
    "match": MATCH,
    "dwell": DWELL,
    "deadline": DEADLINE,
    "silence": SILENCE,
    "cluster": CLUSTER,
    "correlate": CORRELATE,
}
REMEMBERS_MS = {"deadline": 401 * DAY}
"""A single deadline that was met is remembered for a year, the others for hours at most."""

draws = st.lists(
    st.tuples(
        st.sampled_from("pq"),
        st.sampled_from([0.5, 1, 1, 2, 2, 4, 7]),
        st.sampled_from(["open", "open", "shut", "pay", "pay", "stop", "else"]),
        st.sampled_from([None, 0, 1, 3, 5, 5, 7]),
        st.sampled_from([0, 0, 0, 0, 40, 130, 400]),
        st.sampled_from([0, 3, 3, 8, 30]),
    ),
    min_size=12,
    max_size=30,
)


def world(drawn: list) -> list[Line]:
    """Two cars that stand and drive on, what was noted of them, and how they leave at last.

    An alert that its rule clears by a condition is remembered until that holds.
    """
    clock, place = dict.fromkeys("pq", 0.0), dict.fromkeys("pq", 0)
    lines: list[Line] = []
    leave = [(car, 12, "stop", 0, 9000, 90) for car in clock]
    for car, wait, what, level, move, speed in [*drawn, *leave]:
        clock[car] += wait
        place[car] += move
        at = T0 + round(clock[car] * MIN)
        row = {"car": car, "at": at, "what": what, "level": level, "speed": speed}
        row |= {"lon": 120.9 + place[car] / 94_300, "lat": 32.0}
        lines.append((at, "readings", orjson.dumps(row)))
    return sorted(lines)


@cache
def laws(operator: str) -> Stage:
    return Stage(project(FEED, RULES[operator]), REMEMBERS_MS.get(operator, 4 * HOUR))


@pytest.mark.parametrize("operator", RULES)
@settings(max_examples=500, deadline=None)
@given(drawn=draws, rnd=st.randoms(use_true_random=False))
def test_the_laws_of_streaming_hold(operator: str, drawn: list, rnd: random.Random) -> None:
    laws(operator).hold(world(drawn), rnd)


@pytest.mark.parametrize("operator", RULES)
def test_every_rule_of_these_laws_fires_often(operator: str) -> None:
    fires_often(laws(operator), draws, world, RULES[operator])
