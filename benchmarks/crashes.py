"""Which deaths a kill proof still owes: so many at random moments, so many at each crash point."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_MISSED = 20
"""A point that so many lives a death did not come to is given up; the proof's claim then fails."""

ANY = ""
"""A death at a random moment."""


@dataclass(slots=True)
class Deaths:
    """Draws what ends the next life, in an order that the seed decides, and keeps the count.

    Attributes:
        owed: For each crash point, and for `ANY`, how many deaths are still to be had.
        had: How many there were.
        missed: Lives that were to end at a point and did not come to it.

    """

    chance: random.Random
    owed: Counter[str]
    had: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, seed: int, kills: int, points: Sequence[str], each: int) -> "Deaths":
        """So many at random moments and `each` at every point."""
        owed = Counter({ANY: kills, **dict.fromkeys(points, each)})
        return cls(random.Random(seed), +owed)

    @property
    def left(self) -> int:
        """How many are still owed."""
        return self.owed.total()

    def draw(self) -> str | None:
        """The next one, as likely as it is owed; None when none is owed any more."""
        names = sorted(+self.owed)
        if not names:
            return None
        return self.chance.choices(names, [self.owed[name] for name in names])[0]

    def met(self, name: str) -> None:
        """A life ended as it was to."""
        self.had[name] += 1
        self.owed[name] -= 1
        self.owed = +self.owed

    def did_not_come(self, name: str) -> None:
        """A life did not come to its point; one that nobody comes to is owed no longer."""
        self.missed[name] += 1
        if self.missed[name] >= MOST_MISSED * (1 + self.had[name]):
            self.owed.pop(name, None)

    def rows(self, points: Sequence[str]) -> list[list[object]]:
        """For random moments and each point: deaths, and lives that did not come to it."""
        names = [ANY, *points] if self.had[ANY] else list(points)
        return [[name or "at random", self.had[name], self.missed[name]] for name in names]
