"""Whether a way from one position to the next passes an edge, from which side, and how near it is.

Sides are decided exactly (in fractions where floating point is not sure), and a position on a line
counts as left of it, so that a way which stops on a line passes it once and not twice or never.
Ways and edges are straight in longitude and latitude, as zones are.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import atan2, cos, degrees, hypot, pi, sin
from typing import Generic, NamedTuple, TypeVar

from engine.geo.distance import EARTH_RADIUS_M
from engine.geo.edges import DOUBT

Position = tuple[float, float]
"""Longitude and latitude, WGS-84 degrees."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""

_RAD = pi / 180.0
_M_PER_DEGREE = EARTH_RADIUS_M * _RAD
_MOST_CELLS = 200_000
_FEW_CELLS = 64


class Step(NamedTuple):
    """A way between two fixes."""

    begin: Position
    end: Position

    def bounds(self) -> Bounds:
        """The box that holds it."""
        (x1, y1), (x2, y2) = self
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def bearing(self) -> float:
        """In which direction it leads, in degrees clockwise from north."""
        (x1, y1), (x2, y2) = self
        east = (x2 - x1) * cos((y1 + y2) / 2 * _RAD)
        return degrees(atan2(east, y2 - y1)) % 360.0


def left(a: Position, b: Position, p: Position) -> bool:
    """Whether a position is left of the line from a to b, or on it."""
    side = (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
    if abs(side) > DOUBT:
        return side > 0
    ax, ay = Fraction(a[0]), Fraction(a[1])
    exact = (Fraction(b[0]) - ax) * (Fraction(p[1]) - ay)
    return exact >= (Fraction(b[1]) - ay) * (Fraction(p[0]) - ax)


def passed(step: Step, a: Position, b: Position) -> int:
    """How a way passes the edge from a to b: 1 from left to right, -1 from right to left, 0 not."""
    before, after = left(a, b, step.begin), left(a, b, step.end)
    if before == after:
        return 0
    # The same line for there and back: whether it goes by an end of the edge must not depend on it.
    low, high = min(step), max(step)
    if left(low, high, a) == left(low, high, b):
        return 0
    return 1 if before else -1


def meeting(step: Step, a: Position, b: Position) -> Position:
    """Where a way that passes an edge meets it."""
    (x1, y1), (x2, y2) = step
    dx, dy, ex, ey = x2 - x1, y2 - y1, b[0] - a[0], b[1] - a[1]
    cross = dx * ey - dy * ex
    part = 0.5 if cross == 0 else ((a[0] - x1) * ey - (a[1] - y1) * ex) / cross
    part = min(1.0, max(0.0, part))
    return x1 + part * dx, y1 + part * dy


def near(p: Position, edges: Iterable[tuple[Position, Position]], radius_m: float) -> bool:
    """Whether a position lies within a radius of an edge; flat, exact to 0.1 % within 10 km."""
    squeeze = max(cos(p[1] * _RAD), 1e-6)
    high = radius_m / _M_PER_DEGREE
    for a, b in edges:
        if min(a[1], b[1]) - high > p[1] or max(a[1], b[1]) + high < p[1]:
            continue
        ax, ay = (a[0] - p[0]) * squeeze, a[1] - p[1]
        dx, dy = (b[0] - a[0]) * squeeze, b[1] - a[1]
        square = dx * dx + dy * dy
        part = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
        if hypot(ax + part * dx, ay + part * dy) <= high:
            return True
    return False


class Path:
    """A line, or the outline of a zone, as edges in the direction in which they are drawn."""

    __slots__ = ("bounds", "edges")

    def __init__(self, ways: Sequence[Sequence[Position]]) -> None:
        self.edges = [(a, b) for way in ways for a, b in pairwise(way) if a != b]
        lons = [lon for way in ways for lon, _ in way]
        lats = [lat for way in ways for _, lat in way]
        self.bounds: Bounds = (min(lons), min(lats), max(lons), max(lats))

    def net(self, step: Step) -> tuple[int, Position | None]:
        """From left to right more often than back (above 0), or less (below 0); the first place."""
        west, south, east, north = step.bounds()
        total, first = 0, None
        for a, b in self.edges:
            if (
                max(a[0], b[0]) < west
                or min(a[0], b[0]) > east
                or max(a[1], b[1]) < south
                or min(a[1], b[1]) > north
            ):
                continue
            sign = passed(step, a, b)
            if sign:
                total += sign
                first = first or meeting(step, a, b)
        return total, first

    def touched(self, step: Step) -> Position | None:
        """Where a way first found to pass any edge does so, or None."""
        west, south, east, north = step.bounds()
        box = self.bounds
        if box[2] < west or box[0] > east or box[3] < south or box[1] > north:
            return None
        for a, b in self.edges:
            if passed(step, a, b):
                return meeting(step, a, b)
        return None

    def near(self, p: Position, radius_m: float) -> bool:
        """Whether a position lies within a radius of it."""
        return radius_m > 0 and near(p, self.edges, radius_m)


T = TypeVar("T")


class Reach(Generic[T]):
    """Which of some boxes a box may meet: a grid, built once."""

    def __init__(self, items: Sequence[tuple[T, Bounds]], margin_m: float) -> None:
        """Index items by their bounds, widened by a margin."""
        self.items = [(item, _wider(box, margin_m)) for item, box in items]
        size = 0.01
        while sum(_cells(box, size) for _, box in self.items) > _MOST_CELLS:
            size *= 2
        self.size = size
        self.grid: dict[tuple[int, int], list[int]] = {}
        for number, (_, box) in enumerate(self.items):
            for cell in _covered(box, size):
                self.grid.setdefault(cell, []).append(number)

    def meeting(self, box: Bounds) -> list[T]:
        """The items whose box may meet this one, in their order."""
        if _cells(box, self.size) > _FEW_CELLS:
            numbers: Iterable[int] = range(len(self.items))
        else:
            get = self.grid.get
            numbers = sorted({n for cell in _covered(box, self.size) for n in get(cell, ())})
        west, south, east, north = box
        return [
            self.items[n][0]
            for n in numbers
            if self.items[n][1][0] <= east
            and self.items[n][1][2] >= west
            and self.items[n][1][1] <= north
            and self.items[n][1][3] >= south
        ]


def _wider(box: Bounds, margin_m: float) -> Bounds:
    """A box with a margin all round."""
    high = margin_m / _M_PER_DEGREE
    furthest = min(89.0, max(abs(box[1]), abs(box[3])) + high)
    wide = high / max(sin((90.0 - furthest) * _RAD), 1e-3)
    return box[0] - wide, box[1] - high, box[2] + wide, box[3] + high


def _cells(box: Bounds, size: float) -> float:
    """About how many cells a box covers."""
    return ((box[2] - box[0]) / size + 1) * ((box[3] - box[1]) / size + 1)


def _covered(box: Bounds, size: float) -> Iterable[tuple[int, int]]:
    """The cells that a box covers."""
    for column in range(int(box[0] // size), int(box[2] // size) + 1):
        for row in range(int(box[1] // size), int(box[3] // size) + 1):
            yield column, row
