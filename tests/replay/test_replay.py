"""A replay: the core's own alerts, days and reasons counted, feeds in step, an end of its own."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pytest

from engine.decode.shape import shape_of
from engine.edge.files import read_project
from engine.model.change import Change
from engine.ports import Batch, Record, SourceId
from engine.replay import Replay
from engine.ruleset.compile import compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project

PACK = Path(__file__).parents[1] / "ruletest/pack"
PROJECT = cast("Project", load_project(read_project([PACK]), LoadOptions(lint=False)).project)
PROGRAM = compile_project(PROJECT)
MONDAY = 1772413200  # 2026-03-02 09:00 in Shanghai
ROOM = SourceId("thermometer")


def readings(temps: Iterable[float], start_s: int = MONDAY) -> list[bytes]:
    return [row(start_s + 60 * minute, temp) for minute, temp in enumerate(temps)]


def row(at_s: int | str, temp: float) -> bytes:
    """A CSV record: the columns stand in the order in which the feed's decoder expects them."""
    cells = {"room": "cellar", "at": at_s, "temp": temp, "door": ""}
    columns = shape_of(PROJECT.feeds["thermometer"], None).fields
    return ",".join(str(cells[column.name]) for column in columns).encode()


def batch(values: Sequence[bytes], source: SourceId = ROOM, start: int = 0) -> Batch:
    records = [Record(start + place, value) for place, value in enumerate(values)]
    return Batch(f"{source.feed}/{source.partition}", source, records)


def kinds(changes: Sequence[Change]) -> list[str]:
    return [str(change.transition) for change in changes]


def test_what_happened_is_answered_as_it_happens_and_counted_by_rule_and_day():
    replay = Replay(PROGRAM, [ROOM])
    first = replay.take(batch(readings([9] * 8)))
    second = replay.take(batch(readings([4] * 3, MONDAY + 480), start=8))
    last = replay.finish()
    assert kinds([*first, *second, *last]) == ["fired", "cleared"]
    assert replay.tally.alerts == {("warm", "fired"): 1, ("warm", "cleared"): 1}
    assert replay.tally.days == {("warm", "2026-03-02"): 1}
    assert replay.tally.records == {"thermometer": 11}
    assert (replay.tally.first_ms, replay.tally.last_ms) == (MONDAY * 1000, (MONDAY + 600) * 1000)


@pytest.mark.parametrize(
    ("minutes", "fired"),
    [
        pytest.param(None, 0, id="timers-fire-up-to-the-last-event"),
        pytest.param(5, 1, id="or-up-to-the-named-instant-inclusive"),
        pytest.param(4, 0, id="and-no-further"),
    ],
)
def test_a_recording_has_an_end(minutes, fired):
    replay = Replay(PROGRAM, [ROOM])
    replay.take(batch(readings([9, 9, 9])))
    until = None if minutes is None else (MONDAY + minutes * 60) * 1000
    assert kinds(replay.finish(until)) == ["fired"] * fired


def test_what_is_no_record_is_told_with_its_reason_once():
    replay = Replay(PROGRAM, [ROOM])
    replay.take(batch([row("soon", 9), b"cellar,1", *readings([4])]))
    replay.finish()
    assert replay.tally.rejected == {
        ("thermometer", "wrong-type"): 1,
        ("thermometer", "not-csv"): 1,
    }
    assert [one.offset for one in replay.rejected] == [0, 1]


def test_what_comes_too_late_is_told():
    replay = Replay(PROGRAM, [ROOM])
    replay.take(batch(readings([4, 4, 4, 4, 4])))
    replay.take(batch(readings([9]), start=5))
    replay.finish()
    assert replay.tally.late == {"thermometer": 1}


def ledger(feed: str, at: str, amount: int) -> Batch:
    value = json.dumps({"project": "P1", "at": at, "sum": amount}).encode()
    return batch([value], SourceId(feed))


def test_a_feed_waits_for_another_of_the_same_rule_until_that_has_ended():
    """A deposit in time is counted though the permits' recording is read far beyond it first."""
    permits, deposits = SourceId("permits"), SourceId("deposits")
    replay = Replay(PROGRAM, [permits, deposits])
    replay.take(ledger("permits", "2026-03-02T09:00:00", 100))
    later = {"project": "P2", "at": "2026-05-20T09:00:00", "sum": 100}
    early = replay.take(batch([json.dumps(later).encode()], permits, start=1))
    early += replay.ended(permits)
    assert early == []
    replay.take(ledger("deposits", "2026-03-20T09:00:00", 3))
    assert {change.key for change in [*replay.ended(deposits), *replay.finish()]} <= {"P2"}


def test_two_recordings_of_one_feed_hold_each_other_back():
    one, two = SourceId("thermometer", 0), SourceId("thermometer", 1)
    replay = Replay(PROGRAM, [one, two])
    assert replay.take(batch(readings([9] * 10), one)) == []
    assert kinds(replay.take(batch(readings([4] * 10, MONDAY + 700), two))) == ["fired"]
