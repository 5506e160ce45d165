"""Windows that count, told late: what never was is withdrawn, what should have been is told."""

import json
from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, NUMBERED, T0, Stage, project
from small_world import Line

from engine.ruleset.compile import Program

LATE = "late: {allow: 30m, then: retract}\n"
RULES = {
    "many": "by: sensor\nwhen: {window: {aggregate: count, over: 10m, every: 5m, above: 3}}\n",
    "few": "by: sensor\nwhen: {window: {aggregate: count, over: 10m, every: 5m, below: 3}}\n",
}
END = 240


IDS = {
    "id-without-time": "id: [sensor, number]",
    "id-with-time": "id: [sensor, at]",
    "id-with-time-and-more": "id: [sensor, at, number]",
    "content-is-the-id": "",
}


@cache
def program(ids: str = "id-without-time") -> Program:
    feed = NUMBERED.replace("id: [sensor, number]", IDS[ids])
    return project(feed, {name: words + LATE for name, words in RULES.items()})


def world(minutes: list[float]) -> list[Line]:
    """Samples in the order in which they come, each with its own time."""
    found = []
    for number, minute in enumerate(minutes):
        event = {"sensor": "a", "number": number, "at": T0 + round(minute * MIN)}
        found.append((T0 + round(minute * MIN), "readings", json.dumps(event).encode()))
    return found


def told(minutes: list[float], rule: str) -> list[tuple[str, float, float]]:
    cuts = range(1, len(minutes))
    changes = Stage(program(), END * MIN).run(world(minutes), cuts).changes
    return [
        (one.transition.value, (one.since_ms - T0) / MIN, (one.at_ms - T0) / MIN)
        for one in changes
        if one.rule == rule
    ]


STEADY = [m + 0.5 for m in range(0, 20, 2)]


def test_a_sample_told_late_withdraws_an_alert_about_too_few() -> None:
    # at edge 30 there are two since 20; the third of them is told late
    minutes = [*STEADY, 21, 24, 31, 28]
    assert ("retracted", 30, 30) in told(minutes, "few")


def test_one_that_still_holds_at_a_later_edge_goes_on() -> None:
    minutes = [*STEADY, 21, 24, 36, 22]  # at edge 35 there is still only one since 25
    found = told(minutes, "few")
    assert [one[0] for one in found if one[1] == 30] == ["fired", "cleared"]


def test_a_sample_told_too_late_changes_nothing() -> None:
    minutes = [*STEADY, 21, 24, 60.5, 28]  # allowed are 30 minutes
    assert "retracted" not in {one[0] for one in told(minutes, "few")}


def test_an_alert_that_should_have_been_is_told_late_with_its_own_times() -> None:
    minutes = [0.5, 1.5, 2.5, 22.5, 3.5]
    assert told(minutes, "many") == [("fired", 5, 5), ("cleared", 5, 15)]
    assert told([0.5, 1.5, 2.5, 3.5, 22.5], "many") == [("fired", 5, 5), ("cleared", 5, 15)]


def test_an_alert_that_began_before_and_holds_no_more_ends_at_its_edge() -> None:
    minutes = [*STEADY, 21, 24, 31, 33, 36, 32]  # at edge 35 there are three since 25 with it
    assert told(minutes, "few")[:2] == [("fired", 30, 30), ("cleared", 30, 35)]


def test_an_alert_that_holds_at_the_last_edge_outlasts_one_between() -> None:
    minutes = [*STEADY, 23, 31, 33, 42, 26]  # three at edge 35, two at 40
    assert told(minutes, "few") == [("fired", 30, 30), ("cleared", 30, 55)]


def test_an_alert_that_has_ended_is_not_told_again() -> None:
    minutes = [0.5, 1.5, 2.5, 3.5, 22.5, 4]  # the windows that it concerns had enough without it
    assert told(minutes, "many") == [("fired", 5, 5), ("cleared", 5, 15)]


def test_what_is_told_of_an_edge_shows_the_newest_sample_before_it() -> None:
    lines = world([-3, -2, 1, 6.5, 22.5, 0.5])
    changes = Stage(program(), END * MIN).run(lines, range(1, len(lines))).changes
    fired = next(one for one in changes if (one.rule, str(one.transition)) == ("many", "fired"))
    (shown,) = fired.evidence["events"]
    assert shown["fields"]["number"] == 2  # of minute 1: what came last is older


def test_a_late_sample_in_an_alert_that_goes_on_leaves_its_start_alone() -> None:
    minutes = [0.5, 1.5, 2.5, 6, 7, 11, 3.5, 16, 17]
    assert [one for one in told(minutes, "many") if one[0] == "fired"] == [("fired", 10, 10)]


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("arriving", "why"),
    [
        ([0.5, 1.5, 11, 2.5, 16, 2.5], "told late twice, at two watermarks"),
        ([0.5, 1.5, 2.5, 16, 2.5], "told in time, and again late"),
        ([0.5, 1.5, 2.5, 2.5, 16, 1.5, 2.5, 17, 0.5], "told again and again"),
    ],
)
def test_a_sample_that_is_told_again_is_counted_once(
    arriving: list[float], why: str, ids: str, restarted: bool
) -> None:
    # three samples in ten minutes are not too many; a fourth is
    lines = world(arriving)
    numbers = {minute: number for number, minute in reversed(list(enumerate(arriving)))}
    lines = [lines[numbers[minute]] for minute in arriving]
    cuts = range(1, len(lines))
    saved = Stage(program(ids), END * MIN).run(lines, cuts, cuts if restarted else ())
    assert "many" not in {one.rule for one in saved.changes}, why
    assert not any(saved.rows.values())
    lines.append(world([*arriving, 3.5])[-1])
    more = Stage(program(ids), END * MIN).run(lines, range(1, len(lines)))
    assert "many" in {one.rule for one in more.changes}, "another sample is another sample"


arrivals = st.lists(
    st.tuples(st.floats(0, 1.9), st.sampled_from([0, 0, 0, 4, 12, 25])), min_size=8, max_size=40
)


@settings(max_examples=500, deadline=None)
@given(arrivals)
def test_every_window_with_too_many_has_an_alert_whenever_its_samples_came(draws: list) -> None:
    clock, minutes = 0.0, []
    for step, behind in draws:
        clock += step
        minutes.append(max(round(clock, 3) - behind, 0.01))
    counts = Counter(int(minute // 5) for minute in minutes)
    past = {edge * 5 for edge in range(1, 60) if counts[edge - 1] + counts[edge - 2] > 3}
    spans: list[list[float]] = []
    for what, since, at in told(minutes, "many"):
        if what == "fired":
            spans.append([since, END + 1])
        else:
            assert what == "cleared"
            spans[-1][1] = at
    told_of = {edge for edge in past if any(since <= edge < end for since, end in spans)}
    for edge in sorted(past, reverse=True):
        if edge + 5 in told_of:  # an alert that is open keeps its start
            told_of.add(edge)
    assert past == told_of
    assert all(since in past for since, _ in spans)


@settings(max_examples=500, deadline=None)
@given(arrivals, st.sets(st.integers(0, 40)))
def test_any_cut_into_batches_changes_nothing(draws: list, cuts: set[int]) -> None:
    clock, minutes = 0.0, []
    for step, behind in draws:
        clock += step
        minutes.append(max(round(clock, 3) - behind, 0.01))
    stage, lines = Stage(program(), END * MIN), world(minutes)
    singly = stage.run(lines, range(1, len(lines)))
    assert stage.run(lines, sorted(cuts)).changes == singly.changes


@settings(max_examples=500, deadline=None)
@given(arrivals, st.sets(st.integers(0, 40)))
def test_a_restart_anywhere_changes_nothing(draws: list, restarts: set[int]) -> None:
    clock, minutes = 0.0, []
    for step, behind in draws:
        clock += step
        minutes.append(max(round(clock, 3) - behind, 0.01))
    stage, lines = Stage(program(), END * MIN), world(minutes)
    cuts = range(1, len(lines))
    assert stage.run(lines, cuts).changes == stage.run(lines, cuts, sorted(restarts)).changes
    assert not any(stage.run(lines, cuts).rows.values())
