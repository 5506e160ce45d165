"""Distinct values and percentiles of a bucket: exact while they are few, then a sketch.

Distinct values: up to 256 are kept as they are, more become a HyperLogLog sketch of 4,096
registers (standard error 1.6 %). Percentiles: up to 256 values are kept, more become counts in
logarithmic bins (DDSketch), of which any percentile is within 1 % of a value at that rank. Both
answer the same for the same values, whatever their order was and wherever a restart fell.
"""

from math import ceil
from typing import Any

from datasketches import hll_sketch, hll_union  # type: ignore[import-untyped]
from ddsketch.mapping import LogarithmicMapping

EXACT = 256
"""Up to how many values of a bucket are kept as they are."""

REGISTERS_LOG2 = 12
RELATIVE_ERROR = 0.01

_BINS: Any = LogarithmicMapping(RELATIVE_ERROR)  # type: ignore[no-untyped-call, unused-ignore]


class Distinct:
    """How many different values a bucket holds.

    State: [samples, values while they are at most 256, else None, the sketch].
    """

    @staticmethod
    def fresh() -> list[Any]:
        """An empty bucket."""
        return [0, {}, None]

    @staticmethod
    def add(cell: list[Any], value: Any, at_ms: int) -> None:
        """Count one sample."""
        del at_ms
        cell[0] += 1
        text = _text(value)
        if cell[1] is None:
            cell[2].update(text)
        elif text not in cell[1]:
            cell[1][text] = True
            if len(cell[1]) > EXACT:
                cell[1], cell[2] = None, _sketch_of(cell[1])

    @staticmethod
    def merged(cells: list[list[Any]]) -> tuple[int, float | None]:
        """Samples and different values of several buckets together."""
        count = sum(cell[0] for cell in cells)
        values: set[str] = set()
        for cell in cells:
            values.update(cell[1] or ())
        sketches = [cell[2] for cell in cells if cell[2] is not None]
        if not sketches:
            return count, len(values)
        union = hll_union(REGISTERS_LOG2)
        for sketch in sketches:
            union.update(sketch)
        for text in sorted(values):
            union.update(text)
        return count, round(union.get_estimate())

    @staticmethod
    def plain(cell: list[Any]) -> list[Any]:
        """A bucket as plain values."""
        if cell[1] is None:
            return [cell[0], None, bytes(cell[2].serialize_updatable())]
        return [cell[0], list(cell[1]), None]

    @staticmethod
    def taken(plain: list[Any]) -> list[Any]:
        """The bucket that `plain` wrote down."""
        if plain[1] is None:
            return [plain[0], None, hll_sketch.deserialize(bytes(plain[2]))]
        return [plain[0], dict.fromkeys(plain[1], True), None]


class Percentile:
    """The value below which a share of a bucket's values lies (nearest rank).

    State: [samples, values while they are at most 256, else None, counts by bin].
    """

    def __init__(self, percent: float) -> None:
        self.percent = percent

    @staticmethod
    def fresh() -> list[Any]:
        """An empty bucket."""
        return [0, [], None]

    @staticmethod
    def add(cell: list[Any], value: Any, at_ms: int) -> None:
        """Keep or count one sample."""
        del at_ms
        cell[0] += 1
        if cell[1] is None:
            _count(cell[2], value, 1)
            return
        cell[1].append(value)
        if len(cell[1]) > EXACT:
            bins: dict[int, int] = {}
            for kept in cell[1]:
                _count(bins, kept, 1)
            cell[1], cell[2] = None, bins

    def merged(self, cells: list[list[Any]]) -> tuple[int, float | None]:
        """Samples and the percentile of several buckets together."""
        count = sum(cell[0] for cell in cells)
        if count == 0:
            return 0, None
        rank = max(1, ceil(round(self.percent * count / 100, 9)))
        if all(cell[1] is not None for cell in cells):
            values = sorted(value for cell in cells for value in cell[1])
            answer: float = values[rank - 1]
            return count, answer
        bins: dict[int, int] = {}
        for cell in cells:
            for value in cell[1] or ():
                _count(bins, value, 1)
            for number, times in (cell[2] or {}).items():
                bins[number] = bins.get(number, 0) + times
        below = 0
        for number in sorted(bins):
            below += bins[number]
            if below >= rank:
                return count, _middle(number)
        raise AssertionError  # the bins hold every sample

    @staticmethod
    def plain(cell: list[Any]) -> list[Any]:
        """A bucket as plain values."""
        if cell[1] is None:
            return [cell[0], None, sorted(cell[2].items())]
        return [cell[0], list(cell[1]), None]

    @staticmethod
    def taken(plain: list[Any]) -> list[Any]:
        """The bucket that `plain` wrote down."""
        if plain[1] is None:
            return [plain[0], None, dict(plain[2])]
        return [plain[0], list(plain[1]), None]


_FAR = 1 << 20
"""Numbers of bins are within this of zero; negative values count downwards from its negative."""


def _count(bins: dict[int, int], value: float, times: int) -> None:
    """Count a value in its bin; bins are numbered in the order of their values."""
    if abs(value) <= _BINS.min_possible:
        number = 0
    elif value > 0:
        number = _FAR + _BINS.key(value)
    else:
        number = -_FAR - _BINS.key(-value)
    bins[number] = bins.get(number, 0) + times


def _middle(number: int) -> float:
    """The value that stands for a bin."""
    if number == 0:
        return 0.0
    value: float = _BINS.value(number - _FAR) if number > 0 else -_BINS.value(-number - _FAR)
    return value


def _text(value: Any) -> str:
    """A value as the text by which it is counted: equal numbers are one value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{type(value).__name__}:{value}"
    return f"number:{float(value)!r}"


def _sketch_of(values: dict[str, bool]) -> Any:
    """A sketch of values that were kept until now."""
    sketch = hll_sketch(REGISTERS_LOG2)
    for text in values:
        sketch.update(text)
    return sketch
