"""Records that were fetched and wait for their turn while the batch before them is worked on.

Fetching goes on meanwhile, so that what a turn finds here is as fresh as the broker can make it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from faust.types import TP

from engine.edge.streaming.light import Fresh


class Fetched(NamedTuple):
    """What one poll brought.

    Attributes:
        records: New records of each partition that had any, in their order.
        reached: For each partition that was asked, the offset that would be read next.
        told: For each of them, when the broker last said how far it goes (as aiokafka notes it).

    """

    records: Mapping[TP, Sequence[Fresh]]
    reached: Mapping[TP, int]
    told: Mapping[TP, int | None] = {}


NOTHING = Fetched({}, {})
FRESH_S = 3.0
"""A broker that has said nothing of a partition for so long may be away; it answers four times a
second, also when there is nothing new."""


class Intake:
    """Holds at most so many records, besides those of one poll; for one event loop."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._waiting: dict[TP, list[Fresh]] = {}
        self._reached: dict[TP, int] = {}
        self._told: dict[TP, tuple[int | None, float]] = {}
        self._count = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Return when there is room for another poll."""
        await self._room.wait()

    async def news(self, at_most_s: float) -> None:
        """Return when records wait, or after so many seconds."""
        if not self._news.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most_s):
                    await self._news.wait()

    def put(self, fetched: Fetched, welcome: set[TP]) -> None:
        """Add a poll; partitions that are not welcome any more are read again later."""
        for place, reached in fetched.reached.items():
            if place in welcome:
                self._reached[place] = reached
                told = fetched.told.get(place)
                if self._told.get(place, (None, 0.0))[0] != told:
                    self._told[place] = (told, self._clock())
        for place, records in fetched.records.items():
            if place in welcome and records:
                self._waiting.setdefault(place, []).extend(records)
                self._count += len(records)
                self._news.set()
        if self._count >= self._most:
            self._room.clear()

    def take(self) -> Mapping[TP, Sequence[Fresh]]:
        """Everything that waits; it is the caller's now."""
        taken, self._waiting, self._count = self._waiting, {}, 0
        self._news.clear()
        self._room.set()
        return taken

    def drop(self, places: Iterable[TP]) -> None:
        """Forget what waits of these partitions: they will be read again from elsewhere."""
        for place in places:
            self._count -= len(self._waiting.pop(place, ()))
            self._reached.pop(place, None)
            self._told.pop(place, None)
        if not self._waiting:
            self._news.clear()
        if self._count < self._most:
            self._room.set()

    def clear(self) -> None:
        """Forget everything."""
        self.drop({*self._waiting, *self._reached})

    def reached(self, place: TP) -> int | None:
        """The offset after all that was fetched, if that is known."""
        return self._reached.get(place)

    def hears(self, place: TP) -> bool:
        """Whether the broker said just now how far a partition goes."""
        return place in self._told and self._clock() - self._told[place][1] <= FRESH_S

    def handed(self, place: TP) -> int | None:
        """The offset after all that was handed over; None if some of it waits, or unknown."""
        return None if place in self._waiting else self._reached.get(place)
