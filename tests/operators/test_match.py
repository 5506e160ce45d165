"""match: one hit, N hits within T, quiet, clear, and a pending alert that a miss ends."""

import match_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_stage import MIN, Stage

from engine.operators.match import MatchLogic
from engine.operators.specs.match import MatchSpec

MARKS = {"x": True, "c": False, "o": False, "?": None}
"""What the condition says of an event; None where a value is missing."""


def played(text: str, *, restart: int = -1, for_ms: int = 0, clear: bool = False, **words) -> Stage:
    """One event a minute: `x` hits, `c` clears, `o` and `?` do neither, `.` is no event."""
    spec = MatchSpec(None, **words)  # type: ignore[arg-type]

    def make(judge, host, codec):
        judge.for_ms, judge.has_clear = for_ms, clear
        judge.clear = lambda event: event["mark"] == "c"
        return MatchLogic(spec, lambda e, _x: MARKS[e["mark"]], None, judge, host, codec)

    scene = Stage(make)
    for minute, mark in enumerate(text):
        if minute == restart:
            scene.timers_before(minute * MIN)
            scene.restart(["k"], minute * MIN)
        if mark != ".":
            scene.event("feed", "k", {"mark": mark}, minute * MIN)
    scene.timers_before(len(text) * MIN + 1)
    return scene


def told(text: str, **words) -> list:
    scene = played(text, **words)
    return [(what, since // MIN, at // MIN) for what, _, since, at, _ in scene.judge.said]


TWICE = {"count": 2, "within_ms": 5 * MIN}


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        pytest.param("oxxo", {}, [("fired", 1, 1), ("cleared", 1, 3)], id="ends-at-the-next-miss"),
        pytest.param("x....x", TWICE, [], id="five-minutes-apart-is-not-within-five"),
        pytest.param(
            "x...x.o", TWICE, [("fired", 0, 4), ("cleared", 0, 6)], id="twice-within-five-fires"
        ),
        pytest.param(
            "x.o.x......", {"quiet_ms": 4 * MIN}, [("fired", 0, 0), ("cleared", 0, 8)],
            id="quiet-counts-from-the-last-hit",
        ),
        pytest.param(
            "xooxoco", {"clear": True}, [("fired", 0, 0), ("cleared", 0, 5)], id="clear-ends-it"
        ),
        pytest.param(
            "xxoxxxxxo", {"for_ms": 4 * MIN}, [("fired", 3, 7), ("cleared", 3, 8)],
            id="for-counts-without-a-break",
        ),
        pytest.param(
            "xxxxo......", {"for_ms": 10 * MIN, "clear": True}, [], id="a-miss-ends-what-is-pending"
        ),
        pytest.param(
            "xcx", {"clear": True}, [("fired", 0, 0), ("cleared", 0, 1), ("fired", 2, 2)],
            id="a-hit-after-clear-is-a-new-episode",
        ),
    ],
)  # fmt: skip
def test_an_episode_minute_by_minute(text: str, words: dict, expected: list) -> None:
    assert told(text, **words) == expected
    for restart in range(len(text)):
        assert told(text, restart=restart, **words) == expected


def test_a_condition_that_cannot_be_told_does_not_hit() -> None:
    assert told("???") == []


def test_facts_are_those_of_the_newest_hits() -> None:
    scene = played("xxoxo", count=2, within_ms=5 * MIN, clear=True)
    episode = scene.logic.life.find("k")
    assert episode is not None
    assert episode.facts == {"size": 2, "last": 3 * MIN, "feed": "feed"}


@pytest.mark.parametrize("words", [TWICE, {"quiet_ms": 4 * MIN}, {}, {"clear": True}])
def test_a_key_that_is_quiet_again_leaves_no_state(words: dict) -> None:
    scene = played("xxxoc" + 20 * ".", **words)
    assert scene.logic.save("k") is None
    assert scene.logic.size() == 0


TEXTS = st.lists(st.sampled_from("xxxxoc."), min_size=8, max_size=30).map("".join)
WORDS = st.one_of(
    st.just(oracle.Words()),
    st.builds(oracle.Words, count=st.integers(2, 4), within=st.integers(2, 8)),
    st.builds(oracle.Words, quiet=st.integers(1, 5)),
    st.builds(oracle.Words, st.integers(2, 3), st.integers(3, 8), quiet=st.integers(1, 5)),
    st.builds(oracle.Words, st.integers(1, 3), st.integers(3, 8), clear=st.just(True)),
)


def settled(words: oracle.Words) -> dict:
    within = 0 if words.count == 1 else words.within * MIN
    return {"count": words.count, "within_ms": within, "quiet_ms": words.quiet * MIN,
            "clear": words.clear}  # fmt: skip


def test_episodes_are_those_that_brute_force_finds() -> None:
    fired: list[bool] = []

    @settings(max_examples=500, deadline=None)
    @given(TEXTS, WORDS)
    def law(text: str, words: oracle.Words) -> None:
        marks = [(minute, mark) for minute, mark in enumerate(text) if mark != "."]
        expected = oracle.episodes(marks, words, len(text) + 1)
        kept = [one for one in expected if one[2] <= len(text)]
        assert told(text, **settled(words)) == kept
        fired.append(bool(kept))

    law()
    assert sum(fired) > 0.3 * len(fired)


@settings(max_examples=300, deadline=None)
@given(TEXTS, WORDS, st.integers(0, 29))
def test_a_restart_anywhere_changes_nothing(text: str, words: oracle.Words, where: int) -> None:
    assert told(text, restart=where, **settled(words)) == told(text, **settled(words))
