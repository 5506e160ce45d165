"""silence of a whole feed: one alert, however many keys it has and however they are spread."""

import json
import random
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, project
from near_world import Run

from engine.dispatch.inhibit import down_feeds
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import Program
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: sensor
id: [sensor, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
fields:
  sensor: text
  level: number
  at: {type: time, format: epoch-ms}
purpose: [tests]
"""
RULES = {
    "down": "by: sensor\nwhere: level > 0\nwhen: {silence: {of: feed, at_least: 10m}}\n"
    "keep_firing_for: 3m\n"
    "annotations: {summary: {zh: '{{ key }} 中断', en: '{{ key }} is down'}}\n",
    "silent": "by: sensor\nwhen: {silence: {at_least: 20m}}\n",
    "unmet": "by: sensor\nwhen:\n  deadline:\n    start: {feed: readings, where: level > 5}\n"
    "    within: 5m\n    need: {feed: readings, where: level < 0}\n",
}
SPAN = 1
"""A tenth of ten minutes: so exactly the newest time is known."""
END = 400


@cache
def program(*names: str) -> Program:
    return project(FEED, {name: RULES[name] for name in names or RULES})


def letters(minutes: list[tuple[float, str]]) -> list[Letter]:
    found = []
    for minute, sensor in minutes:
        at = T0 + round(minute * MIN)
        event = {"sensor": sensor, "level": 1, "at": at}
        found.append(Letter("readings", at, json.dumps(event).encode()))
    return found


def told(sent: list[Letter], batch: int = 7, restarts: frozenset[int] = frozenset()) -> list:
    played = Bench(program(), T0 + END * MIN).play(Script(sent, batch, restarts))
    return [
        (one.transition.value, one.key, (one.at_ms - T0) / MIN)
        for one in played.changes
        if one.rule == "down"
    ]


def oracle(minutes: list[float]) -> list:
    """By the spans in which any event lies; told at their end."""
    ends = sorted({minute // SPAN * SPAN + SPAN for minute in minutes})
    found, is_open, gone = [], False, None
    for end, after in zip(ends, [*ends[1:], END + 100], strict=True):
        if gone is not None and is_open and after > end + 10 and gone + 3 > end + 10:
            gone = None
        if after - end > 10 and end + 10 <= END:
            if is_open and gone is not None and gone + 3 <= end + 10:
                found.append(("cleared", gone + 3))
                is_open = False
            if not is_open:
                found.append(("fired", end + 10))
            is_open, gone = True, after if after <= END else None
    if is_open and gone is not None:
        found.append(("cleared", gone + 3))
    return [(what, "readings", float(at)) for what, at in found if at <= END]


def test_it_fires_once_for_all_keys_and_ends_after_the_grace_period() -> None:
    minutes = [(m + 0.25, car) for m in range(10) for car in "abc"] + [(40.5, "b")]
    found = told(letters(minutes))
    assert found[:2] == [("fired", "readings", 20), ("cleared", "readings", 44)]
    played = Bench(program(), T0 + 60 * MIN).play(Script(letters(minutes), 9, frozenset()))
    down = next(one for one in played.changes if one.rule == "down")
    assert down.summary == {"zh": "readings 中断", "en": "readings is down"}


def test_the_newest_time_is_known_to_the_end_of_its_tenth() -> None:
    assert told(letters([(0.5, "a"), (11.0, "b")]))[0] == ("fired", "readings", 11)
    assert told(letters([(0.5, "a"), (10.99, "b")]))[0] == ("fired", "readings", 21)


def test_events_that_the_rule_does_not_want_are_no_sign_of_life() -> None:
    first, second, third = letters([(0, "a"), (8, "a"), (15, "a")])
    dead = replace(second, value=second.value.replace(b'"level": 1', b'"level": 0'))
    assert told([first, second, third])[0] == ("fired", "readings", 26)
    found = told([first, dead, third])
    assert found[:2] == [("fired", "readings", 11), ("cleared", "readings", 19)]


def test_a_span_is_told_once_however_many_events_lie_in_it() -> None:
    space = Engine(program("down")).spaces["sensor"]
    minutes = [(number / 60, "abc"[number % 3]) for number in range(180)]
    records = [Record(number, one.value) for number, one in enumerate(letters(minutes))]
    space.ingest("log", SourceId("readings"), records)
    assert len(space.advance(T0 + END * MIN).sent) == 3


def test_a_short_silence_is_known_to_the_second() -> None:
    rule = "by: sensor\nwhen: {silence: {of: feed, at_least: 5s}}\n"
    made = project(FEED, {"down": rule})
    sent = letters([(0, "a"), (0.0051, "a"), (1, "a")])  # 306 ms: told at the end of its second
    changes = Bench(made, T0 + MIN).play(Script(sent, 9, frozenset())).changes
    assert [(one.transition.value, one.at_ms - T0) for one in changes] == [("fired", 6000)]


def test_rules_that_miss_something_know_what_explains_it() -> None:
    down = down_feeds(program().project)
    alert = ("down", "readings")
    assert down.explains == {"silent": (alert,), "unmet": (alert,)}
    assert down.explained == {alert: ("silent", "unmet")}


steps = st.lists(
    st.tuples(st.sampled_from([0.3, 1, 2, 5, 9.5, 11, 12, 14, 30]), st.sampled_from("abc")),
    min_size=4, max_size=14,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_it_is_told_as_a_watcher_of_all_events_would(draws: list, rnd: random.Random) -> None:
    clock, minutes = 0.1, []
    for step, sensor in draws:
        clock += step
        minutes.append((round(clock, 3), sensor))
    sent = letters(minutes)
    expected = oracle([minute for minute, _ in minutes])
    assert told(sent) == expected
    shuffled = sorted(sent, key=lambda one: one.at_ms + rnd.randrange(5 * MIN))
    restarts = frozenset(rnd.sample(range(4), 2))
    assert told(shuffled, rnd.randrange(1, 6), restarts) == expected
    twice = [one for one in shuffled for _ in range(2)]
    assert told(twice, rnd.randrange(1, 9)) == expected


@settings(max_examples=500, deadline=None)
@given(steps)
def test_one_row_is_all_that_is_remembered_however_many_keys_there_are(draws: list) -> None:
    clock, minutes = 0.1, []
    for step, sensor in draws:
        clock += step
        minutes.append((round(clock, 3), f"{sensor}{clock}"))
    run = Run(program("down"), "readings", "sensor")
    run.take(letters(minutes))
    run.finish(T0 + END * MIN)
    assert len(run.rows()) == 1
    assert sum(run.sizes().values()) == 1


def test_most_of_these_stories_have_an_interruption() -> None:
    fired: list[bool] = []

    @settings(max_examples=100, deadline=None, database=None)
    @given(steps)
    def look(draws: list) -> None:
        clock, minutes = 0.1, []
        for step, _ in draws:
            clock += step
            minutes.append(round(clock, 3))
        fired.append(len(oracle(minutes)) > 1)  # the end of the story is one always

    look()
    assert sum(fired) > 0.3 * len(fired)
