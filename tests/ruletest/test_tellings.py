"""The other tellings of a case: what they change, what they must leave alone, what they catch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.edge.files import read_project
from engine.pipeline import Space
from engine.ports import Core, Outcome, Position, Record, SourceId, Write
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read
from engine.ruleset.spec import Project
from engine.ruletest.bench import Bench, make_spaces
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.run import difference, run_case
from engine.ruletest.variants import Script, Telling, script
from engine.ruletest.wire import Letter, letters

PACK = Path(__file__).parent / "pack"
LOADED = load_project(read_project([PACK]), LoadOptions(lint=False))
PROJECT = cast("Project", LOADED.project)

STOPS = b"""
tests:
  - name: three stops, one after the other
    track:
      A1: "at 120.91,32.01 for 70m; then drive north 5 km; then stay for 30m"
      B2: "at 120.95,32.01 for 25m; then gone for 3m; then drive east 2 km; then stay for 40m;
        then drive south 30 km"
    expect: [hit: {at: 20m, key: A1}, raised: 1h, hit: {at: 20m, key: B2}, hit: {}, hit: {}]
"""


FLICKER = b"""
tests:
  - name: never warm for five minutes, but nearly, again and again
    every: 30s
    series: {cellar: {temp: "%s"}}
    expect: []
""" % (b"9x10 4 " * 20).strip()


def case_of(text: bytes, file: str = "stop_test.yaml") -> Case:
    document = read(DeclaredFile(file, text)).document
    assert document is not None
    (case,), problems = read_cases(document, PROJECT)
    assert problems == []
    return case


def letter(minute: int, *, barrier: bool = False) -> Letter:
    return Letter("gps", minute * 60_000, str(minute).encode(), barrier)


def test_every_telling_of_a_case_gives_its_alerts():
    result = run_case(case_of(STOPS), PROJECT)
    assert result.passed, (result.verdict.failures, result.deviations)
    assert len(result.changes) >= 7


@given(st.lists(st.integers(0, 300), min_size=2, max_size=60).map(sorted), st.integers(0, 30))
def test_shuffling_makes_nothing_late_and_loses_nothing(minutes, lateness):
    written = [letter(minute) for minute in minutes]
    told = script(Telling.SHUFFLED, written, {"gps": lateness * 60_000}).letters
    assert sorted(told, key=lambda one: one.at_ms) == written
    newest = 0
    for one in told:
        assert one.at_ms >= newest - lateness * 60_000
        newest = max(newest, one.at_ms)


def test_shuffling_really_changes_the_order():
    written = [letter(minute) for minute in range(60)]
    told = script(Telling.SHUFFLED, written, {"gps": 10 * 60_000}).letters
    assert sum(one is not two for one, two in zip(written, told, strict=True)) > 40


def test_nothing_is_moved_past_a_record_that_is_late_on_purpose():
    written = [letter(1), letter(2), letter(0, barrier=True), letter(3), letter(4)]
    told = script(Telling.SHUFFLED, written, {"gps": 600_000}).letters
    assert told[2] is written[2]
    assert set(told[:2]) == set(written[:2])


def test_doubling_sends_each_record_twice():
    told = script(Telling.DOUBLED, [letter(1), letter(2)], {}).letters
    assert told == [letter(1), letter(1), letter(2), letter(2)]


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_a_restarted_case_is_restarted_in_the_middle(count):
    told = script(Telling.RESTARTED, [letter(minute) for minute in range(count)], {})
    batches = -(-count // told.batch)
    assert told.restarts <= set(range(1, batches))
    assert told.restarts or batches == 1


def test_a_lost_record_is_seen_as_a_difference():
    """The comparison itself is tried: an engine that lost one stop must not pass."""
    case = case_of(STOPS)
    program = compile_project(replace(PROJECT, rules={"stop": PROJECT.rules["stop"]}))
    lines = letters(case.given, PROJECT, case.moments)
    bench = Bench(program, case.until_ms)
    whole = bench.play(Script(lines, 50)).changes
    without = [one for one in lines if b'"B2"' not in one.value]
    found = difference(Telling.DOUBLED, whole, bench.play(Script(without, 50)).changes)
    assert found is not None
    assert {change.key for change in found.missing} == {"B2"}
    assert found.extra == ()
    assert difference(Telling.DOUBLED, whole, whole) is None


class Forgetful(Space):
    """A core with a fault: it does not take up the rows of rules after a restart."""

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        del rows
        return super().restore(meta, [])


class Hasty(Space):
    """A core with a fault: it lets everything go at once instead of waiting for its turn."""

    def advance(self, until_ms: int | None = None) -> Outcome:
        newest = max((entry[0] for entry in self.buffer.waiting), default=None)
        return super().advance(newest if until_ms is None else until_ms)


class Gullible(Space):
    """A core with a fault: it believes that every record is new."""

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        for record in records:
            value = record.value.replace(b'"A1"', b'"A1-%d"' % (record.offset % 2))
            super().ingest(log, source, [record._replace(value=value)])


@pytest.mark.parametrize(
    ("fault", "telling", "text", "rule"),
    [
        pytest.param(Forgetful, Telling.RESTARTED, STOPS, "stop", id="a-restart-forgets"),
        pytest.param(Hasty, Telling.SHUFFLED, FLICKER, "warm", id="the-order-of-arrival-decides"),
        pytest.param(Gullible, Telling.DOUBLED, STOPS, "stop", id="a-repeat-is-taken-for-new"),
    ],
)
def test_a_fault_in_the_core_turns_its_telling_red(fault, telling, text, rule):
    case = case_of(text, f"{rule}_test.yaml")
    program = compile_project(replace(PROJECT, rules={rule: PROJECT.rules[rule]}))
    lines = letters(case.given, PROJECT, case.moments)

    def made(program: Program) -> Mapping[str, Core]:
        return {name: fault(space) for name, space in program.spaces.items()}

    lateness = {name: spec.lateness_ms for name, spec in PROJECT.feeds.items()}
    for make, is_same in ((make_spaces, True), (made, False)):
        bench = Bench(program, case.until_ms, make)
        plain = bench.play(script(Telling.AS_WRITTEN, lines, lateness)).changes
        other = script(telling, lines, lateness)
        told = bench.play(replace(other, batch=1) if fault is Hasty else other).changes
        assert (difference(telling, plain, told) is None) is is_same


def test_an_alert_sent_twice_is_a_difference():
    case = case_of(STOPS)
    changes = run_case(case, PROJECT, (Telling.AS_WRITTEN,)).changes
    found = difference(Telling.RESTARTED, changes, [*changes, changes[0]])
    assert found is not None
    assert found.extra == (changes[0], changes[0])
