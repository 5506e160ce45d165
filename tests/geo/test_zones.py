"""Which zones hold a position: the grid must say what shapely says."""

import json
import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.geo import cells
from engine.geo.datum import wgs84_to_gcj02
from engine.geo.zones import ZoneSet

Position = tuple[float, float]


def layer(*shapes: shapely.Geometry, **members: object) -> dict[str, Any]:
    """A FeatureCollection whose zones are called a, b, c ..."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": chr(ord("a") + number), "name": f"zone {number}", "rank": number},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for number, shape in enumerate(shapes)
    ]
    return {"type": "FeatureCollection", "features": features, **members}


def zones_of(*shapes: shapely.Geometry, **members: object) -> ZoneSet:
    zones, problems = ZoneSet.from_geojson("layer", layer(*shapes, **members))
    assert zones is not None, problems
    return zones


def square(west: float, south: float, size: float) -> shapely.Polygon:
    return shapely.box(west, south, west + size, south + size)


YARD = shapely.Polygon(
    [(120.0, 32.0), (120.1, 32.0), (120.1, 32.1), (120.0, 32.1), (120.0, 32.0)],
    [[(120.04, 32.04), (120.06, 32.04), (120.06, 32.06), (120.04, 32.06), (120.04, 32.04)]],
)


@pytest.mark.parametrize(
    ("place", "held"),
    [
        pytest.param((120.02, 32.02), True, id="well inside"),
        pytest.param((120.2, 32.02), False, id="well outside"),
        pytest.param((120.05, 32.05), False, id="in the hole"),
        pytest.param((120.0, 32.05), True, id="on the western edge"),
        pytest.param((120.1, 32.05), True, id="on the eastern edge"),
        pytest.param((120.05, 32.1), True, id="on the northern edge"),
        pytest.param((120.05, 32.0), True, id="on the southern edge"),
        pytest.param((120.1, 32.1), True, id="on a corner"),
        pytest.param((120.04, 32.05), True, id="on the edge of the hole"),
        pytest.param((120.06, 32.06), True, id="on a corner of the hole"),
        pytest.param((120.1, 32.2), False, id="north of a corner"),
        pytest.param((119.9, 32.1), False, id="west of the northern edge"),
        pytest.param((120.10000001, 32.05), False, id="a millimetre outside"),
        pytest.param((-200.0, 95.0), False, id="off the globe"),
    ],
)
def test_outlines_belong_to_the_zone_and_holes_do_not(place: Position, held: bool) -> None:
    zones = zones_of(YARD)
    zone = zones.at(*place)
    assert zones.inside(*place) is held
    assert zones.zone("a").contains(*place) is held
    assert (zone is not None) is held
    assert bool(zones.all_at(*place)) is held


def test_of_overlapping_zones_the_smallest_id_is_at_a_place() -> None:
    zones = zones_of(square(120, 32, 0.1), square(120.05, 32, 0.1), square(120.0, 32, 0.2))
    assert [zone.id for zone in zones.all_at(120.07, 32.05)] == ["a", "b", "c"]
    here = zones.at(120.12, 32.05)
    assert here is not None
    assert (here.id, here.name, here.attributes["rank"]) == ("b", "zone 1", 1)


def test_layers_are_read_by_id() -> None:
    zones = zones_of(square(120, 32, 0.1), square(121, 32, 0.1))
    assert (zones.ids, len(zones), "b" in zones, zones.get("z")) == (("a", "b"), 2, True, None)
    with pytest.raises(KeyError):
        zones.zone("z")


def test_an_empty_layer_holds_nothing() -> None:
    assert zones_of().inside(120.0, 32.0) is False


def test_a_layer_in_another_datum_is_converted() -> None:
    corner = wgs84_to_gcj02(120.0, 32.0)
    shifted = shapely.transform(
        YARD, lambda places: np.array([wgs84_to_gcj02(*place) for place in places.tolist()])
    )
    zones = zones_of(shifted, datum="gcj02")
    assert zones.inside(120.0001, 32.0001)
    assert not zones.inside(119.9999, 31.9999)
    assert corner != (120.0, 32.0)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0.0005, id="50 m"),
        pytest.param(0.4, id="40 km"),
        pytest.param(9, id="9 degrees"),
    ],
)
def test_layers_of_any_size_get_a_bounded_grid(size: float) -> None:
    zones = zones_of(square(110, 25, size))
    middle = 110 + size / 2, 25 + size / 2
    assert zones.inside(*middle)
    assert len(zones._grid.cells) <= 2 * cells._MOST_CELLS  # noqa: SLF001
    assert not zones.inside(110 - size / 100, 25)


def ring(draw: st.DrawFn, centre: Position, low: float, high: float) -> list[Position]:
    """A star-shaped outline around a centre; corners may lie on a coarse lattice."""
    count = draw(st.integers(3, 24))
    step = draw(st.sampled_from([0.0, 0.0025, 0.001]))
    corners = []
    for number in range(count):
        radius = draw(st.floats(low, high))
        angle = 2 * math.pi * number / count
        lon, lat = centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
        corners.append((round(lon / step) * step, round(lat / step) * step) if step else (lon, lat))
    return [*corners, corners[0]]


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Polygon | shapely.MultiPolygon:
    """Polygons with and without holes, and pairs of them, from 50 m to 20 km across."""
    centre = draw(st.sampled_from([(120.5, 32.0), (-0.001, 0.001), (-97.7, 30.25)]))
    scale = draw(st.sampled_from([0.0005, 0.004, 0.03, 0.1]))
    outer = ring(draw, centre, scale * 0.5, scale)
    holes = [ring(draw, centre, scale * 0.1, scale * 0.2)] if draw(st.booleans()) else []
    first = shapely.Polygon(outer, holes)
    assume(shapely.is_valid(first))
    if draw(st.booleans()):
        return first
    other = shapely.Polygon(ring(draw, (centre[0] + 2.5 * scale, centre[1]), scale / 2, scale))
    both = shapely.MultiPolygon([first, other])
    assume(shapely.is_valid(both))
    return both


@st.composite
def places(draw: st.DrawFn, shape: shapely.Polygon | shapely.MultiPolygon) -> Position:
    """Positions near a shape, on its corners, on its edges and in line with its corners."""
    corners = shapely.get_coordinates(shape)
    west, south, east, north = shape.bounds
    lon, lat = corners[draw(st.integers(0, len(corners) - 1))].tolist()
    match draw(st.sampled_from(["anywhere", "corner", "row", "column", "edge", "close"])):
        case "corner":
            return lon, lat
        case "row":
            return draw(st.floats(west - 0.01, east + 0.01)), lat
        case "column":
            return lon, draw(st.floats(south - 0.01, north + 0.01))
        case "edge":
            number = draw(st.integers(0, len(corners) - 2))
            part = draw(st.floats(0, 1))
            (x1, y1), (x2, y2) = corners[number].tolist(), corners[number + 1].tolist()
            return x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
        case "close":
            return lon + draw(st.floats(-1e-9, 1e-9)), lat + draw(st.floats(-1e-9, 1e-9))
        case _:
            return draw(st.floats(west - 0.01, east + 0.01)), draw(
                st.floats(south - 0.01, north + 0.01)
            )


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_inside_says_what_shapely_covers_says(data: st.DataObject) -> None:
    shape = data.draw(polygons())
    zones = zones_of(shape)
    zone = zones.zone("a")
    for _ in range(12):
        place = data.draw(places(shape))
        # shapely decides on 106 bits; we decide exactly. Only touching outlines need its `covers`.
        covered = bool(shapely.covers(shape, shapely.Point(*place)))
        assert zones.inside(*place) is covered
        assert zone.contains(*place) is covered
        assert zones.at(*place) is (zone if covered else None)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=1, max_size=40))
def test_a_layer_holds_what_one_of_its_zones_holds(offsets: list[Position]) -> None:
    shapes = [square(120.5 + x, 32.0 + y, 0.013) for x, y in offsets]
    zones = ZoneSet.from_geojson(
        "many",
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "id": number,
                    "geometry": json.loads(shapely.to_geojson(shape)),
                }
                for number, shape in enumerate(shapes)
            ],
        },
    )[0]
    assert zones is not None
    for x, y in [*offsets, (0.0, 0.0), (0.05, -0.05)]:
        place = 120.5 + x + 0.004, 32.0 + y + 0.004
        held = sorted(zone.id for zone in zones if zone.contains(*place))
        assert [zone.id for zone in zones.all_at(*place)] == held
        assert zones.inside(*place) is bool(held)
