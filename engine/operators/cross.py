"""cross: a key enters, leaves or passes a zone or a line, at fixes and between two of them.

fixes     o    o   |  x    x  |   o       enters at the first x, leaves at the o after them
o -------|----------|-> o       passes, between two fixes at most `gap` apart
margin    o  |o  x|  o  x                 to and fro within it is one crossing or none
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.alerts.context import Names
from engine.alerts.lifecycle import Judge, Life
from engine.geo.passing import Position, Reach, Step
from engine.operators.base import Event, EventCodec, Host
from engine.operators.cross_sides import COUNTS, INSIDE, LASTED, SINCE, Move, Place, Side, Sides
from engine.operators.specs.base import mark_of
from engine.operators.specs.cross import CrossSpec, How

Where = Callable[[Event], tuple[float | None, float | None]]
Scope = Callable[[str, Event, int], Names]
While = Callable[[Event, Any], Any]


class Track:
    """What is remembered of one key: its last fix, and its side of each edge that matters.

    Attributes:
        hits: By zone or line, when the key last passed, while that alert is open.
        wake: The instant at which it is forgotten unless a fix comes.

    """

    __slots__ = ("at", "hits", "lat", "lon", "sides", "wake")

    def __init__(self, at_ms: int, lon: float, lat: float) -> None:
        self.at = at_ms
        self.lon = lon
        self.lat = lat
        self.sides: dict[str, Side] = {}
        self.hits: dict[str, int] = {}
        self.wake = 0


class CrossLogic:
    """All keys of one `cross` rule in one partition.

    State: per key the last fix, and a few numbers for each zone it is in or near and each line it
    has not settled; forgotten when the key was silent for `forget`.
    """

    def __init__(
        self,
        spec: CrossSpec,
        places: Sequence[Place],
        where: Mapping[str, Where],
        only_while: While | None,
        scope: Scope,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.mark = mark_of(spec)
        self.places = {place.id: place for place in places}
        self.reach = Reach([(place.id, place.path.bounds) for place in places], spec.margin_m)
        self.where = where
        self.only_while = only_while
        self.scope = scope
        self.rules = Sides(spec)
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Track] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one fix and see what it crossed."""
        where, opened, listens = self.where[feed], self.life.open, self.life.listens

        def on_event(key: str, event: Event, at_ms: int) -> None:
            lon, lat = where(event)
            if lon is not None and lat is not None:
                self._fix(feed, key, event, at_ms, (lon, lat))
            if listens and key in opened:
                self.life.event(key, event, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A crossing is never revised by late fixes."""

    def _fix(self, feed: str, key: str, event: Event, at_ms: int, here: Position) -> None:
        """Look at every zone or line that the fix, or the way to it, may have to do with."""
        track, spec = self.keys.get(key), self.spec
        self.host.touch(key)
        way, known = None, track is not None
        if track is None:
            track = self.keys[key] = Track(at_ms, *here)
            track.wake = at_ms + spec.forget_ms
            self.host.wake(track.wake, key)
        else:
            way = Step((track.lon, track.lat), here)
        step = way if way is not None and at_ms - track.at <= spec.gap_ms else None
        track.at, (track.lon, track.lat) = at_ms, here
        towards = self._towards(way)
        box = (*here, *here) if step is None else step.bounds()
        ids = self.reach.meeting(box)
        if track.sides:
            ids = sorted({*ids, *(one for one in track.sides if one in self.places)})
        for one in ids:
            place = self.places[one]
            if place.contains is None:
                move, met = self.rules.line(track.sides, place, step, here)
            else:
                move, met = self.rules.zone(track.sides, place, at_ms, step, here, known=known)
            if move is Move.THROUGH:
                if towards and spec.how is not How.LEAVES and not spec.at_least_ms:
                    self._hit(feed, key, track, place, event, at_ms, met)
            elif place.contains is not None and one in track.sides:
                self._side(feed, key, track, place, event, at_ms, move, towards=towards)
        if track.hits and not spec.quiet_ms:
            for one in [one for one, hit in track.hits.items() if hit != at_ms]:
                del track.hits[one]
                self.life.gone(key, at_ms, event, one)

    def _towards(self, way: Step | None) -> bool:
        """Whether the key moves between the declared bearings."""
        if self.spec.bearing is None:
            return True
        if way is None or way.begin == way.end:
            return False
        low, high = self.spec.bearing
        return (way.bearing() - low) % 360.0 <= (high - low) % 360.0

    def _side(
        self, feed: str, key: str, track: Track, place: Place, event: Event, at_ms: int,
        move: Move, *, towards: bool,
    ) -> None:  # fmt: skip
        """What a fix means for the zone that a key is in, or has left."""
        spec, side, here = self.spec, track.sides[place.id], (track.lon, track.lat)
        if spec.how is How.LEAVES:
            if move is Move.ENTERED:
                track.hits.pop(place.id, None)
                self.life.gone(key, at_ms, event, place.id)
            elif move is Move.LEFT:
                side[COUNTS] = towards and side[LASTED] >= spec.at_least_ms
                if spec.quiet_ms or not side[COUNTS]:
                    del track.sides[place.id]
                if side[COUNTS] and spec.quiet_ms:
                    self._hit(feed, key, track, place, event, at_ms, here)
                    return
            if not side[INSIDE] and side[LASTED] is not None and side[COUNTS]:
                track.hits.pop(place.id, None)
                self._state(feed, key, place, event, at_ms, side[SINCE], here)
            return
        if move is Move.ENTERED:
            side[COUNTS] = side[COUNTS] and towards
        elif move is Move.LEFT:
            del track.sides[place.id]
            if spec.how is How.ENTERS:
                self.life.gone(key, at_ms, event, place.id)
            elif side[COUNTS] and side[LASTED] >= spec.at_least_ms:
                self._hit(feed, key, track, place, event, at_ms, here)
            return
        long = at_ms - side[SINCE] >= spec.at_least_ms
        if spec.how is How.ENTERS and side[INSIDE] and side[COUNTS] and long:
            track.hits.pop(place.id, None)
            self._state(feed, key, place, event, at_ms, side[SINCE], here)

    def _state(
        self, feed: str, key: str, place: Place, event: Event, at_ms: int, since: int,
        here: Position,
    ) -> None:  # fmt: skip
        """A key is where the rule does not want it: an alert for as long as `while` holds."""
        if not self.meant(key, place, event, at_ms):
            self.life.gone(key, at_ms, event, place.id)
            return
        facts: dict[str, Any] = {"zone": place.record, "feed": feed, "last": at_ms}
        if self.life.find(key, place.id) is None:
            facts["anchor"] = list(here)
        begun = since if self.only_while is None else at_ms
        self.life.hold(key, begun, at_ms, event, facts, place.id)

    def _hit(
        self, feed: str, key: str, track: Track, place: Place, event: Event, at_ms: int,
        met: Position,
    ) -> None:  # fmt: skip
        """A key passed: an alert that the next fix ends, or `quiet`."""
        if not self.meant(key, place, event, at_ms):
            return
        track.hits[place.id] = at_ms
        facts = {"zone": place.record, "feed": feed, "last": at_ms, "anchor": list(met)}
        self.life.hold(key, at_ms, at_ms, event, facts, place.id)
        if self.spec.quiet_ms:
            self.host.wake(at_ms + self.spec.quiet_ms, key)

    def meant(self, key: str, place: Place, event: Event, at_ms: int) -> bool:
        """Whether `while` holds of a fix and a zone or line."""
        if self.only_while is None:
            return True
        names = self.scope(key, event, at_ms)
        names["zone"] = place.record
        return self.only_while(event, names) is True

    def on_timer(self, key: str, at_ms: int) -> None:
        """It was quiet, or silent, for long enough; or an alert asked for this instant."""
        track, quiet = self.keys.get(key), self.spec.quiet_ms
        if track is not None:
            self.host.touch(key)
            for one in [one for one, hit in track.hits.items() if quiet and at_ms >= hit + quiet]:
                del track.hits[one]
                self._gone(key, at_ms, one)
            if at_ms == track.wake:
                track.wake = track.at + self.spec.forget_ms
                if at_ms >= track.wake:
                    for one in sorted(self.life.open.get(key, {})):
                        self._gone(key, at_ms, one)
                    del self.keys[key]
                else:
                    self.host.wake(track.wake, key)
        if key in self.life.open:
            silent = track is not None and at_ms - track.at > max(self.spec.gap_ms, 1)
            self.life.on_timer(key, at_ms, known=not silent)

    def _gone(self, key: str, at_ms: int, part: str) -> None:
        """An alert's condition ended without a fix."""
        episode = self.life.find(key, part)
        if episode is not None:
            self.life.gone(key, at_ms, episode.event, part)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first fix."""

    def save(self, key: str) -> Any:
        """Track and episodes of a key, or None."""
        track, episodes = self.keys.get(key), self.life.save(key)
        if track is None:
            return [None, episodes] if episodes else None
        sides = [[one, list(side)] for one, side in sorted(track.sides.items())]
        hits = [[one, at] for one, at in sorted(track.hits.items())]
        return [[track.at, track.lon, track.lat, sides, hits, track.wake, self.mark], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        kept, episodes = saved
        if kept is not None:
            track = self.keys[key] = Track(kept[0], kept[1], kept[2])
            track.sides = {one: list(side) for one, side in kept[3]}
            track.hits = dict(kept[4])
            track.wake = kept[5]
            self.host.wake(track.wake, key)
            if self.spec.quiet_ms:
                for at in track.hits.values():
                    self.host.wake(at + self.spec.quiet_ms, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
