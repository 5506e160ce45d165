"""Taking records in by the lot puts into the buffer what taking them one by one does."""

import random

import pytest
from small_world import MIN, T0, fix, program

from engine.pipeline import PASS, Space
from engine.ports import Record, SourceId

GPS = SourceId("gps")
HOUR = 60 * MIN


def taken(records, *, by_the_lot, before=()):
    """Outcome-relevant facts after taking records in: what waits, the marks, what was refused."""
    space = Space(program().spaces["car"])
    if not by_the_lot:
        space.intakes = {name: one._replace(bulk=None) for name, one in space.intakes.items()}
    space.ingest("log", GPS, before)
    space.advance()
    space.ingest("log", GPS, records)
    log = space.logs["log"]
    waiting = [(*entry[:8], bytes(repr(entry[8]), "utf-8")) for entry in space.buffer.waiting]
    return waiting, log.mark, log.next, space.outcome.rejected, space.outcome.counts


def records(rnd, count, *, spread, arrivals, first=0):
    """Fixes of some cars in an order that is off by up to `spread` minutes."""
    made = []
    for number in range(count):
        minute = number / 10 + rnd.uniform(0, spread)
        at_ms, _, value = fix(minute, rnd.choice("abc"), number, rnd.choice([0, 40, 95]))
        arrived = {"none": None, "known": at_ms + rnd.randrange(MIN), "far": at_ms - 2 * HOUR}
        kind = arrivals if arrivals != "mixed" else rnd.choice(["none", "known"])
        made.append(Record(first + number, value, arrived[kind]))
    return made


@pytest.mark.parametrize("spread", [0.0, 0.5, 30.0])
@pytest.mark.parametrize("arrivals", ["none", "known", "mixed", "far"])
@pytest.mark.parametrize("broken", [None, b"{", b'{"$watermark": 1772413200000}', b'{"car": ""}'])
def test_a_lot_is_taken_in_as_its_records_are_one_by_one(spread, arrivals, broken):
    rnd = random.Random(f"{spread} {arrivals} {broken!r}")
    before = records(rnd, 20, spread=0, arrivals="none")
    given_ = records(rnd, 300, spread=spread, arrivals=arrivals, first=20)
    if broken is not None:
        given_[150] = given_[150]._replace(value=broken)
    together = taken(given_, by_the_lot=True, before=before)
    assert together == taken(given_, by_the_lot=False, before=before)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_ordinary_records_take_the_short_way(spread, monkeypatch):
    given_ = records(random.Random(1), 300, spread=spread, arrivals="known")
    monkeypatch.setattr(Space, "_take_singly", lambda *_ignored: pytest.fail("the careful way"))
    waiting, mark, *_ = taken(given_, by_the_lot=True)
    assert len(waiting) > 100
    assert mark > T0


PAID = SourceId("paid")


def worked_on(given_, size, *, other):
    """Changes, counts and last state rows when the records come in batches of this size."""
    space = Space(program().spaces["car"])
    space.announce(GPS)
    space.announce(PAID)
    if other == "rests":
        space.idle(PAID)
    rows: dict[tuple[str, str], bytes | None] = {}
    counts: dict[tuple[str, str], int] = {}
    changes, refused = [], []
    for start in range(0, len(given_) + size, size):
        if other == "follows":
            space.mark(PAID, T0 + (start + size // 2) * 6_000)
        space.ingest("log", GPS, given_[start : start + size])
        outcome = space.advance(None if start < len(given_) else T0 + 24 * HOUR)
        changes += outcome.changes
        refused += outcome.rejected
        rows |= {(write.rule, write.key): write.value for write in outcome.writes}
        for name, count in outcome.counts.items():
            counts[name] = counts.get(name, 0) + count
    return changes, {one: row for one, row in rows.items() if row is not None}, counts, refused


@pytest.mark.parametrize("other", ["rests", "follows"])
@pytest.mark.parametrize("spread", [0.0, 0.5, 30.0])
def test_a_long_batch_is_worked_on_in_passes_and_says_the_same_as_short_ones(spread, other):
    given_ = records(random.Random(3), 5 * PASS, spread=spread, arrivals="none")
    given_[700] = given_[700]._replace(value=b"{")
    given_[3000] = given_[2999]._replace(offset=3000)
    found = [worked_on(given_, size, other=other) for size in (5 * PASS, 2 * PASS, 100)]
    assert len(found[0][0]) > 10
    assert found[0][3][0].reason == "not-json"
    if spread == 30.0:
        assert found[0][2]["late", "gps"] > 100
    assert found[0] == found[1] == found[2]


def test_nothing_of_a_long_batch_happens_before_the_rules_are_asked_to_go_on():
    space = Space(program().spaces["car"])
    space.announce(GPS)
    given_ = records(random.Random(3), 3 * PASS, spread=0, arrivals="none")
    space.ingest("log", GPS, given_)
    assert space.outcome.changes == []
    assert space.advance().changes != []


def test_a_source_that_rested_holds_the_watermark_back_once_its_long_batch_is_noted():
    space = Space(program().spaces["car"])
    space.announce(GPS)
    space.mark(GPS, T0)
    space.idle(GPS)
    space.mark(PAID, T0)
    space.ingest("log", GPS, records(random.Random(3), 3 * PASS, spread=0, arrivals="none"))
    space.mark(PAID, T0 + 24 * HOUR)
    outcome = space.advance()
    assert outcome.counts.get(("late", "gps"), 0) == 0
    assert outcome.watermark_ms < T0 + 24 * HOUR
