"""What `cluster` was declared to do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class ClusterSpec(OperatorSpec):
    """At least `at_least` records of a key that are alike come within `within_ms`.

    Attributes:
        radius_m: How near they must be; None where places do not matter.
        text: What they say; None where texts do not matter.
        alike: The least share of marks that texts must have in common.
        distinct: Records with the same value of this count once (callers).
        grows: Sizes at which an alert is told again.
        keep: Most records of a key that are kept to compare with; the oldest go first.

    """

    at_least: int
    within_ms: int
    radius_m: float | None = None
    text: "Typed | None" = None
    alike: float = 0.5
    distinct: "Typed | None" = None
    grows: tuple[int, ...] = ()
    keep: int = 2000

    def of_keys(self) -> bool:
        """They are about records that are alike, of which a key may have many groups."""
        return False

    def fields(self) -> frozenset[str]:
        """What the text and the caller are read from."""
        return frozenset(
            name
            for typed in (self.text, self.distinct)
            if typed is not None
            for name in typed.names
        )

    def span_ms(self) -> int:
        """The time within which they must come."""
        return self.within_ms

    def keeps_every_key(self) -> bool:
        """Every record is kept for a while."""
        return True
