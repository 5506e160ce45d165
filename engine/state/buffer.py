"""The reorder buffer: events wait here until no earlier one can come."""

from bisect import bisect_left
from collections.abc import Callable
from itertools import chain, pairwise
from typing import Any

Entry = tuple[int, int, str, str, int, int, int, tuple[int, ...], Any]
"""Order time, feed number, key, rank, log number, offset, watermark before, rules, event.

The first four are the total order of the semantics; log and offset make every entry distinct, so
that sorting never compares two events.
"""


class ReorderBuffer:
    """Events that are not yet released, in any order; released in order of (time, feed, key, id).

    Two entries with the same time, feed, key and id are one event reported twice. If their content
    differs, the one with the lesser content counts, so that the answer depends on the set of
    events and not on who came first.

    Attributes:
        waiting: Entries that wait under the rules as they are.
        elders: Entries, in order, that began to wait under other rules; they are judged anew when
            their turn comes, so that a change of rules costs nothing at once.

    """

    __slots__ = ("_anew", "_sorted", "content", "duplicates", "elders", "waiting")

    def __init__(self, content: Callable[[Any], bytes]) -> None:
        self.waiting: list[Entry] = []
        self.content = content
        self.duplicates = 0
        self.elders: list[Entry] = []
        self._anew: Callable[[Entry], Entry | None] = _as_it_is
        self._sorted = 0

    def inherit(self, elders: list[Entry], anew: Callable[[Entry], Entry | None]) -> None:
        """Hold what began to wait under other rules.

        Args:
            elders: The entries; the list is this buffer's from now on.
            anew: What becomes of an entry under the rules as they are; None if nobody wants it.

        """
        elders.sort()
        self.elders, self._anew = elders, anew

    @property
    def size(self) -> int:
        """How many entries wait."""
        return len(self.waiting) + len(self.elders)

    def release(self, before: int) -> list[Entry]:
        """Take out, in order and without duplicates, every entry with a time below `before`."""
        waiting = self.waiting
        if self.elders:
            cut = bisect_left(self.elders, (before,))
            waiting += filter(None, map(self._anew, self.elders[:cut]))
            del self.elders[:cut]
        if not waiting:
            return waiting
        if self._sorted != len(waiting):
            waiting.sort()
        cut = bisect_left(waiting, (before,))
        released = waiting[:cut]
        del waiting[:cut]
        self._sorted = len(waiting)
        return self._distinct(released)

    def _distinct(self, entries: list[Entry]) -> list[Entry]:
        """Drop repeats; entries are sorted, so repeats are neighbours."""
        for one, other in pairwise(entries):
            # Few events share their instant, so one number tells most of them apart.
            if one[0] == other[0] and one[:4] == other[:4]:
                break
        else:
            return entries
        kept: list[Entry] = []
        for entry in entries:
            if kept and kept[-1][:4] == entry[:4]:
                self.duplicates += 1
                if self.content(entry[8]) < self.content(kept[-1][8]):
                    kept[-1] = entry
            else:
                kept.append(entry)
        return kept

    def lowest(self, log: int) -> tuple[int, int] | None:
        """Offset and watermark-before of the lowest waiting entry of a log."""
        found: tuple[int, int] | None = None
        for entry in chain(self.elders, self.waiting):
            if entry[4] == log and (found is None or entry[5] < found[0]):
                found = (entry[5], entry[6])
        return found


def _as_it_is(entry: Entry) -> Entry:
    return entry
