"""What the last part of every `near` rule has in common: who is there now, instant by instant.

Notes of one instant act together when it is over, whatever their order. A key that two cells
speak of in the same instant (it went from one to the other) is there if one of them says so.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.lifecycle import Judge, Life
from engine.model.row_keys import parts_of, row_key
from engine.operators.base import Event, EventCodec, Host
from engine.operators.near_crowd import Crowd
from engine.operators.specs.base import mark_of
from engine.operators.specs.near import NearSpec

LISTED = 20
"""So many members an alert's evidence lists."""


class Present:
    """A key in company.

    Attributes:
        came: Since when it is in company without a break (event time, ms).
        last: Event time of its last fix.
        counts: How many keys of each kind are within the radius, itself included.
        here: Whether it is there now; one that left is kept only while something is owed to it.

    """

    __slots__ = (
        "came",
        "counts",
        "event",
        "feed",
        "here",
        "kind",
        "last",
        "lat",
        "lon",
        "who",
    )

    def __init__(self, who: str, kinds: int) -> None:
        self.who = who
        self.here = False
        self.lon = 0.0
        self.lat = 0.0
        self.kind = 0
        self.counts = [0] * kinds
        self.came = 0
        self.last = 0
        self.feed = ""
        self.event: Event = None

    def listed(self, distance_m: float, kinds: tuple[str, ...]) -> dict[str, Any]:
        """The key as evidence names it."""
        kind = {"kind": kinds[self.kind]} if kinds else {}
        found = {"key": self.who, "lon": self.lon, "lat": self.lat, "since": self.came}
        return {**found, **kind, "last": self.last, "distance_m": round(distance_m, 1)}


class Owned:
    """A host whose timers and rows all belong to one key, so that they share its partition."""

    __slots__ = ("_host", "_owner")

    def __init__(self, host: Host, owner: str) -> None:
        self._host = host
        self._owner = owner

    def row(self, about: str) -> str:
        """The key of the row about one of the owner's things."""
        return row_key(self._owner, about)

    def count(self, name: str) -> None:
        """As the host's."""
        self._host.count(name)

    def wake(self, at_ms: int, about: str) -> None:
        """As the host's, about one of the owner's things."""
        self._host.wake(at_ms, self.row(about))

    def touch(self, about: str) -> None:
        """As the host's, about one of the owner's things."""
        self._host.dirty.add(self.row(about))

    def missed(self, about: str, at_ms: int) -> None:
        """As the host's, about one of the owner's things."""
        self._host.missed(about, at_ms)


class GroundLogic:
    """Takes in notes and hands each instant over as a whole; see the two that build on it.

    State: one row per key in company, and what the operator adds to it.
    """

    present_type: type[Present] = Present

    def __init__(
        self,
        spec: NearSpec,
        target: str,
        feeds: Mapping[str, tuple[str, str, str]],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        """Make an empty partition.

        Args:
            spec: What was declared.
            target: The one key under which notes arrive.
            feeds: For each feed of notes, the names of the event's longitude, latitude and time.
            judge: The rule's own words.
            host: Timers and changed rows.
            codec: How events are saved.

        """
        self.spec = spec
        self.mark = mark_of(spec)
        self.anew = 0  # when all must be asked anew, because the rule was edited
        self.needs = spec.needs()
        self.kinds = tuple(kind.name for kind in spec.kinds)
        self.target = target
        self.feeds = feeds
        self.host = Owned(host, target)
        self.life = Life(judge, self.host, codec)  # type: ignore[arg-type]
        self.codec = codec
        self.all: dict[str, Any] = {}
        self.keys = self.all
        self.crowd: Crowd[Any] = Crowd(spec.radius_m)
        self.notes: dict[str, tuple[str, Event] | None] = {}
        self.doubt: dict[str, Any] = {}
        self.stirred: list[tuple[float, float]] = []

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one note; it acts when the instant is over."""
        notes, wake = self.notes, self.host.wake

        def on_event(_key: str, event: Event, at_ms: int) -> None:
            if not notes:
                wake(at_ms, "")
            who = event.near_who
            if event.near_here:
                notes[who] = (feed, event)
            else:
                notes.setdefault(who, None)

        return on_event

    def late(self, feed: str) -> None:
        """Where a key was is never revised."""

    def on_timer(self, key: str, at_ms: int) -> None:
        """An instant is over, or something that was owed to a key falls due."""
        _, about = parts_of(key)
        if self.anew and at_ms >= self.anew:
            self.anew, self.doubt = 0, dict(self.all)
            for who in self.all:
                self.host.touch(who)
        if about in self.all:
            self.doubt[about] = self.all[about]
        if self.notes or self.doubt:
            self._take(at_ms)
            self.settle(at_ms)
            self.doubt, self.stirred = {}, []
        if about in self.life.open:
            self.life.on_timer(about, at_ms)
            self.after_timer(about)

    def settle(self, at_ms: int) -> None:
        """Work out what follows from everybody's place at this instant."""
        raise NotImplementedError

    def after_timer(self, about: str) -> None:
        """An alert's own timer was called."""

    def _take(self, at_ms: int) -> None:
        """Let the notes of the instant act."""
        notes = dict(self.notes)
        self.notes.clear()
        for who in sorted(notes):
            said = notes[who]
            self.host.touch(who)
            member = self.all.get(who)
            if said is None:
                if member is not None and member.here:
                    self._leave(member)
                continue
            feed, event = said
            lon_of, lat_of, time_of = self.feeds[feed]
            lon, lat = getattr(event, lon_of), getattr(event, lat_of)
            if member is None:
                member = self.all[who] = self.present_type(who, len(self.needs))
            if not member.here:
                member.came = at_ms
            self._stand(member, lon, lat, event.near_kind)
            member.last = getattr(event, time_of)
            member.feed, member.event = feed, event

    def _stand(self, member: Any, lon: float, lat: float, kind: int) -> None:
        """Put a key where it is now, and count anew who is near whom."""
        moved = (lon, lat, kind) != (member.lon, member.lat, member.kind)
        if member.here and moved:
            self._lift(member)
        if not member.here:
            member.lon, member.lat, member.kind, member.here = lon, lat, kind, True
            for other in self.crowd.within(lon, lat):
                other.counts[kind] += 1
                member.counts[other.kind] += 1
                self.doubt[other.who] = other
            member.counts[kind] += 1
            self.crowd.put(member.who, lon, lat, member)
        self.doubt[member.who] = member
        self.stirred.append((lon, lat))

    def _lift(self, member: Any) -> None:
        """Take a key from where it was."""
        member.here = False
        self.crowd.drop(member.who)
        member.counts = [0] * len(self.needs)
        for other in self.crowd.within(member.lon, member.lat):
            other.counts[member.kind] -= 1
            self.doubt[other.who] = other
        self.stirred.append((member.lon, member.lat))

    def _leave(self, member: Any) -> None:
        self._lift(member)
        self.doubt[member.who] = member

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first note."""

    def save(self, key: str) -> Any:
        """A key in company and what is owed to it, with its episodes, or None."""
        _, who = parts_of(key)
        member = self.all.get(who)
        episodes = self.life.save(who)
        plain = None
        if member is not None:
            plain = [
                member.here,
                member.lon,
                member.lat,
                member.kind,
                member.came,
                member.last,
                member.feed,
                self.codec.plain(member.event),
                self.save_more(member),
                self.mark,
                *([self.anew] if self.anew else []),
            ]
        return [plain, episodes] if plain is not None or episodes else None

    def save_more(self, member: Any) -> Any:
        """What the operator remembers of a key beside its place."""
        raise NotImplementedError

    def load(self, key: str, saved: Any) -> None:
        """Take up a key; who is near it is counted as the others are taken up."""
        _, who = parts_of(key)
        plain, episodes = saved
        if plain is not None:
            here, lon, lat, kind, came, last, feed, event, more, *about = plain
            if len(about) > 1:
                self.anew = about[1]
                self.host.wake(self.anew, "")
            member = self.all[who] = self.present_type(who, len(self.needs))
            member.lon, member.lat, member.kind = lon, lat, kind
            if here:
                self._stand(member, lon, lat, kind)
            member.came, member.last, member.feed = came, last, feed
            member.event = self.codec.event(feed, event)
            self.load_more(member, more)
            self.doubt, self.stirred = {}, []
        self.life.load(who, episodes)

    def load_more(self, member: Any, more: Any) -> None:
        """Take up what the operator remembers of a key, and ask for its timers again."""
        raise NotImplementedError

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.all.keys() | self.life.open.keys())
