"""Aggregates by bucket: what each needs to know of a bucket, and how buckets are put together.

events    . ..  .   . .... .     .  .
buckets   [ 4 ][ 5    ][ 1 ][ 2    ]      a few numbers each, however many the events are
window         [------------------->      merged at its edge, oldest bucket first
"""

from collections.abc import Callable
from math import sqrt
from typing import Any, Protocol

Cell = list[Any]
"""One bucket; its first item is the number of samples."""


class Aggregate(Protocol):
    """How one aggregate is kept in buckets."""

    def fresh(self) -> Cell:
        """An empty bucket."""

    def add(self, cell: Cell, value: Any, at_ms: int) -> None:
        """Take one sample in."""

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """Samples of several buckets, oldest first, and the value over all; None: not known."""

    def plain(self, cell: Cell) -> Any:
        """A bucket as plain values."""

    def taken(self, plain: Any) -> Cell:
        """The bucket that `plain` wrote down."""


class _Plain:
    """Buckets that are plain values already."""

    @staticmethod
    def plain(cell: Cell) -> Cell:
        """The bucket itself, as it is now."""
        return list(cell)

    @staticmethod
    def taken(plain: Any) -> Cell:
        """The bucket itself."""
        return list(plain)


class Count(_Plain):
    """How many samples, or how many in a time."""

    def __init__(self, rate: tuple[int, int] | None = None) -> None:
        self.rate = rate

    @staticmethod
    def fresh() -> Cell:
        """An empty bucket."""
        return [0]

    @staticmethod
    def add(cell: Cell, value: Any, at_ms: int) -> None:
        """Count one sample."""
        del value, at_ms
        cell[0] += 1

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """Their number."""
        count = sum(cell[0] for cell in cells)
        return count, count if self.rate is None else count * self.rate[0] / self.rate[1]


class Total(_Plain):
    """The sum of the samples; or a share of it: the mean, or the sum in a time."""

    def __init__(self, rate: tuple[int, int] | None = None, *, mean: bool = False) -> None:
        self.rate = rate
        self.mean = mean

    @staticmethod
    def fresh() -> Cell:
        """An empty bucket."""
        return [0, 0]

    @staticmethod
    def add(cell: Cell, value: Any, at_ms: int) -> None:
        """Add one sample."""
        del at_ms
        cell[0] += 1
        cell[1] += value

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """Their sum, mean or rate."""
        count, total = 0, 0
        for cell in cells:
            count += cell[0]
            total += cell[1]
        if count == 0:
            return 0, None
        if self.mean:
            return count, total / count
        return count, total if self.rate is None else total * self.rate[0] / self.rate[1]


class Extreme(_Plain):
    """The least or the greatest sample."""

    def __init__(self, choose: Callable[..., Any]) -> None:
        self.choose = choose

    @staticmethod
    def fresh() -> Cell:
        """An empty bucket."""
        return [0, None]

    def add(self, cell: Cell, value: Any, at_ms: int) -> None:
        """Keep a sample if it is further out."""
        del at_ms
        cell[0] += 1
        cell[1] = value if cell[1] is None else self.choose(cell[1], value)

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """The extreme of their extremes."""
        found = [cell[1] for cell in cells]
        return sum(cell[0] for cell in cells), self.choose(found) if found else None


class Spread(_Plain):
    """The sample standard deviation; mean and squares about the mean are kept, not raw squares."""

    @staticmethod
    def fresh() -> Cell:
        """An empty bucket: samples, their mean, the sum of squares about it."""
        return [0, 0.0, 0.0]

    @staticmethod
    def add(cell: Cell, value: Any, at_ms: int) -> None:
        """Take one sample in (Welford)."""
        del at_ms
        cell[0] += 1
        off = value - cell[1]
        cell[1] += off / cell[0]
        cell[2] += off * (value - cell[1])

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """The deviation over all of them (Chan); unknown for less than two samples."""
        count, mean, squares = 0, 0.0, 0.0
        for more, other, around in cells:
            whole = count + more
            off = other - mean
            squares += around + off * off * count * more / whole
            mean += off * more / whole
            count = whole
        return count, None if count < 2 else sqrt(squares / (count - 1))  # noqa: PLR2004


class Slope(_Plain):
    """The slope of the straight line that fits the samples best (least squares), for a time."""

    def __init__(self, per_ms: int) -> None:
        self.per_ms = per_ms

    @staticmethod
    def fresh() -> Cell:
        """An empty bucket: samples, mean time and value, moments about both means."""
        return [0, 0.0, 0.0, 0.0, 0.0]

    @staticmethod
    def add(cell: Cell, value: Any, at_ms: int) -> None:
        """Take one sample in."""
        cell[0] += 1
        late, high = at_ms - cell[1], value - cell[2]
        cell[1] += late / cell[0]
        cell[2] += high / cell[0]
        cell[3] += late * (at_ms - cell[1])
        cell[4] += late * (value - cell[2])

    def merged(self, cells: list[Cell]) -> tuple[int, float | None]:
        """The slope over all of them; unknown while all samples are of one instant."""
        count, time, value, times, both = 0, 0.0, 0.0, 0.0, 0.0
        for more, other_time, other_value, around, along in cells:
            whole = count + more
            late, high = other_time - time, other_value - value
            part = count * more / whole
            times += around + late * late * part
            both += along + late * high * part
            time += late * more / whole
            value += high * more / whole
            count = whole
        return count, None if times <= 0 else both / times * self.per_ms


_SKETCHED = frozenset({"distinct", "percentile"})


def aggregate_of(
    name: str, *, counts: bool, over_ms: int, per_ms: int, percent: float
) -> Aggregate:
    """The aggregate of this name.

    Args:
        name: As declared.
        counts: Whether samples themselves are counted, not values added.
        over_ms: Length of the window, for a rate.
        per_ms: Time for which a rate or slope is stated.
        percent: Which percentile.

    """
    if name in _SKETCHED:
        # The sketches bring numpy along, for which only those wait who use them.
        from engine.operators.sketches import Distinct, Percentile  # noqa: PLC0415

        return Distinct() if name == "distinct" else Percentile(percent)
    made: dict[str, Callable[[], Aggregate]] = {
        "count": Count,
        "sum": Total,
        "mean": lambda: Total(mean=True),
        "min": lambda: Extreme(min),
        "max": lambda: Extreme(max),
        "rate": lambda: (Count if counts else Total)((per_ms, over_ms)),
        "slope": lambda: Slope(per_ms),
        "stddev": Spread,
    }
    return made[name]()
