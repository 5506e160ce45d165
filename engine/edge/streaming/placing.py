"""Where each row and each position of an export goes on Kafka, or why it cannot.

same cluster, same feed topics, same count     each partition as it was; unread records stay
                                               unread and are read on
the feed topics are others, or were widened    rows by the hash of their key; refused unless
                                               everything that was written had been read
records in a topic of which nothing is known   refused, unless the operator says where to begin
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from engine.edge.state_tools.file import Head, LogEnd, Part, Route
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.topics import Layout, SpaceLayout
from engine.errors import StateError
from engine.ports import Position
from engine.ruleset.compile import Program
from engine.state.codec import WAITING, Meta, unpack_meta
from engine.state.portable import together
from engine.state.watermark import NEVER
from engine.text import say

Spot = tuple[str, int]
"""A key space and a new partition of it."""


@dataclass(slots=True)
class Placing:
    """One import's decisions.

    Attributes:
        metas: The record of each new partition; `marks` its watermark.
        routes: For each (key space, feed, partition of the feed): how far routing is.
        ends: First offset and end of every input of the target.
        same: Key spaces whose partitions stay as they are.

    """

    head: Head
    parts: Sequence[Part]
    was_routed: Sequence[Route]
    layout: Layout
    program: Program
    cluster: str
    feeds: str | None
    lang: str
    ends: Mapping[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    metas: dict[Spot, Meta] = field(default_factory=dict)
    marks: dict[Spot, int] = field(default_factory=dict)
    routes: dict[tuple[str, str, int], tuple[int, int]] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    _complete: dict[Spot, int] = field(default_factory=dict)

    @property
    def spots(self) -> list[Spot]:
        """Every new partition."""
        return [
            (name, one)
            for name, space in self.layout.spaces.items()
            for one in range(space.partitions)
        ]

    def decide(self) -> None:
        """Work everything out.

        Raises:
            StateError: something would be lost or happen twice.

        """
        for name, space in self.layout.spaces.items():
            parts = [part for part in self.parts if part.space == name]
            if self._stays(space, parts):
                self.same.add(name)
            for one in range(space.partitions):
                self._record(space, parts, one)
            if space.direct:
                self._positions(space, parts)
            else:
                self._routing(space, parts)
        self.marks = {spot: meta.watermark for spot, meta in self.metas.items()}
        for part in self.parts:
            if part.watermark is not None:
                self._complete[part.space, part.partition] = part.watermark

    def complete(self, space: str, partition: int) -> int:
        """Up to when the rows of an old partition are complete."""
        return self._complete.get((space, partition), NEVER)

    def spot_of(self, space: str, partition: int, key: str, rule: str) -> Spot:
        """The new partition of a row.

        Raises:
            StateError: its producer places keys otherwise than we do, so nobody can tell.

        """
        if space in self.same:
            return space, partition
        old = self.head.spaces[space]
        if old.direct and self.head.origin.kind == "kafka" and rule != WAITING:
            expected = partition_of(key, old.partitions)
            if expected != partition:
                words = {"space": space, "key": key, "found": partition, "expected": expected}
                raise StateError(say("state-misplaced", self.lang, **words))
        return space, partition_of(key, self.layout.spaces[space].partitions)

    def _stays(self, space: SpaceLayout, parts: Sequence[Part]) -> bool:
        """Whether new partition n is old partition n."""
        old = self.head.spaces.get(space.name)
        if old is None or self.head.origin.kind != "kafka":
            return False
        if (old.partitions, old.direct) != (space.partitions, space.direct):
            return False
        topics = {end.topic for part in parts for end in part.logs.values()}
        known = self.head.origin.cluster == self.cluster and topics == set(space.inputs)
        return known or not space.direct

    def _record(self, space: SpaceLayout, parts: Sequence[Part], one: int) -> None:
        """The record of a new partition, without positions."""
        if space.name in self.same:
            old = [part for part in parts if part.partition == one]
            metas = [_meta(part) for part in old if part.watermark is not None]
            meta = together(metas, lambda _key: True)
        else:
            metas = [_meta(part) for part in parts if part.watermark is not None]
            meta = together(metas, lambda key: partition_of(key, space.partitions) == one)
        if not metas:
            meta.watermark = NEVER
        self.metas[space.name, one] = meta

    def _known(self, end: LogEnd) -> bool:
        """Whether the target reads the very topic that was read, on the very cluster."""
        if not end.topic or TopicPartition(end.topic, end.partition) not in self.ends:
            return False
        kafka = self.head.origin.kind == "kafka"
        return not kafka or self.head.origin.cluster == self.cluster

    def _positions(self, space: SpaceLayout, parts: Sequence[Part]) -> None:
        """Where the feeds of a direct key space are read on."""
        known: dict[TopicPartition, tuple[LogEnd, bool]] = {}
        for part in parts:
            for log, end in part.logs.items():
                place = TopicPartition(end.topic, end.partition)
                if self._known(end) and place.topic in space.inputs:
                    known[place] = (end, end.source in part.idle)
                if space.name not in self.same and end.unread:
                    self._unread(space.name, log, end.unread)
        of = {self.layout.feeds[feed]: feed for feed in self.program.spaces[space.name].outside}
        for topic in space.inputs:
            widened = any(place.topic == topic for place in known)
            for one in range(space.partitions):
                place, log = TopicPartition(topic, one), f"{topic}/{one}"
                meta, source = self.metas[space.name, one], f"{one}/{of[topic]}"
                if place in known:
                    end, idle = known[place]
                    meta.positions[log], meta.origins[log] = end.position, source
                    if end.before_ms > NEVER:
                        meta.sources[source] = end.before_ms
                    if idle:
                        meta.idle.append(source)
                elif (begin := self._begin(place, new=widened)) is not None:
                    meta.positions[log], meta.origins[log] = begin, source

    def _routing(self, space: SpaceLayout, parts: Sequence[Part]) -> None:
        """Where the routers of a key space go on, and its own routed topic."""
        was = {
            TopicPartition(route.end.topic, route.end.partition): route
            for route in self.was_routed
            if route.space == space.name and self._known(route.end)
        }
        ends = [route.end for route in self.was_routed if route.space == space.name]
        ends += [end for part in parts for end in part.logs.values()]
        for end in ends:
            place = TopicPartition(end.topic, end.partition)
            if self._known(end) and place not in was:  # read by an embedded daemon
                feed = end.source.partition("/")[2]
                was[place] = Route(space.name, feed, end)
            elif not self._known(end) and end.unread:
                self._unread(space.name, f"{end.topic}/{end.partition}", end.unread)
        sources: dict[str, int] = {}
        for feed in self.program.spaces[space.name].outside:
            topic = self.layout.feeds[feed]
            widened = any(place.topic == topic for place in was)
            for one in range(self.layout.counts[topic]):
                place = TopicPartition(topic, one)
                if place in was:
                    end = was[place].end
                    self.routes[space.name, feed, one] = (end.offset, end.before_ms)
                    if end.before_ms > NEVER:
                        sources[f"{one}/{feed}"] = end.before_ms
                else:
                    begin = self._begin(place, new=widened)
                    start = 0 if begin is None else begin.committed
                    self.routes[space.name, feed, one] = (start, NEVER)
        idle = set.intersection(*(set(part.idle) for part in parts)) if parts else set()
        for one in range(space.partitions):
            meta = self.metas[space.name, one]
            meta.sources = dict(sources)
            meta.idle = sorted(idle & set(sources))
            place = TopicPartition(space.inputs[0], one)
            _, end_offset = self.ends[place]
            if end_offset:
                meta.positions[f"{place.topic}/{one}"] = Position(end_offset, end_offset, NEVER)

    def _begin(self, place: TopicPartition, *, new: bool) -> Position | None:
        """Where a partition of which nothing is known is begun; `new`: its topic was widened."""
        start, end = self.ends[place]
        if start == end or new or self.feeds == "start":
            return None
        if self.feeds == "end":
            return Position(end, end, NEVER)
        words = {"place": f"{place.topic}/{place.partition}", "count": end - start}
        raise StateError(say("state-unknown-records", self.lang, **words))

    def _unread(self, space: str, log: str, count: int) -> None:
        raise StateError(say("state-unread", self.lang, space=space, place=log, count=count))


def _meta(part: Part) -> Meta:
    """What is left of an old partition's record; its watermark is the file's word."""
    meta = unpack_meta(part.meta) if part.meta else Meta()
    meta.watermark = NEVER if part.watermark is None else part.watermark
    return meta
