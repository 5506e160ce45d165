"""Taking records in by the lot puts into the buffer what taking them one by one does."""

import random

import pytest
from small_world import MIN, T0, fix, program

from engine.pipeline import Space
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
