"""match: one hit, N hits within T, quiet, clear, and a pending alert that a miss ends."""

import pytest
from operator_stage import MIN, Stage

from engine.operators.match import MatchLogic
from engine.operators.specs.match import MatchSpec


def told(text: str, *, restart: int = -1, for_ms: int = 0, clear: bool = False, **words) -> list:
    """One event a minute: `x` hits, `c` clears, `o` does neither, `.` is no event."""
    spec = MatchSpec(None, **words)  # type: ignore[arg-type]

    def make(judge, host, codec):
        judge.for_ms, judge.has_clear = for_ms, clear
        judge.clear = lambda event: event["mark"] == "c"
        return MatchLogic(spec, lambda e, _x: e["mark"] == "x", None, judge, host, codec)

    scene = Stage(make)
    for minute, mark in enumerate(text):
        if minute == restart:
            scene.timers_before(minute * MIN)
            scene.restart(["k"], minute * MIN)
        if mark != ".":
            scene.event("feed", "k", {"mark": mark}, minute * MIN)
    scene.timers_before(len(text) * MIN + 1)
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
