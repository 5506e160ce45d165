"""Which positions are believed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feeds.hygiene import Cleaner
from engine.feeds.reasons import Reason
from engine.feeds.spec import FeedSpec, HygieneSpec, TimeSpec

MINUTE = 60_000
DEGREE_M = 111_195.08
LETTER_STEP_M = 500.0


def cleaner(max_jump_mps: float | None = 55.0, stuck_ms: int | None = None) -> Cleaner:
    hygiene = HygieneSpec(max_jump_mps=max_jump_mps, stuck_ms=stuck_ms)
    return Cleaner(
        FeedSpec("gps", "gps", "json", ("v",), TimeSpec("t", "epoch-ms"), {}, hygiene=hygiene)
    )


def judged(track: str, judge: Cleaner, step_ms: int = MINUTE) -> str:
    """What is said about a track: '#' for a kept fix, 'j' for a jump, 's' for stuck.

    A track has one letter a step, each 500 m further north along the alphabet; capitals lie
    100 km further east; '.' skips a step.
    """
    state: list[Any] | None = None
    said = ""
    for number, letter in enumerate(track):
        if letter == ".":
            said += "."
            continue
        lat = (ord(letter.lower()) - ord("a")) * LETTER_STEP_M / DEGREE_M
        lon = 100_000 / DEGREE_M if letter.isupper() else 0.0
        before = list(state) if state else state
        keep, reason, new = judge.clean(state, number * step_ms, lon, lat)
        assert state == before, "a state is never changed in place"
        assert keep is (reason is None)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(new))
        said += {None: "#", Reason.IMPOSSIBLE_JUMP: "j", Reason.STUCK: "s"}[reason]
    return said


@pytest.mark.parametrize(
    ("track", "said"),
    [
        pytest.param("abcd", "####", id="driving is believed"),
        pytest.param("abAcd", "##j##", id="one fix far away is not"),
        pytest.param("abABcd", "##jj##", id="nor are two that fit each other"),
        pytest.param("abABCD", "##jj##", id="the third that fits is believed"),
        pytest.param("abABCDa", "##jj##j", id="and then the old place is far away"),
        pytest.param("abAbBbCb", "##j#j#j#", id="a good fix in between ends the doubt"),
        pytest.param("aAzZa", "#jjj#", id="wild fixes that do not fit each other never win"),
        pytest.param("a" + "." * 40 + "A", "#" + "." * 40 + "#", id="after long it may be there"),
    ],
)
def test_impossible_jumps(track: str, said: str) -> None:
    assert judged(track, cleaner()) == said


@pytest.mark.parametrize(
    ("track", "said"),
    [
        pytest.param("aaaa", "####", id="three minutes are not longer than three minutes"),
        pytest.param("aaaaaa", "####ss", id="longer at one position is stuck"),
        pytest.param("aaaaabbbbbb", "####s####ss", id="moving ends it and begins anew"),
        pytest.param("aab.a.a", "###.#.#", id="coming back is not staying"),
    ],
)
def test_stuck_receivers(track: str, said: str) -> None:
    assert judged(track, cleaner(stuck_ms=3 * MINUTE)) == said


def test_without_limits_everything_is_believed() -> None:
    assert judged("aAzZaaaa", cleaner(None, None)) == "########"


def test_two_fixes_of_one_second_are_a_second_apart() -> None:
    judge = cleaner(max_jump_mps=55.0)
    _, _, state = judge.clean(None, 0, 0.0, 0.0)
    assert judge.clean(state, 0, 50 / DEGREE_M, 0.0)[0]
    assert not judge.clean(state, 0, 60 / DEGREE_M, 0.0)[0]


@settings(deadline=None)
@given(st.text("abcdABCDmz.", max_size=30), st.text("abcd", min_size=4, max_size=4))
def test_whatever_happened_a_steady_track_is_believed_again(wild: str, steady: str) -> None:
    assert judged(wild + steady, cleaner())[-1:] == "#"
