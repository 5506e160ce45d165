"""Outlines as edges, and the exact question whether they enclose a point.

A shape is the set of its edges; a point is inside when a ray to the east crosses an odd number of
them, and a point on an edge or a corner is inside too (shapely calls this `covers`). Signs are
decided in floating point where that is certain and in exact fractions where it is not, so the
answer never depends on rounding.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor, isfinite
from typing import final

Edge = tuple[float, float, float, float]
"""(low latitude, high latitude, longitude at the low end, longitude at the high end), degrees."""

Ring = Sequence[tuple[float, float]]
"""A closed outline as (lon, lat); its last position equals its first."""

DOUBT = 3e-11
"""Below this a cross product of degrees may have the wrong sign: 3.4e-16 of 64,800 at the most."""

_EDGES_A_BAND = 4
_MOST_BANDS = 512


def edges_of(rings: Iterable[Ring]) -> tuple[Edge, ...]:
    """All edges of the rings, each from its lower end to its higher, without repeated points."""
    edges = []
    for ring in rings:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if y1 < y2:
                edges.append((y1, y2, x1, x2))
            elif y1 > y2 or x1 != x2:
                edges.append((y2, y1, x2, x1))
    return tuple(edges)


def encloses(edges: Iterable[Edge], lon: float, lat: float, *, odd: bool = False) -> bool:
    """Whether a point lies within the edges or on one of them.

    Args:
        edges: The shape's edges, or at least those that a ray from the point may meet.
        lon: Longitude of the point.
        lat: Latitude of the point.
        odd: Whether the ray crosses an odd number of edges that were left out.

    """
    for y1, y2, x1, x2 in edges:
        if y1 <= lat <= y2:
            side = (x2 - x1) * (lat - y1) - (lon - x1) * (y2 - y1)
            if side > DOUBT:
                if lat < y2:
                    odd = not odd
            elif side >= -DOUBT:
                exact = exact_side(y1, y2, x1, x2, lon, lat)
                if exact == 0:
                    return True
                if exact > 0 and lat < y2:
                    odd = not odd
    return odd


def exact_side(y1: float, y2: float, x1: float, x2: float, lon: float, lat: float) -> int:
    """Where a point at the latitude of an edge lies: 1 west of it, 0 on it, -1 elsewhere."""
    if y1 == y2:
        return 0 if min(x1, x2) <= lon <= max(x1, x2) else -1
    px, py, low, left = Fraction(lon), Fraction(lat), Fraction(y1), Fraction(x1)
    side = (Fraction(x2) - left) * (py - low) - (px - left) * (Fraction(y2) - low)
    return (side > 0) - (side < 0)


@final
class Outline:
    """A shape's edges sorted into bands of latitude, so that a test looks at few of them."""

    __slots__ = ("_bands", "_per_degree", "bounds", "edges")

    def __init__(self, rings: Sequence[Ring]) -> None:
        self.edges = edges_of(rings)
        lons = [lon for ring in rings for lon, _ in ring]
        lats = [lat for ring in rings for _, lat in ring]
        self.bounds = (min(lons), min(lats), max(lons), max(lats))
        south, height = self.bounds[1], self.bounds[3] - self.bounds[1]
        count = max(1, min(_MOST_BANDS, len(self.edges) // _EDGES_A_BAND))
        per_degree = count / height if height > 0 else 0.0
        self._per_degree = per_degree if isfinite(per_degree) else 0.0  # hardly a height at all
        bands: list[list[Edge]] = [[] for _ in range(count + 1)]
        for edge in self.edges:
            # The same rounding as in `encloses`, which grows with latitude: no edge is missed.
            first = floor((edge[0] - south) * self._per_degree)
            last = floor((edge[1] - south) * self._per_degree)
            for band in range(first, last + 1):
                bands[band].append(edge)
        self._bands = tuple(tuple(band) for band in bands)

    def encloses(self, lon: float, lat: float) -> bool:
        """Whether the point is within the shape or on its outline."""
        west, south, east, north = self.bounds
        if not (west <= lon <= east and south <= lat <= north):
            return False
        return encloses(self._bands[int((lat - south) * self._per_degree)], lon, lat)
