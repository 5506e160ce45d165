"""A grid over a layer of shapes: a cell is known to be inside, outside, or on an outline.

Most points fall into cells where the answer is known; the exact test is left for cells that an
outline crosses, and there it looks only at that row's edges which lie in the cell or east of it.
"""

from collections.abc import Callable, Sequence
from math import floor
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from engine.geo.edges import DOUBT, Edge, Outline, exact_side

if TYPE_CHECKING:
    import shapely

# Imported where they are used: see zones.py.
# ruff: noqa: PLC0415

T = TypeVar("T")
Inside = Callable[[float, float], bool]

FINEST = 400
"""Cells a degree: about 250 m."""
_MOST_CELLS = 120_000
_SLACK = 1e-7  # degrees (1 cm), far above what rounding can move a point or a crossing
_STRIDE = 1 << 20


class Crossed(NamedTuple):
    """What is left to test in a cell: edges, and whether an odd number more lies to the east."""

    odd: bool
    edges: tuple[Edge, ...]


class Grid(Generic[T]):
    """Cells of equal degrees with the shapes in them.

    Attributes:
        per_degree: Cells a degree, coarser for layers that cover much.
        cells: By cell, the owners of the shapes that may hold a point of it, in the given order;
            with None where the whole cell is inside, else with what is left to test.

    """

    def __init__(self, shapes: Sequence[tuple[T, Outline, "shapely.Geometry"]]) -> None:
        self.per_degree = _scale([outline for _, outline, _ in shapes])
        found: dict[int, list[tuple[T, Crossed | None]]] = {}
        for owner, outline, geometry in shapes:
            for cell, crossed in _classify(outline, geometry, self.per_degree):
                found.setdefault(cell, []).append((owner, crossed))
        self.cells = {cell: tuple(entries) for cell, entries in found.items()}

    def candidates(self, lon: float, lat: float) -> tuple[tuple[T, Crossed | None], ...]:
        """The entries of the cell that holds a point."""
        scale = self.per_degree
        cell = int((lon + 180.0) * scale) * _STRIDE + int((lat + 90.0) * scale)
        return self.cells.get(cell, ())

    def inside(self) -> Inside:
        """A fast function: is a point (lon, lat) in any shape? Outlines are included."""
        table: dict[int, bool | tuple[Crossed, ...]] = {}
        for cell, entries in self.cells.items():
            crossed = tuple(left for _, left in entries if left is not None)
            table[cell] = True if len(crossed) < len(entries) else crossed
        get, scale = table.get, float(self.per_degree)

        def inside(lon: float, lat: float) -> bool:
            cell = get(int((lon + 180.0) * scale) * _STRIDE + int((lat + 90.0) * scale))
            if cell is None:
                return False
            if cell is True:
                return True
            # `edges.encloses`, written out: a call costs as much as two edges.
            for odd, edges in cell:  # type: ignore[union-attr]
                for y1, y2, x1, x2 in edges:
                    if y1 <= lat <= y2:
                        side = (x2 - x1) * (lat - y1) - (lon - x1) * (y2 - y1)
                        if side > DOUBT:
                            if lat < y2:
                                odd = not odd  # noqa: PLW2901 - the parity is what we count
                        elif side >= -DOUBT:
                            exact = exact_side(y1, y2, x1, x2, lon, lat)
                            if exact == 0:
                                return True
                            if exact > 0 and lat < y2:
                                odd = not odd  # noqa: PLW2901
                if odd:
                    return True
            return False

        return inside


def _scale(outlines: Sequence[Outline]) -> int:
    """The finest grid in which the layer needs no more than a bounded number of cells."""
    scale = FINEST
    while scale > 1:
        cells = 0.0
        for outline in outlines:
            west, south, east, north = outline.bounds
            cells += ((east - west) * scale + 1) * ((north - south) * scale + 1)
        if cells <= max(_MOST_CELLS, 4 * len(outlines)):
            break
        scale //= 2
    return scale


def _classify(
    outline: Outline, geometry: "shapely.Geometry", scale: int
) -> list[tuple[int, Crossed | None]]:
    """The cells that one shape reaches into."""
    rows, border = _trace(outline, scale)
    entries: list[tuple[int, Crossed | None]] = []
    for row, columns in border.items():
        bottom, top = row / scale - 90.0 - _SLACK, (row + 1) / scale - 90.0 + _SLACK
        for column in columns:
            left, right = column / scale - 180.0 - _SLACK, (column + 1) / scale - 180.0 + _SLACK
            odd, kept = False, []
            for edge, first, last in rows[row]:
                if last < left:
                    continue
                if first > right and edge[0] < bottom and edge[1] > top:
                    odd = not odd
                else:
                    kept.append(edge)
            entries.append((column * _STRIDE + row, Crossed(odd, tuple(kept))))
    entries += [(cell, None) for cell in _filled(outline, geometry, border, scale)]
    return entries


def _trace(
    outline: Outline, scale: int
) -> tuple[dict[int, list[tuple[Edge, float, float]]], dict[int, set[int]]]:
    """For each row: its edges with the longitudes they span there, and the cells they touch."""
    rows: dict[int, list[tuple[Edge, float, float]]] = {}
    border: dict[int, set[int]] = {}
    for edge in outline.edges:
        y1, y2, x1, x2 = edge
        slope = (x2 - x1) / (y2 - y1) if y2 > y1 else 0.0
        for row in range(
            floor((y1 + 90.0 - _SLACK) * scale), floor((y2 + 90.0 + _SLACK) * scale) + 1
        ):
            if slope:
                low = max(y1, row / scale - 90.0 - _SLACK)
                high = min(y2, (row + 1) / scale - 90.0 + _SLACK)
                a, b = x1 + (low - y1) * slope, x1 + (high - y1) * slope
            else:
                a, b = x1, x2
            first = max(min(a, b), min(x1, x2)) - _SLACK
            last = min(max(a, b), max(x1, x2)) + _SLACK
            rows.setdefault(row, []).append((edge, first, last))
            border.setdefault(row, set()).update(
                range(floor((first + 180.0) * scale), floor((last + 180.0) * scale) + 1)
            )
    return rows, border


def _filled(
    outline: Outline, geometry: "shapely.Geometry", border: dict[int, set[int]], scale: int
) -> list[int]:
    """The cells that lie wholly inside: no edge touches them and their middle is inside."""
    import numpy as np
    import shapely

    west, south, east, north = outline.bounds
    columns = np.arange(floor((west + 180.0) * scale), floor((east + 180.0) * scale) + 1)
    rows = np.arange(floor((south + 90.0) * scale), floor((north + 90.0) * scale) + 1)
    column, row = (axis.ravel() for axis in np.meshgrid(columns, rows))
    shapely.prepare(geometry)
    within = shapely.contains_xy(
        geometry, (column + 0.5) / scale - 180.0, (row + 0.5) / scale - 90.0
    )
    touched = np.fromiter(
        (i * _STRIDE + j for j, crossed in border.items() for i in crossed), dtype=np.int64
    )
    inner = (column * _STRIDE + row)[within]
    cells: list[int] = np.setdiff1d(inner, touched).tolist()
    return cells
