"""A made-up day that lets every operator fire: vehicles, stations, reports and check-ins.

Nothing here knows what a rule will say; the day only has enough of everything. Records come in
disorder within what their feed promises, some twice, some far too late.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from engine.ruletest.wire import Letter
from simulators.scenario import HOUR, MINUTE, SECOND, instant

START = instant("2026-03-02 06:00")
LATENESS = 2 * MINUTE
TAIL = 4 * HOUR
"""Quiet time at the end, in which what is pending ends."""

LATE = {"fixes": 0.01, "readings": 0.01, "reports": 0.06, "beats": 0.25}
"""Share of records that come 10 to 60 minutes after they are due."""

FEEDS = ("fixes", "readings", "reports", "beats")
KINDS = ("calm", "calm", "high", "high", "jumps", "frozen", "frozen", "gone", "kept-back")
NORTH, EAST = 111_195.0, 94_300.0
TOPICS = (
    ("道路", "武陵路水泥路面拱起，车辆无法通行", "武陵路路面拱起50厘米，无人处理"),
    ("排水", "小区门口下水道堵塞，污水外溢", "下水道堵塞多日，门口污水外溢发臭"),
    ("噪音", "工地夜间施工噪音扰民，无法入睡", "夜间工地施工，噪音很大扰民"),
)


class Said(NamedTuple):
    """A record: when it happened, its feed, its key, its fields, and the least it is late."""

    at_ms: int
    feed: str
    key: str
    fields: dict[str, Any]
    late_ms: int = 0


def letters(seed: int, hours: int, scale: int) -> tuple[list[tuple[Letter, str]], int]:
    """The day's records in order of arrival, with heartbeats, and the last heartbeat's instant.

    Args:
        seed: Makes another day.
        hours: How long something happens; the quiet tail comes after it.
        scale: How many vehicles, stations and reports there are; 1 is the least.

    """
    rng = Random(seed)
    last = START + hours * HOUR
    end = last + TAIL
    arriving: list[tuple[int, int, Letter, str]] = []
    said = sorted(_all(rng, last, scale), key=lambda one: (one.at_ms, one.feed, one.key))
    for one in said:
        value = json.dumps({**one.fields, "at": one.at_ms}, ensure_ascii=False).encode()
        delay = min(int(rng.expovariate(1 / (15 * SECOND))), LATENESS - SECOND)
        share = 0.25 if one.fields.get("stage") == "closed" else LATE[one.feed]
        if one.late_ms or rng.random() < share:
            delay = max(one.late_ms, 10 * MINUTE) + rng.randint(0, 50 * MINUTE)
        if delay >= LATENESS:
            # Its place in the order is how far its feed had come: the same in any partition.
            now = one.at_ms + delay - LATENESS
            arriving.append((one.at_ms + delay, len(arriving), _heartbeat(one.feed, now), ""))
        letter = Letter(one.feed, one.at_ms, value)
        arriving.append((one.at_ms + delay, len(arriving), letter, one.key))
        if rng.random() < 0.02:
            again = one.at_ms + delay + rng.randint(0, 60 * SECOND)
            arriving.append((again, len(arriving), letter, one.key))
    for at_ms in [*range(START, end, 2 * MINUTE), end]:
        for feed in FEEDS:
            arriving.append((at_ms + LATENESS, len(arriving), _heartbeat(feed, at_ms), ""))
    return [(letter, key) for _, _, letter, key in sorted(arriving, key=lambda row: row[:2])], end


def _heartbeat(feed: str, at_ms: int) -> Letter:
    return Letter(feed, at_ms, b'{"$watermark":%d}' % at_ms, barrier=True)


def _all(rng: Random, last: int, scale: int) -> Iterator[Said]:
    for number in range(5 * scale):
        yield from _drives(rng, f"V{number:03}", last)
    for number in range(7 * scale):
        yield from _on_its_way(rng, f"W{number:03}", last)
    for number in range(3 * scale):
        yield from _gatherings(rng, number, last)
    for number in range(8 * scale):
        yield from _station(rng, number, last)
    yield from _reports(rng, last, 40 * scale)
    yield from _beats(rng, last)


def _fix(rng: Random, at_ms: int, vehicle: str, east: float, north: float, speed: float) -> Said:
    """A fix so many metres east and north of 120.7 E, 31.9 N, with some noise."""
    lon = round(120.7 + (east + rng.gauss(0, 12)) / EAST, 6)
    lat = round(31.9 + (north + rng.gauss(0, 12)) / NORTH, 6)
    fields = {"vehicle": vehicle, "lon": lon, "lat": lat, "speed": round(speed, 1)}
    return Said(at_ms // SECOND * SECOND, "fixes", vehicle, fields)


def _drives(rng: Random, vehicle: str, last: int) -> Iterator[Said]:
    """Drives along the yards, now and then too fast, and stops for a while."""
    at, east, way = START + rng.randint(0, 60) * SECOND, rng.uniform(-500, 9_000), 1
    while at < last:
        fast = rng.random() < 0.2
        for _ in range(rng.randint(6, 20)):
            speed = rng.uniform(80, 118) if fast else rng.uniform(20, 70)
            if not -1_000 < east < 9_500:
                way = 1 if east < 0 else -1
            east += way * speed / 3.6 * 30
            yield _fix(rng, at, vehicle, east, 300, speed)
            at += 30 * SECOND
        if rng.random() < 0.6:
            until = at + rng.randint(8, 45) * MINUTE
            while at < until:
                yield _fix(rng, at, vehicle, east, 300, rng.choice((0, 0, 2)))
                at += (30 if rng.random() < 0.97 else 400) * SECOND


def _on_its_way(rng: Random, vehicle: str, last: int) -> Iterator[Said]:
    """Follows a declared way to and fro, sometimes beside it, sometimes crawling."""
    line = rng.randrange(3)
    at, east, way, beside = START + rng.randint(0, 60) * SECOND, 0.0, 1, 0.0
    slow = False
    while at < last:
        if rng.random() < (0.02 if slow else 0.06):
            slow = not slow
        if rng.random() < 0.05:
            beside = rng.choice((0.0, 0.0, 350.0, 500.0, 900.0))
        if not 0 <= east <= 9_400:
            way = 1 if east < 0 else -1
        speed = rng.uniform(8, 17) if slow else rng.uniform(25, 70)
        east += way * speed / 3.6 * 30
        fix = _fix(rng, at, vehicle, east, 22_239 + 2_224 * line + beside, speed)
        yield fix._replace(fields={**fix.fields, "way": f"way-{line}"})
        at += 30 * SECOND


def _gatherings(rng: Random, number: int, last: int) -> Iterator[Said]:
    """Five vehicles that meet again and again, each for a time of its own."""
    begin = START + rng.randint(5, 20) * MINUTE
    round_ = 0
    while begin < last - 40 * MINUTE:
        east, north = 800.0 * number + 150 * (round_ % 3), 5_000.0 + 700 * (round_ % 4)
        for one in range(5):
            at = begin + rng.randint(0, 240) * SECOND
            until = at + rng.randint(2, 28) * MINUTE
            dx, dy = rng.uniform(-70, 70), rng.uniform(-70, 70)
            while at < until:
                yield _fix(rng, at, f"G{number:02}{one}", east + dx, north + dy, rng.choice((0, 3)))
                at += 60 * SECOND
        begin += rng.randint(40, 55) * MINUTE
        round_ += 1


def _station(rng: Random, number: int, last: int) -> Iterator[Said]:
    """A reading a minute: calm, high, jumping, frozen, none at all, or kept back for long."""
    station = f"S{number:03}"
    lon, lat = round(120.8 + number * 0.01, 4), 31.95
    at, level, kind = START + rng.randint(0, 59) * SECOND, 40.0, "calm"
    left = 0
    while at < last:
        if left == 0:
            kind = rng.choice(KINDS)
            left = rng.randint(15, 55)
        left -= 1
        aim = {"calm": 40.0, "high": 78.0, "frozen": level, "jumps": rng.choice((30.0, 90.0))}
        if kind == "jumps" and rng.random() < 0.3:
            level = aim["jumps"]
        elif kind in ("calm", "high"):
            level += (aim[kind] - level) * 0.3 + rng.gauss(0, 4)
        fields = {
            "station": station,
            "county": f"C{number // 4}",
            "lon": lon,
            "lat": lat,
            "level": None if rng.random() < 0.02 else round(level, 3),
            "valve": rng.choice(("open", "open", "open", "closed")) if number % 2 else "open",
        }
        if kind != "gone":
            yield Said(at, "readings", station, fields, 30 * MINUTE if kind == "kept-back" else 0)
        at += 60 * SECOND


def _reports(rng: Random, last: int, bursts: int) -> Iterator[Said]:
    """Bursts of reports about one matter at one spot; some orders are closed in time."""
    order = 0
    for _ in range(bursts):
        begin = rng.randint(START, last - 90 * MINUTE)
        category, *texts = rng.choice(TOPICS)
        # Half of them where vehicles gather or stop.
        spot = rng.choice(((rng.uniform(0, 9_000), 300.0), (800.0 * rng.randrange(3), 5_000.0)))
        street = f"street-{rng.randrange(4)}"
        for _ in range(rng.randint(1, 8)):
            order += 1
            at = begin + rng.randint(0, 70) * MINUTE + rng.randint(0, 59) * SECOND
            lon = round(120.7 + (spot[0] + rng.gauss(0, 120)) / EAST, 6)
            lat = round(31.9 + (spot[1] + rng.gauss(0, 120)) / NORTH, 6)
            number = f"R{order:05}"
            fields = {
                "order": number,
                "stage": "opened",
                "category": category,
                "street": street,
                "content": rng.choice(texts),
                "caller": f"caller-{rng.randrange(400)}",
                "lon": lon,
                "lat": lat,
            }
            yield Said(at, "reports", number, fields)
            if rng.random() < 0.7:
                done = at + rng.randint(5, 150) * MINUTE
                yield Said(done, "reports", number, {**fields, "stage": "closed"})


def _beats(rng: Random, last: int) -> Iterator[Said]:
    """Five points that check in every few minutes; every half hour or so all of them stop."""
    at = START
    while at < last:
        until = at + rng.randint(10, 25) * MINUTE
        for point in range(5):
            when = at + rng.randint(0, 90) * SECOND
            while when < until:
                yield Said(when, "beats", f"P{point}", {"point": f"P{point}"})
                when += rng.randint(60, 240) * SECOND
        at = until + rng.randint(8, 25) * MINUTE


def write(records: list[tuple[Letter, str]], folder: Path) -> None:
    """One file for each feed, in order of arrival."""
    folder.mkdir(parents=True)
    for feed in FEEDS:
        rows = [letter.value + b"\n" for letter, _ in records if letter.feed == feed]
        (folder / f"{feed}.jsonl").write_bytes(b"".join(rows))
