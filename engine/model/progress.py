"""How far a key is towards firing: the conditions of a rule one by one, each with its figures."""

from collections.abc import Iterable
from typing import Any

import msgspec

NEAR = 0.8
"""From this share of a duration or count on, a try that ends without firing is a near miss."""

_FIRED = frozenset({"alert-fired", "alert-clearing"})


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that must be so before the rule fires.

    Attributes:
        name: Which one, such as `dwell-held`; the catalogue has a sentence `why-<name>` for it.
        met: Whether it is so; None where it is not known, or not asked yet.
        have: How far it is, and `need` how far it must be, in `unit`.
        unit: `ms` for durations, otherwise a unit of the feed; empty for counts and texts.
        at_ms: Since when, or until when, if the sentence says so (UTC ms).
        found: What else the sentence names; `..._at` are instants and `..._ms` durations.

    """

    name: str
    met: bool | None = None
    have: Any = None
    need: Any = None
    unit: str = ""
    at_ms: int | None = None
    found: dict[str, Any] = {}

    @property
    def share(self) -> float:
        """How much of what is needed is there, from 0 to 1."""
        if self.met:
            return 1.0
        have, need = self.have, self.need
        if isinstance(have, bool) or not isinstance(have, int | float):
            return 0.0
        if isinstance(need, bool) or not isinstance(need, int | float) or need <= 0:
            return 0.0
        return max(0.0, have / need if have <= need else need / have)


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of a key to make a rule fire: a stay, a cycle, a run, a zone, a group.

    Attributes:
        part: Which one of the key; empty where there is only one.
        steps: In the order in which they are asked.

    """

    part: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def unmet(self) -> Step | None:
        """The first step that is not met; None when all are, or an alert is open all the same."""
        if self.has_fired:
            return None
        return next((step for step in self.steps if not step.met), None)

    @property
    def has_fired(self) -> bool:
        """Whether it has led to an alert that is still open."""
        return any(step.met and step.name in _FIRED for step in self.steps)

    @property
    def share(self) -> float:
        """How near it is: how far its steps are on average."""
        if not self.steps:
            return 0.0
        return sum(step.share for step in self.steps) / len(self.steps)

    @property
    def is_near(self) -> bool:
        """Whether all but one step is met, or an unmet one by four fifths."""
        unmet = [] if self.has_fired else [step for step in self.steps if not step.met]
        return len(unmet) == 1 or any(step.share >= NEAR for step in unmet)


def nearest(tries: Iterable[Progress]) -> Progress | None:
    """The try that is nearest to firing; of equally near ones the first."""
    return max(tries, key=lambda one: one.share, default=None)


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a try that came to nothing, or of a rule's own fault about a key.

    Attributes:
        kind: `near-miss`, `unproved` (an alert ended, and what proves it over did not come), or
            `error`.
        at_ms: When it ended (event time).
        detail: What was wrong, of a fault.

    """

    kind: str
    rule: str
    key: str
    at_ms: int
    progress: Progress = Progress()
    detail: str = ""
