"""on_change: migrate for silence, correlate and cluster: kept facts, judged by the new rule."""

import json
from collections.abc import Mapping

import pytest
from law_stage import MIN, READINGS, T0, project

from engine.errors import StateError
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program


def edited(
    before: str, after: str, story: Mapping[int, str], until: int, *, at: int
) -> list[tuple[str, int]]:
    """What the edited rule tells from minute `at` on, where it takes up what the old one kept."""
    old = project(READINGS, {"concern": f"by: who\nwhen:\n  {before}\n"})
    rows, meta = _play(old, story, at)
    stamp = old.project.rules["concern"].hash
    words = f"by: who\nwhen:\n  {after}\non_change: {{from: {stamp}, do: migrate}}\n"
    new = project(READINGS, {"concern": words})
    space = next(iter(Engine(new).spaces.values()))
    space.restore(meta, rows)
    adopted = space.adopted()
    changes: list[Change] = [] if adopted is None else list(adopted.changes)
    changes += space.advance(T0 + until * MIN).changes
    return [(one.transition.value, (one.at_ms - T0) // MIN) for one in changes]


def _play(program: Program, story: Mapping[int, str], at: int) -> tuple[list[Write], bytes]:
    space = next(iter(Engine(program).spaces.values()))
    records: list[Record] = []
    for minute, what in story.items():
        event = {"who": "k", "what": what, "at": T0 + minute * MIN}
        records.append(Record(len(records), json.dumps(event).encode()))
    space.ingest("log", SourceId("readings"), records)
    outcome = space.advance(T0 + at * MIN - 1)
    return list(outcome.writes), outcome.meta


def test_a_key_silent_for_longer_than_the_new_limit_is_told_at_the_start() -> None:
    story = {0: "x", 5: "x"}
    told = edited("silence: {at_least: 2h}", "silence: {at_least: 20m}", story, 90, at=40)
    assert told == [("fired", 40)]


def test_a_key_silent_for_less_than_the_new_limit_is_told_when_it_is() -> None:
    story = {0: "x", 5: "x"}
    told = edited("silence: {at_least: 50m}", "silence: {at_least: 80m}", story, 90, at=40)
    assert told == [("fired", 85)]


WAYS = "correlate: {{within: {0}, at_least: {1}, signals: {{{2}}}}}"
A = "a: {feed: readings, where: what == 'a'}"
B = "b: {feed: readings, where: what == 'b'}"
C = "c: {feed: readings, where: what == 'c'}"


def test_signals_that_are_enough_by_the_new_rule_are_told_at_the_start() -> None:
    before, after = WAYS.format("1h", 3, f"{A}, {B}, {C}"), WAYS.format("1h", 2, f"{B}, {A}")
    assert edited(before, after, {0: "a", 5: "b"}, 90, at=20) == [("fired", 20), ("cleared", 60)]


def test_a_signal_that_the_rule_has_lost_counts_no_more() -> None:
    before, after = WAYS.format("1h", 2, f"{A}, {B}"), WAYS.format("1h", 2, f"{A}, {C}")
    assert edited(before, after, {0: "a", 5: "b"}, 90, at=20) == [("cleared", 20)]


def test_a_cluster_goes_on_and_is_over_by_the_new_time() -> None:
    before, after = "cluster: {at_least: 3, within: 1h}", "cluster: {at_least: 5, within: 30m}"
    assert edited(before, after, {0: "x", 5: "x", 10: "x"}, 90, at=20) == [("cleared", 40)]


def test_records_kept_without_a_text_cannot_be_compared_by_it() -> None:
    before, after = (
        "cluster: {at_least: 3, within: 1h}",
        "cluster: {at_least: 3, within: 1h, text: what}",
    )
    with pytest.raises(StateError):
        edited(before, after, {0: "x", 5: "x", 10: "x"}, 90, at=20)
    assert edited(before, after, {0: "x", 5: "x"}, 90, at=20) == []
