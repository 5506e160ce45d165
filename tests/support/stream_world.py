"""A small seeded world for the tests on Kafka: vehicles that stop, permits and deposits."""

import json
import random
from typing import NamedTuple

START_MS = 1_772_413_200_000
"""2026-03-02 09:00 in Shanghai."""
MINUTE = 60_000


class Sent(NamedTuple):
    """One record as a feed's producer would send it."""

    feed: str
    key: str
    value: bytes
    at_ms: int


def story(seed: int, vehicles: int = 24, minutes: int = 180, projects: int = 30) -> list[Sent]:
    """All records in order of arrival: a little out of order, never late, some sent twice."""
    rng = random.Random(seed)
    sent = [one for number in range(vehicles) for one in _drive(rng, number, minutes)]
    for number in range(projects):
        sent += _permit(rng, number, minutes)
    arrivals = [(one.at_ms + rng.randrange(0, MINUTE), place) for place, one in enumerate(sent)]
    ordered = [sent[place] for _, place in sorted(arrivals)]
    doubled: list[Sent] = []
    for one in ordered:
        doubled.append(one)
        if rng.random() < 0.01:
            doubled.append(one)
    return doubled


def end_ms(minutes: int = 180) -> int:
    """The end of the world, up to which every source says it is complete."""
    return START_MS + (minutes + 30) * MINUTE


def heartbeat(at_ms: int) -> bytes:
    """No record older than this follows."""
    return json.dumps({"$watermark": at_ms}).encode()


def fix(vehicle: str, after_ms: int) -> Sent:
    """A vehicle that stands still, so long after the beginning of the world."""
    at_ms = START_MS + after_ms
    event = {"vehicle": vehicle, "company": "c", "time": at_ms, "lon": 120.9, "lat": 32, "speed": 0}
    return Sent("gps", vehicle, json.dumps(event).encode(), at_ms)


def poison() -> list[Sent]:
    """Records that are no events, each broken in its own way."""
    whole = {"vehicle": "v0", "company": "c0", "time": START_MS, "lon": 120.9, "lat": 32.0}
    broken = [
        b"",
        b"\xff\xfe\x00",
        b"not json",
        b"[1, 2]",
        json.dumps(whole).encode(),
        json.dumps({**whole, "speed": "fast"}).encode(),
        json.dumps({**whole, "speed": 9_999}).encode(),
        json.dumps({**whole, "speed": 1, "time": "yesterday"}).encode(),
    ]
    return [Sent("gps", "v0", value, START_MS) for value in broken]


def _drive(rng: random.Random, number: int, minutes: int) -> list[Sent]:
    """One vehicle: it drives and sometimes stops, now and then longer than it should."""
    vehicle, company = f"v{number}", f"c{number % 5}"
    lon, lat, stopped = 120.9 + number / 100, 32.0, 0
    sent: list[Sent] = []
    for minute in range(minutes):
        for half in (0, 1):
            at_ms = START_MS + minute * MINUTE + half * MINUTE // 2 + number * 7
            if stopped:
                speed = round(rng.uniform(0, 3), 1)
                at = (lon + rng.uniform(-2e-4, 2e-4), lat + rng.uniform(-2e-4, 2e-4))
            else:
                speed = round(rng.uniform(20, 100), 1)
                lon += speed / 3600 * 30 / 94
                at = (lon, lat)
            event = {
                "vehicle": vehicle,
                "company": company,
                "time": at_ms,
                "lon": round(at[0], 6),
                "lat": round(at[1], 6),
                "speed": speed,
            }
            sent.append(Sent("gps", vehicle, json.dumps(event).encode(), at_ms))
        stopped = max(0, stopped - 1)
        if not stopped and rng.random() < 0.02:
            stopped = rng.choice([5, 15, 25, 40, 70])
    return sent


def _permit(rng: random.Random, number: int, minutes: int) -> list[Sent]:
    """One project: a permit, and deposits that are enough in time, too late, or never."""
    project = f"p{number}"
    at_ms = START_MS + rng.randrange(0, minutes // 2) * MINUTE + number
    name = f"permit-{number}"
    permit = {"permit": name, "project": project, "time": at_ms, "sum": 1000.0}
    sent = [Sent("permits", name, json.dumps(permit).encode(), at_ms)]
    for part in range(rng.choice([0, 1, 2])):
        paid_ms = at_ms + rng.choice([10, 60, 119, 121, 150]) * MINUTE + part
        paid = {
            "record": (record := f"paid-{number}-{part}"),
            "project": project,
            "time": paid_ms,
            "amount": rng.choice([40.0, 60.0, 100.0]),
        }
        sent.append(Sent("deposits", record, json.dumps(paid).encode(), paid_ms))
    return sent
