"""What is kept of tries that came to nothing: enough to explain, never enough to matter."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec
import pytest
from explained import case_named, cases, program, told

from engine.edge.store.notes import RING, read_notes, write_notes
from engine.edge.store.schema import TABLES, statements
from engine.explain.course import Course
from engine.model.change import Change, Transition
from engine.model.progress import Note, Progress, Step
from engine.noting import MOST_NOTES, Notebook
from engine.operators.towards.ask import progress_of
from engine.pipeline import Engine
from engine.ports import Outcome, Record, SourceId, Write
from engine.ruletest.cases import Case

MIN = 60_000


def outcomes(case: Case, size: int = 1000, *, watched: str = "") -> Iterator[Outcome]:
    """What a case does to a fresh engine, in batches of so many records."""
    (rule,) = case.rules
    spaces = Engine(program(rule)).spaces
    if watched:
        Course(program(rule), rule, watched).watch(spaces)
    assert len(spaces) == 1
    (space,) = spaces.values()
    records = told(case)
    for feed in dict.fromkeys(feed for feed, _ in records):
        space.announce(SourceId(feed))
    for start in range(0, len(records), size):
        for number, (feed, value) in enumerate(records[start : start + size], start):
            space.ingest(feed, SourceId(feed), [Record(number, value)])
        yield space.advance()
    yield space.advance(case.until_ms)


def notes_of(some: Sequence[Outcome]) -> list[Note]:
    return [note for outcome in some for note in outcome.notes]


def changes_of(some: Sequence[Outcome]) -> list[Change]:
    return [change for outcome in some for change in outcome.changes]


SINGLE = [case for case in cases() if case.rules not in {("near",), ("places",)}]


def test_a_stay_of_seventeen_of_twenty_minutes_is_a_near_miss() -> None:
    (note,) = notes_of(list(outcomes(case_named("dwell", "17 minutes"))))
    held = next(step for step in note.progress.steps if step.name == "dwell-held")
    assert (note.kind, note.rule, note.key) == ("near-miss", "dwell", "U1")
    assert (held.have, held.need) == (17 * MIN, 20 * MIN)


@pytest.mark.parametrize(("have", "near"), [(15, False), (16, True), (19, True)])
def test_four_fifths_are_near(have: int, near: bool) -> None:
    steps = (Step("other", met=False), Step("goal", met=False, have=have, need=20))
    assert Progress("", steps).is_near is near
    assert Progress("", steps[1:]).is_near, "all but one condition met"


def test_a_stay_that_breaks_early_is_not_kept() -> None:
    case = case_named("dwell", "17 minutes")
    before = [one for one in told(case) if b"T09:0" not in one[1]]
    space = next(iter(Engine(program("dwell")).spaces.values()))
    space.ingest("gps", SourceId("gps"), [Record(n, one[1]) for n, one in enumerate(before)])
    assert len(before) < len(told(case))
    assert space.advance(case.until_ms).notes == []


def test_what_an_exception_kept_back_is_kept() -> None:
    case = case_named("dwell", "in a yard")
    space = next(iter(Engine(program("dwell")).spaces.values()))
    records = [Record(number, value) for number, (_, value) in enumerate(told(case))]
    last = msgspec.json.decode(records[-1].value)
    drives = msgspec.json.encode({**last, "speed": 30, "at": last["at"].replace("09:25", "09:26")})
    space.ingest("gps", SourceId("gps"), [*records, Record(len(records), drives)])
    (note,) = space.advance(case.until_ms + 5 * MIN).notes
    assert note.progress.unmet is not None
    assert note.progress.unmet.name == "alert-except"


@pytest.mark.parametrize("case", SINGLE, ids=lambda one: f"{one.rules[0]}: {one.name}")
def test_notes_do_not_depend_on_how_records_are_cut_into_batches(case: Case) -> None:
    assert notes_of(list(outcomes(case))) == notes_of(list(outcomes(case, 1)))


@pytest.mark.parametrize("case", SINGLE, ids=lambda one: f"{one.rules[0]}: {one.name}")
def test_watching_changes_nothing(case: Case) -> None:
    key = next((line.key for line in case.traces if line.key), "") or "U1"
    plain = [msgspec.json.encode(one) for one in changes_of(list(outcomes(case)))]
    seen = [
        msgspec.json.encode(one)
        for one in changes_of(list(outcomes(case, watched=_key(case) or key)))
    ]
    assert plain == seen


def _key(case: Case) -> str:
    found = changes_of(list(outcomes(case)))
    return found[0].key if found else ""


@pytest.mark.parametrize("case", SINGLE, ids=lambda one: f"{one.rules[0]}: {one.name}")
def test_asking_changes_no_state(case: Case) -> None:
    (rule,) = case.rules
    space = next(iter(Engine(program(rule)).spaces.values()))
    records = told(case)
    for number, (feed, value) in enumerate(records):
        space.ingest(feed, SourceId(feed), [Record(number, value)])
        space.advance()
        logic = space.logics[0]
        for key in list(logic.keys):
            before = msgspec.msgpack.encode(logic.save(key))
            progress_of(logic, key, space.progress.watermark)
            assert msgspec.msgpack.encode(logic.save(key)) == before


def test_what_fired_holds_the_figures_behind_it() -> None:
    fired = [
        change
        for case in SINGLE
        for change in changes_of(list(outcomes(case)))
        if change.transition is Transition.FIRED
    ]
    assert len(fired) >= 11
    for change in fired:
        trace = change.evidence["trace"]
        assert all(step["met"] for step in trace), change.rule
        assert trace[-1]["name"] == "alert-fired"


def test_a_rule_that_fails_over_a_key_says_so() -> None:
    notebook = Notebook(next(iter(program("match").spaces.values())))
    for number in range(MOST_NOTES + 5):
        notebook.failed(0, ZeroDivisionError("division by zero"), f"S{number}", number)
    notes = notebook.take()
    assert len(notes) == MOST_NOTES
    assert notes[0] == Note("error", "match", "S0", 0, detail="ZeroDivisionError: division by zero")
    assert notebook.take() == []


def test_a_ring_keeps_the_newest_of_each_kind() -> None:
    with closing(sqlite3.connect(":memory:")) as link:
        for statement in statements(TABLES):
            link.execute(statement)
        notes = [Note("near-miss", "r", "k", at) for at in range(10)]
        write_notes(link, [*notes, Note("error", "r", "k", 0), Note("near-miss", "r", "l", 3)], 0)
        write_notes(link, notes[-2:], 0)
        kept = read_notes(link, "r", "k")
    assert [note.at_ms for note in kept if note.kind == "near-miss"] == [7, 8, 9]
    assert len(kept) == RING + 1


def test_a_database_of_an_older_version_has_no_notes() -> None:
    with closing(sqlite3.connect(":memory:")) as link:
        assert read_notes(link, "r", "k") == []


@pytest.mark.parametrize("case", SINGLE, ids=lambda one: f"{one.rules[0]}: {one.name}")
def test_a_restart_changes_nothing_of_what_is_said(case: Case) -> None:
    (rule,) = case.rules
    space = next(iter(Engine(program(rule)).spaces.values()))
    kept: dict[str, Write] = {}
    for number, (feed, value) in enumerate(told(case)):
        space.ingest(feed, SourceId(feed), [Record(number, value)])
    outcome = space.advance(case.until_ms)
    for write in outcome.writes:
        if write.value is not None:
            kept[write.key] = write
    again = next(iter(Engine(program(rule)).spaces.values()))
    again.restore(outcome.meta, list(kept.values()))
    for number, rows in list(again.dormant.rows.items()):
        for key in list(rows):
            again.dormant.rouse(number, key)
    for key in sorted(kept):
        before = progress_of(space.logics[0], key, case.until_ms)
        assert progress_of(again.logics[0], key, case.until_ms) == before
