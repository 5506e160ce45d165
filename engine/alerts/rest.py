"""Between two alerts about one key: the pause after an end, and whether it only comes and goes."""

from dataclasses import dataclass
from typing import Any

GROUP, UNTIL, FIRED, CHANGED = range(4)
SAVED = 4
"""How many values a saved rest has; a saved episode has more."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an alert that comes and goes is held open instead of told again and again.

    Attributes:
        times: So many alerts about one key ...
        within_ms: ... that fire within this time: the last of them flaps.
        quiet_ms: It is held open until nothing has come or gone for so long.

    """

    times: int
    within_ms: int
    quiet_ms: int


class Rest:
    """What is remembered of a key's alerts beyond their end.

    Attributes:
        until: Before this instant none fires (UTC ms); 0 where there is no pause.
        fired: When the newest of them fired, oldest first; no more than can flap.
        changed: When the one that flaps last came or went.

    """

    __slots__ = ("changed", "fired", "until")

    def __init__(self) -> None:
        self.until = 0
        self.fired: list[int] = []
        self.changed = 0

    def fires(self, at_ms: int, flapping: Flapping | None) -> int:
        """Note that an alert fires; answers how many did within the time, or 0 if it is steady."""
        if flapping is None:
            return 0
        recent = [time for time in self.fired if time > at_ms - flapping.within_ms]
        self.fired = [*recent, at_ms][-flapping.times :]
        self.changed = at_ms
        return len(self.fired) if len(self.fired) >= flapping.times else 0

    def ends(self, flapping: Flapping | None) -> int:
        """From which instant on nothing of this matters any more."""
        known = self.fired[-1] + flapping.within_ms if flapping is not None and self.fired else 0
        return max(self.until, known)

    def save(self, group: str) -> list[Any]:
        """Plain values, in a fixed order."""
        return [group, self.until, self.fired, self.changed]

    @classmethod
    def load(cls, saved: list[Any]) -> "Rest":
        """The rest that `save` wrote down."""
        rest = cls()
        rest.until, rest.fired, rest.changed = saved[UNTIL], list(saved[FIRED]), saved[CHANGED]
        return rest
