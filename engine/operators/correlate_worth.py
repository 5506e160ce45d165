"""What signals at one place are worth together: how many kinds, a condition, or a sum that fades.

Of several signals of one kind the one that is worth most counts, so that ten complaints about one
smell are one kind of sign; the evidence lists each.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from engine.operators.specs.correlate import CorrelateSpec

LISTED = 50
"""So many signals an alert's evidence lists."""


class Sign(Protocol):
    """A signal as far as its worth goes: which one, when last seen, whether it lasts."""

    number: int
    who: str
    lon: float
    lat: float
    at: int
    open: bool
    times: int


class Worth:
    """Says whether signals are enough, by the rule's own words."""

    def __init__(self, spec: CorrelateSpec, condition: Callable[[Any, Any], Any] | None) -> None:
        self.spec = spec
        self.condition = condition

    def of(self, sign: Sign, at_ms: int) -> float:
        """What one signal adds to a score now."""
        weight, half = self.spec.signals[sign.number].weight, self.spec.half_life_ms
        if sign.open or not half:
            return weight
        return float(weight * 0.5 ** ((at_ms - sign.at) / half))

    def best(self, signs: Sequence[Sign], at_ms: int) -> Mapping[int, float]:
        """For each kind the worth of its best signal."""
        found: dict[int, float] = {}
        for one in signs:
            found[one.number] = max(found.get(one.number, 0.0), self.of(one, at_ms))
        return found

    def is_enough(self, signs: Sequence[Sign], at_ms: int) -> bool:
        """Whether these signals, which all count, point to the risk."""
        if not signs:
            return False
        if self.condition is not None:
            there = {one.number for one in signs}
            names = {one.name: number in there for number, one in enumerate(self.spec.signals)}
            return self.condition(None, names) is True
        if self.spec.at_least:
            return len({one.number for one in signs}) >= self.spec.at_least
        return self.score(signs, at_ms) >= self.spec.reach

    def score(self, signs: Sequence[Sign], at_ms: int) -> float:
        """The sum over the kinds, in the order in which they are declared."""
        best = self.best(signs, at_ms)
        return sum(best[number] for number in sorted(best))

    def falls_at(self, signs: Sequence[Sign], at_ms: int) -> int:
        """When a score that fades is too small if nothing else happens, or 0."""
        half, reach = self.spec.half_life_ms, self.spec.reach
        if not half or not reach:
            return 0
        last = {one.number for one in signs if one.open}
        lasting = sum(self.spec.signals[number].weight for number in sorted(last))
        if lasting >= reach:
            return 0
        fall = math.log2((self.score(signs, at_ms) - lasting) / (reach - lasting))
        return at_ms + max(1, math.ceil(fall * half))

    def facts(self, signs: Sequence[Sign], at_ms: int) -> dict[str, Any]:
        """The score, itemised."""
        rules = self.spec.signals
        numbers = sorted({one.number for one in signs})
        return {
            "size": len(numbers),
            "value": round(self.score(signs, at_ms), 6),
            "seen": ", ".join(rules[number].name for number in numbers),
            "signals": [
                {
                    "name": rules[one.number].name,
                    "key": one.who.partition(" ")[2] if rules[one.number].rule else one.who,
                    "lon": one.lon,
                    "lat": one.lat,
                    "at": one.at,
                    "open": one.open,
                    "times": one.times,
                    "weight": rules[one.number].weight,
                    "worth": round(self.of(one, at_ms), 6),
                }
                for one in signs[:LISTED]
            ],
        }
