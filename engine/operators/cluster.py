"""cluster: alike records of one key within a time: near each other, saying the same, by several.

    x     x  .    x!      x     x      (!) grows: told again            ends `within` after the last
    |--------within------|

A record joins the oldest open cluster whose anchor it is alike to. Else it waits among the free
ones; the earliest free record that has enough alike ones around it, itself included, becomes the
anchor of a new cluster and takes them with it. So a cluster reaches from its anchor as far as
`near` and `alike` say and does not creep across the city from neighbour to neighbour.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from engine.alerts.lifecycle import Judge, Life, Phase
from engine.model.likeness import Marks, likeness, marks_of
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.specs.cluster import ClusterSpec

_SHOWN = 50
_DIGEST_BYTES = 6

Far = Callable[[float, float, float, float], bool]


class Reading(NamedTuple):
    """What is read of a record: (lon, lat), its text, and who told it."""

    position: tuple[float, float] | None
    text: str | None
    who: Any


class Kept(NamedTuple):
    """A record as it is remembered: its number, time, place, the marks of its text, its caller."""

    number: int
    at_ms: int
    place: tuple[float, float] | None
    marks: Marks
    who: str


class Group:
    """An open cluster.

    Attributes:
        anchor: The record that the others are alike to.
        since: Time of its first record.
        last: Time of its newest.
        who: Callers counted, by digest; empty where all records count.
        count: Its size.
        shown: Times and places of its first records, for people.

    """

    __slots__ = ("anchor", "count", "last", "shown", "since", "who")

    def __init__(self, anchor: Kept, since: int) -> None:
        self.anchor = anchor
        self.since = since
        self.last = since
        self.who: set[str] = set()
        self.count = 0
        self.shown: list[list[Any]] = []

    def take(self, record: Kept) -> bool:
        """Count a record; answers whether the cluster grew."""
        self.last = max(self.last, record.at_ms)
        if record.who and record.who in self.who:
            return False
        if record.who:
            self.who.add(record.who)
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append([record.at_ms, *(record.place or ())])
        return True


class Records:
    """What is remembered of one key."""

    __slots__ = ("event", "feed", "free", "groups", "next", "wake")

    def __init__(self) -> None:
        self.free: list[Kept] = []
        self.groups: list[Group] = []
        self.next = 0
        self.wake = 0
        self.event: Event | None = None
        self.feed = ""


class ClusterLogic:
    """All keys of one `cluster` rule in one partition.

    State: for each key the records of the last `within` that are in no cluster, at most `keep`, and
    the open clusters; nothing once `within` has passed without a record.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        far: Far | None,
        read: Callable[[str, Event, int], Reading],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.far = far
        self.read = read
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Records] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Put a record into its cluster, or among the free ones."""
        opened = self.life.open

        def on_event(key: str, event: Event, at_ms: int) -> None:
            self._take(feed, key, event, at_ms)
            if key in opened:
                self.life.event(key, event, at_ms)
                self._ended(key)

        return on_event

    def late(self, feed: str) -> None:
        """A late record is dropped."""
        del feed

    def _take(self, feed: str, key: str, event: Event, at_ms: int) -> None:
        reading = self.read(key, event, at_ms)
        if self.far is not None and reading.position is None:
            return
        marks = marks_of(reading.text) if isinstance(reading.text, str) else frozenset()
        if self.spec.text is not None and not marks:
            return
        records = self.keys.get(key)
        if records is None:
            records = self.keys[key] = Records()
        records.event, records.feed = event, feed
        record = Kept(records.next, at_ms, reading.position, marks, _digest(reading.who))
        records.next += 1
        self.host.touch(key)
        for group in records.groups:
            if at_ms < group.last + self.spec.within_ms and self.alike(group.anchor, record):
                if group.take(record):
                    self._tell(key, group, at_ms, event, feed)
                self._arm(key, records)
                return
        self._gather(feed, key, records, record, event)
        self._arm(key, records)

    def _gather(self, feed: str, key: str, records: Records, record: Kept, event: Event) -> None:
        """Keep a free record; open a cluster where there are enough alike ones now."""
        oldest = record.at_ms - self.spec.within_ms
        records.free = [one for one in records.free if one.at_ms > oldest]
        records.free = [*records.free, record][-self.spec.keep :]
        for anchor in [one for one in records.free if self.alike(one, record)]:
            members = [one for one in records.free if self.alike(anchor, one)]
            if len({one.who or one.number for one in members}) >= self.spec.at_least:
                group = Group(anchor, members[0].at_ms)
                for one in members:
                    group.take(one)
                records.free = [one for one in records.free if one not in members]
                records.groups.append(group)
                self._tell(key, group, record.at_ms, event, feed)
                return

    def alike(self, one: Kept, other: Kept) -> bool:
        """Whether two records are near each other and say the same; each is like itself."""
        far, here, there = self.far, one.place, other.place
        if far is not None and here is not None and there is not None and far(*here, *there):
            return False
        if self.spec.text is None:
            return True
        return likeness(one.marks, other.marks) >= self.spec.alike

    def _tell(self, key: str, group: Group, at_ms: int, event: Event, feed: str) -> None:
        """Announce a cluster that is new or has grown."""
        part = str(group.anchor.number)
        before = self.life.find(key, part)
        ordinal = None if before is None else before.ordinal
        facts = {
            "feed": feed,
            "size": group.count,
            "last": group.last,
            "anchor": None if group.anchor.place is None else list(group.anchor.place),
            "records": [list(one) for one in group.shown],
        }
        self.life.hold(key, group.since, at_ms, event, facts, part)
        episode = self.life.find(key, part)
        if episode is None or episode.phase is not Phase.FIRING:
            return
        if group.count in self.spec.grows and episode.ordinal == ordinal:
            self.life.tell(key, at_ms, event, part)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A cluster may be over, free records may be too old."""
        records = self.keys.get(key)
        if records is not None and records.wake == at_ms:
            records.wake = 0
            self.host.touch(key)
            oldest = at_ms - self.spec.within_ms
            for group in [one for one in records.groups if one.last <= oldest]:
                records.groups.remove(group)
                self.life.gone(key, at_ms, records.event, str(group.anchor.number))
            records.free = [one for one in records.free if one.at_ms > oldest]
            self._arm(key, records)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)
            self._ended(key)
        self._tidy(key)

    def _ended(self, key: str) -> None:
        """Clusters whose alerts the rule's `clear` has ended take no more records."""
        records = self.keys.get(key)
        if records is not None:
            open_parts = self.life.open.get(key, {})
            records.groups = [one for one in records.groups if str(one.anchor.number) in open_parts]

    def _arm(self, key: str, records: Records) -> None:
        """Ask for a look when the next cluster is over, or the newest free record too old."""
        ends = [group.last + self.spec.within_ms for group in records.groups]
        if records.free:
            ends.append(records.free[-1].at_ms + self.spec.within_ms)
        if ends and (not records.wake or min(ends) < records.wake):
            records.wake = min(ends)
            self.host.wake(records.wake, key)

    def _tidy(self, key: str) -> None:
        records = self.keys.get(key)
        if records is not None and not (records.free or records.groups or key in self.life.open):
            del self.keys[key]

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first record."""

    def save(self, key: str) -> Any:
        """The key's free records, its clusters and its episodes; None when there are none."""
        records = self.keys.get(key)
        episodes = self.life.save(key)
        if records is None:
            return [None, episodes] if episodes else None
        groups = [
            [_plain(one.anchor), one.since, one.last, sorted(one.who), one.count, one.shown]
            for one in records.groups
        ]
        event = save_event(self.codec, records.feed, records.event)
        free = [_plain(one) for one in records.free]
        return [[free, groups, records.next, records.wake, event], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None:
            records = self.keys[key] = Records()
            records.free = [_kept(one) for one in plain[0]]
            for anchor, since, last, who, count, shown in plain[1]:
                group = Group(_kept(anchor), since)
                group.last, group.who, group.count = last, set(who), count
                group.shown = [list(one) for one in shown]
                records.groups.append(group)
            records.next, records.wake = plain[2], plain[3]
            records.feed, records.event = load_event(self.codec, plain[4])
            if records.wake:
                self.host.wake(records.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())


def _plain(record: Kept) -> list[Any]:
    place = None if record.place is None else list(record.place)
    return [record.number, record.at_ms, place, sorted(record.marks), record.who]


def _kept(plain: list[Any]) -> Kept:
    number, at_ms, place, marks, who = plain
    return Kept(
        number, at_ms, None if place is None else (place[0], place[1]), frozenset(marks), who
    )


def _digest(who: Any) -> str:
    """A caller as it is remembered: a digest, so that state holds no names. "" for none."""
    if who is None:
        return ""
    return hashlib.blake2b(str(who).encode(), digest_size=_DIGEST_BYTES).hexdigest()
