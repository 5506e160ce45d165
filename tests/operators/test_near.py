"""near: who gathers, who leads, who lost its escort, against everybody compared with everybody."""

from collections import Counter

import near_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from near_world import ESCORT, KIND, MEETING, PAIRS, PLAIN, STEP, play, told
from small_world import MIN

ALL = {"plain": PLAIN, "tolerant": KIND, "pairs": PAIRS, "kinds": MEETING, "escort": ESCORT}
fired: Counter[str] = Counter()


@st.composite
def worlds(draw: st.DrawFn) -> list[oracle.Fix]:
    """Cars that stand about the corner of four cells, move on, drive off and fall silent."""
    fixes: dict[tuple[int, str], oracle.Fix] = {}
    for number in range(draw(st.integers(3, 6))):
        who, kind = "abcdef"[number], draw(st.sampled_from("abb"))
        at = draw(st.integers(0, 6)) * MIN + draw(st.sampled_from([0, 0, 15_000]))
        east, north = draw(st.integers(-3, 3)), draw(st.integers(-1, 1))
        for _ in range(draw(st.integers(1, 6))):
            stays = draw(st.sampled_from([1, 2, 4, 8, 12]))
            there = draw(st.sampled_from([True] * 9 + [False]))
            for _ in range(stays):
                fixes[at, who] = (at, who, east * STEP, north * STEP, kind, there)
                at += draw(st.sampled_from([1, 1, 2])) * MIN
            at += draw(st.sampled_from([0, 0, 0, 2, 7, 9])) * MIN
            east += draw(st.sampled_from([-4, -1, 0, 0, 1, 1, 4]))
            north += draw(st.sampled_from([-1, 0, 0, 1]))
    return sorted(fixes.values())


def end(fixes: list[oracle.Fix]) -> int:
    return fixes[-1][0] + 40 * MIN


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=110, deadline=None)
@given(fixes=worlds())
def test_alerts_are_those_that_brute_force_finds(name: str, fixes: list[oracle.Fix]) -> None:
    words, until = ALL[name], end(fixes)
    expected = oracle.alerts(fixes, words, until)
    fired["examples"] += 1
    fired["with an alert"] += bool(expected)
    fired["withdrawn"] += any(one[0] == "retracted" for one in expected)
    assert told(play(fixes, words, until)) == expected


def test_enough_of_the_examples_mean_something() -> None:
    assert fired["examples"] >= 500
    assert fired["with an alert"] >= 0.3 * fired["examples"]
    assert fired["withdrawn"] >= 5
