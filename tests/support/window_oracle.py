"""Windows judged by brute force: every sample is kept, every edge looks at all of them."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, sqrt

HOUR = 3_600_000
Sample = tuple[int, str, float]
"""Event time (ms), member, value; in order."""


@dataclass(frozen=True)
class Words:
    """What a rule declares; times in ms."""

    aggregate: str
    over: int
    every: int
    above: float | None = None
    below: float | None = None
    min_samples: int = 1
    per: int = HOUR
    percent: float = 50.0
    base: str = ""
    factor: float = 1.0
    weeks: int = 0
    earlier: int = 0
    earlier_over: int = 0
    at_least: int = 1
    for_ms: int = 0
    median: bool = False


def aggregated(words: Words, samples: list[tuple[int, float]], over: int) -> float | None:
    """The aggregate of some samples, exactly."""
    values = [Fraction(value) for _, value in samples]
    count = len(values)
    if words.aggregate == "count":
        return count
    if words.aggregate == "distinct":
        return len(set(values))
    if words.aggregate == "rate":
        return float(sum(values) * words.per / over)
    if not values:
        return None
    mean = sum(values) / count
    if words.aggregate == "percentile":
        rank = ceil(Fraction(str(words.percent)) * count / 100)
        return float(sorted(values)[max(1, rank) - 1])
    if words.aggregate == "stddev":
        if count == 1:
            return None
        return sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    if words.aggregate == "slope":
        middle = Fraction(sum(at for at, _ in samples), count)
        width = sum((at - middle) ** 2 for at, _ in samples)
        if not width:
            return None
        lean = sum((at - middle) * (Fraction(v) - mean) for at, v in samples)
        return float(lean / width * words.per)
    simple = {"sum": sum(values), "mean": mean, "min": min(values), "max": max(values)}
    return float(simple[words.aggregate])


def value_at(
    words: Words, samples: list[Sample], member: str, edge: int, over: int
) -> tuple[int, float | None]:
    """Samples and value of the window of one member that ends at an edge, the edge left out."""
    inside = [(at, v) for at, who, v in samples if who == member and edge - over <= at < edge]
    enough = len(inside) >= words.min_samples and inside
    return len(inside), aggregated(words, inside, over) if enough else None


def compared(words: Words, samples: list[Sample], member: str, edge: int) -> float | None:
    """The mean with which the window is compared."""
    if words.base == "earlier":
        return value_at(words, samples, member, edge - words.earlier, words.earlier_over)[1]
    found: list[float] = []
    if words.base == "neighbours":
        for other in sorted({who for _, who, _ in samples} - {member}):
            value = value_at(words, samples, other, edge, words.over)[1]
            found += [] if value is None else [value]
    else:
        hour = floor((edge - 1) / HOUR)
        for back in range(1, words.weeks + 1):
            start = (hour - back * 168) * HOUR
            first = (start // words.every + 1) * words.every
            ends = range(first, start + HOUR + 1, words.every)
            past = [value_at(words, samples, member, end, words.over)[1] for end in ends]
            known = [value for value in past if value is not None]
            found += [sum(known) / len(known)] if known else []
    if len(found) < words.at_least or not found:
        return None
    if words.median:
        half = len(found) // 2
        ordered = sorted(found)
        return ordered[half] if len(found) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return sum(found) / len(found)


def episodes(words: Words, samples: list[Sample], until: int) -> list[tuple[str, str, int, int]]:
    """(transition, member, since, at) of every member, in the order of time, then of members."""
    told: list[tuple[str, str, int, int]] = []
    members = sorted({member for _, member, _ in samples})
    pending: dict[str, int] = {}
    firing: dict[str, int] = {}
    first = min((at for at, _, _ in samples), default=0)
    edge = (first // words.every + 1) * words.every
    while edge <= until:
        for member in members:
            if member in pending and pending[member] + words.for_ms <= edge:
                # Between edges nothing changes: what was pending fires by its own timer.
                due = pending[member] + words.for_ms
                if due < edge:
                    firing[member] = pending.pop(member)
                    told.append(("fired", member, firing[member], due))
        for member in members:
            count, value = value_at(words, samples, member, edge, words.over)
            holds = None
            if value is not None:
                base = 0.0 if not words.base else compared(words, samples, member, edge)
                if base is not None:
                    scale = words.factor * base
                    if words.above is not None:
                        holds = value > words.above + scale
                    elif words.below is not None:
                        holds = value < words.below + scale
            if holds:
                if member not in firing:
                    pending.setdefault(member, edge)
                    if pending[member] + words.for_ms <= edge:
                        firing[member] = pending.pop(member)
                        told.append(("fired", member, firing[member], edge))
            else:
                pending.pop(member, None)
                if (holds is False or count == 0) and member in firing:
                    told.append(("cleared", member, firing.pop(member), edge))
        edge += words.every
    return told
