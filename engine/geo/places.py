"""A map cut into cells of about equal size, so that what is near each other can be found together.

latitude bands of equal height; in each, as many equal columns as fit round the globe

+------+------+------+
|  .   |   .  | .    |      a position has one home cell, and the cells whose edge lies
+----+-+----+-+----+-+      within reach of it: whoever looks at one of those cells sees
| .  |      |  .   | |      every position within reach of any position at home there
+----+------+------+-+
"""

from math import cos, floor, radians

from engine.geo.distance import M_PER_DEGREE

Cell = tuple[int, int]
"""Band from the south pole, column from the antimeridian."""

_SLACK = 1.0 + 1e-6
_POLE_COS = 1e-4


class Places:
    """Cells of about `size_m` metres, and the reach within which a position concerns a cell.

    Columns close round the globe, so the antimeridian is no border. Towards the poles cells grow
    narrower than `size_m` inside their band; the reach is still kept.

    Attributes:
        size_m: Height of a cell, and its width at the edge of its band nearest to the equator.
        reach_m: How far from a cell a position may lie and still concern it.

    """

    __slots__ = ("_bands", "_height", "_reach", "reach_m", "size_m")

    def __init__(self, size_m: float, reach_m: float) -> None:
        self.size_m = size_m
        self.reach_m = reach_m
        self._height = size_m / M_PER_DEGREE
        self._reach = reach_m * _SLACK / M_PER_DEGREE
        self._bands: dict[int, tuple[int, float, float]] = {}

    def home(self, lon: float, lat: float) -> Cell:
        """The one cell that a position (WGS-84 degrees) lies in."""
        row = int((lat + 90.0) / self._height)
        count, scale, _ = self._bands.get(row) or self._band(row)
        return row, int((lon + 180.0) * scale) % count

    def around(self, lon: float, lat: float) -> tuple[Cell, ...]:
        """The home cell of a position first, then every other cell within reach of it."""
        north = (lat + 90.0) / self._height
        row = int(north)
        count, scale, near = self._bands.get(row) or self._band(row)
        east = (lon + 180.0) * scale
        column = int(east)
        home = (row, column % count)
        up, right = north - row, east - column
        edge = self._reach / self._height
        if edge < up < 1.0 - edge and near < right < 1.0 - near:
            return (home,)
        return (home, *(cell for cell in self._reached(lon, lat, lon, lat) if cell != home))

    def beside(self, cell: Cell) -> tuple[Cell, ...]:
        """Every cell with a point within reach of a point of this one, itself included."""
        row, column = cell
        _, scale, _ = self._bands.get(row) or self._band(row)
        west, south = column / scale - 180.0, row * self._height - 90.0
        return tuple(self._reached(west, south, west + 1.0 / scale, south + self._height))

    def _reached(self, west: float, south: float, east: float, north: float) -> list[Cell]:
        """Every cell with a point within reach of a box, band by band."""
        reach = self._reach
        first = max(0, floor((south - reach + 90.0) / self._height))
        last = floor((min(90.0, north + reach) + 90.0) / self._height)
        outer = min(90.0, max(abs(south), abs(north)) + reach)
        aside = reach / max(cos(radians(outer)), _POLE_COS)
        cells: list[Cell] = []
        for row in range(first, last + 1):
            count, scale, _ = self._bands.get(row) or self._band(row)
            left = floor((west - aside + 180.0) * scale)
            right = floor((east + aside + 180.0) * scale)
            columns = range(count) if right - left + 1 >= count else range(left, right + 1)
            cells += [(row, column % count) for column in columns]
        return cells

    def _band(self, row: int) -> tuple[int, float, float]:
        """Of a band: its columns, columns a degree, and the reach as a part of a column."""
        south = row * self._height - 90.0
        north = south + self._height
        inner = 0.0 if south <= 0.0 <= north else min(abs(south), abs(north))
        outer = min(90.0, max(abs(south), abs(north)) + self._reach)
        count = max(1, int(360.0 * cos(radians(min(inner, 90.0))) / self._height))
        scale = count / 360.0
        near = self._reach / max(cos(radians(outer)), _POLE_COS) * scale
        band = self._bands[row] = (count, scale, near)
        return band


def step_for(reach_m: float) -> int:
    """The size of cell for a reach: the least power of two (metres) that is at least four times it.

    So at most a quarter of a cell's width on each side is shared with its neighbours, and rules
    with similar reaches share their cells.
    """
    size = 1
    while size < 4.0 * reach_m:
        size *= 2
    return size


def cell_name(cell: Cell) -> str:
    """A cell as a key."""
    return f"{cell[0]}/{cell[1]}"
