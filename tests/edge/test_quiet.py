"""Quiet sources: idle after their time, and event time goes on only when all are quiet."""

import pytest

from engine.edge.quiet import Quiet
from engine.edge.store import Tick
from engine.ports import SourceId

GPS, PERMITS, FILE = SourceId("gps"), SourceId("permits"), SourceId("file")


def watch(*live: SourceId) -> Quiet:
    quiet = Quiet(
        {"vehicle": [GPS], "project": [GPS, PERMITS, FILE]},
        {"gps": 10.0, "permits": 20.0, "file": 5.0},
        frozenset(live),
    )
    quiet.begin(0.0)
    return quiet


def test_a_live_source_is_idle_after_its_time_in_every_key_space_that_reads_it() -> None:
    quiet = watch(GPS, PERMITS)
    assert quiet.due(9.9) == []
    assert quiet.due(10.0) == [
        Tick("idle", "vehicle", "gps", 0),
        Tick("idle", "project", "gps", 0),
        Tick("tick", "vehicle", elapsed_ms=10_000),
    ]


def test_a_recording_is_never_quiet_however_slow_it_is() -> None:
    quiet = watch(GPS, PERMITS)
    ticks = quiet.due(1000.0)
    assert not any(tick.feed == "file" for tick in ticks)
    assert not any(tick.space == "project" and tick.kind == "tick" for tick in ticks)


def test_once_the_recording_is_over_time_goes_on_by_what_passed() -> None:
    quiet = watch(GPS, PERMITS)
    quiet.due(30.0)
    assert quiet.ended(FILE) == [Tick("idle", "project", "file", 0)]
    assert Tick("tick", "project", elapsed_ms=30_500) in quiet.due(30.5)
    later = [tick for tick in quiet.due(32.0) if tick.space == "project"]
    assert [tick.elapsed_ms for tick in later] == [1500]


def test_time_passes_exactly_once_however_often_it_is_looked_at() -> None:
    quiet = watch(GPS)
    quiet.spaces = {"vehicle": [GPS]}
    passed = 0
    for step in range(1, 600):
        passed += sum(tick.elapsed_ms for tick in quiet.due(10.0 + step * 0.37))
    assert abs(passed - (10_000 + 599 * 370)) <= 1370


def test_a_word_from_the_source_ends_the_quiet() -> None:
    quiet = watch(GPS)
    quiet.spaces = {"vehicle": [GPS]}
    quiet.due(10.0)
    quiet.heard(GPS, 12.0)
    assert quiet.due(13.0) == []
    assert quiet.due(22.0) == [
        Tick("idle", "vehicle", "gps", 0), Tick("tick", "vehicle", elapsed_ms=10_000)
    ]  # fmt: skip


@pytest.mark.parametrize("live", [[], [GPS]])
def test_recordings_alone_make_no_time_pass(live: list[SourceId]) -> None:
    quiet = watch(*live)
    quiet.spaces = {"project": [FILE]}
    quiet.ended(FILE)
    assert [tick for tick in quiet.due(100.0) if tick.kind == "tick"] == []
