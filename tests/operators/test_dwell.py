"""dwell: what a stay is, minute by minute, against every fix kept and judged anew."""

import dwell_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage

from engine.operators.dwell import DwellLogic, Place
from engine.operators.specs.dwell import DwellSpec

RADIUS = 100.0


def place() -> Place:
    return Place(lambda lon, _lat, other, _: abs(other - lon) > RADIUS, None, None)


def stage(words: oracle.Words) -> Stage:
    spec = DwellSpec(
        at_least_ms=words.at_least,
        radius_m=RADIUS,
        outside_ms=words.outside,
        silent_ms=words.silent,
        gap_counts=words.gap_counts,
    )

    def make(judge, host, codec):
        glances = {"gps": lambda e, _x: None if e["fast"] else (e["x"], 0.0)}
        return DwellLogic(spec, place(), glances, None, judge, host, codec)

    return Stage(make)


def told(fixes: list[oracle.Fix], words: oracle.Words, until: int, restart: int = -1) -> list:
    scene = stage(words)
    for number, (at, where, fast) in enumerate(fixes):
        if number == restart:
            scene.restart(["v"], at)
        scene.event("gps", "v", {"x": where, "fast": fast}, at)
    scene.timers_before(until + 1)
    return [(what, since, at) for what, _, since, at, _ in scene.judge.said]


def track(text: str) -> list[oracle.Fix]:
    """One fix a minute: a digit is the place in steps of 40 m, `.` no fix, `!` a fast fix."""
    return [
        (minute * MIN, 40.0 * int(mark) if mark != "!" else 0.0, mark == "!")
        for minute, mark in enumerate(text)
        if mark != "."
    ]


LOOSE = oracle.Words(at_least=10 * MIN, radius=RADIUS, silent=None)
LIVE = oracle.Words(at_least=10 * MIN, radius=RADIUS, silent=3 * MIN)
KIND = oracle.Words(at_least=10 * MIN, radius=RADIUS, silent=3 * MIN, outside=2 * MIN)
GAPS = oracle.Words(at_least=10 * MIN, radius=RADIUS, silent=3 * MIN, gap_counts=True)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        pytest.param(LIVE, "00000000000", [("fired", 0, 10)], id="fires-at-T-exactly"),
        pytest.param(LIVE, "0000000009", [], id="a-minute-short-is-nothing"),
        pytest.param(LIVE, "00000000..0", [("fired", 0, 10)], id="fires-between-two-fixes"),
        pytest.param(LIVE, "000000....00", [], id="a-lost-signal-starts-anew"),
        pytest.param(GAPS, "000000....00", [("fired", 0, 10)], id="a-gap-that-ends-there-counts"),
        pytest.param(GAPS, "000000....99", [], id="a-gap-that-ends-elsewhere-does-not"),
        pytest.param(LIVE, "00000!00000", [], id="a-fast-fix-ends-it"),
        pytest.param(LIVE, "00009000000", [], id="one-fix-outside-ends-it"),
        pytest.param(KIND, "00009000000", [("fired", 0, 10)], id="a-short-excursion-is-excused"),
        pytest.param(KIND, "00900000..", [("fired", 0, 10)], id="back-inside-the-timer-counts"),
        pytest.param(KIND, "00009990000", [], id="a-long-excursion-is-not"),
        pytest.param(KIND, "0000000000900", [("fired", 0, 11)], id="outside-at-T-waits"),
        pytest.param(
            LIVE,
            "03333333333333",
            [("fired", 1, 11)],
            id="the-next-anchor-is-the-next-kept-fix",
        ),
        pytest.param(
            LIVE, "000000000009", [("fired", 0, 10), ("cleared", 0, 11)], id="leaving-clears"
        ),
        pytest.param(
            LIVE, "00000000000......0", [("fired", 0, 10)], id="a-lost-signal-is-not-leaving"
        ),
        pytest.param(
            KIND,
            "00000000000....9",
            [("fired", 0, 10), ("cleared", 0, 15)],
            id="back-from-silence-and-elsewhere-is-not-excused",
        ),
        pytest.param(LOOSE, "0.........9", [], id="without-silence-limit-a-gap-proves-nothing"),
        pytest.param(LOOSE, "0............0", [("fired", 0, 13)], id="the-fix-after-the-gap-does"),
    ],
)
def test_a_stay_minute_by_minute(words: oracle.Words, text: str, expected: list) -> None:
    fixes = track(text)
    for restart in range(-1, len(fixes)):
        said = told(fixes, words, len(text) * MIN, restart)
        assert [(what, since // MIN, at // MIN) for what, since, at in said] == expected


fixes_strategy = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.sampled_from([0, 0, 0, 0, 1, 2, 3, 5]),
        st.sampled_from([False] * 24 + [True]),
    ),
    min_size=4,
    max_size=24,
)


def build(steps: list) -> list[oracle.Fix]:
    at, fixes = 0, []
    for step, where, fast in steps:
        at += step * MIN
        fixes.append((at, 40.0 * where, fast))
    return fixes


WORDS = st.one_of(
    st.builds(
        oracle.Words, at_least=st.just(8 * MIN), radius=st.just(RADIUS), silent=st.just(None)
    ),
    st.builds(
        oracle.Words,
        at_least=st.just(8 * MIN),
        radius=st.just(RADIUS),
        silent=st.integers(1, 5).map(lambda m: m * MIN),
    ),
    st.builds(
        oracle.Words,
        at_least=st.just(8 * MIN),
        radius=st.just(RADIUS),
        silent=st.just(None),
        outside=st.integers(1, 4).map(lambda m: m * MIN),
    ),
    st.builds(
        oracle.Words,
        at_least=st.just(8 * MIN),
        radius=st.just(RADIUS),
        silent=st.integers(1, 5).map(lambda m: m * MIN),
        outside=st.integers(0, 4).map(lambda m: m * MIN),
        gap_counts=st.booleans(),
    ),
)


def test_stays_are_those_that_brute_force_finds() -> None:
    fired: list[bool] = []

    @settings(max_examples=600, deadline=None)
    @given(fixes_strategy, WORDS)
    def law(steps: list, words: oracle.Words) -> None:
        fixes = build(steps)
        until = fixes[-1][0] + 20 * MIN
        expected = oracle.stays(fixes, words, until)
        assert told(fixes, words, until) == expected
        fired.append(bool(expected))

    law()
    assert sum(fired) > 0.3 * len(fired)


@settings(max_examples=500, deadline=None)
@given(fixes_strategy, WORDS, st.integers(0, 23))
def test_a_restart_anywhere_changes_nothing(steps: list, words: oracle.Words, where: int) -> None:
    fixes = build(steps)
    until = fixes[-1][0] + 20 * MIN
    assert told(fixes, words, until, restart=where) == told(fixes, words, until)


def test_a_lost_signal_does_not_climb_until_it_is_back() -> None:
    scene = stage(LIVE)
    scene.judge.steps = ((20 * MIN, 3),)
    for at, where, fast in track("00000000000" + "." * 30 + "0"):
        scene.event("gps", "v", {"x": where, "fast": fast}, at)
    said = [(what, at // MIN, rank) for what, _, _, at, rank in scene.judge.said]
    assert said == [("fired", 10, 2), ("raised", 41, 3)]


@pytest.mark.parametrize("restart", [None, 12, 13, 14])
def test_a_stay_that_was_cleared_by_the_rule_does_not_fire_again(restart: int | None) -> None:
    scene = stage(KIND)
    scene.judge.clear, scene.judge.has_clear = (lambda event: event["x"] == 40.0), True
    scene.start({})
    for at, where, fast in track("00000000000100900"):
        if restart is not None and at == restart * MIN:
            scene.restart(["v"], at)
        scene.event("gps", "v", {"x": where, "fast": fast}, at)
    said = [(what, at // MIN) for what, _, _, at, _ in scene.judge.said]
    assert said == [("fired", 10), ("cleared", 11)]


def test_a_key_that_drives_leaves_no_state() -> None:
    scene = stage(LIVE)
    for at, where, fast in track("000000000000!"):
        scene.event("gps", "v", {"x": where, "fast": fast}, at)
    assert scene.logic.save("v") is None
    assert scene.logic.size() == 0
