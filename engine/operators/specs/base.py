"""What the compiler and the linter ask of every operator's declaration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.ruleset.expr import Typed
    from engine.ruleset.expr.types import Type

Path = tuple[str | int, ...]


class OperatorSpec:
    """The one operator of a rule, checked; each operator answers here for what it uses."""

    __slots__ = ()

    def reads_all(self) -> bool:
        """Whether its alerts may read any field of its events, so that all must be decoded."""
        return False

    def awaits_unseen(self) -> bool:
        """Whether keys that no event named have timers, so that events must be routed by key."""
        return False

    def expressions(self, feed: str) -> "Sequence[Typed]":
        """The expressions over this feed's events that make it fire; shown as evidence."""
        del feed
        return ()

    def fields(self) -> frozenset[str]:
        """Fields it reads beside those in expressions."""
        return frozenset()

    def tables(self) -> frozenset[str]:
        """Look-up tables it reads, such as a roster."""
        return frozenset()

    def layers(self) -> frozenset[str]:
        """Zone layers it reads."""
        return frozenset()

    def conditions(self, only: str) -> "Sequence[tuple[Path, Typed, str]]":
        """Each condition without which it cannot fire: path, expression, feed.

        `only` is the rule's feed where it reads one, else empty.
        """
        del only
        return ()

    def alert_types(self) -> "Mapping[str, Type]":
        """Names of its own that levels and texts may use, in their units; a field hides them."""
        return {}

    def by_part(self) -> bool:
        """Whether alerts about one key are about things of their own, such as zones."""
        return False

    def of_keys(self) -> bool:
        """Whether its alerts are about the key of the events, so that one can prove them over."""
        return True

    def span_ms(self) -> int:
        """How long it looks back before it fires; a longer `for` is probably a mistake. 0: none."""
        return 0

    def meaning(self) -> tuple[object, ...]:
        """What its saved facts are about; an edit that changes it cannot keep them by `migrate`."""
        return ()

    def knows_repeats(self) -> bool:
        """Whether it knows an event that is told again, for which it asks what its id is."""
        return False

    def keeps_every_key(self) -> bool:
        """Whether it remembers something of each key that any event names."""
        return False


def mark_of(spec: OperatorSpec, *more: object) -> str:
    """A fingerprint of what saved facts are about, and of what `more` they hang on."""
    return blake2b(repr((spec.meaning(), more)).encode(), digest_size=6).hexdigest()


def written(typed: "Typed | None") -> str:
    """An expression as it was declared; empty if it was not."""
    return "" if typed is None else typed.text


@dataclass(frozen=True, slots=True)
class EventTest:
    """Events of one feed that satisfy a condition; `where` None means all of them."""

    feed: str
    where: "Typed | None" = None
