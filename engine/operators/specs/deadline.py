"""What `deadline` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.model.period import Period
from engine.model.severity import Severity
from engine.operators.specs.base import EventTest, OperatorSpec, Path

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class Need:
    """What must happen before a deadline: an event, or a sum that reaches a limit.

    With `sum_of` the values of that expression over matching events are added and must reach
    `reach`; without it one matching event meets the need.
    """

    test: EventTest
    sum_of: "Typed | None" = None
    reach: "Typed | None" = None
    name: str = "need"


@dataclass(frozen=True, slots=True)
class Roster:
    """A table of keys that must start even if no start event is ever seen.

    `start` is the column with the instant at which the clock of a row starts; a row acts from
    that instant on. All columns are readable as `start.<column>`.
    """

    table: str
    start: str


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - `Warning` is the builtin
    """A lower level announced when only `left` of the limit remains."""

    left: Period
    severity: Severity


@dataclass(frozen=True, slots=True)
class DeadlineSpec(OperatorSpec):
    """After a start, every need must be met within a period; once, or every cycle.

    Attributes:
        start: The event that starts the clock of a key; None with a roster only.
        within: The limit, counted from the start day (or the cycle's start day).
        needs: All must be met.
        every: Cycle length; the n-th cycle starts at start + n cycles and is due `within` later.
        while_: Only cycles in which this many events were seen are judged (attendance > 0).
        warnings: Lower levels before the deadline.
        pause, resume: Events between which the clock of exact and working time stands still.
        cancel: An event after which nothing is due any more.
        roster: Keys that must start though no event starts them.
        retract: A late record that met the need in time withdraws the alert.
        late_ms: With `retract`, how late a record is still taken; 0 however late.
        zone: Time zone of the days.
        calendar: Working-day calendar.

    """

    within: Period
    needs: tuple[Need, ...]
    start: EventTest | None = None
    every: Period | None = None
    while_: EventTest | None = None
    while_count: int = 1
    warnings: tuple[Warning_, ...] = ()
    pause: EventTest | None = None
    resume: EventTest | None = None
    cancel: EventTest | None = None
    roster: Roster | None = None
    retract: bool = False
    late_ms: int = 0
    zone: str = "Asia/Shanghai"
    calendar: str = "cn"

    def reads_all(self) -> bool:
        """Texts and limits may read any field of the start event."""
        return True

    def knows_repeats(self) -> bool:
        """What is told late may have been told before."""
        return self.retract

    def awaits_unseen(self) -> bool:
        """A roster's keys are due though nothing was heard of them."""
        return self.roster is not None

    def tables(self) -> frozenset[str]:
        """The roster."""
        return frozenset() if self.roster is None else frozenset({self.roster.table})

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """What must hold of the event that starts the clock."""
        del only
        if self.start is None or self.start.where is None:
            return ()
        return ((("when", "deadline", "start", "where"), self.start.where, self.start.feed),)
