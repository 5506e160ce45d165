"""What `window` was declared to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, written

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed
    from engine.ruleset.expr.types import Type


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a window's value is compared with; exactly one of the first three is given.

    Attributes:
        weeks: Windows that ended in the same hour of this many past weeks; 0: not these.
        earlier_ms: The window of the same key that ended this long before; 0: not this.
        neighbours: The field that tells the members of a group apart: the same window of the
            others; empty: not these.
        over_ms: How long the earlier window is.
        at_least: How many weeks or neighbours must be known.
        median: Their median counts, not their mean.

    """

    weeks: int = 0
    earlier_ms: int = 0
    neighbours: str = ""
    over_ms: int = 0
    at_least: int = 1
    median: bool = False


@dataclass(frozen=True, slots=True)
class WindowSpec(OperatorSpec):
    """An aggregate over a window of event time is above, below or otherwise past a limit.

    Attributes:
        aggregate: `count`, `distinct`, `sum`, `mean`, `min`, `max`, `rate`, `slope`, `stddev` or
            `percentile`.
        of: What is aggregated; None only for counting. An event where it is null is no sample.
        over_ms: Length of the window; 0 for a session without a greatest length.
        every_ms: Distance of the windows' ends, and length of a bucket; 0 for a session.
        gap_ms: Silence that ends a session; 0 where windows have edges.
        percentile: Which one, in percent.
        per_ms: Time for which a rate or slope is stated.
        min_samples: With fewer samples the value is unknown.
        above, below: The limit; `passes` instead is a condition over `value`.
        types: The names that the window adds to the rule's texts and levels.
        late_ms: How late a sample may come and still revise windows that were judged; 0: none.

    """

    aggregate: str
    of: "Typed | None" = None
    over_ms: int = 0
    every_ms: int = 0
    gap_ms: int = 0
    percentile: float = 0.0
    per_ms: int = 0
    min_samples: int = 1
    above: "Typed | None" = None
    below: "Typed | None" = None
    passes: "Typed | None" = None
    baseline: Baseline | None = None
    types: "Mapping[str, Type] | None" = None
    late_ms: int = 0

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """What is aggregated, and the limit."""
        del feed
        parts = (self.of, self.above, self.below, self.passes)
        return tuple(typed for typed in parts if typed is not None)

    def fields(self) -> frozenset[str]:
        """The field that names a member of a group."""
        found = set() if self.baseline is None else {self.baseline.neighbours}
        return frozenset(found - {""})

    def alert_types(self) -> "Mapping[str, Type]":
        """`value` and what it was compared with, in their unit."""
        return self.types or {}

    def span_ms(self) -> int:
        """How long the window is; a longer `for` is meant, so that it is not doubted."""
        return 0

    def by_part(self) -> bool:
        """Neighbours have alerts of their own."""
        return self.baseline is not None and bool(self.baseline.neighbours)

    def meaning(self) -> tuple[object, ...]:
        """What is counted or added up, in buckets of which length, and by which member.

        What is kept of past weeks is about windows of one length.
        """
        base, of = self.baseline, written(self.of)
        kept = (self.aggregate, of, self.every_ms, bool(self.gap_ms))
        weeks = self.over_ms if base is not None and base.weeks else 0
        return (*kept, weeks, "" if base is None else base.neighbours)

    def knows_repeats(self) -> bool:
        """A sample that is told late may have been told before."""
        return bool(self.late_ms)

    def keeps_every_key(self) -> bool:
        """Every key has buckets."""
        return True
