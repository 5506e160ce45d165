"""What `near` was declared to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operators.near_note import KIND
from engine.operators.specs.base import OperatorSpec, Path, written

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of key: which keys are of it, and how many of them a gathering needs."""

    name: str
    where: "Typed | None" = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class NearSpec(OperatorSpec):
    """Keys are within a radius of each other for a time; or one has lost those it must stay near.

    Attributes:
        radius_m: Two keys are near each other when they are no further apart.
        count: How many keys make a gathering, of whatever kind.
        kinds: The kinds that take part, in the order in which a key is asked for its own; a key
            of none of them takes no part. Empty: all keys are of one kind.
        at_least_ms: How long the gathering (or the separation) must last.
        slower_than_mps: A key at or above this speed is nowhere; None for no limit.
        speed_field: The feed's field that holds the speed, when `slower_than_mps` is given.
        speed_scale: Metres a second per unit of that field.
        only_while: A key for whose fix this is false is nowhere; None for no such condition.
        silent_ms: How long after its last fix a key is believed to be there; None: for ever.
        outside_ms: How long a key may lack its company before the time starts anew.
        apart: Number of the kind that must stay near another one; None for gatherings.
        from_: Number of the kind that it must stay near.

    """

    radius_m: float
    at_least_ms: int
    count: int = 2
    kinds: tuple[Kind, ...] = ()
    slower_than_mps: float | None = None
    speed_field: str = ""
    speed_scale: float = 1.0
    only_while: "Typed | None" = None
    silent_ms: int | None = None
    outside_ms: int = 0
    apart: int | None = None
    from_: int | None = None

    def of_keys(self) -> bool:
        """They are about keys that are together, or one that is alone."""
        return False

    def needs(self) -> tuple[int, ...]:
        """How many of each kind a gathering needs; one number where there are no kinds."""
        return tuple(kind.count for kind in self.kinds) or (1,)

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """`while`, and what makes a key one of a kind."""
        del feed
        asked = (self.only_while, *(kind.where for kind in self.kinds))
        return tuple(typed for typed in asked if typed is not None)

    def fields(self) -> frozenset[str]:
        """The field that holds the speed."""
        return frozenset({self.speed_field} - {""})

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """`while`, which every fix of a member must meet."""
        if self.only_while is None:
            return ()
        return ((("when", "near", "while"), self.only_while, only),)

    def meaning(self) -> tuple[object, ...]:
        """Who is somewhere, of which kind, and when it is near another."""
        return (
            self.radius_m,
            tuple((kind.name, written(kind.where)) for kind in self.kinds),
            (self.slower_than_mps, self.speed_field, written(self.only_while), self.silent_ms),
            (self.apart, self.from_),
        )

    def span_ms(self) -> int:
        """How long keys must be near each other."""
        return self.at_least_ms

    def keeps_every_key(self) -> bool:
        """Every key that is somewhere is remembered there."""
        return True


@dataclass(frozen=True, slots=True)
class NearPart(OperatorSpec):
    """What one part of a `near` rule was declared to do: the whole, and what notes are about.

    Attributes:
        times: The fields that hold the time of the feeds' events.

    """

    near: NearSpec
    times: frozenset[str]

    def of_keys(self) -> bool:
        """As the whole."""
        return False

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """As the whole."""
        return self.near.expressions(feed)

    def fields(self) -> frozenset[str]:
        """As the whole, and what a note holds beside its key, its subject and its time."""
        return self.near.fields() | self.times | {KIND}
