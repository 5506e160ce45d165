"""Positions of one datum as positions of another: WGS-84, CGCS2000, GCJ-02, BD-09.

GCJ-02 is WGS-84 moved by 100 to 700 m inside a rectangle around China, BD-09 is GCJ-02 moved again.
Neither has a closed inverse; ours repeats the forward shift until it agrees to far below 0.5 mm
(for GCJ-02 in Newton steps, with derivatives that are remembered for each 0.01 degree cell).
CGCS2000 is treated as WGS-84 (they agree within decimetres). Outside the rectangle nothing moves;
within 700 m of its edge an inverse may not exist, and the position is then left as it is.
All positions are degrees, longitude first.
"""

from collections.abc import Callable
from math import atan2, cos, hypot, pi, sin, sqrt

DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")

Convert = Callable[[float, float], tuple[float, float]]

_A = 6378245.0
_EE = 0.00669342162296594323
_RAD = pi / 180.0
_X_PI = pi * 3000.0 / 180.0
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_CLOSE = 1e-10  # degrees, about 0.01 mm
_ROUNDS = 8
_PER_DEGREE = 100.0
_STEP = 1e-4
_CELLS_KEPT = 50_000

_Tangent = tuple[float, float, float, float, float, float, float, float]
_CELLS: dict[int, _Tangent] = {}  # remembered, never needed: the same cell always gives the same


def wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Where GCJ-02 maps show a WGS-84 position."""
    if not (_WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH):
        return lon, lat
    east, north = _shift(lon, lat)
    return lon + east, lat + north


def gcj02_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """The WGS-84 position that GCJ-02 shows at this place."""
    if not (_WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH):
        return lon, lat
    cell = int(lon * _PER_DEGREE) * 65536 + int(lat * _PER_DEGREE)
    known = _CELLS.get(cell)
    if known is None:
        if len(_CELLS) >= _CELLS_KEPT:
            _CELLS.clear()
        known = _CELLS[cell] = _tangent(lon, lat)
    # One Newton step from the cell's tangent plane is within 10 cm, a second one within 0.02 mm.
    shown_lon, shown_lat, true_lon, true_lat, a, b, c, d = known
    x, y = lon - shown_lon, lat - shown_lat
    true_lon += a * x + b * y
    true_lat += c * x + d * y
    east, north = _shift(true_lon, true_lat)
    x, y = lon - true_lon - east, lat - true_lat - north
    return true_lon + a * x + b * y, true_lat + c * x + d * y


def gcj02_to_bd09(lon: float, lat: float) -> tuple[float, float]:
    """Where BD-09 maps show a GCJ-02 position."""
    if not (_WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH):
        return lon, lat
    radius = hypot(lon, lat) + 0.00002 * sin(lat * _X_PI)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _X_PI)
    return radius * cos(angle) + 0.0065, radius * sin(angle) + 0.006


def bd09_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """The GCJ-02 position that BD-09 shows at this place."""
    if not (_WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH):
        return lon, lat
    true_lon, true_lat = lon - 0.0065, lat - 0.006
    for _ in range(_ROUNDS):
        radius = hypot(true_lon, true_lat) + 0.00002 * sin(true_lat * _X_PI)
        angle = atan2(true_lat, true_lon) + 0.000003 * cos(true_lon * _X_PI)
        east = radius * cos(angle) + 0.0065 - lon
        north = radius * sin(angle) + 0.006 - lat
        true_lon -= east
        true_lat -= north
        if abs(east) + abs(north) < _CLOSE:
            break
    return true_lon, true_lat


def wgs84_to_bd09(lon: float, lat: float) -> tuple[float, float]:
    """Where BD-09 maps show a WGS-84 position."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """The WGS-84 position that BD-09 shows at this place."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


_TO_WGS84: dict[str, Convert] = {"gcj02": gcj02_to_wgs84, "bd09": bd09_to_wgs84}
_FROM_WGS84: dict[str, Convert] = {"gcj02": wgs84_to_gcj02, "bd09": wgs84_to_bd09}


def converter(source: str, target: str) -> Convert | None:
    """How to convert positions of one datum into another; None when nothing changes.

    Raises:
        KeyError: One of them is not in `DATUMS`.

    """
    for datum in (source, target):
        if datum not in DATUMS:
            raise KeyError(datum)
    if source == target:
        return None
    to, back = _TO_WGS84.get(source), _FROM_WGS84.get(target)
    if to is None or back is None:
        return to or back
    return lambda lon, lat: back(*to(lon, lat))


def _tangent(lon: float, lat: float) -> _Tangent:
    """For the cell of a GCJ-02 position: its middle, the WGS-84 position there, the derivatives."""
    shown_lon = (int(lon * _PER_DEGREE) + 0.5) / _PER_DEGREE
    shown_lat = (int(lat * _PER_DEGREE) + 0.5) / _PER_DEGREE
    x, y = shown_lon, shown_lat
    for _ in range(_ROUNDS):
        east, north = _shift(x, y)
        x, y = shown_lon - east, shown_lat - north
    (e1, n1), (e2, n2) = _shift(x - _STEP, y), _shift(x + _STEP, y)
    (e3, n3), (e4, n4) = _shift(x, y - _STEP), _shift(x, y + _STEP)
    span = 2.0 * _STEP
    xx, xy = 1.0 + (e2 - e1) / span, (e4 - e3) / span
    yx, yy = (n2 - n1) / span, 1.0 + (n4 - n3) / span
    size = xx * yy - xy * yx
    return shown_lon, shown_lat, x, y, yy / size, -xy / size, -yx / size, xx / size


def _shift(lon: float, lat: float) -> tuple[float, float]:
    """How far GCJ-02 moves a WGS-84 position, in degrees east and north."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)
    root = sqrt(abs(x))
    north = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
        + (wave + 20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)
           + 160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    east = (
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
        + (wave + 20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)
           + 150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    )  # fmt: skip
    angle = lat * _RAD
    sine = sin(angle)
    magic = 1.0 - _EE * sine * sine
    root_magic = sqrt(magic)
    return (
        east * 180.0 / (_A / root_magic * cos(angle) * pi),
        north * 180.0 / (_A * (1.0 - _EE) / (magic * root_magic) * pi),
    )
