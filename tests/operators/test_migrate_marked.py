"""on_change: migrate for window, change, cross, corridor, sequence: what only judges may change."""

import json
from collections.abc import Sequence

import pytest
from law_stage import MIN, READINGS, T0, project

from engine.errors import StateError
from engine.model.change import Change
from engine.pipeline import Engine, Space
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program
from engine.state.codec import pack_row, unpack_row

ZONES = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"id": "yard"}, "geometry": {"type": "Polygon",
 "coordinates": [[[120.9, 32.0], [120.91, 32.0], [120.91, 32.01], [120.9, 32.01], [120.9, 32.0]]]}
}]}"""
WAYS = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"id": "east"},
 "geometry": {"type": "LineString", "coordinates": [[120.9, 32.0], [120.95, 32.0]]}}]}"""
LAYERS = {"zones__yards.geojson": ZONES, "zones__ways.geojson": WAYS}
STEPS = (
    "sequence: {{steps: [{{feed: readings, where: what == 'a'}}, "
    "{{feed: readings, where: what == '{}'}}], within: 1h}}"
)
Story = Sequence[tuple[float, dict[str, object]]]
ENDS = 600


def levels(*pairs: tuple[float, float]) -> Story:
    return [(minute, {"level": level}) for minute, level in pairs]


def words(*pairs: tuple[float, str]) -> Story:
    return [(minute, {"what": what}) for minute, what in pairs]


def places(*fixes: tuple[float, float, float]) -> Story:
    return [(minute, {"lon": lon, "lat": lat}) for minute, lon, lat in fixes]


def make(rule: str, more: str = "") -> Program:
    return project(READINGS, {"concern": f"by: who\nwhen:\n  {rule}\n{more}"}, **LAYERS)


def records(story: Story) -> list[Record]:
    return [
        Record(number, json.dumps({"who": "k", **fields, "at": T0 + round(minute * MIN)}).encode())
        for number, (minute, fields) in enumerate(story)
    ]


def saved_by(program: Program, story: Story, at: float) -> tuple[list[Write], bytes, list[Change]]:
    space = only(program)
    space.ingest("log", SourceId("readings"), records(story))
    outcome = space.advance(T0 + round(at * MIN) - 1)
    return list(outcome.writes), outcome.meta, list(outcome.changes)


def only(program: Program) -> Space:
    (space,) = Engine(program).spaces.values()
    return space


def edited(
    before: str, after: str, story: Story, then: Story = (), *, at: float, older: bool = False
) -> list[tuple[str, float]]:
    """What the edited rule tells from minute `at` on; `older`: rows that do not say their mark."""
    old = make(before)
    rows, meta, _ = saved_by(old, story, at)
    if older:
        rows = [bare(row) for row in rows]
    stamp = old.project.rules["concern"].hash
    new = make(after, f'on_change: {{from: "{stamp}", do: migrate}}\n')
    space = only(new)
    space.restore(meta, rows)
    adopted = space.adopted()
    changes: list[Change] = [] if adopted is None else list(adopted.changes)
    space.ingest("later", SourceId("readings"), records(then))
    changes += space.advance(T0 + ENDS * MIN).changes
    return [(one.transition.value, (one.at_ms - T0) / MIN) for one in changes]


def bare(row: Write) -> Write:
    stamp, payload = unpack_row(row.value or b"")
    kept, opened = payload
    return row._replace(value=pack_row(stamp, [kept[:-1], opened]))


def test_samples_that_are_too_many_by_the_new_limit_are_told_at_the_next_edge() -> None:
    window = "window: {{aggregate: count, over: 30m, every: 5m, above: {}}}"
    story = levels((1, 1), (3, 1), (12, 1))
    told = edited(window.format(5), window.format(2), story, at=17)
    assert told == [("fired", 20), ("cleared", 35)]


def test_a_longer_window_keeps_its_buckets_and_fills_up() -> None:
    window = "window: {{aggregate: sum, of: level, over: {}, every: 5m, above: 10}}"
    story = levels((1, 4), (12, 4))
    told = edited(window.format("15m"), window.format("1h"), story, levels((30, 4)), at=14)
    assert told == [("fired", 35), ("cleared", 65)]
    # at minute 33 the bucket of minute 1 had been out of the old window's reach for long
    late = edited(window.format("15m"), window.format("1h"), story, levels((40, 4)), at=33)
    assert late == []


def test_an_alert_of_a_window_goes_on_and_ends_by_the_new_limit() -> None:
    window = "window: {{aggregate: mean, of: level, over: 10m, every: 5m, above: {}}}"
    story = levels((1, 7), (6, 7), (11, 7), (16, 7))
    assert edited(window.format(5), window.format(8), story, at=17) == [("cleared", 20)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("window: {aggregate: sum, of: level, over: 1h, every: 5m, above: 9}",
         "window: {aggregate: mean, of: level, over: 1h, every: 5m, above: 9}"),
        ("window: {aggregate: sum, of: level, over: 1h, every: 5m, above: 9}",
         "window: {aggregate: sum, of: level * 2, over: 1h, every: 5m, above: 9}"),
        ("window: {aggregate: sum, of: level, over: 1h, every: 5m, above: 9}",
         "window: {aggregate: sum, of: level, over: 1h, every: 10m, above: 9}"),
        ("change: {of: level, jumps: 3}", "change: {of: level + 1, jumps: 3}"),
        ("cross: {enters: yards}", "cross: {leaves: yards}"),
        ("corridor: {routes: ways, route: \"'east'\", off: {by: 300 meters, at_least: 5m}}",
         "corridor: {routes: ways, route: \"'east'\", off: {by: 200 meters, at_least: 5m}}"),
        (STEPS.format("b"), STEPS.format("c")),
    ],
    ids=["aggregate", "of", "every", "value", "how", "width", "step"],
)  # fmt: skip
def test_facts_that_are_about_something_else_are_refused(before: str, after: str) -> None:
    story = [
        (1.0, {"level": 5, "what": "a", "lon": 120.905, "lat": 32.005}),
        (2.0, {"level": 6, "what": "a", "lon": 120.906, "lat": 32.005}),
    ]
    with pytest.raises(StateError) as caught:
        edited(before, after, story, at=3)
    assert "something else" in caught.value.said("en")
    assert "含义已变" in caught.value.said("zh")


def test_rows_of_an_older_build_do_not_say_what_they_are_about() -> None:
    window = "window: {{aggregate: count, over: 30m, every: 5m, above: {}}}"
    with pytest.raises(StateError) as caught:
        edited(window.format(5), window.format(2), levels((1, 1)), at=3, older=True)
    assert "older build" in caught.value.said("en")


def test_the_value_before_the_edit_is_what_the_next_one_jumps_from() -> None:
    jumps = "change: {{of: level, jumps: {}}}"
    story, then = levels((1, 5)), levels((4, 9), (5, 9))
    assert edited(jumps.format(6), jumps.format(3), story, then, at=3) == [
        ("fired", 4),
        ("cleared", 5),
    ]
    assert edited(jumps.format(3), jumps.format(6), story, then, at=3) == []


def test_who_is_inside_since_before_the_edit_has_been_there_for_as_long() -> None:
    enters = "cross: {{enters: yards, at_least: {}, gap: 10m}}"
    story = places((0, 120.89, 32.005), (1, 120.905, 32.005), (3, 120.906, 32.005))
    then = places((8, 120.907, 32.005), (9, 120.95, 32.005))
    told = edited(enters.format("30m"), enters.format("5m"), story, then, at=4)
    assert told == [("fired", 8), ("cleared", 9)]


def test_who_is_off_its_way_for_long_enough_by_the_new_rule_is_told_at_the_start() -> None:
    off = (
        "corridor: {{routes: ways, route: \"'east'\", "
        "off: {{by: 300 meters, at_least: {}}}, tolerate: {{silent: 10m}}}}"
    )
    story = places((1, 120.91, 32.0), (2, 120.91, 32.01), (9, 120.911, 32.01))
    then = places((12, 120.92, 32.0))
    told = edited(off.format("1h"), off.format("5m"), story, then, at=10)
    assert told == [("fired", 10), ("cleared", 12)]


def test_a_run_that_is_too_old_by_the_new_rule_is_over_and_another_goes_on() -> None:
    steps = (
        "sequence: {{steps: [{{feed: readings, where: what == 'a'}}, "
        "{{feed: readings, where: what == 'b'}}], within: {}, quiet: 5m}}"
    )
    story, then = words((1, "a")), words((30, "b"))
    assert edited(steps.format("1h"), steps.format("20m"), story, then, at=25) == []
    told = edited(steps.format("40m"), steps.format("1h"), story, words((50, "b")), at=25)
    assert told == [("fired", 50), ("cleared", 55)]
