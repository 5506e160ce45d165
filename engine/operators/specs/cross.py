"""What `cross` was declared to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, Path

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed
    from engine.ruleset.expr.types import Type


class How(StrEnum):
    """What a key does with a zone or line."""

    ENTERS = "enters"
    LEAVES = "leaves"
    PASSES = "passes"


@dataclass(frozen=True, slots=True)
class CrossSpec(OperatorSpec):
    """A key enters, leaves or passes a zone, or passes a line.

    Attributes:
        how: Which of these.
        layer: The layer of zones or of lines.
        direction: Of a line: 1 from left to right, -1 from right to left, 0 both.
        bearing: Between which bearings (degrees clockwise from north) it must move, or None.
        gap_ms: How far apart two fixes may be for what lies between them to be believed.
        at_least_ms: How long it must be inside.
        only_while: What must hold of the fix; `zone` is the zone or line.
        margin_m: Within this of the edge nothing is settled.
        fixes: How many fixes in a row must say the same.
        first_counts: A key whose first fix is inside has entered.
        quiet_ms: How long until a passage's alert ends; 0: the next fix ends it.
        forget_ms: A key is forgotten when it was silent for so long.
        types: The names that it adds to levels and texts.

    """

    how: How
    layer: str
    direction: int = 0
    bearing: tuple[float, float] | None = None
    gap_ms: int = 0
    at_least_ms: int = 0
    only_while: "Typed | None" = None
    margin_m: float = 0.0
    fixes: int = 1
    first_counts: bool = False
    quiet_ms: int = 0
    forget_ms: int = 86_400_000
    types: "Mapping[str, Type] | None" = None

    def meaning(self) -> tuple[object, ...]:
        """On which side of which edges a key is, and what about that counts."""
        return self.how.value, self.layer

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """`while`, if it is declared."""
        del feed
        return () if self.only_while is None else (self.only_while,)

    def layers(self) -> frozenset[str]:
        """The layer it looks at."""
        return frozenset({self.layer})

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """`while`, without which it cannot fire."""
        return tuple((("when", "cross", "while"), typed, only) for typed in self.expressions(only))

    def alert_types(self) -> "Mapping[str, Type]":
        """The record `zone`."""
        return self.types or {}

    def by_part(self) -> bool:
        """Each zone or line has alerts of its own."""
        return True

    def keeps_every_key(self) -> bool:
        """Every key has a last fix."""
        return True
