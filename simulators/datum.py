"""The shifted coordinates that Chinese map services use (GCJ-02), made from true ones (WGS-84).

The forward formula as published in open source for many years; receivers that feed a map service
report these.
"""

import math

_A = 6_378_245.0
_EE = 0.00669342162296594323


def gcj02(lon: float, lat: float) -> tuple[float, float]:
    """A WGS-84 position in China as GCJ-02, both in degrees."""
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (
        (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    )
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (
        (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    )
    bent = math.radians(lat)
    magic = 1.0 - _EE * math.sin(bent) ** 2
    turn = math.sqrt(magic)
    north *= 180.0 / (_A * (1.0 - _EE) / (magic * turn) * math.pi)
    east *= 180.0 / (_A / turn * math.cos(bent) * math.pi)
    return lon + east, lat + north
