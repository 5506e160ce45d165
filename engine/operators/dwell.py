"""dwell: a key stays within a circle around one fix, or inside one zone, for T.

    fixes     a  .  .  .  o  .  .  .  |  .      a anchor, o outside within tolerance
    circle    [---------- R around a ----------
    time      0 ............ T: fires here, by its own timer, even between two fixes

A stay begins at the earliest fix from which every later fix lies within R for at least T. When
it breaks, the next anchor is searched among the kept fixes, not only from the breaking one. With
`silent` a key is believed to stay that long after its last fix; past it the signal is *lost* and
nothing fires. Without `silent` nothing is presumed: only fixes prove a stay, and no gap ends it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.lifecycle import Episode, Judge, Life, Phase
from engine.model.progress import NEAR
from engine.operators.base import Event, EventCodec, Host
from engine.operators.specs.dwell import DwellSpec

Glance = Callable[[Event, Any], tuple[float | None, float | None] | None]
"""One look at an event: None if it shows that the key does not stay, else its position."""

Fix = list[Any]
"""Event time (ms), longitude, latitude (WGS-84 degrees), and until when that position repeated."""


class Place:
    """Where a stay may be: a circle around its first fix, or the zone its first fix lies in.

    Attributes:
        near: Positions that differ by less than so many degrees along both axes are surely not
            `far`; most fixes of a standing key are known by that.

    """

    def __init__(
        self,
        far: Callable[[float, float, float, float], bool] | None,
        zone_at: Callable[[float, float], str | None] | None,
        in_zone: Callable[[str, float, float], bool] | None,
        near: float = 0.0,
    ) -> None:
        self.far = far
        self.zone_at = zone_at
        self.in_zone = in_zone
        self.near = near

    def anchor(self, fix: Fix) -> str | None:
        """The zone of a fix that may begin a stay (empty for a circle), or None if it may not."""
        return "" if self.zone_at is None else self.zone_at(fix[1], fix[2])

    def holds(self, anchor: Fix, zone: str, fix: Fix) -> bool:
        """Whether a later fix is still in the place of the stay."""
        if self.far is not None and self.far(anchor[1], anchor[2], fix[1], fix[2]):
            return False
        return self.in_zone is None or self.in_zone(zone, fix[1], fix[2])


class Stay:
    """What is remembered of one key that does not drive.

    Attributes:
        begin, lon, lat: Time and position of the anchor, the stay's first fix.
        fixes: The anchor, then every later fix that could become one. A position that repeats
            the one before is only noted there: it cannot begin a longer stay.
        last: Time of the newest fix.
        out: Time of the first fix of the present excursion, or None.
        held: Whether the stay has lasted T.
        zone: The zone of the stay, or empty.
        calm: The firing episode, once a further fix inside can change nothing but its evidence.
        wake: The instant of the timer that counts, or 0.

    """

    __slots__ = (
        "begin",
        "calm",
        "event",
        "feed",
        "fixes",
        "held",
        "last",
        "lat",
        "lon",
        "out",
        "seen",
        "wake",
        "zone",
    )

    def __init__(self, fix: Fix, zone: str, feed: str, event: Event) -> None:
        self.fixes = [fix]
        self.begin, self.lon, self.lat = fix[0], fix[1], fix[2]
        self.zone = zone
        self.last = fix[0]
        self.out: int | None = None
        self.held = False
        self.calm: Episode | None = None
        self.wake = 0
        self.seen = 1
        self.feed = feed
        self.event = event


class DwellLogic:
    """All keys of one `dwell` rule in one partition.

    State: one `Stay` per key that stands still, with at most the fixes of the last T (only the
    anchor once it has fired); none for a key that moves.
    """

    def __init__(
        self,
        spec: DwellSpec,
        place: Place,
        glances: Mapping[str, Glance],
        extras: Callable[[str, Event, int], Any] | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.place = place
        self.glances = glances
        self.extras = extras
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Stay] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one fix; the common case, a key that drives, touches no state."""
        glance, extras = self.glances[feed], self.extras
        keys, opened, far = self.keys, self.life.open, self.place.far
        circle = far if self.place.in_zone is None else None
        near = self.place.near
        silent = self.spec.silent_ms
        patience = 2**62 if silent is None else silent
        at_least, touch = self.spec.at_least_ms, self.host.dirty.add
        listens = self.life.listens

        def on_event(key: str, event: Event, at_ms: int) -> None:
            seen = glance(event, None if extras is None else extras(key, event, at_ms))
            if seen is None:
                if key in keys:
                    self._leave(key, at_ms, event)
                if listens and key in opened:
                    self.life.event(key, event, at_ms)
                return
            lon, lat = seen
            if lon is None or lat is None:
                return
            stay = keys.get(key)
            if stay is None:
                self._start(key, [at_ms, lon, lat, at_ms], feed, event)
            elif (
                # The commonest fix of a standing key, handled here: inside, and nothing is due.
                circle is not None
                and stay.out is None
                and at_ms - stay.last <= patience
                and (
                    (-near < lon - stay.lon < near and -near < lat - stay.lat < near)
                    or not circle(stay.lon, stay.lat, lon, lat)
                )
                and (stay.calm is not None or at_ms - stay.begin < at_least)
            ):
                stay.last, stay.event = at_ms, event
                stay.seen += 1
                touch(key)
                if stay.calm is None:
                    before = stay.fixes[-1]
                    if before[1] == lon and before[2] == lat:
                        before[3] = at_ms
                    else:
                        stay.fixes.append([at_ms, lon, lat, at_ms])
                else:
                    stay.calm.event = event
                    stay.calm.facts["last"] = at_ms
                    stay.calm.facts["size"] = stay.seen
                    if stay.calm.phase is not Phase.FIRING:
                        stay.calm = None
            else:
                self._follow(key, stay, [at_ms, lon, lat, at_ms], feed, event)
            if listens and key in opened:
                self.life.event(key, event, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A stay is never revised by late fixes."""

    def _start(self, key: str, fix: Fix, feed: str, event: Event) -> None:
        """Begin a stay at a fix, if its place allows one."""
        zone = self.place.anchor(fix)
        if zone is None:
            return
        stay = self.keys[key] = Stay(fix, zone, feed, event)
        self._wake_for(key, stay)
        self.host.touch(key)
        if self.spec.at_least_ms == 0:
            self._hold(key, stay, fix[0])

    def _follow(self, key: str, stay: Stay, fix: Fix, feed: str, event: Event) -> None:
        """Continue, excuse or break a stay with a new fix."""
        spec, at_ms = self.spec, fix[0]
        self.host.touch(key)
        inside = self.place.holds(stay.fixes[0], stay.zone, fix)
        lost = spec.silent_ms is not None and at_ms - stay.last > spec.silent_ms
        if lost and not spec.gap_counts and not (stay.held and inside):
            self._leave(key, at_ms, event)
            self._start(key, fix, feed, event)
            return
        stay.feed = feed
        if inside:
            excused, stay.out = stay.out is not None, None
            if stay.held:
                del stay.fixes[1:]
            self._keep(stay, fix, event)
            if stay.held or at_ms - stay.begin >= spec.at_least_ms:
                self._hold(key, stay, at_ms)
            elif excused:
                self._wake_for(key, stay)
            return
        stay.out = at_ms if stay.out is None else stay.out
        stay.last, stay.event = at_ms, event
        stay.fixes.append(fix)
        if spec.outside_ms == 0 or at_ms - stay.out > spec.outside_ms:
            self._break(key, stay, at_ms, event)
        else:
            self._wake_at(key, stay, stay.out + spec.outside_ms)

    def _keep(self, stay: Stay, fix: Fix, event: Event) -> None:
        """Remember a fix inside, unless it repeats the position before or the stay has fired."""
        stay.last = fix[0]
        stay.seen += 1
        stay.event = event
        if not stay.held:
            before = stay.fixes[-1]
            if before[1] == fix[1] and before[2] == fix[2]:
                before[3] = fix[0]
            else:
                stay.fixes.append(fix)

    def _leave(self, key: str, at_ms: int, event: Event) -> None:
        """End a stay with nothing to begin the next one from."""
        self.host.touch(key)
        self._note(key, self.keys[key], at_ms)
        self.life.gone(key, at_ms, event)
        del self.keys[key]

    def _note(self, key: str, stay: Stay, at_ms: int) -> None:
        """Say so before a stay that had nearly lasted long enough is forgotten."""
        if not stay.held and stay.last - stay.begin >= NEAR * self.spec.at_least_ms:
            self.host.missed(key, at_ms)

    def _break(self, key: str, stay: Stay, at_ms: int, event: Event) -> None:
        """End a stay and look for the next anchor among the kept fixes, oldest first."""
        self._note(key, stay, at_ms)
        self.life.gone(key, at_ms, event)
        del self.keys[key]
        for first in range(1, len(stay.fixes)):
            zone = self.place.anchor(stay.fixes[first])
            if zone is None:
                continue
            survived, out = self._survives(stay.fixes, first, zone, at_ms)
            if not survived:
                continue
            new = self.keys[key] = Stay(stay.fixes[first], zone, stay.feed, event)
            new.fixes = stay.fixes[first:]
            new.out, new.last, new.seen = out, stay.last, len(new.fixes)
            if out is not None:
                self._wake_at(key, new, out + self.spec.outside_ms)
            elif at_ms - new.begin < self.spec.at_least_ms:
                self._wake_for(key, new)
            elif self._present(new, at_ms):
                self._hold(key, new, at_ms)
            return

    def _present(self, stay: Stay, at_ms: int) -> bool:
        """Whether the key is known, or may be presumed, to be there at `at_ms`."""
        silent = self.spec.silent_ms
        since: int = at_ms - stay.last
        return since == 0 if silent is None else since <= silent

    def _survives(
        self, fixes: list[Fix], first: int, zone: str, at_ms: int
    ) -> tuple[bool, int | None]:
        """Whether a stay begun at `fixes[first]` lasts to the end, and its open excursion."""
        anchor, tolerated, out = fixes[first], self.spec.outside_ms, None
        for fix in fixes[first + 1 :]:
            if self.place.holds(anchor, zone, fix):
                if out is not None and fix[0] - out > tolerated:
                    return False, None
                out = None
                continue
            out = fix[0] if out is None else out
            if tolerated == 0 or fix[3] - out > tolerated:
                return False, None
        return out is None or at_ms - out < tolerated, out

    def _hold(self, key: str, stay: Stay, at_ms: int) -> None:
        """The stay has lasted T: hand it to the alert's life, unless its alert is over already."""
        if stay.held and self.life.find(key) is None:
            return
        if not stay.held:
            stay.held = True
            del stay.fixes[1:]
        anchor = stay.fixes[0]
        facts = {
            "anchor": [anchor[1], anchor[2]],
            "last": stay.last,
            "size": stay.seen,
            "zone": stay.zone,
            "feed": stay.feed,
        }
        self.life.hold(key, anchor[0], at_ms, stay.event, facts)
        episode = self.life.find(key)
        firing = episode is not None and episode.phase is Phase.FIRING
        stay.calm = episode if firing and not self.life.judge.asks else None

    def _wake_for(self, key: str, stay: Stay) -> None:
        """Ask for the timer at anchor + T, where presence between fixes may be presumed."""
        if self.spec.silent_ms is not None:
            self._wake_at(key, stay, stay.begin + self.spec.at_least_ms)

    def _wake_at(self, key: str, stay: Stay, at_ms: int) -> None:
        stay.wake = at_ms
        self.host.wake(at_ms, key)

    def on_timer(self, key: str, at_ms: int) -> None:
        """T has passed, or an excursion has lasted too long."""
        stay = self.keys.get(key)
        if stay is not None and stay.wake == at_ms:
            stay.wake = 0
            self.host.touch(key)
            if stay.out is not None:
                if at_ms - stay.out >= self.spec.outside_ms:
                    self._break(key, stay, at_ms, stay.event)
                else:
                    self._wake_at(key, stay, stay.out + self.spec.outside_ms)
            elif (
                not stay.held
                and at_ms - stay.begin >= self.spec.at_least_ms
                and self._present(stay, at_ms)
            ):
                self._hold(key, stay, at_ms)
        if key in self.life.open:
            known = stay is None or stay.out is not None or self._present(stay, at_ms)
            if stay is not None and not known:
                stay.calm = None  # the next fix inside lets the alert climb
            self.life.on_timer(key, at_ms, known=known)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first fix."""

    def save(self, key: str) -> Any:
        """Stay and episode of a key, or None when it drives and nothing is open."""
        stay = self.keys.get(key)
        episodes = self.life.save(key)
        if stay is None:
            return [None, episodes] if episodes else None
        return [
            [
                stay.fixes,
                stay.zone,
                stay.last,
                stay.out,
                stay.held,
                stay.wake,
                stay.seen,
                stay.feed,
                self.codec.plain(stay.event),
            ],
            episodes,
        ]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None:
            fixes = [list(fix) for fix in plain[0]]
            event = self.codec.event(plain[7], plain[8])
            stay = self.keys[key] = Stay(fixes[0], plain[1], plain[7], event)
            stay.fixes, stay.last, stay.out = fixes, plain[2], plain[3]
            stay.held, stay.wake, stay.seen = plain[4], plain[5], plain[6]
            if stay.wake:
                self.host.wake(stay.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
