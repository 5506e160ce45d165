"""Places: whoever looks at one cell sees everybody within reach of anybody at home there."""

from math import asin, atan2, cos, degrees, radians, sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.distance import EARTH_RADIUS_M, distance_m
from engine.geo.places import Places, cell_name, step_for

lons = st.floats(-180, 180, allow_nan=False)
lats = st.floats(-85, 85, allow_nan=False)


def moved(lon: float, lat: float, bearing: float, metres: float) -> tuple[float, float]:
    """The position so far away in a direction, on the sphere."""
    angle, turn, north = metres / EARTH_RADIUS_M, radians(bearing), radians(lat)
    there = asin(sin(north) * cos(angle) + cos(north) * sin(angle) * cos(turn))
    east = atan2(sin(turn) * sin(angle) * cos(north), cos(angle) - sin(north) * sin(there))
    return (lon + degrees(east) + 540.0) % 360.0 - 180.0, degrees(there)


@settings(max_examples=600)
@given(lons, lats, st.floats(0, 360), st.floats(0, 0.9999), st.sampled_from([5, 400, 20_000]))
def test_a_cell_hears_of_everybody_within_reach_of_whom_it_holds(lon, lat, bearing, part, reach):
    places = Places(step_for(reach), reach)
    other = moved(lon, lat, bearing, part * reach)
    assert distance_m(lon, lat, *other) <= reach
    assert places.home(*other) in places.around(lon, lat)
    assert places.home(lon, lat) in places.around(*other)
    assert places.home(*other) in places.beside(places.home(lon, lat))


@settings(max_examples=200)
@given(lons, lats)
def test_the_home_cell_comes_first_and_no_cell_twice(lon, lat):
    places = Places(2048, 400)
    around = places.around(lon, lat)
    assert around[0] == places.home(lon, lat)
    assert len(set(around)) == len(around) <= 7


def test_far_from_its_edges_a_position_concerns_its_own_cell_only():
    places = Places(2048, 400)
    lon, lat = 120.9, 32.0
    alone = sum(
        len(places.around(lon + east * 1e-3, lat + north * 1e-3)) == 1
        for east in range(100)
        for north in range(100)
    )
    assert 0.3 < alone / 10_000 < 0.5  # (1 - 2 * 400 / 2048) squared is 0.37


@pytest.mark.parametrize("lat", [0, 32, 60, -71])
def test_cells_are_about_as_wide_as_high(lat):
    places = Places(1024, 200)
    row, column = places.home(10.0, lat)
    lon = 10.0
    while places.home(lon, lat) == (row, column):
        lon += 1e-5
    begin = lon
    while places.home(lon, lat) == (row, column + 1):
        lon += 1e-5
    assert distance_m(begin, lat, lon, lat) == pytest.approx(1024, rel=0.02)


@pytest.mark.parametrize(("lon", "lat"), [(180, 0), (-180, 0), (0, 90), (0, -90), (179.9, 89.99)])
def test_the_edges_of_the_map_are_no_trouble(lon, lat):
    places = Places(2048, 400)
    assert places.home(lon, lat) in places.around(lon, lat)


def test_the_two_sides_of_the_antimeridian_are_neighbours():
    places = Places(2048, 400)
    assert places.home(-179.999, 10.0) in places.around(179.999, 10.0)


def test_the_size_of_a_cell_is_the_next_power_of_two():
    assert [step_for(reach) for reach in (1, 60, 100, 400, 512, 513)] == [
        4, 256, 512, 2048, 2048, 4096
    ]  # fmt: skip
    assert cell_name((17, 4)) == "17/4"
