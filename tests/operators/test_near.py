"""near: who gathers, who leads, who lost its escort, against everybody compared with everybody."""

from collections import Counter
from types import SimpleNamespace

import near_oracle as oracle
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from near_world import (
    ESCORT,
    KIND,
    MEETING,
    PAIRS,
    PLAIN,
    STEP,
    Run,
    letter,
    play,
    program,
    told,
)
from small_world import MIN, T0

from engine.model.change import Change
from engine.operators.near_apart import ApartLogic

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
    assert told(play(fixes, words, until)) == expected


def track(who: str, marks: str, kind: str = "a", begins: int = 0) -> list[oracle.Fix]:
    """One fix a minute: a letter is the place in steps of 90 m, `.` no fix, `!` it drives."""
    fixes, where = [], 0.0
    for minute, mark in enumerate(marks, begins):
        if mark.islower():
            where = (ord(mark) - ord("a")) * STEP
        if mark != ".":
            fixes.append((minute * MIN, who, where, 0.0, kind, mark != "!"))
    return fixes


def minutes(tracks: dict[str, str], words: oracle.Words, more: str = "") -> list[tuple]:
    """(what, key, since, at) in minutes; a key's first letter is its kind."""
    fixes = sorted(fix for who, marks in tracks.items() for fix in track(who, marks, who[0]))
    until = max(map(len, tracks.values())) * MIN + 20 * MIN
    changes = play(fixes, words, until, more=more)
    return [(what, who, since / MIN, at / MIN) for what, who, since, at in told(changes)]


def firings(tracks: dict[str, str], words: oracle.Words) -> list[tuple]:
    return [one[1:] for one in minutes(tracks, words) if one[0] == "fired"]


@pytest.mark.parametrize(
    ("words", "tracks", "expected"),
    [
        pytest.param(
            PLAIN,
            {"a1": "a" * 11, "a2": "b" * 11, "a3": "c" * 11},
            [("a1", 0, 10)],
            id="fires-at-T-exactly-between-two-fixes-or-on-one",
        ),
        pytest.param(
            PLAIN,
            {"a1": "a" * 10 + "z", "a2": "b" * 11, "a3": "c" * 11},
            [],
            id="one-that-leaves-in-the-very-instant-T-spoils-it",
        ),
        pytest.param(
            PLAIN,
            {"a1": "a" * 5, "a2": "a" * 11, "a3": "a" * 11},
            [("a1", 0, 10)],
            id="silent-for-exactly-as-long-as-believed-it-still-counts",
        ),
        pytest.param(
            PLAIN,
            {"a1": "a" * 4, "a2": "a" * 11, "a3": "a" * 11},
            [],
            id="silent-for-a-minute-longer-it-does-not",
        ),
        pytest.param(
            PLAIN,
            {"a1": "a" * 11, "a2": "c" * 11, "a3": "e" * 11},
            [("a2", 0, 10)],
            id="180-metres-are-near-and-the-middle-one-leads",
        ),
        pytest.param(
            PLAIN,
            {"a1": "a" * 11, "a2": "c" * 11, "a3": "f" * 11},
            [],
            id="270-metres-are-not",
        ),
        pytest.param(
            KIND,
            {"a1": "a" * 14, "a2": "a" * 14, "a3": "aaa!!!aaaaaaaa"},
            [("a1", 0, 10)],
            id="a-lack-of-exactly-as-long-as-tolerated-is-forgiven",
        ),
        pytest.param(
            KIND,
            {"a1": "a" * 18, "a2": "a" * 18, "a3": "aaa!!!!aaaaaaaaaaa"},
            [("a1", 7, 17)],
            id="a-minute-longer-and-the-time-starts-anew",
        ),
        pytest.param(
            PLAIN,
            {"a1": "aaceg" + "i" * 15, "a2": "aaceg" + "i" * 15, "a3": "aaceg" + "i" * 15},
            [("a1", 0, 10)],
            id="a-gathering-that-wanders-step-by-step-goes-on",
        ),
        pytest.param(
            PLAIN,
            {"a1": "aaa" + "k" * 12, "a2": "aaa" + "k" * 12, "a3": "aaa" + "k" * 12},
            [("a1", 3, 13)],
            id="one-that-jumps-further-than-the-radius-begins-anew",
        ),
        pytest.param(
            MEETING,
            {"a1": "a" * 9, "b1": "a" * 9, "b2": "a" * 9},
            [("a1", 0, 6)],
            id="each-kind-with-its-number",
        ),
        pytest.param(
            MEETING, {"a1": "a" * 9, "a2": "a" * 9, "b2": "a" * 9}, [], id="the-wrong-kinds"
        ),
    ],
)
def test_when_a_gathering_fires(words: oracle.Words, tracks: dict, expected: list) -> None:
    assert firings(tracks, words) == expected


def test_the_gathering_goes_on_when_its_leader_leaves() -> None:
    """It stays one alert, under the key that founded it, until too few are left."""
    tracks = {
        "a1": "a" * 15 + "!" * 25,
        "a2": "a" * 40,
        "a3": "a" * 40,
        "a4": "a" * 30 + "!" * 10,
    }
    assert minutes(tracks, PLAIN) == [("fired", "a1", 0, 10), ("cleared", "a1", 0, 30)]


def test_of_two_gatherings_that_merge_the_younger_is_withdrawn() -> None:
    here, there = "a" * 40, "." * 3 + "d" * 20 + "b" * 17
    tracks = {"a1": here, "a2": here, "a3": here, "b1": there, "b2": there, "b3": there}
    assert minutes(tracks, PLAIN)[:3] == [
        ("fired", "a1", 0, 10),
        ("fired", "b1", 3, 13),
        ("retracted", "b1", 3, 23),
    ]


def test_when_they_part_again_no_identity_is_used_twice() -> None:
    """The leader that gave its gathering up begins anew; the next oldest leads what is left."""
    here, there = "a" * 40, "." * 3 + "d" * 20 + "b" * 4 + "d" * 13
    tracks = {"a1": here, "a2": here, "a3": here, "b1": there, "b2": there, "b3": there}
    found = [one for one in minutes(tracks, PLAIN) if one[3] < 40]
    assert found == [
        ("fired", "a1", 0, 10),
        ("fired", "b1", 3, 13),
        ("retracted", "b1", 3, 23),
        ("fired", "b2", 3, 27),
    ]


def test_a_key_of_which_two_cells_speak_in_one_instant_is_there() -> None:
    """One cell says that it left, another that it came: in whatever order, it is there."""
    for order in ((0, 1), (1, 0)):
        logic = ApartLogic.__new__(ApartLogic)
        logic.notes, logic.host = {}, SimpleNamespace(wake=lambda _at, _about: None)  # type: ignore[assignment]
        take = logic.handler("gps@company")
        for here in order:
            take("company", SimpleNamespace(near_who="c", near_here=here), 7)
        assert logic.notes["c"] is not None


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        pytest.param(
            {"a1": "a" * 30, "b1": "aaaa" + "z" * 26},
            [("fired", "a1", 4, 9)],
            id="without-its-escort-for-T",
        ),
        pytest.param(
            {"a1": "a" * 30, "b1": "aaaa" + "z" * 5 + "a" * 21},
            [],
            id="the-escort-is-back-in-the-instant-T",
        ),
        pytest.param(
            {"a1": "a" * 30, "b1": "aaaa" + "z" * 8 + "a" * 18},
            [("fired", "a1", 4, 9), ("cleared", "a1", 4, 12)],
            id="the-escort-comes-back-later",
        ),
        pytest.param({"a1": "a" * 30, "b1": "z" * 30}, [], id="it-never-had-one"),
        pytest.param({"a1": "aaaaaa" + "!" * 24, "b1": "aaaa" + "z" * 26}, [], id="it-has-arrived"),
        pytest.param(
            {"a1": "abcdefghijklmnopqrstuvwxyz", "b1": "abcdefghij" + "j" * 16},
            [("fired", "a1", 12, 17)],
            id="it-drives-on-through-the-cells-and-the-escort-stays",
        ),
    ],
)
def test_when_an_escort_is_lost(tracks: dict, expected: list) -> None:
    found = [one for one in minutes(tracks, ESCORT) if one[3] < len(tracks["a1"])]
    assert found == expected


def test_a_restart_between_the_loss_and_the_alarm_forgets_no_escort() -> None:
    fixes = sorted([*track("a1", "a" * 20, "a"), *track("b1", "aaaa" + "z" * 16, "b")])
    plain = told(play(fixes, ESCORT, 20 * MIN))
    assert ("fired", "a1", 4 * MIN, 9 * MIN) in plain
    for restart in range(1, len(fixes), 2):
        assert told(play(fixes, ESCORT, 20 * MIN, batch=1, restarts=[restart])) == plain, restart


def test_the_alert_names_its_members_and_climbs_with_their_number() -> None:
    tracks = {f"a{n}": "." * (0 if n < 4 else 12) + "abcab"[n % 5] * 20 for n in range(1, 6)}
    fixes = sorted(fix for who, marks in tracks.items() for fix in track(who, marks, who[0]))
    changes = play(fixes, PLAIN, 22 * MIN, more="levels: {red: size >= 5}")
    first, raised = changes[:2]
    operator = first.evidence["operator"]
    assert (first.severity, operator["size"], operator["leader"]) == ("yellow", 3, "a1")
    assert [one["key"] for one in operator["members"]] == ["a1", "a2", "a3"]
    assert [one["distance_m"] for one in operator["members"]] == pytest.approx([0, 90, 90], abs=1)
    assert {one["since"] - T0 for one in operator["members"]} == {0}
    assert first.summary == {"zh": "3 a1", "en": "3 a1"}
    assert set(first.evidence["events"][0]["fields"]) == {"car", "at", "speed", "lon", "lat"}
    assert first.evidence["events"][0]["feed"] == "gps"
    assert (raised.transition, raised.severity, raised.at_ms - T0) == ("raised", "red", 12 * MIN)


def test_a_rule_may_end_its_alert_sooner_and_does_not_open_it_again() -> None:
    tracks = {"a1": "a" * 30, "a2": "a" * 30, "a3": "a" * 20 + "!" * 10}
    assert minutes(tracks, PLAIN, "clear: held >= 14m") == [
        ("fired", "a1", 0, 10),
        ("cleared", "a1", 0, 14),
    ]
    assert minutes(tracks, PLAIN, "clear: held >= 3h") == [
        ("fired", "a1", 0, 10),
        ("cleared", "a1", 0, 20),
    ]


@st.composite
def tellings(draw: st.DrawFn) -> tuple[list[oracle.Fix], str, list[int], int, frozenset[int]]:
    """A world, how it arrives, in which batches, and before which of them all memory is lost."""
    fixes = draw(worlds())
    late = draw(st.lists(st.integers(0, 290_000), min_size=len(fixes), max_size=len(fixes)))
    restarts = draw(st.frozensets(st.integers(1, 30), max_size=4))
    return fixes, draw(st.sampled_from(list(ALL))), late, draw(st.integers(1, 40)), restarts


@settings(max_examples=500, deadline=None)
@given(tellings())
def test_order_of_arrival_repeats_batches_and_restarts_change_nothing(telling) -> None:
    fixes, name, late, batch, restarts = telling
    words, until = ALL[name], end(fixes)
    arrivals = sorted(zip(fixes, late, strict=True), key=lambda one: one[0][0] + one[1])
    doubled = [fix for fix, delay in arrivals for _ in range(1 + (delay % 5 == 0))]
    other = play(doubled, words, until, batch=batch, restarts=restarts)
    plain = play(fixes, words, until)
    assert [whole(one) for one in other] == [whole(one) for one in plain]


def whole(change: Change) -> bytes:
    return orjson.dumps([change.episode_id, change.delivery_id, change.at_ms, change.evidence])


@settings(max_examples=500, deadline=None)
@given(fixes=worlds(), name=st.sampled_from(list(ALL)))
def test_when_all_have_fallen_silent_nothing_is_remembered(fixes, name: str) -> None:
    words = ALL[name]
    if words.silent is None:
        return
    run = Run(program(words))
    run.take([letter(fix) for fix in fixes])
    run.finish(T0 + fixes[-1][0] + 30 * MIN)
    assert run.rows() == {}
    assert run.sizes() == {"company": 0, "company/cells": 0, "company/keys": 0}


def test_enough_of_the_examples_mean_something() -> None:
    assert fired["examples"] >= 500
    assert fired["with an alert"] >= 0.3 * fired["examples"]
