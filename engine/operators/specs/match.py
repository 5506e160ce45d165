"""What `match` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, Path

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class MatchSpec(OperatorSpec):
    """An event satisfies the condition, or N events within T do.

    The episode ends with the rule's `clear`, or when nothing matched for `quiet_ms`.
    """

    condition: "Typed"
    count: int = 1
    within_ms: int = 0
    quiet_ms: int = 0

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """The condition, whatever the feed."""
        del feed
        return (self.condition,)

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """The condition itself."""
        return ((("when", "match"), self.condition, only),)

    def span_ms(self) -> int:
        """The time within which N events must come."""
        return self.within_ms

    def keeps_every_key(self) -> bool:
        """Only counting needs memory of keys that do not fire."""
        return self.count > 1
