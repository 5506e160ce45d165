"""cooldown and flapping: what an alert means to the next one about the same key."""

import json
import random
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, Stage, fires_often, project
from rest_oracle import told as oracle
from small_world import Line, Saved

from engine.model.change import Change
from engine.ruleset.compile import Program

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
  at: {type: time, format: epoch-ms}
  level: number
purpose: [tests]
"""
WAYS = {
    "pauses": {"cooldown": 20},
    "flaps": {"flaps": (3, 40, 15)},
    "both": {"cooldown": 6, "keep": 3, "flaps": (3, 60, 12)},
}
WORDS = {
    "pauses": "cooldown: 20m\n",
    "flaps": "flapping: {times: 3, within: 40m, quiet: 15m}\n",
    "both": "cooldown: 6m\nkeep_firing_for: 3m\n"
    "flapping: {times: 3, within: 60m, quiet: 12m}\n",
}  # fmt: skip
END = 300
SUMMARY = 'annotations: {summary: {zh: "超限", en: "too high"}}\n'


@cache
def program() -> Program:
    rule = "by: sensor\nwhen: {match: level > 5}\n"
    return project(FEED, {name: rule + SUMMARY + words for name, words in WORDS.items()})


def line(minute: int, on: bool, sensor: str = "a") -> Line:
    at = T0 + minute * MIN
    event = {"sensor": sensor, "at": at, "level": 9 if on else 1}
    return at, "readings", json.dumps(event).encode()


def world(drawn: list[tuple[int, bool]]) -> list[Line]:
    minute, lines = 0, []
    for step, on in drawn:
        minute += step
        lines.append(line(minute, on))
    return lines


STEPS = st.lists(
    st.tuples(st.integers(1, 12), st.booleans()), min_size=6, max_size=24,
)  # fmt: skip


def said(lines: list[Line], rule: str) -> list[tuple[str, int]]:
    return ends(Stage(program(), END * MIN).run(lines).changes, rule)


def held_back(saved: Saved, rule: str) -> int:
    return sum(outcome.counts.get(("held-back", rule), 0) for outcome in saved.outcomes)


def ends(changes: Sequence[Change], rule: str) -> list[tuple[str, int]]:
    found = [(one.transition.value, (one.at_ms - T0) // MIN) for one in changes if one.rule == rule]
    return sorted(found, key=lambda one: one[1])


def test_after_an_end_none_fires_for_the_pause_and_what_lasts_fires_then() -> None:
    lines = [line(0, True), line(5, False), line(8, True), line(60, False)]
    assert said(lines, "pauses") == [
        ("fired", 0), ("cleared", 5), ("fired", 25), ("cleared", 60),
    ]  # fmt: skip


def test_what_is_over_before_the_pause_is_held_back_and_counted() -> None:
    lines = [line(0, True), line(5, False), line(8, True), line(24, False), line(25, True)]
    assert said(lines, "pauses") == [("fired", 0), ("cleared", 5), ("fired", 25)]
    assert held_back(Stage(program(), END * MIN).run(lines), "pauses") == 1


def test_the_third_alert_within_the_time_says_that_it_flaps_and_is_held_open() -> None:
    lines = [line(minute, minute % 4 == 0) for minute in range(0, 40, 2)]
    assert said(lines, "flaps") == [
        ("fired", 0), ("cleared", 2), ("fired", 4), ("cleared", 6), ("fired", 8), ("cleared", 53),
    ]  # fmt: skip
    changes = [one for one in Stage(program(), END * MIN).run(lines).changes if one.rule == "flaps"]
    flapping = [one for one in changes if "comes and goes" in one.summary["en"]]
    assert [(one.transition.value, (one.at_ms - T0) // MIN) for one in flapping] == [("fired", 8)]
    assert flapping[0].summary["zh"] == (
        "超限 （40 分钟内第 3 次预警：反复出现，保持不解除，直至平稳。）"
    )


def test_the_oldest_of_three_alerts_exactly_as_old_as_the_time_does_not_count() -> None:
    lines = [line(m, on) for m, on in ((0, True), (1, False), (5, True), (6, False), (40, True))]
    lines.append(line(41, False))
    assert said(lines, "flaps")[-1] == ("cleared", 41)


def test_what_was_steady_for_long_enough_flaps_no_more() -> None:
    lines = [line(m, m % 4 == 0) for m in range(0, 9, 2)] + [line(22, False), line(26, True)]
    assert said(lines, "flaps") == [
        ("fired", 0), ("cleared", 2), ("fired", 4), ("cleared", 6), ("fired", 8),
    ]  # fmt: skip
    steady = [*lines[:5], line(23, False), line(26, True)]
    assert said(steady, "flaps")[-2:] == [("cleared", 23), ("fired", 26)]


@pytest.mark.parametrize("rule", sorted(WAYS))
@settings(max_examples=120, deadline=None)
@given(drawn=STEPS)
def test_alerts_are_those_of_a_watcher_that_looks_every_minute(
    rule: str, drawn: list[tuple[int, bool]]
) -> None:
    lines = world(drawn)
    last = sum(step for step, _ in drawn)
    minute, samples = 0, {}
    for step, on in drawn:
        minute += step
        samples[minute] = on
    expected, held = oracle(samples, last + END, **WAYS[rule])  # type: ignore[arg-type]
    saved = Stage(program(), END * MIN).run(lines)
    assert ends(saved.changes, rule) == expected
    assert held_back(saved, rule) == held


@settings(max_examples=150, deadline=None)
@given(drawn=STEPS, seed=st.integers(0, 2**32))
def test_the_laws_of_streaming_hold(drawn: list[tuple[int, bool]], seed: int) -> None:
    lines = [*world(drawn), line(sum(step for step, _ in drawn) + 1, False)]
    Stage(program(), END * MIN).hold(lines, random.Random(seed))


def test_the_rules_of_these_laws_fire_often() -> None:
    fires_often(Stage(program(), END * MIN), STEPS, world, WAYS)
