"""near, part two: one cell of the map at a time, which keys are in company there.

A cell knows every key in it and within the margin, two radii, of it. Of the keys at home in it, it
passes on those that are in company: that have all the neighbours a gathering needs, or one of
which is within the radius. What is decided here depends on present positions only, so nothing
is lost when a gathering wanders from cell to cell; what has lasted is counted by the next part.

    keys         .    A  B C      D              A, B, C gather (3 within R of each other);
    told on           A  B C  (D within R of C: told too, it is one of those around)
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.lifecycle import Judge, Life
from engine.geo.places import Places, cell_name
from engine.model.row_keys import parts_of, row_key
from engine.operators.base import Event, EventCodec, Host
from engine.operators.near_crowd import Crowd
from engine.operators.near_note import farewell, forwarded
from engine.operators.specs.base import mark_of
from engine.operators.specs.near import NearSpec
from engine.ports import Sent


class Member:
    """A key as a cell knows it.

    Attributes:
        counts: How many keys of each kind are within the radius, itself included.
        full: Whether it has all the company that a gathering needs.
        company: How many keys within the radius, itself included, are full.
        home: Whether it lies in this very cell, not just near it.
        fresh: Whether it was heard of in the present instant.
        told: Whether the next part was told that it is there.

    """

    __slots__ = (
        "company",
        "counts",
        "event",
        "feed",
        "fresh",
        "full",
        "home",
        "kind",
        "lat",
        "lon",
        "told",
    )

    def __init__(self, lon: float, lat: float, kind: int, kinds: int) -> None:
        self.lon = lon
        self.lat = lat
        self.kind = kind
        self.counts = [0] * kinds
        self.full = False
        self.company = 0
        self.home = False
        self.fresh = True
        self.told = False
        self.event: Event = None
        self.feed = ""


class Cellful:
    """All keys that one cell knows.

    Attributes:
        doubt: Keys of which it must be asked anew whether they are full.
        changed: Keys of which the next part may have to hear.
        gone: Keys that were told and left, with their feed.
        asked: The last instant whose end was asked for.
        anew: When all of it must be told anew, because the rule was edited; 0 where nothing must.

    """

    __slots__ = ("anew", "asked", "changed", "crowd", "doubt", "gone", "members")

    def __init__(self, radius_m: float) -> None:
        self.members: dict[str, Member] = {}
        self.crowd: Crowd[tuple[str, Member]] = Crowd(radius_m)
        self.doubt: dict[str, Member] = {}
        self.changed: dict[str, Member] = {}
        self.gone: dict[str, str] = {}
        self.asked = -(2**62)
        self.anew = 0


class CellsLogic:
    """All cells of one `near` rule in one partition of the place space.

    State: one row per cell and key that is in it or near it; none for an empty cell.
    """

    def __init__(
        self,
        spec: NearSpec,
        places: Places,
        axes: Mapping[str, tuple[str, str]],
        links: tuple[str, Mapping[str, str], str],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        """Make an empty partition.

        Args:
            spec: What was declared.
            places: The cells.
            axes: For each feed, the names of its position's fields.
            links: The key space of the next part, for each feed the derived feed it reads, and
                the one key under which it reads them.
            judge: Unused; a part that only sends has no alerts.
            host: Timers, changed rows, sending.
            codec: How events are saved.

        """
        self.spec = spec
        self.mark = mark_of(spec)
        self.needs = spec.needs()
        self.places = places
        self.axes = axes
        self.space, self.derived, self.target = links
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Cellful] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one note; what follows is worked out when the instant is over."""
        lon_of, lat_of = self.axes[feed]
        keys, radius_m = self.keys, self.spec.radius_m

        def on_event(cell: str, event: Event, at_ms: int) -> None:
            full = keys.get(cell)
            if full is None:
                full = keys[cell] = Cellful(radius_m)
            if full.asked != at_ms:
                full.asked = at_ms
                self.host.wake(at_ms, cell)
            who = event.near_who
            self.host.touch(row_key(cell, who))
            if event.near_here:
                lon, lat = getattr(event, lon_of), getattr(event, lat_of)
                member = self._place(cell, full, who, lon, lat, event.near_kind)
                member.event, member.feed, member.fresh = event, feed, True
            elif who in full.members:
                self._remove(full, who)

        return on_event

    def late(self, feed: str) -> None:
        """Where a key was is never revised."""

    def _place(
        self, cell: str, full: Cellful, who: str, lon: float, lat: float, kind: int
    ) -> Member:
        """Put a key where it is now; its neighbours of before and of now are counted anew."""
        member = full.members.get(who)
        if member is not None and member.kind != kind:
            told = member.told
            self._remove(full, who)
            full.gone.pop(who, None)
            member = self._add(full, who, lon, lat, kind)
            member.told = told
        elif member is None:
            member = self._add(full, who, lon, lat, kind)
            member.told = full.gone.pop(who, None) is not None
        elif lon != member.lon or lat != member.lat:
            self._move(full, who, member, lon, lat)
        member.home = cell_name(self.places.home(lon, lat)) == cell
        full.changed[who] = member
        return member

    def _add(self, full: Cellful, who: str, lon: float, lat: float, kind: int) -> Member:
        member = full.members[who] = Member(lon, lat, kind, len(self.needs))
        for name, other in full.crowd.within(lon, lat):
            other.counts[kind] += 1
            member.counts[other.kind] += 1
            member.company += other.full
            full.doubt[name] = other
        member.counts[kind] += 1
        full.doubt[who] = member
        full.crowd.put(who, lon, lat, (who, member))
        return member

    def _move(self, full: Cellful, who: str, member: Member, lon: float, lat: float) -> None:
        before = dict(full.crowd.within(member.lon, member.lat))
        after = dict(full.crowd.within(lon, lat))
        for name in before.keys() - after.keys() - {who}:
            self._part(full, name, before[name], member, -1)
        for name in after.keys() - before.keys() - {who}:
            self._part(full, name, after[name], member, 1)
        member.lon, member.lat = lon, lat
        full.doubt[who] = member
        full.crowd.put(who, lon, lat, (who, member))

    def _part(self, full: Cellful, name: str, other: Member, member: Member, by: int) -> None:
        """Two keys came within the radius of each other (`by` 1), or are no longer (-1)."""
        other.counts[member.kind] += by
        member.counts[other.kind] += by
        full.doubt[name] = other
        if member.full:
            other.company += by
            full.changed[name] = other
        if other.full:
            member.company += by

    def _remove(self, full: Cellful, who: str) -> None:
        member = full.members.pop(who)
        full.crowd.drop(who)
        full.doubt.pop(who, None)
        full.changed.pop(who, None)
        for name, other in full.crowd.within(member.lon, member.lat):
            other.counts[member.kind] -= 1
            full.doubt[name] = other
            if member.full:
                other.company -= 1
                full.changed[name] = other
        if member.told:
            full.gone[who] = member.feed

    def on_timer(self, key: str, at_ms: int) -> None:
        """An instant is over: who is in company now, and what must the next part hear."""
        full = self.keys.get(key)
        if full is None:
            return
        if full.anew and at_ms >= full.anew:
            full.anew, full.changed = 0, dict(full.members)
            for who in full.members:
                self.host.touch(row_key(key, who))
        self._judge(full)
        self._tell(key, full, at_ms)
        if not full.members:
            del self.keys[key]

    def _judge(self, full: Cellful) -> None:
        """Ask those in doubt whether they are full; their neighbours hear of it."""
        spec, needs, guarded = self.spec, self.needs, self.spec.apart
        for who, member in full.doubt.items():
            counts = member.counts
            if guarded is None:
                now = sum(counts) >= spec.count and all(
                    count >= need for count, need in zip(counts, needs, strict=True)
                )
            else:
                now = member.kind == guarded
            if now != member.full:
                member.full = now
                by = 1 if now else -1
                for name, other in full.crowd.within(member.lon, member.lat):
                    other.company += by
                    full.changed[name] = other
                full.changed[who] = member
        full.doubt.clear()

    def _tell(self, cell: str, full: Cellful, at_ms: int) -> None:
        """Pass on keys at home here that are in company, and those that are not any more."""
        for who in sorted({*full.changed, *full.gone}):
            member = full.changed.get(who)
            if member is None:
                self._send(full.gone[who], who, at_ms, None)
                continue
            passes = member.home and member.company > 0
            if passes and (member.fresh or not member.told):
                self._send(member.feed, who, at_ms, member)
            elif member.told and not passes:
                self._send(member.feed, who, at_ms, None)
            member.fresh = False
            if passes != member.told:
                member.told = passes
                self.host.touch(row_key(cell, who))
        full.changed.clear()
        full.gone.clear()

    def _send(self, feed: str, who: str, at_ms: int, member: Member | None) -> None:
        target = self.target
        if member is None:
            value = farewell(target, who, at_ms)
        else:
            value = forwarded(member.event, target, at_ms)
        self.host.send(Sent(self.space, self.derived[feed], target, at_ms, value))

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first note."""

    def save(self, key: str) -> Any:
        """A key as a cell knows it, or None if it does not."""
        cell, who = parts_of(key)
        full = self.keys.get(cell)
        member = None if full is None else full.members.get(who)
        if member is None:
            return None
        assert full is not None  # noqa: S101 - it has the member
        about = [self.mark, full.anew] if full.anew else [self.mark]
        return [[member.feed, self.codec.plain(member.event), member.told, *about], []]

    def load(self, key: str, saved: Any) -> None:
        """Take up a key; what it has for company follows when its neighbours are there too."""
        cell, who = parts_of(key)
        feed, plain, told, *about = saved[0]
        event = self.codec.event(feed, plain)
        full = self.keys.get(cell)
        if full is None:
            full = self.keys[cell] = Cellful(self.spec.radius_m)
        lon_of, lat_of = self.axes[feed]
        lon, lat = getattr(event, lon_of), getattr(event, lat_of)
        member = self._place(cell, full, who, lon, lat, event.near_kind)
        member.event, member.feed, member.told, member.fresh = event, feed, told, False
        if len(about) > 1:
            full.anew = about[1]
            self.host.wake(full.anew, cell)
        self._judge(full)
        full.changed.clear()

    def size(self) -> int:
        """How many keys all cells know."""
        return sum(len(full.members) for full in self.keys.values())
