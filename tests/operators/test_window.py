"""window: every edge against all samples kept, and the laws of streaming."""

import random
from functools import cache

import orjson
import pytest
import window_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, T0, fires_often, project
from law_stage import Stage as Laws
from operator_stage import Stage
from small_world import Line

from engine.operators.buckets import aggregate_of
from engine.operators.specs.window import Baseline, WindowSpec
from engine.operators.window import Limit, WindowLogic
from engine.operators.window_session import SessionLogic
from engine.ruleset.making.window import standard_offset_ms
from engine.ruleset.when.window import WindowModel

HOUR = 60 * MIN
AGGREGATES = (
    "count", "distinct", "sum", "mean", "min", "max", "rate", "slope", "stddev", "percentile",
)  # fmt: skip


def stage(words: oracle.Words, gap: int = 0) -> Stage:
    base = None
    if words.base:
        base = Baseline(
            words.weeks,
            words.earlier,
            "member" if words.base == "neighbours" else "",
            words.earlier_over,
            words.at_least,
            words.median,
        )
    counts = words.aggregate == "count"
    spec = WindowSpec(
        words.aggregate, None, words.over, words.every, gap, words.percent, words.per,
        words.min_samples, baseline=base,
    )  # fmt: skip
    aggregate = aggregate_of(
        words.aggregate, counts=counts, over_ms=words.over, per_ms=words.per, percent=words.percent
    )

    def line(plain: float | None):
        if plain is None:
            return None
        return lambda _e, names: plain + words.factor * (names["baseline"] if base else 0.0)

    limit = Limit(line(words.above), line(words.below), None, needs_baseline=base is not None)
    of = None if counts else lambda event, _x: event.value

    def scope(_key, _event, _at):
        return {}

    def make(judge, host, codec):
        judge.for_ms = words.for_ms
        if gap:
            return SessionLogic(spec, aggregate, of, limit, scope, None, judge, host, codec)
        return WindowLogic(spec, aggregate, of, limit, scope, None, 0, judge, host, codec)

    return Stage(make)


class Reading:
    """A sample of a member."""

    def __init__(self, member: str, value: float) -> None:
        self.member = member
        self.value = value


def told(words: oracle.Words, samples: list[oracle.Sample], until: int, restart: int = -1) -> list:
    scene = stage(words)
    for number, (at, member, value) in enumerate(samples):
        if number == restart:
            scene.timers_before(at)
            scene.restart(["k"], at)
        scene.event("feed", "k", Reading(member, value), at)
    scene.timers_before(until + 1)
    return [
        (what, part, since, at)
        for part, (what, _, since, at, _) in zip(scene.judge.parts, scene.judge.said, strict=True)
    ]


def build(steps: list, *, members: bool = False, wait: int = MIN) -> list[oracle.Sample]:
    at, samples = 0, []
    for step, value, member in steps:
        at += step * wait
        samples.append((at, member if members else "", value))
    return samples


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, 3, 5, 12, 40]), st.integers(-4, 9), st.sampled_from("abcd")
    ),
    min_size=8,
    max_size=25,
)
plain_words = st.builds(
    oracle.Words,
    aggregate=st.sampled_from(AGGREGATES),
    over=st.sampled_from([6 * MIN, 12 * MIN]),
    every=st.sampled_from([MIN, 2 * MIN, 6 * MIN]),
    above=st.sampled_from([-0.3217, 1.1763, 2.7391, 4.5117]),
    min_samples=st.sampled_from([1, 1, 2, 4]),
    percent=st.sampled_from([10.0, 50.0, 95.0, 100.0]),
    per=st.sampled_from([6 * MIN, HOUR]),
    for_ms=st.sampled_from([0, 0, 3 * MIN, 7 * MIN]),
)
below_words = st.builds(
    oracle.Words,
    aggregate=st.sampled_from(AGGREGATES),
    over=st.just(10 * MIN),
    every=st.sampled_from([2 * MIN, 10 * MIN]),
    below=st.sampled_from([1.1763, 2.7391]),
    min_samples=st.sampled_from([1, 3]),
)
base_words = st.one_of(
    st.builds(
        oracle.Words,
        aggregate=st.sampled_from(["count", "sum", "mean", "max", "percentile"]),
        over=st.just(6 * MIN),
        every=st.sampled_from([2 * MIN, 3 * MIN]),
        above=st.just(0.4321),
        base=st.just("earlier"),
        earlier=st.sampled_from([6 * MIN, 24 * MIN]),
        earlier_over=st.sampled_from([6 * MIN, 12 * MIN]),
        factor=st.sampled_from([1.0, 1.5]),
        min_samples=st.sampled_from([1, 2]),
    ),
    st.builds(
        oracle.Words,
        aggregate=st.sampled_from(["count", "sum", "mean", "min"]),
        over=st.just(6 * MIN),
        every=st.sampled_from([2 * MIN, 6 * MIN]),
        above=st.just(0.4321),
        base=st.just("neighbours"),
        at_least=st.sampled_from([1, 2]),
        median=st.booleans(),
    ),
)


@settings(max_examples=700, deadline=None)
@given(steps, st.one_of(plain_words, below_words))
def test_windows_are_those_that_brute_force_finds(steps: list, words: oracle.Words) -> None:
    samples = build(steps)
    until = samples[-1][0] + 2 * words.over
    assert told(words, samples, until) == oracle.episodes(words, samples, until)


@settings(max_examples=400, deadline=None)
@given(steps, base_words, st.integers(0, 24))
def test_baselines_are_those_that_brute_force_finds(
    steps: list, words: oracle.Words, restart: int
) -> None:
    samples = build(steps, members=words.base == "neighbours")
    until = samples[-1][0] + 60 * MIN
    expected = oracle.episodes(words, samples, until)
    assert sorted(told(words, samples, until, restart)) == sorted(expected)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 9)), max_size=25),
    st.sampled_from([20 * MIN, 60 * MIN]),
    st.integers(1, 2),
    st.integers(0, 24),
    st.booleans(),
)
def test_the_same_hour_of_past_weeks_is_what_brute_force_finds(
    visits: list, every: int, at_least: int, restart: int, median: bool
) -> None:
    week = 168 * HOUR
    samples = sorted(
        (number * week + hour * 20 * MIN, "", float(value)) for number, hour, value in visits
    )
    words = oracle.Words(
        "sum",
        60 * MIN,
        every,
        above=0.5,
        base="weeks",
        weeks=3,
        at_least=at_least,
        factor=1.25,
        median=median,
    )
    if samples:
        edges = sorted({at // every * every + k * every for at, _, _ in samples for k in range(5)})
        expected = _weekly(words, samples, edges)
        assert told(words, samples, samples[-1][0] + 3 * HOUR, restart) == expected


def _weekly(words: oracle.Words, samples: list, edges: list[int]) -> list:
    """The oracle at the edges at which anything can change, not at those of five weeks."""
    lines, since = [], None
    for edge in edges:
        count, value = oracle.value_at(words, samples, "", edge, words.over)
        base = oracle.compared(words, samples, "", edge) if value is not None else None
        limit = None if base is None else (words.above or 0) + words.factor * base
        holds = None if limit is None or value is None else value > limit
        if holds and since is None:
            since = edge
            lines.append(("fired", "", since, edge))
        elif since is not None and (holds is False or count == 0):
            lines.append(("cleared", "", since, edge))
            since = None
    return lines


def test_many_of_these_windows_fire() -> None:
    """A law that holds because nothing happens proves nothing."""
    fired: list[bool] = []

    @settings(max_examples=150, deadline=None, database=None)
    @given(steps, st.one_of(plain_words, below_words, base_words))
    def look(steps: list, words: oracle.Words) -> None:
        samples = build(steps, members=words.base == "neighbours")
        fired.append(bool(oracle.episodes(words, samples, samples[-1][0] + HOUR)))

    look()
    assert sum(fired) > 0.3 * len(fired)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        pytest.param({"above": 3}, "111.", [], id="at-the-limit-is-not-above-it"),
        pytest.param({"above": 2}, "111.", [("fired", 3)], id="above-fires-at-the-edge"),
        pytest.param({"above": 2}, "1.11", [], id="the-edge-itself-is-the-next-window"),
        pytest.param({"below": 2}, "1.....", [("fired", 3), ("cleared", 6)],
                     id="an-empty-window-ends-it"),
        pytest.param({"below": 2}, "......", [], id="nothing-at-all-is-not-below"),
        pytest.param({"above": 2, "min_samples": 4}, "555...", [], id="too-few-are-unknown"),
        pytest.param({"above": 2, "min_samples": 2}, "555.5....", [("fired", 3), ("cleared", 9)],
                     id="unknown-does-not-end-it"),
    ],
)  # fmt: skip
def test_tumbling_windows_minute_by_minute(words: dict, text: str, expected: list) -> None:
    samples = [(n * MIN, "", float(mark)) for n, mark in enumerate(text) if mark != "."]
    spoken = oracle.Words("sum", 3 * MIN, 3 * MIN, **words)
    for restart in range(-1, len(samples)):
        said = told(spoken, samples, len(text) * MIN, restart) if samples else []
        assert [(what, at // MIN) for what, _, _, at in said] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1111", [("fired", 2), ("cleared", 5)], id="a-session-fires-as-it-grows"),
        pytest.param("11.11", [("fired", 3), ("cleared", 6)], id="the-gap-itself-is-within"),
        pytest.param("11..11", [], id="a-longer-gap-begins-anew"),
        pytest.param("111..111", [("fired", 2), ("cleared", 4), ("fired", 7), ("cleared", 9)],
                     id="two-sessions-are-two-alerts"),
    ],
)  # fmt: skip
def test_sessions_minute_by_minute(text: str, expected: list) -> None:
    words = oracle.Words("sum", 0, 0, above=2)
    for restart in range(-1, len(text)):
        scene = stage(words, gap=2 * MIN)
        for minute, mark in enumerate(text):
            if minute == restart:
                scene.timers_before(minute * MIN)
                scene.restart(["k"], minute * MIN)
            if mark != ".":
                scene.event("feed", "k", Reading("", float(mark)), minute * MIN)
        scene.timers_before(99 * MIN)
        assert [(what, at // MIN) for what, _, _, at, _ in scene.judge.said] == expected
        assert scene.logic.size() == 0


def test_memory_does_not_grow_with_the_rate_of_events() -> None:
    for aggregate in AGGREGATES:
        words = oracle.Words(aggregate, HOUR, 30 * MIN, above=1e9)
        sizes = []
        for count in (2000, 8000):
            scene = stage(words)
            take = scene.logic.handler("feed")
            for number in range(count):
                at = number * 3 * HOUR // count
                scene.timers_before(at)
                take("k", Reading("", float(number * 7919 % 9973)), at)
            sizes.append(len(orjson.dumps(scene.logic.save("k"), default=_plain)))
        assert sizes[1] < sizes[0] * 1.5, aggregate
        assert scene.logic.size() == 1
        scene.timers_before(9 * HOUR)
        assert scene.logic.size() == 0


def _plain(value: object) -> object:
    return list(value) if isinstance(value, bytes) else vars(value)


@pytest.mark.parametrize("percent", [1.0, 50.0, 99.0])
def test_percentiles_of_many_values_are_within_a_hundredth(percent: float) -> None:
    rnd = random.Random(7)
    aggregate = aggregate_of("percentile", counts=False, over_ms=1, per_ms=1, percent=percent)
    values = [rnd.lognormvariate(0, 2) * rnd.choice([1, 1, -1]) for _ in range(5000)] + [0.0] * 50
    cells = [aggregate.fresh() for _ in range(4)]
    for number, value in enumerate(values):
        aggregate.add(cells[number % 3], value, 0)
    aggregate.add(cells[3], 1.0, 0)
    again = [aggregate.taken(aggregate.plain(cell)) for cell in cells]
    count, found = aggregate.merged(again)
    exact = oracle.aggregated(
        oracle.Words("percentile", 1, 1, percent=percent), [(0, v) for v in [*values, 1.0]], 1
    )
    assert count == len(values) + 1
    assert found == pytest.approx(exact, rel=0.0101)
    assert (count, found) == aggregate.merged(cells)


def test_many_distinct_values_are_counted_within_a_few_percent() -> None:
    aggregate = aggregate_of("distinct", counts=False, over_ms=1, per_ms=1, percent=0)
    cells = [aggregate.fresh() for _ in range(3)]
    for number in range(30_000):
        aggregate.add(cells[number % 3], f"plate-{number % 20_000}", 0)
    halfway = [aggregate.taken(aggregate.plain(cell)) for cell in cells]
    for number in range(5000):
        aggregate.add(cells[1], f"more-{number}", 0)
        aggregate.add(halfway[1], f"more-{number}", 0)
    count, found = aggregate.merged(cells)
    assert count == 35_000
    assert found == pytest.approx(25_000, rel=0.05)
    assert aggregate.merged(halfway) == (count, found)


FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: place
id: [place, member, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
fields:
  place: text
  member: text
  at: {type: time, format: epoch-ms}
  level: {type: number, unit: cm, optional: true}
"""
RULES = {
    "mean-high": """by: place
when:
  window: {aggregate: mean, of: level, over: 6m, every: 2m, min_samples: 2, above: 40 mm}
levels: {orange: value > 6 cm}
for: 2m
keep_firing_for: 3m
""",
    "sliding-many": """by: [place, member]
when: {window: {aggregate: distinct, of: level, over: 8m, every: 1m, above: 2}}
""",
    "more-than-before": """by: place
when:
  window: {aggregate: sum, of: level, over: 4m, every: 2m, above: 2 * baseline,
           baseline: {earlier: 4m}}
levels: {orange: value > 3 * baseline}
""",
    "more-than-others": """by: place
when:
  window: {aggregate: max, of: level, over: 6m, every: 3m, passes: value > baseline + 1 cm,
           baseline: {neighbours: member, at_least: 1}}
""",
    "busy-session": """by: place
when: {window: {aggregate: count, gap: 3m, above: 3}}
""",
}
readings = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from("ab"), st.sampled_from([0.3, 1, 1, 2, 4, 9]),
        st.sampled_from([None, 0, 1, 3, 5, 8]),
    ),
    min_size=8, max_size=24,
)  # fmt: skip


def world(draws: list) -> list[Line]:
    clock = dict.fromkeys("pq", 0.0)
    lines: dict[tuple, Line] = {}
    for place, member, wait, level in draws:
        clock[place] += wait
        at = T0 + round(clock[place] * MIN)
        row = {"place": place, "member": member, "at": at, "level": level}
        lines.setdefault((at, place, member), (at, "readings", orjson.dumps(row)))
    return sorted(lines.values())


@settings(max_examples=500, deadline=None)
@given(readings, st.randoms(use_true_random=False))
def test_the_laws_of_streaming_hold(draws: list, rnd: random.Random) -> None:
    laws().hold(world(draws), rnd)


@cache
def laws() -> Laws:
    return Laws(project(FEED, RULES), 3 * HOUR)


def test_every_rule_of_these_laws_fires_often() -> None:
    fires_often(laws(), readings, world, RULES)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("Asia/Shanghai", 8), ("America/New_York", -5), ("Europe/Berlin", 1), ("UTC", 0)],
)
def test_windows_are_cut_by_standard_time(zone: str, hours: int) -> None:
    assert standard_offset_ms(zone) == hours * HOUR


@pytest.mark.parametrize(
    ("over", "step"), [("1h", MIN), ("24h", 24 * MIN), ("7d", 168 * MIN), ("1s", 20), ("7ms", 7)]
)
def test_a_window_without_steps_slides_in_sixtieths(over: str, step: int) -> None:
    words = {"aggregate": "count", "over": over, "above": "3"}
    assert WindowModel.model_validate(words).step() == step


def test_a_session_is_at_most_as_long_as_declared() -> None:
    scene = stage(oracle.Words("count", 4 * MIN, 0, above=3), gap=2 * MIN)
    for minute in range(9):
        scene.event("feed", "k", Reading("", 1.0), minute * MIN)
    told_at = [(what, at // MIN) for what, _, _, at, _ in scene.judge.said]
    assert told_at == [("fired", 3), ("cleared", 4), ("fired", 7), ("cleared", 8)]
