"""What `sequence` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.operators.specs.base import OperatorSpec, Path, written

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


class Again(StrEnum):
    """When a sequence of a key may begin again after it was seen."""

    AFTER_END = "after-end"
    AT_ONCE = "at-once"
    NEVER_FOR = "never-for"


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step: events of a feed that must come, or must not.

    Attributes:
        name: Under which later steps and texts read its event; empty for none.
        within_ms: Since the step before at the latest, inclusive; for one that must not come, how
            long it is watched for. 0: only the whole limit counts.
        times: How many such events make the step.
        absent: The event must not come.
        refers: The condition reads events of earlier steps.

    """

    feed: str
    where: "Typed | None" = None
    name: str = ""
    within_ms: int = 0
    times: int = 1
    absent: bool = False
    refers: bool = False


@dataclass(frozen=True, slots=True)
class SequenceSpec(OperatorSpec):
    """Steps that happen one after the other about one key.

    Attributes:
        steps: In their order; the first must happen.
        within_ms: From the first event to the last, inclusive; 0 for no limit of the whole.
        strict: Another event between two steps breaks the run.
        again: When the key may begin again.
        rest_ms: How long nothing begins, for `never-for`.
        overlap: Every event that fits the first step begins a run, not only one when none is open.
        quiet_ms: The alert ends so long after the sequence was seen; 0: at once, or by `clear`.
        runs: At most so many unfinished runs a key.

    """

    steps: tuple[StepSpec, ...]
    within_ms: int = 0
    strict: bool = False
    again: Again = Again.AFTER_END
    rest_ms: int = 0
    overlap: bool = True
    quiet_ms: int = 0
    runs: int = 100

    def meaning(self) -> tuple[object, ...]:
        """The steps in their order; how long a step that must not come is watched for is one."""
        return tuple(
            (step.feed, written(step.where), step.name, step.times, step.absent)
            + ((step.within_ms, self.within_ms) if step.absent else ())
            for step in self.steps
        )

    def reads_all(self) -> bool:
        """Texts may read any field of the steps' events."""
        return True

    def keeps_every_key(self) -> bool:
        """Every key whose first step is any event at all begins a run."""
        return self.steps[0].where is None

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """What must hold of every step that must happen."""
        del only
        return [
            (("when", "sequence", "steps", index, "where"), step.where, step.feed)
            for index, step in enumerate(self.steps)
            if step.where is not None and not step.absent
        ]
