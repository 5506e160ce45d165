"""GeoJSON layers as people write them: every problem of every feature, each with its place."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import Location, Problem
from engine.geo.datum import DATUMS, Convert, converter
from engine.geo.edges import Ring

if TYPE_CHECKING:
    import shapely

# Imported where it is used: see zones.py.
# ruff: noqa: PLC0415

MOST_VERTICES = 10_000
_TYPES = ("Polygon", "MultiPolygon")
LINES = ("LineString", "MultiLineString")
_FEATURE = re.compile(rb'"type"\s*:\s*"Feature"')
_PLACE = re.compile(r"\[(\S+) (\S+)\]")
_SHORTEST_RING = 4
_HOLE_REASONS = ("Hole", "Interior", "Nested")
_EAST, _NORTH = 180.0, 90.0


class Feature(NamedTuple):
    """A checked feature: its shape is valid and in WGS-84."""

    id: str
    name: str
    attributes: Mapping[str, Any]
    shape: "shapely.Geometry"


class _Wrong(Exception):
    """A feature cannot be used: a problem's code and what goes into its sentence."""

    def __init__(self, *, code: str, nearest: str = "", **found: object) -> None:
        self.code, self.nearest, self.found = code, nearest, found
        super().__init__(code)


def parse(raw: bytes, file: str) -> tuple[object, Sequence[int], tuple[Problem, ...]]:
    """A GeoJSON text as a value, with the line on which each feature says that it is one."""
    try:
        obj = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return None, (), (Problem(Location(file, line), "R515"),)
    except json.JSONDecodeError as error:
        return None, (), (Problem(Location(file, error.lineno, error.colno), "R515"),)
    except RecursionError:
        return None, (), (Problem(Location(file), "R515"),)
    lines = [raw.count(b"\n", 0, found.start()) + 1 for found in _FEATURE.finditer(raw)]
    return obj, lines, ()


def read(
    obj: object, file: str, lines: Sequence[int] = ()
) -> tuple[list[Feature], tuple[Problem, ...]]:
    """All features of a layer, or all that is wrong with them.

    Args:
        obj: The parsed document.
        file: For the places of problems.
        lines: The line of each feature; used if there are as many as features.

    """
    at = Location(file)
    if not isinstance(obj, Mapping) or obj.get("type") != "FeatureCollection":
        return [], (Problem(at, "R501"),)
    raw = obj.get("features")
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        return [], (Problem(at, "R501"),)
    try:
        convert = _datum(obj.get("datum", "wgs84"))
    except _Wrong as wrong:
        return [], (Problem(at, wrong.code, wrong.found, wrong.nearest),)
    features: list[Feature] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    lines_only = bool(raw) and _kind(raw[0]) in LINES
    for number, item in enumerate(raw, start=1):
        place = Location(file, lines[number - 1]) if len(lines) == len(raw) else at
        name = f"#{number}"
        try:
            id_ = _id(item)
            name = id_ or name
            _require_new(id_, first)
            first[id_] = number
            shape = (_line if lines_only else _shape)(item, convert)
        except _Wrong as wrong:
            problems.append(
                Problem(place, wrong.code, {"zone": name, **wrong.found}, wrong.nearest)
            )
            continue
        properties = item.get("properties") or {}
        features.append(Feature(id_, str(properties.get("name") or id_), properties, shape))
    return features, tuple(problems)


def rings_of(shape: "shapely.Geometry") -> list[Ring]:
    """The outlines of a polygon or multi-polygon, outer ones and holes alike."""
    import shapely

    return [
        [(float(lon), float(lat)) for lon, lat in ring.coords]
        for part in shapely.get_parts(shape)
        for ring in (part.exterior, *part.interiors)
    ]


def _datum(declared: object) -> Convert | None:
    if not isinstance(declared, str) or declared.lower() not in DATUMS:
        close = get_close_matches(str(declared).lower(), DATUMS, n=1)
        raise _Wrong(code="R511", nearest=close[0] if close else "", datum=declared)
    return converter(declared.lower(), "wgs84")


def _id(item: object) -> str:
    """The id among the properties or beside them; numbers are ids too."""
    if not isinstance(item, Mapping) or item.get("type") != "Feature":
        raise _Wrong(code="R504", found="?")
    properties = item.get("properties")
    if properties is not None and not isinstance(properties, Mapping):
        raise _Wrong(code="R502")
    id_ = (properties or {}).get("id", item.get("id"))
    if isinstance(id_, str | int) and not isinstance(id_, bool):
        return str(id_).strip()
    return ""


def _require_new(id_: str, first: Mapping[str, int]) -> None:
    if not id_:
        raise _Wrong(code="R502")
    if id_ in first:
        raise _Wrong(code="R503", first=first[id_])


def _kind(item: object) -> object:
    """The geometry type that a feature names."""
    geometry = item.get("geometry") if isinstance(item, Mapping) else None
    return geometry.get("type") if isinstance(geometry, Mapping) else None


def _line(item: Mapping[str, Any], convert: Convert | None) -> "shapely.Geometry":
    """A line of a layer of lines, in WGS-84."""
    import shapely

    kind = _kind(item)
    if kind not in LINES:
        raise _Wrong(code="R548", found=kind or "?")
    coordinates = item["geometry"].get("coordinates")
    parts = [coordinates] if kind == "LineString" else coordinates
    if not isinstance(parts, list) or not parts:
        raise _Wrong(code="R549")
    ways = []
    for part in parts:
        way = list(_positions(part, "R549"))
        if len(set(way)) < 2:  # noqa: PLR2004 - a line has two ends
            raise _Wrong(code="R549")
        _require_on_globe(way)
        ways.append([convert(lon, lat) for lon, lat in way] if convert is not None else way)
    if sum(map(len, ways)) > MOST_VERTICES:
        raise _Wrong(code="R510", most=MOST_VERTICES)
    return shapely.MultiLineString(ways)


def _shape(item: Mapping[str, Any], convert: Convert | None) -> "shapely.Geometry":
    import shapely

    geometry = item.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if not isinstance(geometry, Mapping) or kind not in _TYPES:
        close = get_close_matches(str(kind), _TYPES, n=1)
        raise _Wrong(code="R504", nearest=close[0] if close else "", found=kind or "?")
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(parts, list) or not parts:
        raise _Wrong(code="R505")
    polygons = []
    vertices = 0
    for part in parts:
        if not isinstance(part, list) or not part:
            raise _Wrong(code="R505")
        rings = [_ring(ring) for ring in part]
        vertices += sum(map(len, rings))
        if vertices > MOST_VERTICES:
            raise _Wrong(code="R510", most=MOST_VERTICES)
        if convert is not None:
            rings = [[convert(lon, lat) for lon, lat in ring] for ring in rings]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    shape = polygons[0] if kind == "Polygon" else shapely.MultiPolygon(polygons)
    _require_valid(shape)
    return shape


def _ring(raw: object) -> list[tuple[float, float]]:
    """One closed outline within bounds, as (lon, lat)."""
    ring = list(_positions(raw))
    if len(ring) < _SHORTEST_RING:
        raise _Wrong(code="R505")
    if ring[0] != ring[-1]:
        raise _Wrong(code="R506", lon=ring[-1][0], lat=ring[-1][1])
    _require_on_globe(ring)
    return ring


def _require_on_globe(positions: Sequence[tuple[float, float]]) -> None:
    """No position lies off the globe; latitude first is the usual reason."""
    outside = [(x, y) for x, y in positions if abs(x) > _EAST or abs(y) > _NORTH]
    if outside:
        lon, lat = outside[0]
        swapped = all(abs(y) <= _EAST and abs(x) <= _NORTH for x, y in positions)
        raise _Wrong(code="R507" if swapped else "R508", lon=lon, lat=lat)


def _positions(raw: object, code: str = "R505") -> Iterator[tuple[float, float]]:
    if not isinstance(raw, list):
        raise _Wrong(code=code)
    for position in raw:
        match position:
            case [int() | float() as lon, int() | float() as lat, *_]:
                if isinstance(lon, bool) or isinstance(lat, bool):
                    raise _Wrong(code=code)
                try:
                    place = float(lon), float(lat)
                except OverflowError as error:
                    raise _Wrong(code=code) from error
                if not all(map(math.isfinite, place)):
                    raise _Wrong(code=code)
                yield place
            case _:
                raise _Wrong(code=code)


def _require_valid(shape: "shapely.Geometry") -> None:
    """The outline neither crosses nor touches itself along a line, and holes lie within it."""
    import shapely

    if shapely.is_valid(shape):
        return
    reason = shapely.is_valid_reason(shape)
    place = _PLACE.search(reason)
    lon, lat = (round(float(number), 6) for number in place.groups()) if place else (0.0, 0.0)
    if reason.startswith("Too few"):
        raise _Wrong(code="R505")
    raise _Wrong(code="R514" if reason.startswith(_HOLE_REASONS) else "R509", lon=lon, lat=lat)
