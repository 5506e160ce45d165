"""Ways over lines: the sides they come from, exactly; and what a layer of lines holds."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import orjson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.distance import distance_m
from engine.geo.passing import Path, Reach, Step, left, near, passed
from engine.geo.zones import ZoneSet

grid = st.tuples(st.integers(-4, 4), st.integers(-4, 4)).map(lambda p: (p[0] / 7, p[1] / 7))


def side(a: tuple, b: tuple, p: tuple) -> int:
    (ax, ay), (bx, by), (px, py) = (tuple(map(Fraction, one)) for one in (a, b, p))
    cross = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    return (cross > 0) - (cross < 0)


@settings(max_examples=500, deadline=None)
@given(grid, grid, grid)
def test_sides_are_exact(a: tuple, b: tuple, p: tuple) -> None:
    assert left(a, b, p) == (side(a, b, p) >= 0)


@settings(max_examples=500, deadline=None)
@given(grid, grid, grid, grid)
def test_a_way_passes_an_edge_that_it_crosses_properly(p: tuple, q: tuple, a: tuple, b: tuple):
    sides = [side(a, b, p), side(a, b, q), side(p, q, a), side(p, q, b)]
    if 0 not in sides:
        crosses = sides[0] != sides[1] and sides[2] != sides[3]
        assert passed(Step(p, q), a, b) == (sides[0] if crosses else 0)
    assert passed(Step(p, q), a, b) == -passed(Step(q, p), a, b)


@settings(max_examples=300, deadline=None)
@given(st.lists(grid, min_size=3, max_size=12))
def test_a_closed_way_passes_a_long_line_as_often_back_as_forth(corners: list) -> None:
    """Whatever corners fall onto the line, no passage is lost or counted twice."""
    wall = Path([[(0.0, -9.0), (0.0, -1 / 7), (0.0, 2 / 7), (0.0, 9.0)]])
    ring = [*corners, corners[0]]
    steps = [Step(a, b) for a, b in pairwise(ring)]
    assert sum(wall.net(step)[0] for step in steps) == 0
    east = [x > 0 for x, _ in ring]
    assert [wall.net(step)[0] for step in steps] == [
        int(after) - int(before) for before, after in pairwise(east)
    ]


@settings(max_examples=300, deadline=None)
@given(grid, grid, grid, st.floats(1_000, 60_000))
def test_nearness_is_that_of_the_nearest_point(p: tuple, a: tuple, b: tuple, radius: float):
    lon, lat = a
    if a != b:
        line: Any = shapely.LineString([a, b])
        spot = line.interpolate(line.project(shapely.Point(p)))
        lon, lat = spot.x, spot.y
    metres = distance_m(p[0], p[1], lon, lat)
    if abs(metres - radius) > 0.002 * radius:
        assert near(p, [(a, b)], radius) == (metres < radius)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(grid, grid), min_size=1, max_size=9), grid, grid)
def test_no_box_that_is_met_is_missed(pairs: list, a: tuple, b: tuple) -> None:
    boxes = [Step(p, q).bounds() for p, q in pairs]
    found = Reach(list(enumerate(boxes)), 0.0).meeting(Step(a, b).bounds())
    mine = shapely.box(*Step(a, b).bounds())
    assert found == [n for n, box in enumerate(boxes) if mine.intersects(shapely.box(*box))]


@pytest.mark.parametrize(
    ("end", "bearing"),
    [((0, 1), 0), ((1, 0), 90), ((0, -1), 180), ((-1, 0), 270), ((1e-3, 1e-3), 45)],
)
def test_bearings_are_clockwise_from_north(end: tuple, bearing: float) -> None:
    assert Step((0.0, 0.0), end).bearing() == pytest.approx(bearing, abs=0.01)


def test_a_layer_of_lines_has_lines_and_no_inside() -> None:
    lines = [
        ("dike", {"type": "LineString", "coordinates": [[120.9, 32.0], [120.95, 32.01]]}),
        ("bank", {"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}),
    ]
    features = [
        {"type": "Feature", "properties": {"id": name, "height": 5}, "geometry": geometry}
        for name, geometry in lines
    ]
    raw = orjson.dumps({"type": "FeatureCollection", "features": features})
    layer, problems = ZoneSet.from_text("dikes", raw)
    assert problems == ()
    assert layer is not None
    assert [(line.id, len(line.path.edges)) for line in layer.lines] == [("bank", 2), ("dike", 1)]
    assert layer.lines[0].attributes["height"] == 5
    assert len(layer) == 0
    assert layer.at(120.9, 32.0) is None
    assert not layer.inside(120.9, 32.0)
