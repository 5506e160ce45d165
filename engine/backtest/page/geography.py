"""Where alerts were: outlines of zones, positions by severity, tracks; no tiles."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import shapely

from engine.alerts.context import REGIONS
from engine.backtest.episodes import Episode
from engine.backtest.page.markup import Html, tag
from engine.geo.zones import ZoneSet

WIDE, HIGH = 1000.0, 600.0
_MARGIN = 0.08
_LEAST = 0.01
_FINE = 1 / 1500
_MOST_VERTICES = 40_000
_DEGREE_M = 111_195.0

Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Track:
    """Where a key was around one of its episodes: (lon, lat) in order of time, WGS-84 degrees."""

    episode: str
    points: Sequence[Position]


@dataclass(frozen=True, slots=True)
class Plane:
    """A part of the ground, laid flat into WIDE x HIGH units."""

    west: float
    north: float
    squeeze: float
    scale: float

    @classmethod
    def around(cls, positions: Sequence[Position]) -> "Plane":
        """The part that holds all of these with a margin."""
        lons, lats = zip(*positions, strict=True)
        middle = (max(lats) + min(lats)) / 2
        squeeze = max(math.cos(math.radians(middle)), 0.05)
        wide = max((max(lons) - min(lons)) * squeeze, _LEAST) * (1 + 2 * _MARGIN)
        high = max(max(lats) - min(lats), _LEAST) * (1 + 2 * _MARGIN)
        scale = min(WIDE / wide, HIGH / high)
        west = (max(lons) + min(lons)) / 2 - WIDE / scale / squeeze / 2
        return cls(west, middle + HIGH / scale / 2, squeeze, scale)

    def put(self, lon: float, lat: float) -> str:
        """A position as coordinates of the drawing."""
        x = (lon - self.west) * self.squeeze * self.scale
        y = (self.north - lat) * self.scale
        return f"{x:.1f},{y:.1f}"

    @property
    def metres(self) -> float:
        """How many metres a unit of the drawing is."""
        return _DEGREE_M / self.scale


def drawing(
    episodes: Sequence[Episode],
    tracks: Iterable[Track],
    layers: Mapping[str, ZoneSet],
    tips: Mapping[str, str],
    name: str,
) -> Html | None:
    """The whole map; None where nothing has a position.

    Args:
        episodes: Those to be drawn, with positions.
        tracks: Tracks of some of them.
        layers: All layers of zones and lines.
        tips: For each episode what is shown when it is pointed at.
        name: For readers that cannot see.

    """
    spots = [(e.lon, e.lat) for e in episodes if e.lon is not None and e.lat is not None]
    known = list(tracks)
    held = [*spots, *(point for track in known for point in track.points)] or _corners(layers)
    if not held:
        return None
    plane = Plane.around(held)
    ordered = sorted(layers, key=lambda layer: (layer != REGIONS, layer))
    drawn = [_layer(layer, layers[layer], plane) for layer in ordered]
    lines = [
        tag("path", d=_path(track.points, plane), class_="track", data_of=track.episode)
        for track in known
    ]
    dots = [
        tag("path", tag("title", tips.get(e.id, e.key)), d=f"M{plane.put(e.lon, e.lat)}h0",
            class_=f"dot s-{e.severity}", data_id=e.id)
        for e in episodes
        if e.lon is not None and e.lat is not None
    ]  # fmt: skip
    return tag(
        "svg", _lattice(plane), *drawn, tag("g", *lines), tag("g", *dots), id="map",
        viewBox=f"0 0 {WIDE:g} {HIGH:g}", role="img", aria_label=name,
        data_metres=f"{plane.metres:.4f}",
    )  # fmt: skip


def _lattice(plane: Plane) -> Html:
    """Lines of round longitudes and latitudes, with what they are."""
    wide, high = WIDE / plane.scale / plane.squeeze, HIGH / plane.scale
    size = 10 ** math.floor(math.log10(high / 2))
    step = next(size * factor for factor in (5, 2, 1) if size * factor <= high / 2)
    digits = max(0, -math.floor(math.log10(step)))
    drawn: list[Html] = []
    for number in range(math.ceil(plane.west / step), math.floor((plane.west + wide) / step) + 1):
        x = plane.put(number * step, plane.north).split(",")[0]
        drawn.append(tag("path", d=f"M{x},0V{HIGH:g}", class_="lattice"))
        drawn.append(tag("text", f"{number * step:.{digits}f}°", x=x, y="14", class_="degree"))
    for number in range(math.ceil((plane.north - high) / step), math.floor(plane.north / step) + 1):
        y = plane.put(plane.west, number * step).split(",")[1]
        drawn.append(tag("path", d=f"M0,{y}H{WIDE:g}", class_="lattice"))
        drawn.append(tag("text", f"{number * step:.{digits}f}°", x="4", y=y, class_="degree"))
    return tag("g", *drawn)


def _layer(name: str, layer: ZoneSet, plane: Plane) -> Html:
    """All zones and lines of a layer, as fine as can be seen."""
    shapes = [(zone.id, zone.name, zone.shape) for zone in layer]
    shapes += [(line.id, line.name, _geometry(line.path.edges)) for line in layer.lines]
    fine = _FINE * WIDE / plane.scale
    while True:
        simple = [
            (id_, title, shapely.simplify(shape, fine, preserve_topology=True))
            for id_, title, shape in shapes
        ]
        if sum(shapely.get_num_coordinates(one) for _, _, one in simple) <= _MOST_VERTICES:
            break
        fine *= 4
    kind = "region" if name == REGIONS else "zone"
    drawn = [
        tag("path", tag("title", f"{title or id_} ({name})"), d=_outline(shape, plane),
            class_=kind if _is_area(shape) else "way")
        for id_, title, shape in simple
    ]  # fmt: skip
    labels = [
        tag("text", title, class_="place", x=x, y=y)
        for _, title, shape in simple
        if kind == "region" and not shapely.is_empty(shape)
        for x, y in [plane.put(*_inside(shape)).split(",")]
    ]
    return tag("g", *drawn, *labels, data_layer=name)


def _geometry(edges: Sequence[tuple[Position, Position]]) -> shapely.Geometry:
    return shapely.line_merge(shapely.MultiLineString([list(edge) for edge in edges]))


def _is_area(shape: shapely.Geometry) -> bool:
    return bool(shapely.get_dimensions(shape) == 2)  # noqa: PLR2004 - areas have two


def _inside(shape: shapely.Geometry) -> Position:
    point = shapely.point_on_surface(shape)
    return point.x, point.y


def _outline(shape: shapely.Geometry, plane: Plane) -> str:
    """The edges of a shape as a path; holes go the other way and stay empty."""
    pieces: list[str] = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            rings = [part.exterior, *part.interiors]
            pieces += [_path(ring.coords, plane) + "Z" for ring in rings]
        else:
            pieces.append(_path(part.coords, plane))
    return "".join(pieces)


def _path(points: Iterable[Sequence[float]], plane: Plane) -> str:
    put: list[str] = []
    for point in points:
        spot = plane.put(point[0], point[1])
        if not put or put[-1] != spot:
            put.append(spot)
    return "M" + "L".join(put)


def _corners(layers: Mapping[str, ZoneSet]) -> list[Position]:
    """The corners of what all layers hold."""
    boxes = [shapely.bounds(zone.shape) for layer in layers.values() for zone in layer]
    return [spot for box in boxes for spot in ((box[0], box[1]), (box[2], box[3]))]
