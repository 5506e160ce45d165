"""What `change` was declared to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, written

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed
    from engine.ruleset.expr.types import Type

Scalar = str | int | float | bool


class Kind(StrEnum):
    """What kind of change is meant."""

    BECOMES = "becomes"
    JUMPS = "jumps"
    RISES = "rises"
    FALLS = "falls"
    UNSEEN = "unseen"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ChangeSpec(OperatorSpec):
    """A value changes, jumps, moves too fast, is new, or does not change though samples come.

    Attributes:
        kind: Which of these.
        of: The value; an event where it is null is no sample.
        before, after: For `becomes`: values it must have had and must get; empty for any.
        limit: For `jumps`, `rises`, `falls`: how far, in the unit of the value.
        relative: The jump's limit is a share of the value before.
        direction: Of a jump: 1 up, -1 down, 0 both.
        per_ms, span_back_ms: The rate's time, and how far apart the two samples are at least.
        least_ms: For `unseen` and `unchanged`: the time.
        tolerance: Within this of a run's first value, a value is unchanged.
        min_samples: How many samples an unchanged run must have.
        gap_ms: Samples further apart say nothing about what was between them; 0: no such limit.
        quiet_ms: How long without another change until the alert ends; 0: the next sample ends it.
        forget_ms: A key is forgotten when it was silent for so long.
        types: The names that it adds to levels and texts.

    """

    kind: Kind
    of: "Typed"
    before: tuple[Scalar, ...] = ()
    after: tuple[Scalar, ...] = ()
    limit: "Typed | None" = None
    relative: bool = False
    direction: int = 0
    per_ms: int = 0
    span_back_ms: int = 0
    least_ms: int = 0
    tolerance: float = 0.0
    min_samples: int = 1
    gap_ms: int = 0
    quiet_ms: int = 0
    forget_ms: int = 30 * 86_400_000
    types: "Mapping[str, Type] | None" = None

    def meaning(self) -> tuple[object, ...]:
        """Which value, and what of it is kept for how long; not the limit it is judged by."""
        kept = (self.kind.value, written(self.of), self.before, self.after)
        return (*kept, self.span_back_ms, self.least_ms, self.tolerance, self.forget_ms)

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """The value and the limit."""
        del feed
        return (self.of,) if self.limit is None else (self.of, self.limit)

    def alert_types(self) -> "Mapping[str, Type]":
        """`value`, `before` and `moved`, in their units."""
        return self.types or {}

    def keeps_every_key(self) -> bool:
        """Every key has a last value."""
        return True
