"""What `dwell` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, Path

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class DwellSpec(OperatorSpec):
    """A key stays within `radius_m` of one fix (or inside one zone of `zones`) for `at_least_ms`.

    Attributes:
        radius_m: The circle around the stay's first fix; None when `zones` is given.
        zones: Layer inside one zone of which the key stays; empty when `radius_m` is given.
        at_least_ms: How long a stay must last.
        slower_than_mps: A fix at or above this speed ends the stay; None for no limit.
        speed_field: The feed's field that holds the speed, when `slower_than_mps` is given.
        speed_scale: Metres a second per unit of that field.
        only_while: A fix for which this is false ends the stay; None for no such condition.
        outside_ms: How long the key may be outside before the stay ends.
        silent_ms: How long after its last fix a key is believed to stay; None: nothing is
            presumed, only fixes prove a stay and no gap ends it.
        gap_counts: Whether a silence longer than `silent_ms` that ends inside the circle counts.

    """

    at_least_ms: int
    radius_m: float | None = None
    zones: str = ""
    slower_than_mps: float | None = None
    speed_field: str = ""
    speed_scale: float = 1.0
    only_while: "Typed | None" = None
    outside_ms: int = 0
    silent_ms: int | None = None
    gap_counts: bool = False

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """`while`, if it is declared."""
        del feed
        return () if self.only_while is None else (self.only_while,)

    def fields(self) -> frozenset[str]:
        """The field that holds the speed."""
        return frozenset({self.speed_field} - {""})

    def layers(self) -> frozenset[str]:
        """The layer whose zones a key may stay in."""
        return frozenset({self.zones} - {""})

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """`while`, which every fix of a stay must meet."""
        return tuple((("when", "dwell", "while"), typed, only) for typed in self.expressions(only))

    def span_ms(self) -> int:
        """How long a stay must last."""
        return self.at_least_ms

    def keeps_every_key(self) -> bool:
        """Every slow key has an anchor."""
        return True
