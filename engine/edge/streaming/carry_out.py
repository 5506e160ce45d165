"""Export of an installation on Kafka: its state partitions, and how far its inputs were read.

    1. every state partition, read to its last committed record
    2. every router's position                 (routed key spaces)
    3. the routed topics, from where 1. had read to their end, as far as 2. had routed

In that order everything that a router has let pass is either in the state or travels as a record
that waits, so the workers may go on meanwhile. A transaction is seen whole or not at all.
"""

import asyncio
from pathlib import Path

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from engine.edge.state_tools.file import Counted, LogEnd, Origin, Part, Route, StateWriter
from engine.edge.state_tools.folder_out import head_of
from engine.edge.state_tools.reread import Rereading, part_of
from engine.edge.streaming.adoption import refuse_unfinished
from engine.edge.streaming.changelog import META, read_back, row_of
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import Names
from engine.edge.streaming.ranges import cluster, nobody_works, piece, spans
from engine.edge.streaming.routed import ORIGIN
from engine.edge.streaming.topics import Layout, SpaceLayout, lay_out
from engine.errors import EnvironmentUnusable
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program
from engine.state.codec import Meta, pack_meta, unpack_meta
from engine.state.watermark import NEVER
from engine.text import say

_route = msgspec.msgpack.Decoder(tuple[int, int]).decode
_origin = msgspec.msgpack.Decoder(tuple[str, int, int, int, int]).decode

Routed = dict[tuple[str, int], tuple[int, int]]
"""For each (feed, partition): how far it was routed, and its watermark there."""


def export_topics(
    link: Link, program: Program, out: Path, lang: str, *, carry: bool = True
) -> Counted:
    """Write the state of an installation on Kafka into a file.

    Args:
        link: How to reach it.
        program: The rules; they know how to read what waited.
        out: The file.
        lang: Language of errors.
        carry: Also take along records that wait for their turn; a mere look does without.

    Raises:
        EnvironmentUnusable: there is no state under this prefix.
        StateError: an import into it has not ended.

    """
    return asyncio.run(_Export(link, program, lang, carry=carry).run(out))


class _Export:
    """One export."""

    def __init__(self, link: Link, program: Program, lang: str, *, carry: bool) -> None:
        self.link, self.program, self.lang, self.carry = link, program, lang, carry
        self.names = Names(link.prefix, link.app)

    async def run(self, out: Path) -> Counted:
        """Write the file."""
        await wait_for_broker(self.link, self.lang)
        number, topics = await cluster(self.link)
        if not any(self.names.state(name) in topics for name in self.program.spaces):
            place = f"{self.link.bootstrap} ({self.link.prefix})"
            raise EnvironmentUnusable(say("state-nothing", self.lang, place=place))
        layout = await lay_out(self.link, self.program, self.lang)
        if self.carry and any(space.upstream for space in self.program.spaces.values()):
            await nobody_works(self.link, self.lang)  # a sender's records have no place to cut at
        shapes = {name: (one.partitions, one.direct) for name, one in layout.spaces.items()}
        origin = Origin("kafka", self.link.bootstrap, number, self.link.prefix, self.link.app)
        try:
            with StateWriter(out, head_of(self.program, origin, shapes), self.lang) as writer:
                for space in layout.spaces.values():
                    if space.direct:
                        await self._direct(writer, layout, space)
                    else:
                        await self._routed(writer, layout, space)
        except KafkaError as error:
            why = str(error) or type(error).__name__
            raise EnvironmentUnusable(say("state-topic-unreadable", self.lang, why=why)) from error
        return writer.counted

    async def _saved(self, writer: StateWriter, space: SpaceLayout, partition: int) -> bytes | None:
        """Write the rows of a partition; answers its record."""
        topic = self.names.state(space.name)
        kept = await read_back(self.link, topic, partition)
        refuse_unfinished(kept, topic, self.lang)
        meta = kept.pop(META, None)
        for row in sorted(row_of(key, value) for key, value in kept.items()):
            writer.row(space.name, partition, row.rule, row.key, row.value or b"")
        return meta

    async def _direct(self, writer: StateWriter, layout: Layout, space: SpaceLayout) -> None:
        """A key space that reads its feeds itself."""
        program = self.program.spaces[space.name]
        of = {layout.feeds[feed]: feed for feed in program.outside}
        for partition in range(space.partitions):
            meta = await self._saved(writer, space, partition)
            places = [TopicPartition(topic, partition) for topic in space.inputs]
            known = Meta(watermark=NEVER) if meta is None else unpack_meta(meta)
            ends: dict[str, tuple[int, int]] = {}
            waiting: list[Write] = []
            if meta is not None and self.carry:
                again = Rereading(program, meta)
                for place in places:
                    span, log = again.wanted(_log(place)), _log(place)
                    source = SourceId(of[place.topic], partition)
                    if span is not None:
                        async for some in piece(self.link, place, *span):
                            again.take(
                                log, source,
                                [Record(r.offset, r.value or b"", r.timestamp) for r in some],
                            )  # fmt: skip
                ends, waiting = again.reached(), again.waiting
            there = await spans(self.link, places)
            unread = {
                _log(place): end - max(start, _frontier(known, _log(place)))
                for place, (start, end) in there.items()
            }
            topics = {_log(place): (place.topic, partition) for place in places}
            part = part_of(space.name, partition, known, topics, unread, ends, {})
            for place in places:  # a log that was never read counts too
                log = _log(place)
                named = f"{partition}/{of[place.topic]}"
                empty = LogEnd(0, NEVER, named, place.topic, partition, unread[log])
                part.logs.setdefault(log, empty)
            _put(writer, part, meta, waiting)

    async def _routed(self, writer: StateWriter, layout: Layout, space: SpaceLayout) -> None:
        """A key space whose records come to it through routers."""
        metas = [
            await self._saved(writer, space, partition) for partition in range(space.partitions)
        ]
        routed: Routed = {}
        for feed in self.program.spaces[space.name].outside:
            topic, names = layout.feeds[feed], self.names.route(space.name, feed)
            places = [TopicPartition(topic, one) for one in range(layout.counts[topic])]
            there = await spans(self.link, places)
            for place in places:
                saved = await read_back(self.link, names, place.partition)
                offset, mark = _route(saved[META]) if META in saved else (0, NEVER)
                routed[feed, place.partition] = offset, mark
                start, end = there[place]
                source, unread = f"{place.partition}/{feed}", end - max(start, offset)
                one = LogEnd(offset, mark, source, topic, place.partition, unread)
                writer.route(Route(space.name, feed, one))
                if unread > 0:
                    writer.counted.unread[_log(place)] = unread
        for partition, meta in enumerate(metas):
            await self._on_the_way(writer, space, partition, meta, routed)

    async def _on_the_way(
        self,
        writer: StateWriter,
        space: SpaceLayout,
        partition: int,
        meta: bytes | None,
        routed: Routed,
    ) -> None:
        """What routers had let pass and the rules had not seen, and the partition's record."""
        known = Meta(watermark=NEVER) if meta is None else unpack_meta(meta)
        again = Rereading(self.program.spaces[space.name], pack_meta(known))
        place = TopicPartition(space.inputs[0], partition)
        heard: set[str] = set()
        if self.carry:
            position = known.positions.get(_log(place))
            first, end = (await spans(self.link, [place]))[place]
            start = first if position is None else position[0]
            if start < end:
                async for some in piece(self.link, place, start, end):
                    for one in some:
                        name, packed = one.headers[0]
                        if name != ORIGIN:
                            continue
                        feed, number, offset, arrived_ms, before_ms = _origin(packed)
                        upto = routed.get((feed, number))  # None: another key space sent it
                        if upto is None or offset < upto[0]:
                            record = Record(one.offset, one.value, arrived_ms, before_ms)
                            again.take(_log(place), SourceId(feed, number), [record])
                            heard.add(f"{number}/{feed}")
        part = part_of(space.name, partition, known, {}, {}, again.reached(), {})
        marks = {f"{number}/{feed}": mark for (feed, number), (_, mark) in routed.items()}
        idle = [name for name in part.idle if name not in heard]
        part = msgspec.structs.replace(part, sources=marks, idle=idle, logs={})
        _put(writer, part, meta, again.waiting)


def _put(writer: StateWriter, part: Part, meta: bytes | None, waiting: list[Write]) -> None:
    """Write a partition's record and what waits in it; one that never began has no watermark."""
    if meta is None and not waiting:
        part = msgspec.structs.replace(part, watermark=None, meta=b"")
    writer.part(part)
    for row in waiting:
        writer.row(part.space, part.partition, row.rule, row.key, row.value or b"")
        writer.counted.waiting += 1


def _frontier(meta: Meta, log: str) -> int:
    position = meta.positions.get(log)
    return 0 if position is None else position[1]


def _log(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
