"""What the cleaning of positions remembers: the last good fix of each key of a feed."""

from operator import attrgetter
from typing import Any

from engine.feeds.hygiene import Cleaner
from engine.ports import Write
from engine.state.codec import CLEANING, pack_row

IDLE_MS = 86_400_000
"""A key without a fix for a day (or twice the `stuck` time) is forgotten."""


class Cleaning:
    """The cleaning of one feed's positions in one partition.

    State: per key what `Cleaner` keeps (the last good fix and a few doubtful ones), until the key
    was silent for a day of event time.

    Attributes:
        floors: Keys that came from a partition that was further on, and how far that was.

    """

    def __init__(self, feed: str, cleaner: Cleaner) -> None:
        position = cleaner.spec.position
        if position is None:
            message = f"feed '{feed}' has no position to clean"
            raise ValueError(message)
        self.rule = CLEANING + feed
        self.cleaner = cleaner
        self.keys: dict[str, Any] = {}
        self.seen: dict[str, int] = {}
        self.dirty: set[str] = set()
        self.floors: dict[str, int] = {}
        self.swept = 0
        self.keep_ms = max(IDLE_MS, 2 * (cleaner.spec.hygiene.stuck_ms or 0))
        self._lon, self._lat = attrgetter(position.lon), attrgetter(position.lat)

    def judge(self, key: str, event: Any, at_ms: int) -> str | None:
        """Why this fix is not believed, or None if it is."""
        lon, lat = self._lon(event), self._lat(event)
        if lon is None or lat is None:
            return None
        if self.floors and at_ms < self.floors.get(key, at_ms):
            return "late"
        keep, reason, state = self.cleaner.clean(self.keys.get(key), at_ms, lon, lat)
        self.keys[key] = state
        self.seen[key] = at_ms
        self.dirty.add(key)
        if at_ms - self.swept > IDLE_MS:
            self._sweep(at_ms)
        return None if keep else reason

    def _sweep(self, at_ms: int) -> None:
        """Forget keys that were silent for long."""
        self.swept = at_ms
        for key in [key for key, seen in self.seen.items() if seen < at_ms - self.keep_ms]:
            del self.keys[key], self.seen[key]
            self.dirty.add(key)

    def writes(self) -> list[Write]:
        """State rows that changed since the last call."""
        rows = []
        for key in sorted(self.dirty):
            state = self.keys.get(key)
            value = None if state is None else pack_row("", [state, self.seen[key], self.swept])
            rows.append(Write(self.rule, key, value))
        self.dirty.clear()
        return rows

    def load(self, key: str, saved: Any) -> None:
        """Take up one saved key."""
        self.keys[key], self.seen[key] = saved[0], saved[1]
        self.swept = max(self.swept, saved[2])
