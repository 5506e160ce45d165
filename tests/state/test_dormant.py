"""Rows lie dormant after a start until their keys are touched, and nobody can tell."""

import random
from collections import Counter

import msgspec
import orjson
import pytest
from dormant_rows import check_dormant
from hypothesis import given, settings
from hypothesis import strategies as st
from law_stage import LATENESS, MIN, T0, Stage, project, told
from small_world import Line, Saved

from engine.handover import hand_over
from engine.operators.dormancy import OWN
from engine.pipeline import Engine, Space
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program, compile_project
from engine.state.codec import pack_row
from engine.state.rows import StateRows, by_rule

READINGS = SourceId("readings")
FEED = """
feed: readings
title: {zh: 读数, en: Readings}
topic: feed.readings
format: json
key: post
id: [post, at]
time: {field: at, format: epoch-ms, zone: Asia/Shanghai}
lateness: 5m
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  post: text
  at: {type: time, format: epoch-ms}
  kind: {type: text, values: [open, shut, stuck]}
  level: {type: number, unit: m}
  lon: number
  lat: number
purpose: [tests]
"""
RULES = {
    name: f"by: post\nwhen: {{{words}}}\n"
    for name, words in {
        "c-stays": "dwell: {radius: 100 meters, at_least: 9m, tolerate: {outside: 1m, silent: 4m}}",
        "c-once": "match: {condition: level > 3 meters, quiet: 4m}",
        "c-thrice": "match: {condition: level > 3 meters, times: {count: 3, within: 9m}}",
        "c-silent": "silence: {at_least: 4m, forget: 30m}",
        "c-due": "deadline: {start: {feed: readings, where: kind == 'open'}, within: 8m,"
        " need: {feed: readings, where: kind == 'shut'}}",
        "c-alike": "cluster: {at_least: 3, within: 9m, near: 300 meters}",
        "c-jumps": "change: {of: level, jumps: 4 meters, within: 6m}",
        "c-much": "window: {of: level, aggregate: sum, over: 10m, above: 12 meters}",
        "c-run": "window: {of: level, aggregate: max, gap: 4m, above: 5 meters}",
        "c-path": "sequence: {steps: [{feed: readings, where: kind == 'open'},"
        " {feed: readings, where: kind == 'stuck'}],"
        " within: 9m}",
        "c-two": "correlate: {within: 9m, at_least: 2, signals:"
        " {open: {feed: readings, where: kind == 'open'},"
        " high: {feed: readings, where: level > 3 meters}}}",
    }.items()
}


class Dormant(Stage):
    """Counts which operators' rows lay dormant at a restart."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, 60 * MIN)
        self.seen: Counter[str] = Counter()

    def _start(self, saved: Saved) -> tuple[Engine, dict[str, int]]:
        engine, read = super()._start(saved)
        for space in engine.spaces.values():
            self.seen += check_dormant(space)
        return engine, read


@pytest.fixture(scope="module")
def stage() -> Dormant:
    return Dormant(project(FEED, RULES))


readings = st.lists(
    st.tuples(
        st.sampled_from("pqrst"), st.sampled_from([0.5, 1, 2, 5, 12]),
        st.sampled_from(["open", "shut", "stuck"]), st.sampled_from([0, 1, 4, 9]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    min_size=12, max_size=40,
)  # fmt: skip


def world(draws: list[tuple[str, float, str, float, int]]) -> list[Line]:
    clock = dict.fromkeys("pqrst", 0.0)
    lines = [reading("p", 0)]
    for post, wait, kind, level, step in draws:
        clock[post] += wait
        lines.append(reading(post, clock[post], kind, level, step))
    return sorted(lines)


def reading(post: str, minute: float, kind: str = "shut", level: float = 0, step: int = 0) -> Line:
    at = T0 + round(minute * MIN)
    row = {"post": post, "at": at, "kind": kind, "level": level}
    return at, "readings", orjson.dumps(row | {"lon": 120.9 + 0.01 * step, "lat": 32.0})


@settings(max_examples=40, deadline=None)
@given(readings, st.randoms(use_true_random=False))
def laws(stage: Dormant, draws: list[tuple[str, float, str, float, int]], rnd: random.Random):
    lines = sorted(world(draws), key=lambda line: line[0] + rnd.randrange(LATENESS))
    cuts = sorted({rnd.randrange(len(lines) + 1) for _ in range(6)})
    plain, restarted = stage.run(lines, cuts), stage.run(lines, cuts, restarts=cuts)
    assert told(restarted.changes) == told(plain.changes)
    assert restarted.rows == plain.rows


def test_restarts_change_nothing_and_every_operator_has_dormant_rows(stage: Dormant) -> None:
    laws(stage)
    tried = {
        type(logic) for space in Engine(stage.program).spaces.values() for logic in space.logics
    }
    assert {one.__name__ for one in tried} == set(stage.seen)
    assert min(stage.seen.values()) >= 20
    assert tried <= set(OWN)


ONE = {"c-stays": RULES["c-stays"], "c-due": RULES["c-due"]}
STANDS = [reading(post, 0, "open") for post in "pqrst"]


def started(saved: Saved, program: Program | None = None) -> Space:
    """A partition that was restored from what another left."""
    engine, _ = Stage(program or project(FEED, ONE), 0)._start(saved)  # noqa: SLF001
    (space,) = engine.spaces.values()
    return space


@pytest.fixture
def saved() -> Saved:
    """What is left when five posts have been standing for a moment."""
    (space,) = Engine(project(FEED, ONE)).spaces.values()
    space.announce(READINGS)
    kept = Saved()
    space.ingest("log", READINGS, records(STANDS))
    kept.keep(space.program.name, space.advance(T0))
    return kept


def records(lines: list[Line], start: int = 0) -> list[Record]:
    return [Record(start + number, value) for number, (_, _, value) in enumerate(lines)]


def dormant(space: Space) -> dict[str, set[str]]:
    return {
        space.program.rules[number].spec.id: set(rows)
        for number, rows in space.dormant.rows.items()
    }


def test_all_rows_but_one_of_each_rule_lie_dormant_and_all_are_counted(saved: Saved) -> None:
    space = started(saved)
    assert {rule: len(keys) for rule, keys in dormant(space).items()} == {"c-stays": 4, "c-due": 4}
    assert space.sizes() == {"c-stays": 5, "c-due": 5}


def test_an_event_takes_up_the_row_of_its_key_and_no_other(saved: Saved) -> None:
    space = started(saved)
    space.ingest("log", READINGS, records([reading("t", 1)], 5))
    outcome = space.advance(T0 + 1 * MIN)
    assert dormant(space) == {"c-stays": {"q", "r", "s"}, "c-due": {"q", "r", "s"}}
    assert {(row.rule, row.key) for row in outcome.writes} == {("c-stays", "t"), ("c-due", "t")}


def test_taking_up_a_row_asks_for_no_timer_a_second_time(saved: Saved) -> None:
    space = started(saved)
    before = sorted(space.timers)
    for number in (0, 1):
        space.dormant.rouse(number, "t")
    assert dormant(space) == {"c-stays": {"q", "r", "s"}, "c-due": {"q", "r", "s"}}
    assert sorted(space.timers) == before


def test_the_timer_of_a_dormant_row_fires(saved: Saved) -> None:
    space = started(saved)
    outcome = space.advance(T0 + 8 * MIN)
    assert {(one.rule, one.key) for one in outcome.changes} == {("c-due", post) for post in "pqrst"}
    assert "c-due" not in dormant(space)


def test_a_rule_with_a_budget_of_keys_knows_all_of_them(saved: Saved) -> None:
    bounded = ONE | {"c-stays": ONE["c-stays"] + "limits: {keys: 5}\n"}
    space = started(saved, project(FEED, bounded))
    assert set(dormant(space)) == {"c-due"}
    space.ingest("log", READINGS, records([reading("u", 1)], 5))
    outcome = space.advance(T0 + 1 * MIN)
    assert [(one.kind, one.rule) for one in outcome.troubles] == [("too-many-keys", "c-stays")]


def test_dormant_rows_go_over_when_other_rules_change(saved: Saved) -> None:
    plain, more = project(FEED, ONE), project(FEED, ONE | {"a-first": RULES["c-once"]})
    before = started(saved, program=plain)
    (part,) = compile_project(more.project, plain, set(ONE)).spaces.values()
    space = hand_over(before, Space(part), [])
    assert {rule: len(keys) for rule, keys in dormant(space).items()} == {"c-stays": 4, "c-due": 4}
    outcome = space.advance(T0 + 8 * MIN)
    assert {(one.rule, one.key) for one in outcome.changes} == {("c-due", post) for post in "pqrst"}
    space.ingest("log", READINGS, records([reading("t", 8.5)], 5))
    space.advance(T0 + round(8.5 * MIN))
    assert dormant(space) == {"c-stays": {"q", "r", "s"}}


def test_a_damaged_row_is_found_at_the_start(saved: Saved) -> None:
    (rows,) = saved.rows.values()
    rows["c-stays", "r"] = rows["c-stays", "r"][:-5]
    with pytest.raises(msgspec.DecodeError):
        started(saved)


def test_rows_that_this_build_cannot_read_are_found_at_the_start(saved: Saved) -> None:
    (rows,) = saved.rows.values()
    stamp = project(FEED, ONE).rules["c-stays"].spec.hash
    for post in "pqrst":
        rows["c-stays", post] = pack_row(stamp, [{"in": "a later shape"}, []])
    with pytest.raises(KeyError):
        started(saved)


def test_one_row_of_another_shape_is_told_when_its_key_is_touched_and_kept(saved: Saved) -> None:
    (rows,) = saved.rows.values()
    stamp = project(FEED, ONE).rules["c-stays"].spec.hash
    rows["c-stays", "r"] = odd = pack_row(
        stamp, [[[[1]], "", 0, 0, 0, 0, 0, "no such feed", {}], []]
    )
    (space,) = Engine(project(FEED, ONE)).spaces.values()
    (meta,) = saved.meta.values()
    space.restore(meta, [Write(*name, value) for name, value in rows.items()])
    space.ingest("log", READINGS, records([reading("r", 1), reading("s", 1)], 5))
    outcome = space.advance(T0 + 1 * MIN)
    assert [(one.kind, one.rule) for one in outcome.troubles] == [("rule-error", "c-stays")]
    touched = {(row.rule, row.key) for row in outcome.writes}
    assert touched == {("c-stays", "s"), ("c-due", "r"), ("c-due", "s")}
    assert odd in [rows.get("r") for rows in space.dormant.rows.values()]


def test_rows_by_rule_are_the_same_however_they_are_given() -> None:
    rows = [Write("r", "a", b"1"), Write("s", "a", b"2"), Write("r", "b", None)]
    assert by_rule(rows) == {"r": {"a": b"1"}, "s": {"a": b"2"}}
    kept = StateRows(by_rule(rows))
    assert list(kept) == rows[:2]
    assert (len(kept), kept[1], kept[:1]) == (2, rows[1], rows[:1])
    assert by_rule(kept) == by_rule(rows)
