"""How near a rule that never fired came: its best try, seen when it broke off or at the end."""

from collections.abc import Iterable, Mapping

from engine.model.progress import Note, Progress, nearest
from engine.operators.base import Logic
from engine.operators.towards.ask import progress_of
from engine.pipeline import Space

MOST_KEYS = 20_000
"""At the end of a run so many keys of a rule are asked how far they are."""


class Nearest:
    """For each rule the try that came nearest to firing without doing so."""

    def __init__(self) -> None:
        self.by_rule: dict[str, Note] = {}

    def take(self, notes: Iterable[Note]) -> None:
        """Note tries that ended without an alert."""
        for note in notes:
            if note.kind == "near-miss":
                self._offer(note.rule, note.key, note.at_ms, note.progress)

    def look(self, spaces: Mapping[str, Space], rules: Iterable[str], at_ms: int) -> None:
        """Ask every key that some rules remember, at the end of the run."""
        wanted = set(rules)
        for space in spaces.values():
            for rule, logic in zip(space.program.rules, space.logics, strict=True):
                name = rule.spec.id.partition("/")[0]
                if name not in wanted:
                    continue
                for key in list(logic.keys)[:MOST_KEYS]:
                    best = nearest(one for one in _ask(logic, key, at_ms) if one.unmet is not None)
                    if best is not None:
                        self._offer(name, key, at_ms, best)

    def _offer(self, rule: str, key: str, at_ms: int, progress: Progress) -> None:
        name = rule.partition("/")[0]
        known = self.by_rule.get(name)
        if known is None or progress.share > known.progress.share:
            self.by_rule[name] = Note("near-miss", name, key, at_ms, progress)


def _ask(logic: Logic, key: str, at_ms: int) -> list[Progress]:
    """Every try of a key; none where the operator cannot tell."""
    try:
        return progress_of(logic, key, at_ms)
    except Exception:  # noqa: BLE001 - what only explains must never stop a run
        return []
