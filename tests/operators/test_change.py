"""change: every sample against all samples kept, exact boundaries, and the laws of streaming."""

import random
from functools import cache
from typing import Any

import change_oracle as oracle
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, fires_often, project
from law_stage import Stage as Laws
from operator_stage import Stage
from small_world import Line

from engine.operators.change import ChangeLogic
from engine.operators.change_memory import MOST_VALUES
from engine.operators.specs.change import ChangeSpec, Kind

HOUR = 60 * MIN


ANY: Any = None


def stage(words: oracle.Words) -> Stage:
    spec = ChangeSpec(
        Kind(words.kind), ANY, words.before, words.after, None, words.relative, words.direction,
        words.per, words.span, words.least, words.tolerance, words.min_samples, words.gap,
        words.quiet, words.forget,
    )  # fmt: skip
    scope: Any = lambda *_: {}  # noqa: E731

    def make(judge, host, codec):
        return ChangeLogic(
            spec, lambda e, _x: e["v"], lambda _e, _x: words.limit, scope, judge, host, codec
        )

    return Stage(make)


def told(words: oracle.Words, samples: list, until: int, restart: int = -1) -> list[oracle.Line]:
    scene = stage(words)
    for number, (at, value) in enumerate(samples):
        if number == restart:
            scene.timers_before(at)
            scene.restart(["k"], at)
        scene.event("feed", "k", {"v": value}, at)
    scene.timers_before(until + 1)
    return [(what, since, at) for what, _, since, at, _ in scene.judge.said]


waits = st.sampled_from([1, 1, 1, 1, 2, 3, 5, 9, 30])
steps = st.lists(st.tuples(waits, st.integers(-2, 3)), min_size=8, max_size=30)
forgets = st.sampled_from([16 * MIN, 40 * MIN, 10**12])
some = st.sampled_from([(), (0.0,), (1.0,), (2.0, 3.0), (0.0, 1.0)])
WORDS = st.one_of(
    st.builds(
        oracle.Words, st.just("becomes"), before=some, after=some, forget=forgets,
        quiet=st.sampled_from([0, 0, 4 * MIN]),
    ).filter(lambda words: not (words.quiet and words.after)),
    st.builds(
        oracle.Words, st.just("jumps"), limit=st.sampled_from([1, 2, 0.5]),
        relative=st.booleans(), direction=st.sampled_from([-1, 0, 1]), forget=forgets,
        gap=st.sampled_from([0, 2 * MIN]), quiet=st.sampled_from([0, 0, 3 * MIN]),
    ),
    st.builds(
        oracle.Words, st.sampled_from(["rises", "falls"]), limit=st.sampled_from([5, 20, 30]),
        per=st.just(HOUR), span=st.sampled_from([2 * MIN, 5 * MIN]),
        gap=st.sampled_from([0, 2 * MIN, 10 * MIN]), forget=st.just(40 * MIN),
    ),
    st.builds(
        oracle.Words, st.just("unseen"), least=st.sampled_from([6 * MIN, 15 * MIN]),
        forget=st.just(15 * MIN), quiet=st.sampled_from([0, 4 * MIN]),
    ),
    st.builds(
        oracle.Words, st.just("unchanged"), least=st.sampled_from([3 * MIN, 6 * MIN]),
        tolerance=st.sampled_from([0, 1, 1.5]), min_samples=st.sampled_from([1, 2, 3]),
        gap=st.sampled_from([2 * MIN, 6 * MIN]), forget=st.just(12 * MIN),
    ),
)  # fmt: skip


def build(steps: list) -> list[oracle.Sample]:
    at, samples = 0, []
    for wait, value in steps:
        at += wait * MIN
        samples.append((at, float(value)))
    return samples


@settings(max_examples=900, deadline=None)
@given(steps, WORDS, st.integers(-1, 29))
def test_changes_are_those_that_brute_force_finds(
    steps: list, words: oracle.Words, restart: int
) -> None:
    samples = build(steps)
    until = samples[-1][0] + 2 * HOUR
    assert told(words, samples, until, restart) == oracle.episodes(words, samples, until)


def test_many_of_these_changes_fire() -> None:
    """A law that holds because nothing happens proves nothing."""
    fired: list[bool] = []

    @settings(max_examples=200, deadline=None, database=None)
    @given(steps, WORDS)
    def look(steps: list, words: oracle.Words) -> None:
        fired.append(bool(oracle.episodes(words, build(steps), 10**9)))

    look()
    assert sum(fired) > 0.3 * len(fired)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        pytest.param({"kind": "becomes", "before": (0.0,), "after": (1.0,)}, "0.0112",
                     [("fired", 3), ("cleared", 5)], id="holds-while-it-is-what-it-became"),
        pytest.param({"kind": "becomes", "before": (0.0,), "after": (1.0,)}, "2111", [],
                     id="from-elsewhere-is-not-meant"),
        pytest.param({"kind": "becomes", "after": (1.0,)}, "1111", [],
                     id="the-first-value-is-no-change"),
        pytest.param({"kind": "becomes"}, "0012", [("fired", 2)],
                     id="one-change-after-the-other-is-one-alert"),
        pytest.param({"kind": "jumps", "limit": 3}, "0369", [], id="exactly-the-limit-is-no-jump"),
        pytest.param({"kind": "jumps", "limit": 3}, "0440", [("fired", 1), ("cleared", 2),
                     ("fired", 3)], id="both-ways"),
        pytest.param({"kind": "jumps", "limit": 3, "direction": 1}, "440", [], id="only-up"),
        pytest.param({"kind": "jumps", "limit": 0.5, "relative": True}, "23", [],
                     id="exactly-half-as-much-again"),
        pytest.param({"kind": "jumps", "limit": 0.49, "relative": True}, "23", [("fired", 1)],
                     id="more-than-49-percent"),
        pytest.param({"kind": "jumps", "limit": 0.5, "relative": True}, "09", [],
                     id="a-share-of-nothing-is-not-known"),
        pytest.param({"kind": "jumps", "limit": 3, "gap": 2 * MIN}, "0.9", [("fired", 2)],
                     id="within-its-time"),
        pytest.param({"kind": "jumps", "limit": 3, "gap": 2 * MIN}, "0..9", [],
                     id="a-jump-over-a-gap-is-not-believed"),
        pytest.param({"kind": "rises", "limit": 60, "per": HOUR, "span": 3 * MIN, "gap": 0},
                     "0123", [], id="exactly-the-rate"),
        pytest.param({"kind": "rises", "limit": 60, "per": HOUR, "span": 3 * MIN, "gap": 0},
                     "0124", [("fired", 3)], id="faster-than-the-rate"),
        pytest.param({"kind": "rises", "limit": 60, "per": HOUR, "span": 3 * MIN, "gap": 0},
                     "090", [], id="noise-between-two-samples"),
        pytest.param({"kind": "unseen", "least": 3 * MIN}, "11.2", [("fired", 3)],
                     id="new-after-the-time-of-learning"),
        pytest.param({"kind": "unseen", "least": 3 * MIN}, "112", [], id="new-while-learning"),
        pytest.param({"kind": "unseen", "least": 3 * MIN}, "21112", [("fired", 4)],
                     id="seen-longer-ago-than-that"),
        pytest.param({"kind": "unseen", "least": 3 * MIN}, "12112", [],
                     id="seen-exactly-that-long-ago"),
        pytest.param({"kind": "unchanged", "least": 3 * MIN, "gap": 2 * MIN}, "5555",
                     [("fired", 3)], id="fires-at-T-exactly"),
        pytest.param({"kind": "unchanged", "least": 3 * MIN, "gap": 2 * MIN}, "5556", [],
                     id="a-sample-short"),
        pytest.param({"kind": "unchanged", "least": 3 * MIN, "gap": 2 * MIN}, "55...5", [],
                     id="silence-proves-nothing"),
        pytest.param({"kind": "unchanged", "least": 3 * MIN, "gap": 2 * MIN, "tolerance": 1},
                     "56657", [("fired", 3), ("cleared", 4)], id="within-the-tolerance"),
    ],
)  # fmt: skip
def test_changes_minute_by_minute(words: dict, text: str, expected: list) -> None:
    samples = [(n * MIN, float(mark)) for n, mark in enumerate(text) if mark != "."]
    for restart in range(-1, len(samples)):
        said = told(oracle.Words(**words), samples, len(text) * MIN, restart)
        assert [(what, at // MIN) for what, _, at in said] == expected


def test_memory_is_bounded_however_many_samples_and_values_come() -> None:
    kinds = [
        oracle.Words("rises", limit=1e9, per=HOUR, span=HOUR, gap=HOUR, forget=2 * HOUR),
        oracle.Words("unseen", least=HOUR, forget=HOUR),
        oracle.Words("unchanged", least=HOUR, gap=HOUR, forget=HOUR),
    ]
    for words in kinds:
        scene = stage(words)
        take = scene.logic.handler("feed")
        for number in range(12_000):
            take("k", {"v": float(number)}, number * 100)
        assert len(orjson.dumps(scene.logic.save("k"))) < MOST_VALUES * 25
        if words.kind == "rises":
            assert len(scene.logic.keys["k"].memory) <= 61
        scene.timers_before(9 * HOUR)
        assert scene.logic.size() == 0


FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: post
id: [post, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
fields:
  post: text
  at: {type: time, format: epoch-ms}
  level: {type: number, unit: cm, optional: true}
  gate: {type: text, values: [open, shut, stuck]}
"""
RULES = {
    "gate-opens": """by: post
when: {change: {of: gate, from: shut, to: [open, stuck], forget: 20m}}
for: 1m
levels: {orange: {at_least: 3m}}
""",
    "level-jumps": """by: post
when: {change: {of: level, jumps: 20 mm, within: 4m, quiet: 3m, forget: 30m}}
levels: {orange: moved > 4 cm}
""",
    "level-rises": """by: post
when: {change: {of: level, rises: 30 cm, per: 1h, span: 2m}}
keep_firing_for: 2m
""",
    "gate-is-new": """by: post
when: {change: {of: gate, unseen_for: 5m}}
""",
    "level-frozen": """by: post
when: {change: {of: level, unchanged_for: 2m, tolerance: 1 cm, min_samples: 2}}
""",
}
readings = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from([0.5, 1, 1, 2, 4, 9]),
        st.sampled_from([None, 0, 1, 1, 1, 8]), st.sampled_from(["open", "shut", "shut", "stuck"]),
    ),
    min_size=10, max_size=30,
)  # fmt: skip


def world(draws: list) -> list[Line]:
    clock = dict.fromkeys("pq", 0.0)
    lines: list[Line] = []
    for post, wait, level, gate in draws:
        clock[post] += wait
        at = T0 + round(clock[post] * MIN)
        row = {"post": post, "at": at, "level": level, "gate": gate}
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
