"""scatter: the part of a rule over places that knows where each key is, and tells the map's cells.

    fix of a key ----> its cell, and each cell whose edge is within the margin:   "here"
                 ----> cells that were told before and are not concerned now:     "left"
    silence, or a fix that takes the key out of the game:                         "left"

What a key was last told to be is saved with the note of it, in one transaction. So a cell always
learns that a key has left, also after a crash, and whoever looks at one cell knows every key that
lies in it or within the margin of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.lifecycle import Judge, Life
from engine.geo.places import Cell, Places, cell_name
from engine.operators.base import Event, EventCodec, Host
from engine.operators.near_note import farewell, note, rest_of
from engine.ports import Sent

Sight = Callable[[Event, Any], tuple[float | None, float | None, int] | None]
"""One look at an event: None if its key takes no part now, else its position and its kind."""


class Seen:
    """Where a key was last.

    Attributes:
        lon, lat: Its last position that counted (WGS-84 degrees).
        last: Event time of its last fix (ms).
        cells: The cells that were told that it is there.
        feed: The feed of its last fix.
        waits: Whether a timer for its silence is on its way.

    """

    __slots__ = ("cells", "feed", "last", "lat", "lon", "waits")

    def __init__(
        self, lon: float, lat: float, last: int, feed: str, cells: tuple[Cell, ...]
    ) -> None:
        self.lon = lon
        self.lat = lat
        self.last = last
        self.feed = feed
        self.cells = cells
        self.waits = False


class ScatterLogic:
    """All keys of one rule in one partition of the key space of its key.

    Of two fixes of a key at the very same instant the first in the order of events counts.

    State: one `Seen` per key that is somewhere; none for a key that left or fell silent.
    """

    def __init__(
        self,
        places: Places,
        sights: Mapping[str, Sight],
        extras: Callable[[str, Event, int], Any] | None,
        silent_ms: int | None,
        links: tuple[str, Mapping[str, str]],
        judge: Judge,
        host: Host,
        codec: EventCodec,
        mark: str = "",
    ) -> None:
        """Make an empty partition.

        Args:
            places: The cells, with the margin as their reach.
            sights: For each feed, how its fixes are looked at.
            extras: The names that a sight may ask for beside the event's fields.
            silent_ms: How long a key is believed to be where it was last.
            links: The key space of the cells, and for each feed the derived feed it reads.
            judge: Unused; a part that only sends has no alerts.
            host: Timers, changed keys, sending.
            codec: As the judge.
            mark: What the rows say they are about.

        """
        self.places = places
        self.mark = mark
        self.sights = sights
        self.extras = extras
        self.silent_ms = silent_ms
        self.space, self.derived = links
        self.life = Life(judge, host, codec)
        self.host = host
        self.keys: dict[str, Seen] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one fix; a key that takes no part and is nowhere costs one look."""
        sight, extras, keys = self.sights[feed], self.extras, self.keys
        around, silent = self.places.around, self.silent_ms
        touch, wake = self.host.dirty.add, self.host.wake

        def on_event(key: str, event: Event, at_ms: int) -> None:
            seen = keys.get(key)
            found = sight(event, None if extras is None else extras(key, event, at_ms))
            if found is None:
                if seen is not None and seen.last < at_ms:
                    self._leave(key, seen, at_ms)
                return
            lon, lat, kind = found
            if lon is None or lat is None:
                return
            if seen is None:
                cells = around(lon, lat)
                seen = keys[key] = Seen(lon, lat, at_ms, feed, cells)
            elif seen.last == at_ms:
                return
            else:
                if lon != seen.lon or lat != seen.lat:
                    seen.lon, seen.lat = lon, lat
                    before, seen.cells = seen.cells, around(lon, lat)
                    if before != seen.cells:
                        self._tell_left(key, seen, set(before) - set(seen.cells), at_ms)
                seen.last, seen.feed = at_ms, feed
            touch(key)
            self._tell_here(key, seen, kind, event, at_ms)
            if silent is not None and not seen.waits:
                seen.waits = True
                wake(at_ms + silent + 1, key)

        return on_event

    def late(self, feed: str) -> None:
        """Where a key was is never revised."""

    def _tell_here(self, key: str, seen: Seen, kind: int, event: Event, at_ms: int) -> None:
        send, space, feed = self.host.send, self.space, self.derived[seen.feed]
        rest = rest_of(event)
        for cell in seen.cells:
            name = cell_name(cell)
            send(Sent(space, feed, name, at_ms, note(name, key, at_ms, kind, rest)))

    def _tell_left(self, key: str, seen: Seen, cells: set[Cell], at_ms: int) -> None:
        send, space, feed = self.host.send, self.space, self.derived[seen.feed]
        for cell in sorted(cells):
            name = cell_name(cell)
            send(Sent(space, feed, name, at_ms, farewell(name, key, at_ms)))

    def _leave(self, key: str, seen: Seen, at_ms: int) -> None:
        """A key is nowhere any more."""
        del self.keys[key]
        self.host.touch(key)
        self._tell_left(key, seen, set(seen.cells), at_ms)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A key may have been silent for longer than it is believed to stay."""
        seen, silent = self.keys.get(key), self.silent_ms
        if seen is None or silent is None:
            return
        if at_ms - seen.last > silent:
            self._leave(key, seen, at_ms)
        else:
            self.host.wake(seen.last + silent + 1, key)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first fix."""

    def save(self, key: str) -> Any:
        """Where a key is, or None if it is nowhere."""
        seen = self.keys.get(key)
        if seen is None:
            return None
        return [[seen.lon, seen.lat, seen.last, seen.feed, self.mark], []]

    def load(self, key: str, saved: Any) -> None:
        """Take up where a key was, and wait for its silence."""
        lon, lat, last, feed, *_ = saved[0]
        seen = self.keys[key] = Seen(lon, lat, last, feed, self.places.around(lon, lat))
        if self.silent_ms is not None:
            seen.waits = True
            self.host.wake(last + self.silent_ms + 1, key)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys)
