"""A rule that keeps failing is taken out; the others go on."""

from collections.abc import Callable

from engine.ports import Trouble

ERRORS_ALLOWED = 10
WITHIN_MS = 600_000


class Quarantine:
    """Counts, per rule and partition and in event time, the errors that a rule's own code raised.

    The tenth error inside ten minutes of event time quarantines the rule until somebody loads a
    new version of it. The event that raised is skipped for that rule only.

    State: times of the recent errors, and since when a rule is off.
    """

    def __init__(self, tell: Callable[[Trouble], None]) -> None:
        self._tell = tell
        self.errors: dict[str, list[int]] = {}
        self.off: dict[str, int] = {}

    def failed(self, rule: str, error: Exception, at_ms: int) -> None:
        """Note an error of a rule's code at an instant of event time."""
        if rule in self.off:
            return
        detail = type(error).__name__ + (f": {error}" if str(error) else "")
        recent = [at for at in self.errors.get(rule, []) if at > at_ms - WITHIN_MS]
        recent.append(at_ms)
        self.errors[rule] = recent
        if len(recent) == 1:
            self._tell(Trouble("rule-error", rule, detail, at_ms))
        if len(recent) >= ERRORS_ALLOWED:
            self.off[rule] = at_ms
            self._tell(Trouble("rule-quarantined", rule, detail, at_ms))

    def is_off(self, rule: str) -> bool:
        """Whether the rule is quarantined."""
        return rule in self.off

    def save(self) -> dict[str, tuple[list[int], int | None]]:
        """Plain values for the partition's record."""
        rules = sorted(self.errors.keys() | self.off.keys())
        return {rule: (self.errors.get(rule, []), self.off.get(rule)) for rule in rules}

    def load(self, saved: dict[str, tuple[list[int], int | None]]) -> None:
        """Take up what `save` wrote."""
        for rule, (errors, off) in saved.items():
            self.errors[rule] = list(errors)
            if off is not None:
                self.off[rule] = off
