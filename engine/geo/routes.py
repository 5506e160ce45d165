"""Routes: lines that are followed from their beginning to their end, and how far along one is.

Near a route, a position is told by its progress (metres from the beginning) and by how far it is
away. Where a route comes near itself (there and back on one road) a position has several of them.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, cos, floor, hypot, pi
from typing import Any, NamedTuple, final

from engine.geo.distance import M_PER_DEGREE, distance_m

Position = tuple[float, float]
"""Longitude and latitude, WGS-84 degrees."""

_RAD = pi / 180.0
_FINEST = 1e-3  # degrees: cells of about 100 m
_SLACK = 1.001
_MOST_CELLS = 200_000
_SURE = 1.0 - 1e-9


class Near(NamedTuple):
    """One way in which a position is near a route: metres from its beginning, and metres away."""

    progress: float
    away: float


class _Leg(NamedTuple):
    """One straight piece: begin and extent in degrees, metres before it, its length in metres."""

    lon: float
    lat: float
    east: float
    north: float
    before: float
    length: float


@final
class Route:
    """One planned way.

    Attributes:
        id: As the layer names it.
        name: For people.
        attributes: The properties of its feature.
        length: Metres from beginning to end.
        posts: Metres at which sections begin and end.

    """

    __slots__ = ("_cells", "_legs", "_per_degree", "attributes", "id", "length", "name", "posts",
                 "width")  # fmt: skip

    def __init__(
        self,
        id_: str,
        name: str,
        points: Sequence[Position],
        width_m: float,
        posts: Sequence[float] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.id, self.name, self.attributes = id_, name, attributes or {}
        self.width = width_m
        self._legs: list[_Leg] = []
        walked = 0.0
        for (x1, y1), (x2, y2) in pairwise(points):
            length = distance_m(x1, y1, x2, y2)
            if length > 0.0:
                self._legs.append(_Leg(x1, y1, x2 - x1, y2 - y1, walked, length))
                walked += length
        self.length = walked
        self.posts = tuple(posts) or (0.0, walked)
        narrowest = min(max(cos(lat * _RAD), 0.01) for _, lat in points)
        reach = width_m / M_PER_DEGREE / narrowest * _SLACK
        size = max(reach, _FINEST, walked / M_PER_DEGREE / _MOST_CELLS)
        self._per_degree = 1.0 / size
        self._cells: dict[tuple[int, int], list[int]] = {}
        for number, leg in enumerate(self._legs):
            for cell in sorted(self._touched(leg, reach, size)):
                self._cells.setdefault(cell, []).append(number)

    def _touched(self, leg: _Leg, reach: float, size: float) -> set[tuple[int, int]]:
        """The cells that hold positions within reach of a leg, and perhaps a few more."""
        pieces = max(1, ceil(max(abs(leg.east), abs(leg.north)) / (4.0 * size)))
        found: set[tuple[int, int]] = set()
        for piece in range(pieces):
            xs = [leg.lon + leg.east * part / pieces for part in (piece, piece + 1)]
            ys = [leg.lat + leg.north * part / pieces for part in (piece, piece + 1)]
            columns = range(*self._span(min(xs) - reach, max(xs) + reach))
            rows = range(*self._span(min(ys) - reach, max(ys) + reach))
            found |= {(column, row) for column in columns for row in rows}
        return found

    def _span(self, low: float, high: float) -> tuple[int, int]:
        return floor(low * self._per_degree), floor(high * self._per_degree) + 1

    def near(self, lon: float, lat: float) -> list[Near]:
        """Where on the route a position may be: of each stretch within its width the nearest point.

        Answers in the order of progress; empty when it is further away than the width.
        """
        scale = self._per_degree
        numbers = self._cells.get((floor(lon * scale), floor(lat * scale)))
        if numbers is None:
            return []
        found: list[Near] = []
        previous = -2
        across = cos(lat * _RAD) * M_PER_DEGREE
        for number in numbers:
            one = _nearest(self._legs[number], lon, lat, across)
            if one.away > self.width:
                continue
            if number != previous + 1:
                found.append(one)
            elif one.away < found[-1].away:
                found[-1] = one
            previous = number
        return found

    def holds(self, lon: float, lat: float) -> bool:
        """Whether a position is within the width: whether `near` would answer anything."""
        scale = self._per_degree
        numbers = self._cells.get((floor(lon * scale), floor(lat * scale)))
        if numbers is None:
            return False
        across, width = cos(lat * _RAD) * M_PER_DEGREE, self.width
        sure = width * width * _SURE
        for number in numbers:
            leg = self._legs[number]
            # `_nearest`, written out: most fixes of most keys end here.
            x, y = (leg[0] - lon) * across, (leg[1] - lat) * M_PER_DEGREE
            east, north = leg[2] * across, leg[3] * M_PER_DEGREE
            part = -(x * east + y * north) / (east * east + north * north)
            part = 0.0 if part < 0.0 else part if part < 1.0 else 1.0
            x += part * east
            y += part * north
            if x * x + y * y < sure or hypot(x, y) <= width:
                return True
        return False

    def away(self, lon: float, lat: float) -> float:
        """How far a position is from the route, in metres; looks at every leg."""
        across = cos(lat * _RAD) * M_PER_DEGREE
        return min(_nearest(leg, lon, lat, across).away for leg in self._legs)


def _nearest(leg: _Leg, lon: float, lat: float, across: float) -> Near:
    """The point of a leg nearest to a position, on the plane that touches the earth there."""
    x, y = (leg.lon - lon) * across, (leg.lat - lat) * M_PER_DEGREE
    east, north = leg.east * across, leg.north * M_PER_DEGREE
    part = -(x * east + y * north) / (east * east + north * north)
    part = 0.0 if part < 0.0 else min(part, 1.0)
    return Near(leg.before + part * leg.length, hypot(x + part * east, y + part * north))


def along(found: Sequence[Near], before: float | None) -> Near:
    """Of several ways to be near a route the one nearest to where the key was, else the first."""
    if before is None or len(found) == 1:
        return found[0]
    return min(found, key=lambda one: abs(one.progress - before))
