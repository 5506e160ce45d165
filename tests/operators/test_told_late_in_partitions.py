"""Records told late, in two cuts of a feed into partitions: what may differ, and what may not.

A key that shares its partition with one that runs ahead is told later than one that is alone. What
was told before a late record came cannot know of it; what begins after it is the same everywhere.
"""

import json
from collections.abc import Sequence
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import MIN, NUMBERED, T0, Stage, project
from small_world import Line

from engine.model.change import Change
from engine.ruleset.compile import Program

LATE = "late: {allow: 2h, then: retract}\n"
TEXT = (
    'annotations: {summary: {en: "{{ number }}: {{ value }}", zh: "{{ number }}: {{ value }}"}}\n'
)
WINDOW = "by: sensor\nwhen: {{window: {{aggregate: count, over: 10m, every: 5m, {}}}}}\n"
RULES = {
    "many": WINDOW.format("above: 3") + TEXT,
    "few": WINDOW.format("below: 3") + TEXT,
    "slowly": WINDOW.format("above: 3") + "for: 5m\nkeep_firing_for: 5m\n" + TEXT,
    "quiet": "by: sensor\nwhen: {silence: {at_least: 6m, forget: 3h}}\n",
}
END = 600
OTHER = "runs-ahead"


@cache
def program() -> Program:
    return project(NUMBERED, {name: words + LATE for name, words in RULES.items()})


def line(sensor: str, number: int, minute: float) -> Line:
    at = T0 + round(minute * MIN)
    event = {"sensor": sensor, "number": number, "at": at}
    return at, "readings", json.dumps(event).encode()


Draw = tuple[float, int, int]
"""Minutes since the last arrival, how late the record is, how far another key runs ahead of it."""


def two_cuts(draws: Sequence[Draw], calm: Sequence[float]) -> tuple[list[Line], list[Line], int]:
    """The records of one key alone, and beside a key that runs ahead; then both run calmly.

    Answers both cuts, and an instant before which all that was late had been told in both.
    """
    alone: list[Line] = []
    beside: list[Line] = []
    clock = ahead = 0.0
    for number, (step, behind, leads) in enumerate(draws):
        clock += step
        ahead = max(ahead, clock + leads)
        beside.append(line(OTHER, number, ahead))
        for cut in (alone, beside):
            cut.append(line("a", number, max(clock - behind, 0.01)))
    clock = settled = max(clock, ahead)
    for number, step in enumerate(calm, len(draws)):
        clock += step
        for cut in (alone, beside):
            cut.append(line("a", number, clock))
    for cut in (alone, beside):
        cut.append(line(OTHER, len(draws) + len(calm), END))
    return alone, beside, T0 + round(settled * MIN)


def changes_of(lines: Sequence[Line], restarts: Sequence[int] = ()) -> list[Change]:
    saved = Stage(program(), END * MIN).run(lines, range(1, len(lines)), restarts)
    assert not any(saved.rows.values())
    return [one for one in saved.changes if one.key == "a"]


def at_rest(cuts: Sequence[Sequence[Change]], rule: str, since_ms: int) -> int:
    """The first instant, not before another, at which no alert of a rule is open in any cut."""
    spans: dict[tuple[int, str], list[int]] = {}
    for number, changes in enumerate(cuts):
        for one in changes:
            if one.rule == rule:
                span = spans.setdefault((number, one.episode_id), [one.since_ms, one.at_ms])
                span[1] = one.at_ms
    instant = since_ms
    for begin, end in sorted(map(tuple, spans.values())):
        if begin <= instant < end:
            instant = end
    return instant


def test_a_key_of_which_all_is_told_late_is_judged_and_forgotten() -> None:
    late = [line("a", number, number + 0.5) for number in range(4)]
    lines = [line(OTHER, 9, 20), *late, line(OTHER, 10, END)]
    found = [one for one in changes_of(lines) if one.rule == "many"]
    assert [(str(one.transition), (one.at_ms - T0) / MIN) for one in found] == [
        ("fired", 5),
        ("cleared", 15),
    ]


def test_an_alert_that_still_waits_begins_where_the_windows_say_so_now() -> None:
    minutes = [1, 6, 7, 8, 11, 12, 2, 13, 16.5, 17, 18, 40]  # what is late changes no edge
    lines = [line("a", number, minute) for number, minute in enumerate(minutes)]
    waited = [one for one in changes_of(lines) if one.rule == "slowly"]
    assert [(one.since_ms - T0) / MIN for one in waited[:1]] == [10]
    assert [(one.at_ms - T0) / MIN for one in waited[:1]] == [15]
    minutes = [1, 6, 7, 8, 11, 12, 3, 4, 2, 13, 16.5, 17, 18, 40]  # and this begins it at edge 5
    lines = [line("a", number, minute) for number, minute in enumerate(minutes)]
    waited = [one for one in changes_of(lines) if one.rule == "slowly"]
    assert [(one.since_ms - T0) / MIN for one in waited[:1]] == [5]
    assert [(one.at_ms - T0) / MIN for one in waited[:1]] == [10]


draws = st.lists(
    st.tuples(
        st.floats(0, 2.5), st.sampled_from([0, 0, 0, 4, 12, 25]), st.sampled_from([0, 0, 3, 15])
    ),
    min_size=4,
    max_size=30,
)
calms = st.lists(st.floats(0.1, 8), min_size=8, max_size=25)


def test_what_begins_after_the_late_records_is_the_same_in_every_cut() -> None:
    compared: dict[str, list[int]] = {rule: [] for rule in RULES}
    differ: list[bool] = []

    @settings(max_examples=500, deadline=None)
    @given(draws, calms)
    def law(drawn: list[Draw], calm: list[float]) -> None:
        alone, beside, settled = two_cuts(drawn, calm)
        cuts = [changes_of(alone), changes_of(beside)]
        differ.append(cuts[0] != cuts[1])
        for rule in RULES:
            rest = at_rest(cuts, rule, settled)
            later = [
                [one for one in cut if one.rule == rule and one.since_ms > rest] for cut in cuts
            ]
            assert later[0] == later[1], rule
            compared[rule].append(len(later[0]))

    law()
    for rule, counts in compared.items():
        assert sum(count > 0 for count in counts) > 0.3 * len(counts), rule
    assert sum(differ) > 0.3 * len(differ), "the cuts are not the same, or the law says nothing"


@settings(max_examples=500, deadline=None)
@given(draws, calms, st.sets(st.integers(0, 80)))
def test_in_each_cut_a_restart_anywhere_changes_nothing(
    drawn: list[Draw], calm: list[float], restarts: set[int]
) -> None:
    for lines in two_cuts(drawn, calm)[:2]:
        assert changes_of(lines) == changes_of(lines, sorted(restarts))


@settings(max_examples=500, deadline=None)
@given(draws, calms)
def test_in_each_cut_what_is_told_again_changes_nothing(
    drawn: list[Draw], calm: list[float]
) -> None:
    for lines in two_cuts(drawn, calm)[:2]:
        again = [one for place, line_ in enumerate(lines) for one in (line_, lines[place // 2])]
        own = {one.delivery_id for one in changes_of(lines)}
        assert {one.delivery_id for one in changes_of(again)} == own
