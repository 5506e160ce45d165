"""State that is moved to another number of partitions goes on as if it had never been moved."""

import random
import zlib
from collections.abc import Callable, Mapping, Sequence

import pytest
from small_world import MIN, T0, Line, fix, payment, program

from engine.edge.state_tools.reread import Rereading
from engine.model.change import Change
from engine.model.row_keys import row_key
from engine.pipeline import Space
from engine.ports import Outcome, Record, SourceId, Write
from engine.state.codec import WAITING, pack_meta, unpack_meta, unpack_moved
from engine.state.portable import key_of, moved, together
from engine.state.watermark import NEVER

SPACE = program().spaces["car"]
END_MS = T0 + 300 * MIN


def world(seed: int) -> list[Line]:
    """Cars that stop, race and pay, a little out of order, never late."""
    rng = random.Random(seed)
    lines: list[Line] = []
    for number in range(12):
        car, step, stopped, shift = f"car{number}", 0, 0, rng.random()
        for minute in range(120):
            if stopped:
                speed, stopped = 1.0, stopped - 1
            else:
                step, speed = step + 3, rng.choice([50.0, 60.0, 85.0, 90.0])
                stopped = rng.choice([0] * 12 + [4, 9, 14, 25, 40])
            lines.append(fix(minute + shift, car, step, speed))
            if rng.random() < 0.03:
                lines.append(payment(minute + shift, car, rng.choice([40.0, 60.0, 100.0])))
    return [
        line for _, line in sorted((at + rng.randrange(4 * MIN), (at, f, v)) for at, f, v in lines)
    ]


def car_of(line: Line) -> str:
    return line[2].split(b'"car":"')[1].split(b'"')[0].decode()


def place_of(key: str, partitions: int) -> int:
    return zlib.crc32(key.encode()) % partitions


def is_of(one: int, partitions: int) -> Callable[[str], bool]:
    return lambda key: place_of(key, partitions) == one


class Cluster:
    """The partitions of the key space, each with logs of its own."""

    def __init__(self, partitions: int, name: str) -> None:
        self.name, self.partitions = name, partitions
        self.spaces = [Space(SPACE, is_of(one, partitions)) for one in range(partitions)]
        self.logs: dict[tuple[str, int], list[Record]] = {}
        self.rows: list[dict[tuple[str, str], bytes]] = [{} for _ in self.spaces]
        self.metas = [b"" for _ in self.spaces]
        self.changes: list[Change] = []

    def log(self, feed: str, one: int) -> str:
        return f"{self.name}.{feed}/{one}"

    def announce(self) -> None:
        for one, space in enumerate(self.spaces):
            for feed in SPACE.feeds:
                space.announce(SourceId(feed, one))

    def feed(self, lines: Sequence[Line], rng: random.Random) -> None:
        """Take lines in, each partition in cuts and at a pace of its own."""
        for begin in range(0, len(lines), 40):
            for line in lines[begin : begin + 40]:
                one = place_of(car_of(line), self.partitions)
                log = self.logs.setdefault((line[1], one), [])
                log.append(Record(len(log), line[2]))
            for one in range(self.partitions):
                if rng.random() < 0.7:
                    self.step(one)
        for one in range(self.partitions):
            self.step(one)

    def step(self, one: int, until_ms: int | None = None) -> None:
        space = self.spaces[one]
        for feed in SPACE.feeds:
            place = space.log(self.log(feed, one))
            fresh = self.logs.get((feed, one), [])[place.next :]
            space.ingest(place.name, SourceId(feed, one), fresh)
        self.keep(one, space.advance(until_ms))

    def keep(self, one: int, outcome: Outcome) -> None:
        self.metas[one] = outcome.meta
        for write in outcome.writes:
            if write.value is None:
                self.rows[one].pop((write.rule, write.key), None)
            else:
                self.rows[one][write.rule, write.key] = write.value
        self.changes += outcome.changes

    def everything(self) -> dict[tuple[str, str], object]:
        """All rows, whatever their partition and floor."""
        return {key: unpack_moved(value)[:2] for rows in self.rows for key, value in rows.items()}


def move(old: Cluster, partitions: int) -> Cluster:
    """What an export and an import do, without a file and a broker between them."""
    new = Cluster(partitions, "new")
    rows: list[tuple[int, Write]] = []
    for one in range(old.partitions):
        again = Rereading(SPACE, old.metas[one])
        for feed in SPACE.feeds:
            log = old.log(feed, one)
            if (span := again.wanted(log)) is not None:
                again.take(log, SourceId(feed, one), old.logs[feed, one][slice(*span)])
        rows += [(one, Write(*key, value)) for key, value in old.rows[one].items()]
        rows += [(one, row) for row in again.waiting]
    metas = [unpack_meta(meta) for meta in old.metas]
    for one, space in enumerate(new.spaces):
        meta = together(metas, is_of(one, partitions))
        mine = [
            moved(row, metas[was].watermark, meta.watermark)
            for was, row in rows
            if place_of(key_of(row), partitions) == one
        ]
        new.rows[one] = {(row.rule, row.key): row.value or b"" for row in mine}
        assert space.restore(pack_meta(meta), mine) == {}
    new.changes = list(old.changes)
    return new


def whole(lines: Sequence[Line]) -> Cluster:
    """One partition, never interrupted."""
    calm = Cluster(1, "calm")
    calm.announce()
    calm.feed(lines, random.Random(0))
    calm.step(0, END_MS)
    return calm


def told(changes: Sequence[Change]) -> list[Mapping[str, object]]:
    return sorted(
        ({"id": c.delivery_id, "at": c.at_ms, "text": dict(c.summary)} for c in changes),
        key=lambda one: (one["id"], one["at"]),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("before", "after"), [(4, 6), (3, 1), (1, 5), (2, 2)])
def test_alerts_and_state_are_those_of_a_run_that_was_never_moved(
    seed: int, before: int, after: int
) -> None:
    lines, rng = world(seed), random.Random(seed)
    calm = whole(lines)
    assert len(calm.changes) > 30
    cut = rng.randrange(len(lines) // 4, 3 * len(lines) // 4)
    old = Cluster(before, "old")
    old.announce()
    old.feed(lines[:cut], rng)

    new = move(old, after)
    waiting = sum(rule == WAITING for rows in new.rows for rule, _ in rows)
    new.announce()
    new.feed(lines[cut:], rng)
    for one in range(after):
        new.step(one, END_MS)

    assert waiting > 0
    assert told(new.changes) == told(calm.changes)
    assert new.everything() == calm.everything()


def test_rows_that_one_key_keeps_about_others_move_with_it() -> None:
    """A map cell remembers a row for each vehicle in it; all lie in the cell's partition."""
    rows = [Write("gathering", row_key("cell-7", who), b"") for who in ("a", "b", "c")]
    assert {key_of(row) for row in rows} == {"cell-7"}
    assert key_of(Write("stays", "plain", b"")) == "plain"


def test_rows_of_a_partition_that_was_further_on_say_so_until_the_others_are_there() -> None:
    lines, rng = world(1), random.Random(1)
    old = Cluster(3, "old")
    old.announce()
    old.feed(lines[:700], rng)
    ahead = {unpack_meta(meta).watermark for meta in old.metas}
    assert len(ahead) > 1, "the partitions are not equally far"

    new = move(old, 2)

    floors = [unpack_moved(value)[2] for rows in new.rows for value in rows.values()]
    assert {floor for floor in floors if floor is not None} <= ahead - {min(ahead)}
    assert any(floor is not None for floor in floors)
    assert {space.progress.watermark for space in new.spaces} == {min(ahead)}


def test_an_event_that_came_too_late_for_its_key_stays_too_late_after_a_move() -> None:
    """The new partition's watermark is lower; the key's own is not."""
    lines, rng = world(2), random.Random(2)
    old = Cluster(3, "old")
    old.announce()
    old.feed(lines[:900], rng)
    marks = [unpack_meta(meta).watermark for meta in old.metas]
    found = []
    for with_late in (False, True):
        new = move(old, 1)
        (key, floor), *_ = [
            (key, floor)
            for (rule, key), value in new.rows[0].items()
            if (floor := unpack_moved(value)[2]) is not None and rule == "stays"
        ]
        assert min(marks) < floor - 1, "the partition would take it"
        late = fix((floor - 1 - T0) / MIN, key, 9_999, 60.0)
        space = new.spaces[0]
        if with_late:
            space.ingest("late", SourceId("gps", 7), [Record(0, late[2], None, NEVER)])
            assert any(entry[0] == floor - 1 for entry in space.buffer.waiting)
        space.mark(SourceId("gps", 7), max(marks) + 1)
        outcome = space.advance()
        found.append((outcome.changes, outcome.writes))
    assert found[0] == found[1]
