"""Saved rows rule by rule, so that what holds for all rows of a rule is asked once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload, runtime_checkable

from engine.ports import Write

Groups = dict[str, dict[str, bytes]]
"""For each rule, or name of our own, the rows it saved by their keys."""


@runtime_checkable
class Grouped(Protocol):
    """Rows that know which rule they belong to without being asked one by one."""

    def by_rule(self) -> Groups:
        """The rows of each rule. A core that takes rows up keeps these dictionaries for itself."""


@dataclass(frozen=True, slots=True)
class StateRows(Sequence[Write]):
    """Rows kept by rule; each is only made when it is asked for.

    A list of them would be in memory a second time while the core takes them up.
    """

    groups: Groups

    def by_rule(self) -> Groups:
        """The rows of each rule, not a copy of them."""
        return self.groups

    def __iter__(self) -> Iterator[Write]:
        return (
            Write(rule, key, value)
            for rule, rows in self.groups.items()
            for key, value in rows.items()
        )

    def __len__(self) -> int:
        return sum(map(len, self.groups.values()))

    @overload
    def __getitem__(self, place: int) -> Write: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Write]: ...

    def __getitem__(self, place: int | slice) -> Write | Sequence[Write]:
        return list(self)[place]


def by_rule(rows: Iterable[Write]) -> Groups:
    """Rows by rule and key; those that were forgotten are left out."""
    if isinstance(rows, Grouped):
        return rows.by_rule()
    groups: Groups = {}
    for rule, key, value in rows:
        if value is not None:
            groups.setdefault(rule, {})[key] = value
    return groups
