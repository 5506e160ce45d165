"""A worker that lives but reads nothing ends itself, so that whoever started it starts it anew.

Alive is not working: after trouble with the broker a client can send heartbeats and never fetch
again. What counts is that positions move while there is something to read, that partitions that
are ours can be opened, and that we come back into the group after we were told to leave it.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from engine.edge.streaming.link import Link
from engine.errors import EnvironmentUnusable
from engine.kafka.access import coded
from engine.kafka.reach import knock_all, why_not
from engine.text import say

STRIKES = 2
"""So many looks in a row must find a partition where it was."""
LEAST_S = 30.0
SESSIONS = 3
"""So many sessions lie between two looks, but at least `LEAST_S`."""
LONG_S = 300.0
"""For so long something may fail again and again while the broker answers."""
ANSWER_S = 10.0


class Positions(Protocol):
    """Tells the offset of the next record that would be read."""

    async def position(self, tp: TP) -> int | None:
        """For one partition."""


class Watchdog:
    """Looks at the positions now and then; remembers how often each was found unmoved."""

    def __init__(self, link: Link, lang: str = "en") -> None:
        self.every_s = max(LEAST_S, SESSIONS * link.session_s)
        self._link = link
        self._lang = lang
        self._seen: dict[TP, int | None] = {}
        self._strikes: dict[TP, int] = {}

    async def run(
        self,
        positions: Positions,
        reading: Callable[[], Collection[TP]],
        stop: Callable[[BaseException], None],
        failing: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """Look until cancelled, or until something is wrong, which `stop` is told.

        Args:
            positions: How far each partition was read.
            reading: Answers the partitions that should move.
            stop: Ends the worker.
            failing: Answers what fails again and again, and for how many seconds.

        """
        while True:
            await asyncio.sleep(self.every_s)
            stuck = await self.look(positions, reading())
            if stuck:
                places = ", ".join(f"{place.topic}/{place.partition}" for place in sorted(stuck))
                stop(EnvironmentUnusable(say("stream-stuck", self._lang, places=places)))
                return
            long = await self.overdue(failing())
            if long:
                words = {"names": ", ".join(long), "seconds": int(LONG_S)}
                stop(EnvironmentUnusable(coded("K131", self._lang, **words)))
                return

    async def overdue(self, failing: Mapping[str, float]) -> list[str]:
        """What has been failing for too long although a broker answers."""
        long = sorted(name for name, seconds in failing.items() if seconds >= LONG_S)
        if not long:
            return []
        answers = await knock_all(self._link.bootstrap, self._link.way, self._link.app)
        return [] if why_not(answers) else long

    async def look(self, positions: Positions, reading: Collection[TP]) -> set[TP]:
        """The partitions that hold records, are read, and do not move."""
        now = {place: await _position(positions, place) for place in reading}
        self._strikes = {
            place: self._strikes.get(place, 0) + 1
            for place, position in now.items()
            if place in self._seen and self._seen[place] == position
        }
        self._seen = now
        suspects = [place for place, strikes in self._strikes.items() if strikes >= STRIKES]
        if not suspects:
            return set()
        try:
            ends = await asyncio.wait_for(ends_of(self._link, suspects), ANSWER_S)
        except (KafkaError, OSError, TimeoutError):
            return set()  # the broker is away: nobody could read
        return {place for place in suspects if (now[place] or 0) < ends[place]}


async def _position(positions: Positions, place: TP) -> int | None:
    try:
        return await asyncio.wait_for(positions.position(place), ANSWER_S)
    except (KafkaError, IllegalStateError, TimeoutError):
        return None


async def ends_of(link: Link, places: Collection[TP]) -> Mapping[TP, int]:
    """Where each partition ends for a reader of committed records, asked over a new connection."""
    reader = AIOKafkaConsumer(
        **link.client(), isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        await reader.start()
        found: Mapping[TP, int] = await reader.end_offsets(list(places))
        return found
    finally:
        await reader.stop()
