"""Distances on the earth, and a fast test for "further than" that always gives the same answer."""

from collections.abc import Callable
from math import asin, cos, pi, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8

Far = Callable[[float, float, float, float], bool]
"""Of two positions (lon1, lat1, lon2, lat2, degrees): are they further apart than a radius?"""

_RAD = pi / 180.0
_HALF_RAD = _RAD / 2.0
_DIAMETER_M = 2.0 * EARTH_RADIUS_M
M_PER_DEGREE = EARTH_RADIUS_M * _RAD
_BAND = 1e-4
_FLAT_M = 100_000.0


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """The great-circle distance of two positions in metres, on a sphere of the earth's mean radius.

    Positions are WGS-84 degrees. Against the ellipsoid the error is at most 0.6 %.
    """
    up = sin((lat2 - lat1) * _HALF_RAD)
    across = sin((lon2 - lon1) * _HALF_RAD)
    part = up * up + cos(lat1 * _RAD) * cos(lat2 * _RAD) * across * across
    return _DIAMETER_M * asin(sqrt(min(1.0, part)))


def make_far(radius_m: float) -> Far:
    """A fast `distance_m(...) > radius_m` that agrees with it for every pair of positions.

    Within one degree the flat distance at the middle latitude differs from the great circle by less
    than 6e-5 of itself (sin x >= x - x^3/6, and the product of the cosines is the middle one's
    square less sin^2 of half the difference). So it decides alone unless it lies within 1e-4 of the
    radius; then, further away, and for radii above 100 km the exact formula decides.
    """
    if not 0.0 < radius_m <= _FLAT_M:
        return lambda lon1, lat1, lon2, lat2: distance_m(lon1, lat1, lon2, lat2) > radius_m
    surely_far = (radius_m * (1.0 + _BAND) / M_PER_DEGREE) ** 2
    surely_near = (radius_m * (1.0 - _BAND) / M_PER_DEGREE) ** 2

    def far(
        lon1: float, lat1: float, lon2: float, lat2: float, _cos: Callable[[float], float] = cos
    ) -> bool:
        north = lat2 - lat1
        east = lon2 - lon1
        if -1.0 < north < 1.0 and -1.0 < east < 1.0:
            east *= _cos((lat1 + lat2) * 0.008726646259971648)
            square = east * east + north * north
            if square > surely_far:
                return True
            if square < surely_near:
                return False
        return distance_m(lon1, lat1, lon2, lat2) > radius_m

    return far


def near_side(radius_m: float) -> float:
    """Degrees by which two positions may differ along either axis and surely not be further apart.

    The box of this half side lies within the circle wherever its centre is: a degree of longitude
    is nowhere longer than one of latitude, and a thousandth is left for what `make_far` says of
    the flat distance. 0 where the flat distance proves nothing.
    """
    if not 0.0 < radius_m <= _FLAT_M:
        return 0.0
    return radius_m * (1.0 - 10.0 * _BAND) / M_PER_DEGREE / sqrt(2.0)
