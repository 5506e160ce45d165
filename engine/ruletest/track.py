"""A vehicle's way as one line of text: stand here, drive there, be gone for a while.

    at 120.91,32.01 for 45m; then drive north 2 km at 40 km/h; then gone for 10m; then stay for 5m

Coordinates are WGS-84, as in zones and rules; the feed's own datum is put in when the fixes are
encoded. Legs are half open: at the instant a leg ends the next one rules.
"""

import math
import re
from dataclasses import dataclass, replace

from engine.model.units import parse_distance, parse_duration, parse_speed
from engine.ruletest.moments import Fault, Unreadable

EARTH_M = 6_371_008.8
ROAD_MPS = 40 / 3.6
"""Speed of a drive that names none."""

_BEARINGS = {
    name: index * 45.0
    for index, name in enumerate(
        ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
    )
}
_POINT = r"(?P<lon>-?\d+(?:\.\d+)?)\s*,\s*(?P<lat>-?\d+(?:\.\d+)?)"
_TAIL = r"(?:\s+for\s+(?P<span>[^;]+?))?(?:\s+jitter\s+(?P<jitter>[^;]+?))?"
_AT = re.compile(rf"at\s+{_POINT}{_TAIL}")
_STAY = re.compile(rf"stay{_TAIL}")
_GONE = re.compile(r"gone\s+for\s+(?P<span>.+)")
_DRIVE_TO = re.compile(rf"drive\s+to\s+{_POINT}(?:\s+at\s+(?P<speed>.+))?")
_DRIVE = re.compile(
    r"drive\s+(?P<way>bearing\s+\d+(?:\.\d+)?|[a-z-]+)\s+(?P<far>\d.*?)(?:\s+at\s+(?P<speed>.+))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the ground in WGS-84 degrees."""

    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Fix:
    """One position of a track: milliseconds after its start, degrees, metres a second, metres."""

    after_ms: int
    lon: float
    lat: float
    speed_mps: float
    bearing: float
    accuracy_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a track.

    `seen` False means that nothing is heard during it; `once` that it is a single fix.
    """

    from_ms: int
    to_ms: int
    start: Place
    end: Place
    speed_mps: float = 0.0
    jitter_m: float = 0.0
    seen: bool = True
    once: bool = False


def parse_track(text: str, every_ms: int, jitter_m: float = 0.0) -> tuple[Leg, ...]:
    """Read a track; an `at` or `stay` without `for` lasts one step.

    Raises:
        Unreadable: A leg says nothing we know; the column points at it.

    """
    legs: list[Leg] = []
    here: Place | None = None
    now, column = 0, 0
    for part in text.split(";"):
        words = part.strip().removeprefix("then ").strip()
        where = column + part.find(words) if words else column
        column += len(part) + 1
        if not words:
            continue
        try:
            leg = _leg(words, here, now, every_ms)
        except Unreadable as problem:
            raise Unreadable(problem.code, where, **problem.found) from None
        except ValueError:
            raise Unreadable(Fault.LEG, where, found=words) from None
        if jitter_m and not leg.speed_mps and not leg.jitter_m:
            leg = replace(leg, jitter_m=jitter_m)
        legs.append(leg)
        here, now = leg.end, leg.to_ms
        if math.isnan(here.lon):
            here = None
    return tuple(legs)


def fixes(legs: tuple[Leg, ...], every_ms: int) -> list[Fix]:
    """The positions heard at every step, the last instant included when something is heard then."""
    heard: list[Fix] = []
    last = legs[-1].to_ms if legs else -1
    index = 0
    for step, now in enumerate(range(0, last + 1, every_ms)):
        while index < len(legs) - 1 and now >= legs[index].to_ms:
            index += 1
        leg = legs[index]
        if leg.seen and (now < leg.to_ms or not leg.once):
            heard.append(_fix(leg, now, step))
    return heard


def moved(place: Place, bearing: float, metres: float) -> Place:
    """Where one arrives after so many metres in a direction (degrees from north, on the sphere)."""
    angle, turn, lat = metres / EARTH_M, math.radians(bearing), math.radians(place.lat)
    new_lat = math.asin(
        math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(turn)
    )
    east = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(lat),
        math.cos(angle) - math.sin(lat) * math.sin(new_lat),
    )
    return Place(place.lon + math.degrees(east), math.degrees(new_lat))


def _leg(words: str, here: Place | None, now: int, every_ms: int) -> Leg:
    if found := _AT.fullmatch(words):
        there = Place(float(found["lon"]), float(found["lat"]))
        return _standing(found, there, now, every_ms)
    if found := _GONE.fullmatch(words):
        place = here or Place(math.nan, math.nan)
        return Leg(now, now + parse_duration(found["span"]), place, place, seen=False)
    found = _STAY.fullmatch(words) or _DRIVE_TO.fullmatch(words) or _DRIVE.fullmatch(words)
    if found is None:
        raise Unreadable(Fault.LEG, found=words)
    if here is None:
        raise Unreadable(Fault.ORIGIN, found=words)
    if found.re is _STAY:
        return _standing(found, here, now, every_ms)
    speed = parse_speed(found["speed"]) if found["speed"] else ROAD_MPS
    there = (
        Place(float(found["lon"]), float(found["lat"]))
        if found.re is _DRIVE_TO
        else moved(here, _bearing(found["way"]), parse_distance(found["far"]))
    )
    lasts = round(_metres(here, there) / speed * 1000) if speed > 0 else 0
    if lasts <= 0:
        raise Unreadable(Fault.LEG, found=words)
    return Leg(now, now + lasts, here, there, speed)


def _standing(found: re.Match[str], place: Place, now: int, every_ms: int) -> Leg:
    lasts = parse_duration(found["span"]) if found["span"] else every_ms
    wobble = parse_distance(found["jitter"]) if found["jitter"] else 0.0
    return Leg(now, now + lasts, place, place, jitter_m=wobble, once=not found["span"])


def _bearing(way: str) -> float:
    if way.startswith("bearing"):
        return float(way.split()[1])
    try:
        return _BEARINGS[way.replace("-", "")]
    except KeyError:
        raise Unreadable(Fault.LEG, found=way) from None


def _fix(leg: Leg, now: int, step: int) -> Fix:
    if leg.speed_mps:
        share = min(1.0, (now - leg.from_ms) / (leg.to_ms - leg.from_ms))
        lon = leg.start.lon + (leg.end.lon - leg.start.lon) * share
        lat = leg.start.lat + (leg.end.lat - leg.start.lat) * share
        return Fix(now, lon, lat, leg.speed_mps, _heading(leg.start, leg.end))
    place = leg.start
    if leg.jitter_m:  # a sunflower: spread evenly over the disc, and the same every time
        place = moved(place, step * 137.50776, leg.jitter_m * math.sqrt(step * 0.6180339887 % 1.0))
    return Fix(now, place.lon, place.lat, 0.0, 0.0, leg.jitter_m)


def _metres(one: Place, other: Place) -> float:
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    east = math.radians(other.lon - one.lon)
    half = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(east / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(math.sqrt(half))


def _heading(one: Place, other: Place) -> float:
    east = (other.lon - one.lon) * math.cos(math.radians((one.lat + other.lat) / 2))
    return math.degrees(math.atan2(east, other.lat - one.lat)) % 360.0
