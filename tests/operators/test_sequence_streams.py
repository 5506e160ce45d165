"""sequence through the pipeline: the laws of streaming, over a feed and over alerts of rules."""

import random
from functools import cache

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, fires_often, project
from law_stage import Stage as Laws
from small_world import FILES, Line, compiled, fix

from engine.model.change import Change
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

HOUR = 60 * MIN
FEED = """
feed: readings
title: {zh: 动作, en: Movements}
topic: feed.readings
format: json
key: car
id: [car, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
fields:
  car: text
  at: {type: time, format: epoch-ms}
  what: {type: text, values: [load, open, shut, leave]}
  lane: {type: number, optional: true}
"""
RULES = {
    "loads-and-leaves": """by: car
when:
  sequence:
    steps:
      - {name: loaded, feed: readings, where: what == "load"}
      - {not: readings, where: what == "shut"}
      - {feed: readings, where: what == "leave"}
    within: 20m
annotations:
  summary: "{{ car }} loaded at {{ loaded.event_time | time }}"
""",
    "opens-and-never-shuts": """by: car
when:
  sequence:
    steps:
      - {name: opened, feed: readings, where: what == "open"}
      - {not: readings, where: what == "shut" and lane == opened.lane, within: 6m}
    quiet: 30m
    again: never-for 10m
levels: {orange: {at_least: 8m}}
""",
    "twice-in-one-lane": """by: car
when:
  sequence:
    steps:
      - {name: one, feed: readings, where: what != "leave"}
      - {feed: readings, where: what == one.what and lane == one.lane, times: 2}
    within: 15m
    again: at-once
    quiet: 3m
keep_firing_for: 2m
""",
    "straight-on": """by: car
when:
  sequence:
    steps:
      - {feed: readings, where: what == "load"}
      - {feed: readings, where: what == "load" or what == "open"}
    within: 10m
    strict: true
    overlap: false
""",
}
readings = st.lists(
    st.tuples(
        st.sampled_from("pq"),
        st.sampled_from([0.5, 1, 1, 2, 4, 9]),
        st.sampled_from(["load", "load", "open", "shut", "leave"]),
        st.sampled_from([None, 1, 1, 2]),
    ),
    min_size=10,
    max_size=30,
)


def world(draws: list) -> list[Line]:
    clock = dict.fromkeys("pq", 0.0)
    lines: list[Line] = []
    for car, wait, what, lane in draws:
        clock[car] += wait
        at = T0 + round(clock[car] * MIN)
        row = {"car": car, "at": at, "what": what, "lane": lane}
        lines.append((at, "readings", orjson.dumps(row)))
    return sorted(lines)


@cache
def laws() -> Laws:
    return Laws(project(FEED, RULES), 3 * HOUR)


@settings(max_examples=500, deadline=None)
@given(readings, st.randoms(use_true_random=False))
def test_the_laws_of_streaming_hold(draws: list, rnd: random.Random) -> None:
    laws().hold(world(draws), rnd)


def test_every_rule_of_these_laws_fires_often() -> None:
    fires_often(laws(), readings, world, RULES)


STANDS_ON = """
rule: stands-on
title: {zh: 预警后未驶离, en: An alert and still there}
owner: tests
severity: orange
by: {alerts: key, gps: car}
of: stays
when:
  sequence:
    steps:
      - {name: alarm, feed: alerts, where: rule == "stays" and transition == "fired"}
      - {not: gps, where: speed > 20 km/h, within: 3m}
"""


def over_alerts(lines: list[Line], batch: int, restarts: frozenset[int]) -> list[Change]:
    program = compiled({**FILES, "small/stands-on.yaml": STANDS_ON})
    letters = [Letter(feed, at, value) for at, feed, value in lines]
    played = Bench(program, T0 + HOUR).play(Script(letters, batch, restarts))
    found = [change for change in played.changes if change.rule == "stands-on"]
    return sorted(found, key=lambda change: change.at_ms)


def test_a_step_may_be_the_alert_of_another_rule() -> None:
    lines = [fix(minute, "a", 0, 0) for minute in range(20)] + [fix(20, "a", 40, 95)]
    once = over_alerts(lines, 50, frozenset())
    assert [(str(one.transition), (one.at_ms - T0) // MIN) for one in once] == [
        ("fired", 13),
        ("cleared", 20),
    ]
    assert once[0].evidence["operator"]["steps"][0]["fields"]["rule"] == "stays"
    assert over_alerts(lines, 3, frozenset({2, 4, 5})) == once


def test_driving_off_in_the_last_minute_is_in_time() -> None:
    lines = [fix(minute, "a", 0, 0) for minute in range(13)] + [fix(13, "a", 40, 95)]
    assert over_alerts(lines, 50, frozenset()) == []
