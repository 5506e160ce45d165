"""on_change: migrate for rules that work in parts: near, correlate by place, a feed's silence."""

import json
from collections.abc import Sequence

import pytest
from law_stage import MIN, READINGS, T0, project
from near_world import position

from engine.errors import StateError
from engine.pipeline import Space
from engine.ruleset.compile import Program
from engine.ruletest import bench
from engine.ruletest.wire import Letter

Fix = tuple[float, str, float] | tuple[float, str, float, str]
"""Minute, key, metres east of a corner of four cells; and what it says."""
ENDS = 300


def make(when: str, more: str = "") -> Program:
    return project(READINGS, {"concern": f"by: who\nwhen:\n  {when}\n{more}"})


def letters(story: Sequence[Fix]) -> list[Letter]:
    found = []
    for minute, who, east, *what in story:
        lon, lat = position(east, 0)
        at = T0 + round(minute * MIN)
        event = {"who": who, "what": what[0] if what else None, "lon": lon, "lat": lat, "at": at}
        found.append(Letter("readings", at, json.dumps(event).encode()))
    return found


def edited(
    before: str,
    after: str,
    story: Sequence[Fix],
    at: float,
    *,
    crash: bool = False,
    do: str = "migrate",
) -> list[tuple[str, str, float]]:
    """What is told from minute `at` on, where the edited rule takes up what the old one kept.

    `crash`: once more from what was saved, before anything else has happened.
    """
    sent = letters(story)
    early = [one for one in sent if one.at_ms < T0 + at * MIN]
    old = make(before)
    run = bench._Run(old, bench.make_spaces, ["readings"])  # noqa: SLF001 - one of its restarts
    run.take(early)
    run.take(letters([(at - 0.001, "far-away", 90_000.0)]))
    run.played.changes.clear()
    stamp = old.project.rules["concern"].hash
    run.program = make(after, f'on_change: {{from: "{stamp}", do: {do}}}\n')
    for _ in range(2 if crash else 1):
        run.chain.spaces = run.program.spaces
        run.restart()
        for name, space in run.spaces.items():
            assert isinstance(space, Space)
            outcome = space.adopted()
            if outcome is not None:
                run._keep(name, outcome)  # noqa: SLF001
    run.take(sent[len(early) :])
    run.finish(T0 + ENDS * MIN)
    assert not run.played.troubles, run.played.troubles
    return [
        (str(one.transition), one.key, round((one.at_ms - T0) / MIN, 2))
        for one in run.played.changes
    ]


def stand(*who: str, minutes: Sequence[float] = range(0, 200, 5), apart: float = 40) -> list[Fix]:
    """Keys that stand beside each other around the corner and say so every five minutes."""
    return sorted(
        (minute, one, (number - 1) * apart) for minute in minutes for number, one in enumerate(who)
    )


NEAR = (
    "near: {{radius: 190 meters, count: {}, at_least: {}, tolerate: {{silent: 10m, outside: {}}}}}"
)
CRASHES = pytest.mark.parametrize("crash", [False, True], ids=["once", "crashed"])


@CRASHES
def test_a_gathering_that_has_lasted_by_the_new_rule_is_told_at_the_start(crash: bool) -> None:
    before, after = NEAR.format(3, "2h", "1m"), NEAR.format(3, "20m", "1m")
    told = edited(before, after, stand("a", "b", "c", minutes=range(0, 50, 5)), 42, crash=crash)
    assert told == [("fired", "a", 42), ("cleared", "a", 56)]


@CRASHES
def test_a_gathering_goes_on_and_is_told_when_it_has_lasted_by_the_new_rule(crash: bool) -> None:
    before, after = NEAR.format(3, "2h", "1m"), NEAR.format(3, "60m", "1m")
    told = edited(before, after, stand("a", "b", "c", minutes=range(0, 80, 5)), 42, crash=crash)
    assert told == [("fired", "a", 60), ("cleared", "a", 86)]


@CRASHES
def test_fewer_are_enough_from_the_edit_on(crash: bool) -> None:
    before, after = NEAR.format(3, "20m", "1m"), NEAR.format(2, "20m", "1m")
    told = edited(before, after, stand("a", "b", minutes=range(0, 80, 5)), 42, crash=crash)
    assert told == [("fired", "a", 62), ("cleared", "a", 86)]


@CRASHES
def test_more_are_needed_from_the_edit_on(crash: bool) -> None:
    before, after = NEAR.format(3, "20m", "5m"), NEAR.format(4, "20m", "5m")
    told = edited(before, after, stand("a", "b", "c"), 42, crash=crash)
    assert told == [("cleared", "a", 47)]


def test_four_that_are_still_enough_are_told_of_no_more() -> None:
    before, after = NEAR.format(3, "20m", "1m"), NEAR.format(4, "20m", "1m")
    told = edited(before, after, stand("a", "b", "c", "d", minutes=range(0, 80, 5)), 42)
    assert told == [("cleared", "a", 86)]


ESCORT = (
    "near: {{radius: 190 meters, at_least: {}, apart: {{kind: cash, from: guard}}, "
    "kinds: {{cash: {{where: who == 'cash'}}, guard: {{where: who == 'guard'}}}}}}"
)


@CRASHES
def test_an_escort_lost_for_long_enough_by_the_new_rule_is_told_at_the_start(crash: bool) -> None:
    story: list[Fix] = [(0, "cash", 0), (0, "guard", 50), (10, "guard", 5000), (12, "cash", 0)]
    told = edited(ESCORT.format("2h"), ESCORT.format("20m"), story, 42, crash=crash)
    assert told == [("fired", "cash", 42)]


@pytest.mark.parametrize(
    ("declared", "was", "becomes"),
    [
        (NEAR.format(3, "20m", "1m"), "190", "180"),
        (NEAR.format(3, "20m", "1m"), "silent: 10m", "silent: 9m"),
        (ESCORT.format("20m"), "who == 'guard'", "who == 'b'"),
    ],
    ids=["radius", "silent", "kinds"],
)
def test_what_is_about_other_neighbours_is_refused(declared: str, was: str, becomes: str) -> None:
    story: list[Fix] = [(40, "cash", 0), (40, "guard", 50)]
    with pytest.raises(StateError) as caught:
        edited(declared, declared.replace(was, becomes), story, 42)
    assert "something else" in caught.value.said("en")


PLACE = (
    "correlate: {{near: {} meters, within: {}, at_least: {}, signals: {{"
    "a: {{feed: readings, where: what == 'a'}}, b: {{feed: readings, where: what == 'b'}}, "
    "c: {{feed: readings, where: what == 'c'}}}}}}"
)
SIGNS: list[Fix] = [(0, "x", 0, "a"), (10, "y", 50, "b"), (50, "z", 60, "c")]


@CRASHES
def test_signals_at_a_place_that_are_enough_by_the_new_rule_are_told_at_the_start(
    crash: bool,
) -> None:
    before, after = PLACE.format(100, "2h", 3), PLACE.format(100, "2h", 2)
    told = edited(before, after, SIGNS[:2], 42, crash=crash)
    assert told == [("fired", "x", 42), ("cleared", "x", 120)]


@CRASHES
def test_a_place_goes_on_with_the_signals_that_count_by_the_new_rule(crash: bool) -> None:
    before, after = PLACE.format(100, "2h", 2), PLACE.format(100, "1h", 2)
    told = edited(before, after, SIGNS, 42, crash=crash)
    assert told == [("cleared", "x", 70)]


@CRASHES
def test_a_place_whose_signals_are_too_old_by_the_new_rule_is_over_at_the_start(
    crash: bool,
) -> None:
    before, after = PLACE.format(100, "2h", 2), PLACE.format(100, "30m", 2)
    assert edited(before, after, SIGNS[:2], 42, crash=crash) == [("cleared", "x", 42)]


def test_another_radius_of_a_place_is_refused() -> None:
    with pytest.raises(StateError) as caught:
        edited(PLACE.format(100, "2h", 3), PLACE.format(90, "2h", 3), SIGNS, 42)
    assert "含义已变" in caught.value.said("zh")


SILENCE = "silence: {{of: feed, at_least: {}}}"


@CRASHES
@pytest.mark.parametrize(("limit", "at"), [("50m", 95), ("3h", 228)])
def test_a_feed_is_silent_for_the_new_limit_since_it_was_heard_last(
    limit: str, at: float, crash: bool
) -> None:
    # The keys' stand-in is heard at minute 42: told at the end of its span, a tenth of the limit.
    told = edited(SILENCE.format("2h"), SILENCE.format(limit), [(0, "a", 0)], 42, crash=crash)
    assert told == [("fired", "readings", at)]
