"""Distances, and the fast test that must agree with them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.distance import EARTH_RADIUS_M, distance_m, make_far, near_side

QUARTER_M = EARTH_RADIUS_M * math.pi / 2


@pytest.mark.parametrize(
    ("here", "there", "metres"),
    [
        pytest.param((120.9, 32.0), (120.9, 32.0), 0.0, id="the same place"),
        pytest.param((0.0, 0.0), (0.0, 90.0), QUARTER_M, id="equator to pole"),
        pytest.param((0.0, 0.0), (180.0, 0.0), 2 * QUARTER_M, id="the other side of the earth"),
        pytest.param((179.9995, 0.0), (-179.9995, 0.0), 111.195, id="across the date line"),
        pytest.param((120.0, 89.9995), (-60.0, 89.9995), 111.195, id="across the pole"),
        pytest.param((116.391, 39.907), (121.474, 31.230), 1_067_900, id="Beijing to Shanghai"),
    ],
)
def test_known_distances(
    here: tuple[float, float], there: tuple[float, float], metres: float
) -> None:
    assert distance_m(*here, *there) == pytest.approx(metres, rel=1e-3, abs=1e-6)
    assert distance_m(*there, *here) == pytest.approx(metres, rel=1e-3, abs=1e-6)


LONS, LATS = st.floats(-180, 180), st.floats(-90, 90)
RADII = st.sampled_from([0.0, 0.5, 15.0, 100.0, 150.0, 5_000.0, 99_999.0, 100_001.0, 2e6])


@settings(deadline=None)
@given(RADII, LONS, LATS, LONS, LATS)
def test_far_agrees_with_the_distance_for_any_two_places(
    radius: float, lon1: float, lat1: float, lon2: float, lat2: float
) -> None:
    assert make_far(radius)(lon1, lat1, lon2, lat2) is (distance_m(lon1, lat1, lon2, lat2) > radius)


@settings(deadline=None, max_examples=300)
@given(
    RADII,
    LONS,
    LATS,
    st.floats(0, 2 * math.pi),
    st.one_of(st.floats(0.99, 1.01), st.floats(0.99989, 1.00011), st.floats(1 - 1e-9, 1 + 1e-9)),
)
def test_far_agrees_with_the_distance_close_to_the_radius(
    radius: float, lon: float, lat: float, bearing: float, ratio: float
) -> None:
    angle, phi = radius * ratio / EARTH_RADIUS_M, math.radians(lat)
    sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(bearing)
    end = math.asin(max(-1.0, min(1.0, sine)))
    turn = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(phi),
        math.cos(angle) - math.sin(phi) * math.sin(end),
    )
    there = (lon + math.degrees(turn), math.degrees(end))
    assert make_far(radius)(lon, lat, *there) is (distance_m(lon, lat, *there) > radius)


SIDES = st.one_of(st.floats(-1, 1), st.floats(0.999_999, 1), st.floats(-1, -0.999_999))


@settings(deadline=None, max_examples=300)
@given(RADII, LONS, LATS, SIDES, SIDES)
def test_what_lies_within_the_near_side_is_never_far(
    radius: float, lon: float, lat: float, east: float, north: float
) -> None:
    near = near_side(radius)
    there = (lon + east * near, max(-90.0, min(90.0, lat + north * near)))
    assert near == 0.0 or not make_far(radius)(lon, lat, *there)


def test_the_near_side_is_most_of_what_fits_into_the_circle() -> None:
    assert near_side(100.0) * 111_195 * math.sqrt(2) == pytest.approx(100.0, rel=2e-3)
    assert near_side(2e6) == 0.0
