"""corridor: a key leaves its planned route, turns back on it, or takes a section too fast or slow.

    route   ======A=====================B=======        posts A and B
    off              '---x---x---x  fires at_least after the first fix off, on the route: clears
    back    -------------->|  <-----!                   fires when it is `by` behind its furthest
    section       |- - - - - - - - - - -|               mean speed from post to post

Which route is the key's is asked for at every fix, as of its time. Progress is monotone but for a
slack: a fix a little behind the one before is jitter.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.lifecycle import Judge, Life
from engine.geo.routes import Near, Route, along
from engine.operators.base import Event, EventCodec, Host
from engine.operators.specs.base import mark_of
from engine.operators.specs.corridor import CorridorSpec, Watched

Where = Callable[[Event], tuple[float | None, float | None]]

_KMH = 3.6


class Trip:
    """What is remembered of one key on one route.

    Attributes:
        at: Its last fix that counted, UTC ms; `event` and `feed` what it said, where a timer needs
            it.
        since: When it was first off, or at its furthest, or passed the last post.
        anchor: Where it was then.
        progress: How far it last was, metres.
        mark: Its furthest, or how far back it came once it turned.
        post: Number of the last post it passed, or -1 when that is not known.
        holds: Whether what the rule looks for holds now.
        quiet: When the alert of a fast section ends; 0 for no such alert.
        wake: The instant of the timer that counts, or 0.

    """

    __slots__ = (
        "anchor", "at", "event", "feed", "holds", "mark", "post", "progress", "quiet", "route",
        "since", "wake",
    )  # fmt: skip

    def __init__(self, route: str, at: int, anchor: tuple[float, float]) -> None:
        self.route, self.at, self.since, self.anchor = route, at, at, anchor
        self.progress = self.mark = 0.0
        self.post = -1
        self.holds = False
        self.quiet = self.wake = 0
        self.event: Event | None = None
        self.feed = ""


class CorridorLogic:
    """All keys of one `corridor` rule in one partition.

    State: one `Trip` a key; for `off` only while it is off its route. A key is given up `forget`
    after its last fix.
    """

    def __init__(
        self,
        spec: CorridorSpec,
        routes: Mapping[str, Route],
        route_of: Callable[[Event, Any], Any],
        where: Mapping[str, Where],
        scope: Callable[[str, Event, int], Any] | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.mark = mark_of(spec)
        self.routes = routes
        self.route_of = route_of
        self.where = where
        self.scope = scope
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Trip] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one fix: which route it should be on, and where on it it is."""
        where, route_of, scope = self.where[feed], self.route_of, self.scope
        keys, routes, opened = self.keys, self.routes, self.life.open
        step = {Watched.BACK: self._back, Watched.SECTION: self._section}.get(self.spec.watched)

        def on_event(key: str, event: Event, at_ms: int) -> None:
            lon, lat = where(event)
            if lon is None or lat is None:
                return
            trip = keys.get(key)
            name = route_of(event, None if scope is None else scope(key, event, at_ms))
            route = routes.get(name) if name is not None else None
            if trip is not None and (route is None or trip.route != name):
                self._end(key, at_ms, event, over=True)
                trip = None
            if route is not None:
                if step is None:
                    near = route.holds(lon, lat)
                    if not near or trip is not None:
                        self._off(key, trip, route, feed, event, at_ms, (lon, lat), near=near)
                elif found := route.near(lon, lat):
                    step(key, trip, route, found, feed, event, at_ms, (lon, lat))
            if key in opened:
                self.life.event(key, event, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """Where a key was is never revised by late fixes."""

    def _off(
        self,
        key: str,
        trip: Trip | None,
        route: Route,
        feed: str,
        event: Event,
        at_ms: int,
        where: tuple[float, float],
        *,
        near: bool,
    ) -> None:
        """A fix on the route ends what was; one off it begins or continues."""
        if near:
            if trip is not None:
                self._end(key, at_ms, event)
            return
        spec = self.spec
        if trip is None:
            trip = self.keys[key] = Trip(route.id, at_ms, where)
        elif at_ms - trip.at > spec.silent_ms and not spec.gap_counts and not trip.holds:
            trip.since, trip.anchor = at_ms, where  # nobody knows where it was meanwhile
        trip.at, trip.feed, trip.event = at_ms, feed, event
        self.host.touch(key)
        if at_ms >= trip.since + spec.at_least_ms:
            self._hold(key, trip, route, event, at_ms, {"away": route.away(*where)})
        self._arm(key, trip)

    def _back(
        self,
        key: str,
        trip: Trip | None,
        route: Route,
        near: list[Near],
        feed: str,
        event: Event,
        at_ms: int,
        where: tuple[float, float],
    ) -> None:
        """How far it is behind its furthest, or ahead again of how far back it came."""
        found = along(near, None if trip is None else trip.progress)
        if trip is None:
            trip = self.keys[key] = Trip(route.id, at_ms, where)
            trip.mark = found.progress
        trip.at, trip.feed, trip.progress = at_ms, feed, found.progress
        by = self.spec.by_m
        if trip.holds:
            trip.mark = min(trip.mark, found.progress)
            if found.progress - trip.mark > by:
                trip.holds = False
                trip.since, trip.anchor, trip.mark = at_ms, where, found.progress
                self.life.gone(key, at_ms, event)
        elif found.progress >= trip.mark:
            trip.since, trip.anchor, trip.mark = at_ms, where, found.progress
        if trip.holds or trip.mark - found.progress > by:
            facts = {"away": found.away, "progress": found.progress}
            if not trip.holds:
                facts["turned"] = trip.mark
                trip.mark = found.progress
            self._hold(key, trip, route, event, at_ms, facts)
        self.host.touch(key)
        self._arm(key, trip)

    def _section(
        self,
        key: str,
        trip: Trip | None,
        route: Route,
        near: list[Near],
        feed: str,
        event: Event,
        at_ms: int,
        where: tuple[float, float],
    ) -> None:
        """Which posts it passed since its last fix and when, and whether it is late at the next."""
        found = along(near, None if trip is None else trip.progress)
        if trip is None:
            trip = self.keys[key] = Trip(route.id, at_ms, where)
            trip.progress = found.progress
        progress = found.progress
        if progress < trip.progress - self.spec.slack_m:
            self._lose(key, trip, at_ms, event)
        elif progress <= trip.progress:
            progress = trip.progress
        else:
            self._pass(key, trip, route, progress, event, at_ms, where)
        trip.at, trip.feed, trip.progress = at_ms, feed, progress
        slower = self.spec.slower_mps
        if slower and 0 <= trip.post < len(route.posts) - 1:
            length = route.posts[trip.post + 1] - route.posts[trip.post]
            if (at_ms - trip.since) * slower > length * 1000.0:
                mean = (progress - route.posts[trip.post]) / max(at_ms - trip.since, 1) * 1000.0
                facts = {"progress": progress, "away": found.away, "mean_speed": mean * _KMH}
                self._hold(key, trip, route, event, at_ms, facts)
        self.host.touch(key)
        self._arm(key, trip)

    def _pass(
        self,
        key: str,
        trip: Trip,
        route: Route,
        progress: float,
        event: Event,
        at_ms: int,
        where: tuple[float, float],
    ) -> None:
        """Every post between two fixes is passed at the time that lies between theirs."""
        before, took = trip.progress, at_ms - trip.at
        for number, post in enumerate(route.posts):
            at_end = post >= route.length and progress >= route.length
            if not (before <= post and (post < progress or at_end)):
                continue
            passed = trip.at + round(took * (post - before) / (progress - before))
            known = trip.post >= 0
            begun, length = trip.since, post - route.posts[number - 1]
            self._lose(key, trip, at_ms, event)
            if took > self.spec.silent_ms:
                continue
            faster = self.spec.faster_mps
            if known and faster and length * 1000.0 > (passed - begun) * faster:
                mean = length * 1000.0 / max(passed - begun, 1)
                facts = {"progress": post, "mean_speed": mean * _KMH}
                self._hold(key, trip, route, event, at_ms, facts)
                trip.holds = False
                if self.spec.quiet_ms:
                    trip.quiet = at_ms + self.spec.quiet_ms
                else:
                    self.life.gone(key, at_ms, event)
            trip.post, trip.since, trip.anchor = number, passed, where

    def _lose(self, key: str, trip: Trip, at_ms: int, event: Event) -> None:
        """The section it was in is over, or it turned: nobody knows when it entered the next."""
        trip.post = -1
        if trip.holds:
            trip.holds = False
            self.life.gone(key, at_ms, event)

    def _hold(
        self,
        key: str,
        trip: Trip,
        route: Route,
        event: Event,
        at_ms: int,
        facts: Mapping[str, float],
    ) -> None:
        """What the rule looks for holds."""
        trip.holds = True
        known = {"anchor": list(trip.anchor), "route": route.id, "feed": trip.feed, "last": trip.at}
        self.life.hold(key, trip.since, at_ms, event, {**known, **facts})

    def _end(self, key: str, at_ms: int, event: Event, *, over: bool = False) -> None:
        """The key is on its route again, has another one, or none."""
        del self.keys[key]
        self.host.touch(key)
        self.life.gone(key, at_ms, event, over=over)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A key was off for long enough, an alert ends by itself, or a key is given up."""
        trip = self.keys.get(key)
        if trip is not None and trip.wake == at_ms:
            trip.wake = 0
            self.host.touch(key)
            self._ring(key, trip, at_ms)
        if key in self.life.open:
            lost = self.spec.watched is Watched.OFF and trip is not None
            known = not lost or trip is None or at_ms - trip.at <= self.spec.silent_ms
            self.life.on_timer(key, at_ms, known=known)

    def _ring(self, key: str, trip: Trip, at_ms: int) -> None:
        """Do what the timer of a key was set for."""
        spec = self.spec
        if at_ms >= trip.at + spec.forget_ms:
            del self.keys[key]
            self.life.gone(key, at_ms, None, over=True)
            return
        if trip.quiet and at_ms >= trip.quiet:
            trip.quiet = 0
            if not trip.holds:
                self.life.gone(key, at_ms, None)
        if spec.watched is Watched.OFF and not trip.holds:
            route, due = self.routes[trip.route], trip.since + spec.at_least_ms
            if at_ms >= due and at_ms - trip.at <= spec.silent_ms:
                lon, lat = self.where[trip.feed](trip.event)
                away = {} if lon is None or lat is None else {"away": route.away(lon, lat)}
                self._hold(key, trip, route, trip.event, at_ms, away)
        self._arm(key, trip)

    def _arm(self, key: str, trip: Trip) -> None:
        """Ask for the timer of a key, unless it will ring early enough."""
        wake = trip.at + self.spec.forget_ms
        if trip.quiet:
            wake = min(wake, trip.quiet)
        if self.spec.watched is Watched.OFF and not trip.holds:
            due = trip.since + self.spec.at_least_ms
            if due - trip.at <= self.spec.silent_ms:
                wake = min(wake, due)
        if not trip.wake or wake < trip.wake:
            trip.wake = wake
            self.host.wake(wake, key)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first fix."""

    def save(self, key: str) -> Any:
        """Trip and episodes of a key, or None."""
        trip = self.keys.get(key)
        episodes = self.life.save(key)
        if trip is None:
            return [None, episodes] if episodes else None
        event = None if trip.event is None else self.codec.plain(trip.event)
        moved = [trip.since, list(trip.anchor), trip.progress, trip.mark, trip.post]
        small = [trip.holds, trip.quiet, trip.wake]
        return [[trip.route, trip.at, trip.feed, event, moved, small, self.mark], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again; a route that is gone is forgotten."""
        plain, episodes = saved
        if plain is not None and plain[0] in self.routes:
            since, anchor, progress, mark, post = plain[4]
            trip = self.keys[key] = Trip(plain[0], plain[1], (anchor[0], anchor[1]))
            trip.since, trip.progress, trip.mark, trip.post = since, progress, mark, post
            trip.feed = plain[2]
            if plain[3] is not None:
                trip.event = self.codec.event(plain[2], plain[3])
            trip.holds, trip.quiet, trip.wake = plain[5]
            if trip.wake:
                self.host.wake(trip.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
