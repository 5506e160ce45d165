"""correlate by place, part two: different signals within a radius of each other point to one risk.

    keys:    each event that is a signal, with its position -----> ground, under one key a rule
    ground:  . a     .  b              c .
                a within R of b: enough -> a *site* around the older one, its anchor; c is too far

A signal belongs to the oldest site whose anchor it is within the radius of; else it is free. The
earliest free signal around which there is enough becomes the anchor of a new site and takes the
others with it, so a site never creeps further than the radius. What a site is worth is what
`correlate` by key says of its signals. When it is over, the signals that still count are free.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.alerts.budget import HOUR_MS
from engine.alerts.lifecycle import Judge, Life
from engine.model.row_keys import parts_of
from engine.operators.base import Event, EventCodec, Host
from engine.operators.correlate_worth import Worth
from engine.operators.near_crowd import Crowd
from engine.operators.near_ground import Owned
from engine.operators.specs.base import mark_of
from engine.operators.specs.correlate import CorrelatePlaceSpec, CorrelateSpec

_SIGNAL = "\x1e"
"""First sign of the row keys of signals; the others are of sites, under their alert's key."""

Spot = tuple[float, float]
Ref = tuple[str, str]
"""A site: the key of its alert, and its part."""


class Seen:
    """A signal at a place.

    Attributes:
        number: Which one of the declared signals.
        who: The key it came from; of an alert its episode before that.
        at: When it was last seen (UTC ms); `born` when first.
        open: Whether the alert that it is goes on.
        times: How often it came while it counted.
        site: The site it belongs to, or None while it is free.

    """

    __slots__ = ("at", "born", "lat", "lon", "number", "open", "site", "times", "who")

    def __init__(self, number: int, who: str, lon: float, lat: float, at_ms: int) -> None:
        self.number = number
        self.who = who
        self.lon = lon
        self.lat = lat
        self.born = self.at = at_ms
        self.open = False
        self.times = 0
        self.site: Ref | None = None

    @property
    def id(self) -> str:
        """What it is called among all signals."""
        return f"{_SIGNAL}{self.number} {self.who}"

    @property
    def rank(self) -> tuple[int, str]:
        """Its age, and its name to tell equals apart."""
        return self.born, self.id


def subject(seen: Seen, spec: CorrelateSpec) -> str:
    """The key a signal is about; of an alert the key that its episode is about."""
    return seen.who.partition(" ")[2] if spec.signals[seen.number].rule else seen.who


class Site:
    """A place that an alert is about, or nearly.

    Attributes:
        ref: The key of its alert, and its part.
        since: Since when its signals were enough.
        holds: Whether they are enough now; otherwise only its alert still goes on.
        wake: When its score falls below the limit, if nothing else happens; or 0.

    """

    __slots__ = ("holds", "lat", "lon", "ref", "since", "wake")

    def __init__(self, ref: Ref, lon: float, lat: float, since: int) -> None:
        self.ref = ref
        self.lon = lon
        self.lat = lat
        self.since = since
        self.holds = True
        self.wake = 0

    @property
    def rank(self) -> tuple[int, Ref]:
        """Its age."""
        return self.since, self.ref


class PlacesLogic:
    """All sites of one rule, in one place.

    State: one row per signal that counts, one per site; nothing once the last has expired.
    """

    def __init__(
        self,
        spec: CorrelatePlaceSpec,
        condition: Callable[[Event, Any], Any] | None,
        target: str,
        axes: Mapping[str, tuple[str, str]],
        judge: Judge,
        host: Host,
        codec: EventCodec,
        most: int = 0,
    ) -> None:
        """Make an empty partition.

        Args:
            spec: What was declared.
            condition: Over the names of signals, if that is what decides.
            target: The one key under which signals arrive.
            axes: For each feed of notes, the names of the position's fields.
            judge: The rule's own words.
            host: Timers and changed rows.
            codec: How events are saved.
            most: So many signals may be remembered at a time; 0 for any number.

        """
        self.most = most
        self.full = -1
        self._tell = host.tell
        self.spec = spec
        self.mark = mark_of(spec)
        self.anew = 0  # when all must be asked anew, because the rule was edited
        self.worth = Worth(spec, condition)
        self.axes = axes
        self.host = Owned(host, target)
        self.life = Life(judge, self.host, codec)  # type: ignore[arg-type]
        self.codec = codec
        self.keys: dict[str, Seen] = {}
        self.spots: Crowd[Seen] = Crowd(spec.radius_m)
        self.sites: dict[Ref, Site] = {}
        self.anchors: Crowd[Site] = Crowd(spec.radius_m)

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one event as every signal that it is."""
        lon_of, lat_of = self.axes[feed]

        def on_event(_key: str, event: Event, at_ms: int) -> None:
            bits, place = event.near_kind, (getattr(event, lon_of), getattr(event, lat_of))
            stirred: list[Spot] = []
            mine: list[Seen] = []
            for number in range(len(self.spec.signals)):
                if bits >> number & 1:
                    seen = self._take(number, event, place, at_ms, stirred)
                    if seen is not None:
                        mine.append(seen)
            if stirred:
                self._settle(stirred, at_ms, (feed, event))
            for ref in dict.fromkeys(seen.site for seen in mine):
                if ref is not None and ref[0] in self.life.open:
                    self.life.event(ref[0], event, at_ms, ref[1])
                    self._ended(ref[0], at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A late event is dropped."""

    def _take(
        self, number: int, event: Event, place: Spot, at_ms: int, stirred: list[Spot]
    ) -> Seen | None:
        """Note one signal; answers it unless it is the end of one that was not there."""
        ends, rules = not event.near_here, self.spec.signals
        seen = self.keys.get(f"{_SIGNAL}{number} {event.near_who}")
        if seen is not None and not self.counts(seen, at_ms):
            stirred.append(self._drop(seen))
            seen = None
        if seen is None and ends:
            return None
        if seen is not None and not ends and place != (seen.lon, seen.lat):
            stirred.append(self._drop(seen))
            seen = None
        if seen is None:
            if self.most and len(self.keys) >= self.most:
                self._tell_full(at_ms)
                return None
            seen = Seen(number, event.near_who, *place, at_ms)
            self.keys[seen.id] = seen
            self.spots.put(seen.id, *place, seen)
        seen.at = at_ms
        seen.open = bool(rules[number].rule) and not ends
        seen.times += not ends
        if not seen.open:
            self.host.wake(at_ms + rules[number].within_ms, seen.id)
        self.host.touch(seen.id)
        stirred.append((seen.lon, seen.lat))
        return seen

    def _tell_full(self, at_ms: int) -> None:
        """A signal too many is not looked at; it is told once an hour of event time."""
        if at_ms // HOUR_MS != self.full:
            self.full = at_ms // HOUR_MS
            self._tell("too-many-keys", str(self.most), at_ms)

    def counts(self, seen: Seen, at_ms: int) -> bool:
        """Whether a signal counts at an instant."""
        return seen.open or at_ms < seen.at + self.spec.signals[seen.number].within_ms

    def _drop(self, seen: Seen) -> Spot:
        """Forget a signal; answers where it was."""
        del self.keys[seen.id]
        self.spots.drop(seen.id)
        self.host.touch(seen.id)
        return seen.lon, seen.lat

    def _settle(
        self, stirred: list[Spot], at_ms: int, newest: tuple[str, Event] | None = None
    ) -> None:
        """Work out what follows from changes at some places, until nothing changes any more.

        Free signals join the sites they are near; sites are judged, the oldest first, and set
        free what they hold when they are over; when all that is done, what is left free may begin
        sites of its own, the oldest signal first.
        """
        while stirred:
            joined = [one for one in self._live(stirred, at_ms) if self._join(one)]
            stirred = stirred + [(one.lon, one.lat) for one in joined]
            sites = {site.ref: site for spot in stirred for site in self.anchors.within(*spot)}
            freed: list[Spot] = []
            for site in sorted(sites.values(), key=lambda one: one.rank):
                freed += self._judge(site, at_ms, newest)
            if freed:
                stirred = stirred + freed
                continue
            begun = [self._found(one, at_ms, newest) for one in self._live(stirred, at_ms)]
            stirred = [spot for taken in begun for spot in taken]

    def _live(self, spots: Iterable[Spot], at_ms: int) -> list[Seen]:
        """The signals near places that count, the oldest first."""
        return [one for one in self._near(spots) if self.counts(one, at_ms)]

    def _near(self, spots: Iterable[Spot]) -> list[Seen]:
        """The signals within the radius of places, the oldest first."""
        found = {one.id: one for spot in spots for one in self.spots.within(*spot)}
        return sorted(found.values(), key=lambda one: one.rank)

    def _join(self, seen: Seen) -> bool:
        """Give a free signal to the oldest site whose anchor it is near, if there is one."""
        if seen.site is not None:
            return False
        around = self.anchors.within(seen.lon, seen.lat)
        if not around:
            return False
        seen.site = min(around, key=lambda one: one.rank).ref
        self.host.touch(seen.id)
        return True

    def _found(self, anchor: Seen, at_ms: int, newest: tuple[str, Event] | None) -> list[Spot]:
        """Begin a site if there is enough around a free signal; answers where what it took is."""
        if anchor.site is not None:
            return []
        around = [one for one in self.spots.within(anchor.lon, anchor.lat) if one.site is None]
        around = [one for one in around if self.counts(one, at_ms)]
        if not self.worth.is_enough(around, at_ms):
            return []
        key = subject(anchor, self.spec)
        name = self.spec.signals[anchor.number].name
        site = Site((key, f"{name} {anchor.born} {at_ms}"), anchor.lon, anchor.lat, at_ms)
        self.sites[site.ref] = site
        self.anchors.put("\n".join(site.ref), site.lon, site.lat, site)
        for one in around:
            one.site = site.ref
            self.host.touch(one.id)
        self._judge(site, at_ms, newest)
        return [(one.lon, one.lat) for one in around]

    def members(self, site: Site, at_ms: int) -> list[Seen]:
        """The signals of a site that count, by number and age."""
        around = self.spots.within(site.lon, site.lat)
        mine = [one for one in around if one.site == site.ref and self.counts(one, at_ms)]
        return sorted(mine, key=lambda one: (one.number, one.rank))

    def _judge(self, site: Site, at_ms: int, newest: tuple[str, Event] | None) -> list[Spot]:
        """Say whether a site has enough; answers the places of signals that it set free."""
        if site.ref not in self.sites:
            return []
        key, part = site.ref
        members = self.members(site, at_ms)
        self.host.touch(key)
        if self.worth.is_enough(members, at_ms):
            if not site.holds:
                site.holds, site.since = True, at_ms
            facts = self.worth.facts(members, at_ms)
            facts |= {"anchor": [site.lon, site.lat]}
            event = None
            if newest is not None:
                facts["feed"], event = newest
            self.life.hold(key, site.since, at_ms, event, facts, part)
            fall = self.worth.falls_at(members, at_ms)
            if fall and fall != site.wake:
                site.wake = fall
                self.host.wake(fall, key)
            return []
        if site.holds:
            site.holds = False
            self.life.gone(key, at_ms, None, part)
        return self._over(site) if self.life.find(key, part) is None else []

    def _over(self, site: Site) -> list[Spot]:
        """Forget a site; answers the places of its signals, which are free now."""
        del self.sites[site.ref]
        self.anchors.drop("\n".join(site.ref))
        self.host.touch(site.ref[0])
        free = [one for one in self.spots.within(site.lon, site.lat) if one.site == site.ref]
        for one in free:
            one.site = None
            self.host.touch(one.id)
        return [(one.lon, one.lat) for one in free]

    def on_timer(self, key: str, at_ms: int) -> None:
        """A signal expires, a score falls, or an alert asked for this instant."""
        _, about = parts_of(key)
        if self.anew and at_ms >= self.anew:
            self._ask_anew(at_ms)
        if about.startswith(_SIGNAL):
            seen = self.keys.get(about)
            if seen is not None and not self.counts(seen, at_ms):
                self._settle([self._drop(seen)], at_ms)
            return
        for site in [one for one in self.sites.values() if one.ref[0] == about]:
            if site.wake and site.wake <= at_ms:
                site.wake = 0
                self._settle(self._judge(site, at_ms, None), at_ms)
        if about in self.life.open:
            self.life.on_timer(about, at_ms)
            self._ended(about, at_ms)

    def _ask_anew(self, at_ms: int) -> None:
        """Let the edited rule judge all that was kept, as if it had come just now."""
        self.anew = 0
        everything = [*self.keys.values()]
        stirred = [(one.lon, one.lat) for one in everything]
        stirred += [(site.lon, site.lat) for site in self.sites.values()]
        for one in everything:
            self.host.touch(one.id)
            if not self.counts(one, at_ms):
                self._drop(one)
        for key in {ref[0] for ref in self.sites}:
            self.host.touch(key)
        self._settle(stirred, at_ms)

    def _ended(self, key: str, at_ms: int) -> None:
        """Alerts of a key may have ended by themselves: `clear` uses the signals up."""
        stirred: list[Spot] = []
        for site in [one for one in self.sites.values() if one.ref[0] == key]:
            if self.life.find(*site.ref) is None:
                if site.holds:
                    around = self.spots.within(site.lon, site.lat)
                    stirred += [self._drop(one) for one in around if one.site == site.ref]
                stirred += self._over(site)
        if stirred:
            self._settle(stirred, at_ms)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first event."""

    def save(self, key: str) -> Any:
        """A signal, or the sites of a key with their episodes; None when nothing is left."""
        _, about = parts_of(key)
        if about.startswith(_SIGNAL):
            seen = self.keys.get(about)
            if seen is None:
                return None
            site = None if seen.site is None else list(seen.site)
            name = self.spec.signals[seen.number].name
            place = [seen.lon, seen.lat, seen.born, seen.at]
            return [[name, seen.who, *place, seen.open, seen.times, site, *self._about()], []]
        episodes = self.life.save(about)
        sites = [
            [one.ref[1], one.lon, one.lat, one.since, one.holds, one.wake, *self._about()]
            for one in sorted(self.sites.values(), key=lambda one: one.rank)
            if one.ref[0] == about
        ]
        return [sites, episodes] if sites or episodes else None

    def _about(self) -> list[Any]:
        """What a row says it is about, and when the edited rule must judge it."""
        return [self.mark, self.anew] if self.anew else [self.mark]

    def _learn(self, about: list[Any]) -> None:
        """Take up what a row says of itself."""
        if len(about) > 1:
            self.anew = about[1]
            self.host.wake(self.anew, "")

    def load(self, key: str, saved: Any) -> None:
        """Take up a signal or sites with their timers; a signal the rule lost is left out."""
        _, about = parts_of(key)
        if about.startswith(_SIGNAL):
            self._load_signal(saved[0])
            return
        for part, lon, lat, since, holds, wake, *own in saved[0]:
            self._learn(own)
            site = Site((about, part), lon, lat, since)
            site.holds, site.wake = holds, wake
            self.sites[site.ref] = site
            self.anchors.put("\n".join(site.ref), lon, lat, site)
            if wake:
                self.host.wake(wake, about)
        self.life.load(about, saved[1])

    def _load_signal(self, plain: Any) -> None:
        name, who, lon, lat, born, at_ms, is_open, times, site, *own = plain
        self._learn(own)
        numbers = [number for number, one in enumerate(self.spec.signals) if one.name == name]
        if not numbers:
            return
        seen = Seen(numbers[0], who, lon, lat, born)
        seen.at, seen.open, seen.times = at_ms, is_open, times
        seen.site = None if site is None else (site[0], site[1])
        self.keys[seen.id] = seen
        self.spots.put(seen.id, lon, lat, seen)
        if not is_open:
            due = at_ms + self.spec.signals[seen.number].within_ms
            self.host.wake(max(due, self.anew), seen.id)

    def size(self) -> int:
        """How many signals and sites are remembered."""
        return len(self.keys) + len(self.sites)
