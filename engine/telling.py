"""What a partition tells while it works: changes, what it refused, troubles and counts."""

from engine.model.change import Change
from engine.noting import Notebook
from engine.ports import Outcome, Rejected, Sent, SourceId, Trouble
from engine.ruleset.compile import SpaceProgram


class Telling:
    """Collects what must leave with the next outcome.

    Attributes:
        program: The key space's rules and feeds.
        notebook: Explains changes and remembers near misses.
        outcome: What was told since the last outcome left.
        order_ms: The place in the order of the late event that is handled; 0 while none is.

    """

    def __init__(self, program: SpaceProgram, notebook: Notebook) -> None:
        """Begin with nothing told."""
        self.program = program
        self.notebook = notebook
        self.outcome = Outcome()
        self.order_ms = 0

    def _place(self, order_ms: int) -> None:
        """A late event is handled at its place in the order; 0 when it has been."""
        self.order_ms = order_ms

    def _reject(
        self, source: SourceId, offset: int, reason: str, detail: str, value: bytes
    ) -> None:
        self.outcome.rejected.append(Rejected(source, offset, reason, detail, value))
        self._count("rejected", f"{source.feed}/{reason}", 1)

    def _late(self, source: SourceId, offset: int, value: bytes) -> None:
        self._count("late", source.feed, 1)
        if any(
            rule.spec.late == "side" and source.feed in rule.spec.feeds
            for rule in self.program.rules
        ):
            self.outcome.late.append(Rejected(source, offset, "late", "", value))

    def _emit(self, change: Change) -> None:
        self.notebook.explain(change)
        self.outcome.changes.append(change)
        for tell in self.program.tells.get(change.rule, ()):
            # What is dated back is heard now: nothing older may follow to those above.
            sent = tell(change, max(change.at_ms, self.order_ms))
            if sent is not None:
                self.outcome.sent.append(sent)

    def _send(self, sent: Sent) -> None:
        self.outcome.sent.append(sent)

    def _overflow(self, rule: str, at_ms: int) -> None:
        self._trouble(Trouble("too-many-alerts", rule, "", at_ms))

    def _tell(self, rule: str, kind: str, detail: str, at_ms: int) -> None:
        self._trouble(Trouble(kind, rule, detail, at_ms))

    def _trouble(self, trouble: Trouble) -> None:
        self.outcome.troubles.append(trouble)

    def _counted(self, rule: str, name: str) -> None:
        self._count(name, rule, 1)

    def _count(self, name: str, label: str, amount: int) -> None:
        counts = self.outcome.counts
        counts[name, label] = counts.get((name, label), 0) + amount
