"""How far one log was read, and from where it must be read again."""

from engine.ports import Position, SourceId
from engine.state.buffer import ReorderBuffer
from engine.state.watermark import NEVER

PATIENCE = 16
"""A buffer much larger than a batch is searched for the lowest waiting record this seldom."""


class Log:
    """One log of one partition: a file, an inbox, a topic partition.

    `frontier` is the end of all that was ever read; `committed` the lowest record that still
    waits. A restart reads from `committed` again: what was handled is skipped by its time, what
    waited is put back. `mark` is the source's watermark as the reading goes on, so that each
    record is judged late, or not, just as it was the first time.

    Attributes:
        source: The source, where the log holds one only; a routed log holds many.
        rests: The source was idle before the restart, and is again once the log is read again.

    State: three numbers and the source's name in the partition's record.
    """

    __slots__ = (
        "frontier",
        "mark",
        "name",
        "next",
        "number",
        "position",
        "rests",
        "source",
        "stale",
    )

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.mark = NEVER
        self.next = 0
        self.frontier = 0
        self.stale = 0
        self.source: SourceId | None = None
        self.rests = False
        self.position = Position(0, 0, NEVER)

    @property
    def rereading(self) -> bool:
        """Whether records that were read before a restart are still to be read again."""
        return self.next < self.frontier

    def resume(self, position: Position) -> None:
        """Take up a saved position; the log is read from `committed` again."""
        self.position = position
        self.next, self.frontier, self.mark = (
            position.committed,
            position.frontier,
            position.before_ms,
        )

    def read(self, mark: int, following: int) -> None:
        """Note that all records below `following` were read in this run."""
        self.mark = mark
        self.next = following
        self.frontier = max(self.frontier, following)

    def settle(self, buffer: ReorderBuffer, released: int) -> None:
        """Work out from where the log would have to be read again now.

        With a large buffer the search is put off; an older answer is only more careful.
        """
        waiting = buffer.size
        committed, before = self.next, self.mark
        if waiting:
            if waiting > 4 * released and self.stale < PATIENCE:
                self.stale += 1
                self.position = self.position._replace(frontier=self.frontier)
                return
            lowest = buffer.lowest(self.number)
            if lowest is not None:
                committed, before = lowest
        self.stale = 0
        self.position = Position(committed, self.frontier, before)
