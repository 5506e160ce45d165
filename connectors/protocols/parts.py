"""Messages that come in parts: put together in any order, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Part(NamedTuple, Generic[T]):
    """One part: which message it belongs to, its number from 1, and of how many."""

    name: Hashable
    number: int
    of: int
    item: T
    size: int


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """What came of a part.

    Attributes:
        whole: All parts in order, once none is missing.
        lost: Parts of messages that were given up for want of room.

    """

    whole: list[T]
    lost: list[list[T]]


class Parts(Generic[T]):
    """Holds unfinished messages; when they are too large, the oldest is given up."""

    def __init__(self, most: int) -> None:
        """Hold at most so many bytes."""
        self._most = most
        self._held: OrderedDict[Hashable, dict[int, Part[T]]] = OrderedDict()
        self._bytes = 0

    def take(self, part: Part[T]) -> Taken[T]:
        """Add a part; one that came before changes nothing."""
        if part.of <= 1:
            return Taken([part.item], [])
        name = (part.name, part.of)
        parts = self._held.setdefault(name, {})
        if part.number not in parts:
            parts[part.number] = part
            self._bytes += part.size
        if len(parts) == part.of:
            return Taken(self._drop(name), [])
        lost: list[list[T]] = []
        while self._bytes > self._most:
            lost.append(self._drop(next(iter(self._held))))
        return Taken([], lost)

    def missing(self) -> list[tuple[T, list[int]]]:
        """Of each unfinished message a part that came, and the numbers of those that did not."""
        found: list[tuple[T, list[int]]] = []
        for parts in self._held.values():
            some = next(iter(parts.values()))
            lacking = [number for number in range(1, some.of + 1) if number not in parts]
            found.append((some.item, lacking))
        return found

    def give_up(self) -> list[list[T]]:
        """The parts of everything unfinished, which is forgotten now."""
        return [self._drop(name) for name in list(self._held)]

    def _drop(self, name: Hashable) -> list[T]:
        parts = self._held.pop(name)
        self._bytes -= sum(part.size for part in parts.values())
        return [parts[number].item for number in sorted(parts)]
