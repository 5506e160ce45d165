"""What `corridor` was declared to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed
    from engine.ruleset.expr.types import Type


class Watched(StrEnum):
    """What a rule looks at along a route."""

    OFF = "off"
    BACK = "back"
    SECTION = "section"


@dataclass(frozen=True, slots=True)
class CorridorSpec(OperatorSpec):
    """A key leaves its planned route, turns back on it, or is too fast or too slow on a section.

    Attributes:
        layer: The layer whose lines are the routes.
        route: Which of them is the key's now, as its id; null for none.
        width_m: Further away a key is off its route.
        at_least_ms: `off`: for how long.
        by_m: `back`: how far.
        faster_mps, slower_mps: `section`: mean speed between two posts, metres a second.
        quiet_ms: `section`: how long the alert of a fast section stays.
        slack_m: By so much a fix may lie behind the one before without being a way back.
        silent_ms: So long after its last fix a key is believed to be where it was.
        gap_counts: A key that is off before and after a longer gap was off all the time.
        forget_ms: A key is given up so long after its last fix.
        types: Names for levels and texts: `route`, `progress`, `away`, `turned`, `mean_speed`.

    """

    watched: Watched
    layer: str
    route: "Typed"
    width_m: float
    at_least_ms: int = 0
    by_m: float = 0.0
    faster_mps: float | None = None
    slower_mps: float | None = None
    quiet_ms: int = 0
    slack_m: float = 100.0
    silent_ms: int = 300_000
    gap_counts: bool = False
    forget_ms: int = 86_400_000
    types: "Mapping[str, Type] | None" = None

    def meaning(self) -> tuple[object, ...]:
        """What is watched along which routes; how far off is off is part of it."""
        off = self.width_m if self.watched is Watched.OFF else 0.0
        return self.watched.value, self.layer, off, self.slack_m

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """Which route is asked for, whatever the feed."""
        del feed
        return (self.route,)

    def layers(self) -> frozenset[str]:
        """The layer of the routes."""
        return frozenset({self.layer})

    def alert_types(self) -> "Mapping[str, Type]":
        """Which route, where on it, how far away, where it turned, and how fast it was."""
        return self.types or {}

    def keeps_every_key(self) -> bool:
        """Progress is kept of every key on a route; who is off it, only while that lasts."""
        return self.watched is not Watched.OFF
