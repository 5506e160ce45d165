"""A made-up area with roads, licensed sites, customers, service areas and districts.

The ground is invented: a rectangle of about 40 km by 30 km with a road each kilometre. It is the
same for every seed, because the zones of the demonstration packs must describe it. Positions are
WGS-84 degrees (lon, lat); plans are drawn in metres east and north of the centre.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

CENTRE = (120.90, 32.02)
HALF_WIDTH_M, HALF_HEIGHT_M = 20_000.0, 15_000.0
EARTH_M = 6_371_008.8
DEGREE_M = math.radians(1.0) * EARTH_M

Point = tuple[float, float]


def shifted(position: Point, east_m: float, north_m: float) -> Point:
    """The position some metres further east and north; exact to millimetres within 1 km."""
    lon, lat = position
    across = DEGREE_M * math.cos(math.radians(lat + north_m / DEGREE_M / 2))
    return lon + east_m / across, lat + north_m / DEGREE_M


def metres(first: Point, second: Point) -> float:
    """Great-circle distance on a sphere with the mean radius of the Earth."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*first, *second))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(half))


@dataclass(frozen=True, slots=True)
class Site:
    """A rectangle on the ground, `width_m` east to west and `height_m` south to north."""

    id: str
    layer: str
    kind: str
    zh: str
    en: str
    centre: Point
    width_m: float
    height_m: float

    def ring(self) -> list[Point]:
        """The corners, counter-clockwise and closed."""
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
        half = (self.width_m / 2, self.height_m / 2)
        return [shifted(self.centre, x * half[0], y * half[1]) for x, y in corners]

    def near(self, position: Point, margin_m: float) -> bool:
        """Whether a position is inside or within a margin of the rectangle."""
        east = (position[0] - self.centre[0]) * DEGREE_M * math.cos(math.radians(position[1]))
        north = (position[1] - self.centre[1]) * DEGREE_M
        across = abs(east) <= self.width_m / 2 + margin_m
        return across and abs(north) <= self.height_m / 2 + margin_m


_KINDS = (
    # layer, kind, id, zh, en, how many, width, height
    ("licensed-sites", "depot", "depot", "危货车辆停放场", "hazmat depot", 6, 400.0, 300.0),
    (
        "licensed-sites",
        "chemical-park",
        "plant",
        "化工园区装卸区",
        "chemical loading yard",
        8,
        800.0,
        600.0,
    ),
    ("licensed-sites", "petrol-station", "station", "加油站", "petrol station", 10, 120.0, 100.0),
    (
        "licensed-sites",
        "parking",
        "parking",
        "危货专用停车区",
        "licensed hazmat parking",
        4,
        250.0,
        200.0,
    ),
    ("service-areas", "service-area", "service", "服务区", "service area", 5, 500.0, 300.0),
    ("customer-sites", "consignee", "customer", "收货企业", "consignee", 30, 300.0, 300.0),
)


def _sites() -> tuple[Site, ...]:
    """Lay the sites out at random, but the same for everybody, never closer than 900 m."""
    rng = Random("forewarn demonstration area")
    sites: list[Site] = []
    for layer, kind, prefix, zh, en, count, width, height in _KINDS:
        for number in range(1, count + 1):
            while True:
                centre = _somewhere(rng)
                if not any(site.near(centre, 900 + width) for site in sites):
                    break
            name = f"{prefix}-{number}"
            title = (f"演示{zh}{number}", f"Demo {en} {number}")
            sites.append(Site(name, layer, kind, *title, centre, width, height))
    return tuple(sites)


def _somewhere(rng: Random) -> Point:
    """A point of the area, a kilometre or more from its rim."""
    east = rng.uniform(-HALF_WIDTH_M + 1_000, HALF_WIDTH_M - 1_000)
    north = rng.uniform(-HALF_HEIGHT_M + 1_000, HALF_HEIGHT_M - 1_000)
    return round_point(shifted(CENTRE, east, north))


def round_point(position: Point) -> Point:
    """Seven decimals, as receivers report: about a centimetre."""
    return round(position[0], 7), round(position[1], 7)


SITES = _sites()


def of_kind(kind: str) -> list[Site]:
    """The sites of one kind, in a fixed order."""
    return [site for site in SITES if site.kind == kind]


def open_ground(rng: Random) -> Point:
    """A spot by some road, at least 700 m from every site."""
    while True:
        spot = _somewhere(rng)
        if not any(site.near(spot, 700) for site in SITES):
            return spot


def road(start: Point, goal: Point, rng: Random) -> list[Point]:
    """Corner points of a way along the grid of roads, east-west first or north-south first."""
    corner = (goal[0], start[1]) if rng.random() < 0.5 else (start[0], goal[1])
    return [start, corner, goal]


def layers() -> dict[str, dict[str, Any]]:
    """The sites and districts as GeoJSON feature collections, by layer name."""
    names = dict.fromkeys(site.layer for site in SITES)
    drawn = {name: _collection(_features(name)) for name in names}
    drawn["regions"] = _collection(_districts())
    return drawn


def _collection(features: Iterator[dict[str, object]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "datum": "wgs84", "features": list(features)}


def _features(layer: str) -> Iterator[dict[str, object]]:
    for site in SITES:
        if site.layer == layer:
            about = {"id": site.id, "name": site.zh, "name_en": site.en, "kind": site.kind}
            yield _feature(about, site.ring())


def _feature(about: dict[str, str], ring: list[Point]) -> dict[str, object]:
    outline = [list(round_point(corner)) for corner in ring]
    geometry = {"type": "Polygon", "coordinates": [outline]}
    return {"type": "Feature", "properties": about, "geometry": geometry}


def _districts() -> Iterator[dict[str, object]]:
    """Four invented counties of two towns each, with codes that no real place has."""
    west, south = shifted(CENTRE, -HALF_WIDTH_M, -HALF_HEIGHT_M)
    east, north = shifted(CENTRE, HALF_WIDTH_M, HALF_HEIGHT_M)
    for number in range(8):
        column, row = number % 4, number // 4
        left, right = (west + (east - west) * part / 4 for part in (column, column + 1))
        low, high = (south + (north - south) * part / 2 for part in (row, row + 1))
        county, town = row * 2 + column // 2 + 1, column % 2 + 1
        about = {
            "id": f"99000{county}00{town}",
            "code": f"99000{county}00{town}",
            "name": f"演示{county}县{town}镇",
            "county": f"演示{county}县",
            "town": f"演示{county}县{town}镇",
        }
        corners = [(left, low), (right, low), (right, high), (left, high), (left, low)]
        yield _feature(about, corners)
