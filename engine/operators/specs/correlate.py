"""What `correlate` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that points to a risk: an event of a feed, or an alert of another rule.

    Attributes:
        feed: The feed of its events; `alerts` for a rule's.
        where: What its events must meet; None for all.
        rule: The rule whose alerts it is: it lasts while the alert is open, and `within` after.
        weight: What it adds to a score.
        within_ms: How long after it was last seen it counts.

    """

    name: str
    feed: str
    where: "Typed | None" = None
    rule: str = ""
    weight: float = 1.0
    within_ms: int = 0


@dataclass(frozen=True, slots=True)
class CorrelateSpec(OperatorSpec):
    """Several signals about one key point to the same risk.

    Exactly one of these says when that is enough:

    Attributes:
        at_least: So many different signals.
        condition: A condition over the names of signals, each true while it counts.
        reach: A sum of weights; with `half_life_ms` each loses half its weight in that time.

    """

    signals: tuple[Signal, ...]
    at_least: int = 0
    condition: "Typed | None" = None
    reach: float = 0.0
    half_life_ms: int = 0

    def by_place(self) -> bool:
        """Whether signals must lie near each other, whoever they are about."""
        return False

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """What the signals ask of this feed's events."""
        return [
            signal.where
            for signal in self.signals
            if signal.feed == feed and signal.where is not None
        ]

    def fields(self) -> frozenset[str]:
        """Of alerts: which rule, and whether it fired or cleared."""
        return frozenset({"rule", "transition"} if any(one.rule for one in self.signals) else ())

    def span_ms(self) -> int:
        """How long the shortest signal counts."""
        return min(signal.within_ms for signal in self.signals)


@dataclass(frozen=True, slots=True)
class CorrelatePlaceSpec(CorrelateSpec):
    """Several signals near each other point to the same risk, whichever keys they come from.

    Attributes:
        radius_m: How far from the anchor of a site, its oldest signal, a signal may lie.
        ids: The fields that tell events of the feeds apart.

    """

    radius_m: float = 0.0
    ids: frozenset[str] = frozenset()

    def by_place(self) -> bool:
        """They must."""
        return True

    def meaning(self) -> tuple[object, ...]:
        """Which signals lie together, and what tells them apart."""
        return self.radius_m, tuple(sorted(self.ids))

    def of_keys(self) -> bool:
        """They are about places."""
        return False

    def fields(self) -> frozenset[str]:
        """As by key; what tells events apart, and of alerts which one it is."""
        return CorrelateSpec.fields(self) | self.ids | {"episode"}
