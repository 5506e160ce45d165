"""Positions of one datum as positions of another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.geo.datum import (
    DATUMS,
    Convert,
    bd09_to_gcj02,
    bd09_to_wgs84,
    converter,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from engine.geo.distance import distance_m

HALF_A_MILLIMETRE = 0.0005
TIANANMEN = (116.404, 39.915)


@pytest.mark.parametrize(
    ("convert", "here", "there"),
    [
        pytest.param(
            wgs84_to_gcj02, TIANANMEN, (116.41024449916938, 39.91640428150164), id="to AMap"
        ),
        pytest.param(
            gcj02_to_bd09, TIANANMEN, (116.41036949371029, 39.92133699351021), id="to Baidu"
        ),
    ],
)
def test_published_examples(
    convert: Convert, here: tuple[float, float], there: tuple[float, float]
) -> None:
    assert convert(*here) == pytest.approx(there, abs=1e-12)


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        pytest.param((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597), id="上海"),
        pytest.param((113.912316, 22.543847), (113.9171764808363, 22.540796131694766), id="深圳"),
        pytest.param((116.377817, 39.911954), (116.38404722455657, 39.91334545536069), id="北京"),
    ],
)
def test_the_test_points_of_another_implementation(
    place: tuple[float, float], shown: tuple[float, float]
) -> None:
    # It uses another earth radius, which moves its results by less than two centimetres.
    assert distance_m(*wgs84_to_gcj02(*place), *shown) < 0.02
    assert distance_m(*gcj02_to_wgs84(*shown), *place) < 0.02


INSIDE = st.tuples(
    st.floats(72.02, 137.81) | st.floats(104.99, 105.01) | st.floats(105 - 1e-6, 105 + 1e-6),
    st.floats(0.85, 55.81),
)


@settings(deadline=None, max_examples=500)
@given(INSIDE)
@pytest.mark.parametrize(
    ("there", "back"),
    [
        pytest.param(wgs84_to_gcj02, gcj02_to_wgs84, id="GCJ-02"),
        pytest.param(gcj02_to_bd09, bd09_to_gcj02, id="BD-09 of GCJ-02"),
        pytest.param(wgs84_to_bd09, bd09_to_wgs84, id="BD-09"),
    ],
)
def test_there_and_back_ends_within_half_a_millimetre(
    there: Convert, back: Convert, place: tuple[float, float]
) -> None:
    assert distance_m(*back(*there(*place)), *place) <= HALF_A_MILLIMETRE


@given(INSIDE)
def test_the_shift_inside_china_is_below_two_kilometres(place: tuple[float, float]) -> None:
    assert distance_m(*wgs84_to_gcj02(*place), *place) < 2000


@pytest.mark.parametrize(
    "place",
    [
        pytest.param((-97.7431, 30.2672), id="Austin"),
        pytest.param((139.6917, 35.6895), id="Tokyo"),
        pytest.param((0.0, 0.0), id="the null island"),
        pytest.param((-180.0, -90.0), id="the corner of the map"),
    ],
)
def test_outside_china_nothing_moves(place: tuple[float, float]) -> None:
    for source in DATUMS:
        for target in DATUMS:
            convert = converter(source, target)
            assert convert is None or convert(*place) == place


def test_equal_datums_need_no_conversion() -> None:
    assert converter("cgcs2000", "wgs84") is None
    assert converter("gcj02", "gcj02") is None


def test_every_pair_of_datums_converts_through_wgs84() -> None:
    bd09 = wgs84_to_bd09(120.9, 32.0)
    convert = converter("bd09", "gcj02")
    assert convert is not None
    assert distance_m(*convert(*bd09), *wgs84_to_gcj02(120.9, 32.0)) < HALF_A_MILLIMETRE


def test_an_unknown_datum_is_an_error() -> None:
    with pytest.raises(KeyError):
        converter("wgs72", "wgs84")
