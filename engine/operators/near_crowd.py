"""Who stands where, so that the neighbours of a position are found without asking everybody."""

from functools import lru_cache
from math import cos, radians
from typing import Generic, TypeVar

from engine.geo.distance import M_PER_DEGREE, make_far
from engine.geo.places import Cell, Places

T = TypeVar("T")

_SLACK = 1.0 + 1e-6
_POLE_COS = 1e-4
_HALF_TURN = 180.0
_REMEMBERED = 4096


@lru_cache(maxsize=64)
def _bins_of(radius_m: float) -> Places:
    """The same cells for all crowds of one radius."""
    return Places(radius_m, radius_m)


class Crowd(Generic[T]):
    """Things with a name and a position that moves, in cells as wide as the radius.

    Whoever is within the radius of a position lies in its cell or one beside it. This was measured
    against a live R-tree (docs/operators/near.md): it is faster at every size of crowd.
    """

    __slots__ = ("_beside", "_bins", "_far", "_high", "_places", "_spots")

    def __init__(self, radius_m: float) -> None:
        self._high = radius_m * _SLACK / M_PER_DEGREE
        self._places = _bins_of(radius_m)
        self._far = make_far(radius_m)
        self._beside: dict[Cell, tuple[Cell, ...]] = {}
        self._bins: dict[Cell, dict[str, tuple[float, float, T]]] = {}
        self._spots: dict[str, tuple[Cell, float, float]] = {}

    def put(self, name: str, lon: float, lat: float, thing: T) -> None:
        """Place a thing, or move it there."""
        home = self._places.home(lon, lat)
        before = self._spots.get(name)
        if before is not None and before[0] != home:
            self._take_out(before[0], name)
        self._bins.setdefault(home, {})[name] = (lon, lat, thing)
        self._spots[name] = (home, lon, lat)

    def drop(self, name: str) -> None:
        """Take a thing away; it need not be there."""
        spot = self._spots.pop(name, None)
        if spot is not None:
            self._take_out(spot[0], name)

    def spot(self, name: str) -> tuple[float, float] | None:
        """Where a thing stands."""
        spot = self._spots.get(name)
        return None if spot is None else spot[1:]

    def within(self, lon: float, lat: float) -> list[T]:
        """Everything within the radius of a position (its edge included), in no certain order."""
        far, bins, found, high = self._far, self._bins, [], self._high
        wide = high / max(cos(radians(min(90.0, abs(lat) + high))), _POLE_COS)
        if abs(lon) + wide >= _HALF_TURN:
            wide = 2.0 * _HALF_TURN  # what is near may be on the other side of the antimeridian
        west, east, south, north = lon - wide, lon + wide, lat - high, lat + high
        for cell in self._searched(self._places.home(lon, lat)):
            some = bins.get(cell)
            if some is not None:
                found += [
                    one
                    for x, y, one in some.values()
                    # The box is cheap and rules out more than half of them.
                    if south <= y <= north and west <= x <= east and not far(lon, lat, x, y)
                ]
        return found

    def _searched(self, home: Cell) -> tuple[Cell, ...]:
        """The cells that may hold neighbours of a position in this one; remembered."""
        cells = self._beside.get(home)
        if cells is None:
            if len(self._beside) >= _REMEMBERED:
                self._beside.clear()
            cells = self._beside[home] = self._places.beside(home)
        return cells

    def is_far(self, lon: float, lat: float, other_lon: float, other_lat: float) -> bool:
        """Whether two positions are further apart than the radius."""
        return self._far(lon, lat, other_lon, other_lat)

    def _take_out(self, cell: Cell, name: str) -> None:
        some = self._bins[cell]
        del some[name]
        if not some:
            del self._bins[cell]

    def __len__(self) -> int:
        return len(self._spots)
