"""What is kept for `explain`: figures behind an alert, near misses, proofs not given, faults."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from engine.model.change import Change, Transition
from engine.model.progress import Note, Progress, nearest
from engine.operators.base import Logic
from engine.operators.towards.ask import progress_of

if TYPE_CHECKING:
    from engine.ruleset.compile import SpaceProgram

MOST_NOTES = 100
"""So many near misses a rule may note in one batch; more would tell nobody anything new."""

_JUDGED = frozenset({Transition.FIRED, Transition.RAISED})


class Notebook:
    """Notes of one partition between two outcomes, and the figures behind its alerts."""

    def __init__(self, program: "SpaceProgram") -> None:
        self.rules = [rule.spec.id for rule in program.rules]
        self.numbers = {name: number for number, name in enumerate(self.rules)}
        self.logics: list[Logic] = []
        self.notes: list[Note] = []
        self._counts: Counter[int] = Counter()

    def take(self) -> list[Note]:
        """The notes since the last time."""
        notes, self.notes = self.notes, []
        self._counts.clear()
        return notes

    def missed(self, number: int, key: str, at_ms: int) -> None:
        """A try of this key is about to end without firing: keep how near it was."""
        if self._counts[number] >= MOST_NOTES:
            return
        best = nearest(one for one in self._ask(number, key, at_ms) if one.is_near)
        if best is not None:
            self._counts[number] += 1
            self.notes.append(Note("near-miss", self.rules[number], key, at_ms, best))

    def unproved(self, number: int, key: str, at_ms: int, how: Progress) -> None:
        """The proof that an alert is over did not come in time: keep how far it was."""
        if self._counts[number] < MOST_NOTES:
            self._counts[number] += 1
            self.notes.append(Note("unproved", self.rules[number], key, at_ms, how))

    def failed(self, number: int, error: Exception, key: str, at_ms: int) -> None:
        """A rule's own code raised over an event or timer of this key."""
        number %= len(self.rules)
        if self._counts[number] < MOST_NOTES:
            self._counts[number] += 1
            detail = f"{type(error).__name__}: {error}".removesuffix(": ")
            self.notes.append(Note("error", self.rules[number], key, at_ms, detail=detail))

    def explain(self, change: Change) -> None:
        """Put the figures behind what fires or climbs into its evidence, before it leaves."""
        number = self.numbers.get(change.rule)
        if number is None or change.transition not in _JUDGED:
            return
        part = self._part(number, change)
        for one in self._ask(number, change.key, change.at_ms):
            if one.part == part:
                change.evidence["trace"] = plain(one)
                return

    def _ask(self, number: int, key: str, at_ms: int) -> list[Progress]:
        try:
            return progress_of(self.logics[number], key, at_ms)
        except Exception:  # noqa: BLE001 - what only explains must never stop an alert
            return []

    def _part(self, number: int, change: Change) -> str:
        """Which of the key's episodes the change is about."""
        for part, episode in self.logics[number].life.open.get(change.key, {}).items():
            if episode.id == change.episode_id:
                return part
        return ""


def plain(progress: Progress) -> list[dict[str, Any]]:
    """The steps as plain values, as alerts hold them."""
    found: list[dict[str, Any]] = msgspec.to_builtins(list(progress.steps))
    return found
