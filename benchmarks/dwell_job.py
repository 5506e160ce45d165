"""The yardstick job: 2,000 vehicles, 500 permitted polygons, and the hand-written loops for it.

Per fix: decode; keep hazmat; a fix in a permitted polygon or at 5 km/h and above ends a stay; a
fix within 100 m of the first one continues it; one alert at the first fix 30 minutes or more after
the first. An alert is (vehicle, start of the stay), so that every contender can be compared.
"""

import hashlib
import json
import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import orjson
import shapely

VEHICLES, FIXES, POLYGONS = 2_000, 100, 500
WEST, EAST, SOUTH, NORTH = 120.9, 122.2, 28.9, 30.4
START_MS, STEP_MS = 1_750_000_000_000, 60_000
STAY_MS, RADIUS_M, SLOW = 30 * 60_000, 100.0, 5.0
LON_M, LAT_M = 111_320.0, 110_574.0

Alert = tuple[str, int]
Ring = list[list[float]]


def generate(seed: int = 20250101, vehicles: int = VEHICLES) -> tuple[list[bytes], list[Ring]]:
    """Records in order of event time, and the rings of the permitted polygons."""
    rnd = random.Random(seed)
    centres = [(rnd.uniform(WEST, EAST), rnd.uniform(SOUTH, NORTH)) for _ in range(POLYGONS)]
    rings = [_ring(rnd, *centre) for centre in centres]
    rows: list[tuple[int, dict[str, Any]]] = []
    for number in range(vehicles):
        kind = "hazmat" if rnd.random() < 0.6 else rnd.choice(["bus", "freight", "tourist"])
        fixes = _drive(rnd, centres)
        offset = rnd.randrange(STEP_MS)
        for step, (lon, lat, speed) in enumerate(fixes[:FIXES]):
            at_ms = START_MS + step * STEP_MS + offset
            rows.append((at_ms, {
                "vid": f"V{number:06d}", "plate": f"浙B{number:05d}", "cls": kind,
                "lon": round(lon, 6), "lat": round(lat, 6), "speed": round(speed, 1), "ts": at_ms,
            }))  # fmt: skip
    rows.sort(key=lambda row: (row[0], row[1]["vid"]))
    return [orjson.dumps(record) for _, record in rows], rings


def _ring(rnd: random.Random, lon: float, lat: float) -> Ring:
    corners, radius = rnd.randint(12, 40), rnd.uniform(200, 1500)
    points = []
    for corner in range(corners):
        angle, reach = 2 * math.pi * corner / corners, radius * rnd.uniform(0.6, 1.0)
        east = reach * math.cos(angle) / (LON_M * math.cos(math.radians(lat)))
        points.append([round(lon + east, 6), round(lat + reach * math.sin(angle) / LAT_M, 6)])
    return [*points, points[0]]


def _drive(
    rnd: random.Random, centres: Sequence[tuple[float, float]]
) -> list[tuple[float, float, float]]:
    """Drives of 5 to 30 minutes and stops of 5 to 70, half of these on permitted ground."""
    lon, lat = rnd.uniform(WEST, EAST), rnd.uniform(SOUTH, NORTH)
    fixes: list[tuple[float, float, float]] = []
    while len(fixes) < FIXES:
        if rnd.random() < 0.5:
            heading, speed = rnd.uniform(0, 2 * math.pi), rnd.uniform(20, 90)
            for _ in range(rnd.randint(5, 30)):
                far = speed / 3.6 * 60
                lon += far * math.cos(heading) / 96_000
                lat += far * math.sin(heading) / LAT_M
                if not (WEST < lon < EAST and SOUTH < lat < NORTH):
                    lon, lat = rnd.uniform(WEST, EAST), rnd.uniform(SOUTH, NORTH)
                fixes.append((lon, lat, speed + rnd.uniform(-3, 3)))
        else:
            if rnd.random() < 0.5:
                lon, lat = centres[rnd.randrange(len(centres))]
            for _ in range(rnd.randint(5, 70)):
                east, north = rnd.uniform(-2e-4, 2e-4), rnd.uniform(-2e-4, 2e-4)
                fixes.append((lon + east, lat + north, rnd.uniform(0, 3)))
    return fixes


def layer(rings: Sequence[Ring]) -> bytes:
    """The polygons as the zone layer of the rule."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": f"z{number:03d}", "name": f"z{number}"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for number, ring in enumerate(rings)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def write(folder: Path, seed: int = 20250101, vehicles: int = VEHICLES) -> None:
    """Records as `gps.jsonl`, polygons as `rings.json`."""
    records, rings = generate(seed, vehicles)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gps.jsonl").write_bytes(b"\n".join(records) + b"\n")
    (folder / "rings.json").write_text(json.dumps(rings))


def read(folder: Path) -> tuple[list[bytes], list[Ring]]:
    """What `write` wrote."""
    return (folder / "gps.jsonl").read_bytes().splitlines(), json.loads(
        (folder / "rings.json").read_text()
    )


def digest(alerts: Sequence[Alert]) -> str:
    """Count and hash of a set of alerts."""
    text = "\n".join(sorted(f"{vehicle}@{since}" for vehicle, since in alerts))
    return f"{len(alerts)}:{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def cells(rings: Sequence[Ring]) -> Callable[[float, float], bool]:
    """250 m cells known to be inside, outside or on a border; an exact test only there."""
    scale = 400
    table: dict[int, Any] = {}
    for ring in rings:
        polygon = shapely.Polygon(ring)
        shapely.prepare(polygon)
        edges = [(x1, y1, x2, y2) for (x1, y1), (x2, y2) in pairwise(ring)]
        west, south, east, north = polygon.bounds
        for i in range(int(west * scale), int(east * scale) + 1):
            for j in range(int(south * scale), int(north * scale) + 1):
                box = shapely.box(i / scale, j / scale, (i + 1) / scale, (j + 1) / scale)
                place = i * 65536 + j
                if polygon.contains(box):
                    table[place] = True
                elif table.get(place) is not True and polygon.intersects(box):
                    table.setdefault(place, []).append(edges)
    get = table.get

    def inside(lon: float, lat: float) -> bool:
        found = get(int(lon * scale) * 65536 + int(lat * scale))
        if found is None:
            return False
        if found is True:
            return True
        for edges in found:
            odd = False
            for x1, y1, x2, y2 in edges:
                if (y1 > lat) != (y2 > lat) and lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1:
                    odd = not odd
            if odd:
                return True
        return False

    return inside


def far(
    lon0: float, lat0: float, lon1: float, lat1: float,
    _cos: Callable[[float], float] = math.cos, _rad: float = math.pi / 180,
) -> bool:  # fmt: skip
    """Whether two points are more than 100 m apart on a locally flat earth."""
    east = (lon1 - lon0) * LON_M * _cos(lat0 * _rad)
    north = (lat1 - lat0) * LAT_M
    return east * east + north * north > RADIUS_M * RADIUS_M


class Fix(msgspec.Struct, gc=False):
    """The fields the job needs."""

    vid: str
    cls: str
    lon: float
    lat: float
    speed: float
    ts: int


def hand_orjson(
    inside: Callable[[float, float], bool],
) -> Callable[[Sequence[bytes], list[Alert]], None]:
    """The hand-written loop over dicts; keeps its state between calls."""
    loads = orjson.loads
    state: dict[str, list[Any]] = {}

    def run(records: Sequence[bytes], alerts: list[Alert]) -> None:
        for record in records:
            event = loads(record)
            if event["cls"] != "hazmat":
                continue
            vid, lon, lat = event["vid"], event["lon"], event["lat"]
            if inside(lon, lat) or event["speed"] >= SLOW:
                state.pop(vid, None)
                continue
            at_ms, stay = event["ts"], state.get(vid)
            if stay is None or far(stay[0], stay[1], lon, lat):
                state[vid] = [lon, lat, at_ms, False]
            elif not stay[3] and at_ms - stay[2] >= STAY_MS:
                stay[3] = True
                alerts.append((vid, stay[2]))

    return run


def hand_msgspec(
    inside: Callable[[float, float], bool],
) -> Callable[[Sequence[bytes], list[Alert]], None]:
    """The hand-written loop over typed structs."""
    decode = msgspec.json.Decoder(Fix).decode
    state: dict[str, list[Any]] = {}

    def run(records: Sequence[bytes], alerts: list[Alert]) -> None:
        for record in records:
            event = decode(record)
            if event.cls != "hazmat":
                continue
            vid, lon, lat = event.vid, event.lon, event.lat
            if inside(lon, lat) or event.speed >= SLOW:
                state.pop(vid, None)
                continue
            at_ms, stay = event.ts, state.get(vid)
            if stay is None or far(stay[0], stay[1], lon, lat):
                state[vid] = [lon, lat, at_ms, False]
            elif not stay[3] and at_ms - stay[2] >= STAY_MS:
                stay[3] = True
                alerts.append((vid, stay[2]))

    return run
