"""Import into an installation on Kafka, with any number of partitions.

    1. no worker is in the group; every writer of the target is fenced
    2. a row `importing` into every state partition: from here on no worker starts on it
    3. rows, each into the partition of its key, in transactions of bounded size
    4. ONE transaction over all partitions: their records, the routers' positions, `importing` away

An import that ends before 4. leaves an installation that says so and refuses to work; running the
import again mends it.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from engine.edge.state_tools.file import Counted, Part, StateReader
from engine.edge.streaming.adoption import IMPORTING
from engine.edge.streaming.changelog import META, read_back, row_key
from engine.edge.streaming.ledger import Ledger, Line, Parcel
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import Names
from engine.edge.streaming.placing import Placing
from engine.edge.streaming.ranges import cluster, nobody_works, spans
from engine.edge.streaming.topics import Layout, lay_out
from engine.errors import EnvironmentUnusable, StateError
from engine.ruleset.compile import Program
from engine.saved import ruleset
from engine.state.codec import WAITING, pack_meta, unpack_meta
from engine.state.portable import key_of, moved
from engine.text import say

LOT = 5_000
"""So many rows are written in one go."""

_pack = msgspec.msgpack.Encoder().encode
Spot = tuple[str, int]
T = TypeVar("T")


def import_topics(
    reader: StateReader,
    link: Link,
    program: Program,
    lang: str,
    *,
    replace: bool,
    feeds: str | None = None,
) -> Counted:
    """Put an export into an installation on Kafka; its topics are made if they are missing.

    Args:
        reader: The file.
        link: How to reach the target: broker, prefix, app.
        program: The rules of the target.
        lang: Language of errors.
        replace: Whether state that is there may be replaced.
        feeds: Where reading begins in feed topics that hold records of which the export says
            nothing: `start`, `end`, or None to refuse.

    Raises:
        StateError: the file is damaged, or its state cannot be placed here without losing or
            repeating something.
        EnvironmentUnusable: a worker is running, or there is state and `replace` was not said.

    """
    work = _Import(reader, link, program, lang, replace=replace, feeds=feeds)
    return _run(work.run(), lang)


def adopt(link: Link, program: Program, lang: str) -> int:
    """Let these rules work on partitions on which newer ones have worked; answers how many.

    Raises:
        EnvironmentUnusable: a worker is running.

    """
    return _run(_adopt(link, program, lang), lang)


def _run(work: Coroutine[None, None, T], lang: str) -> T:
    try:
        return asyncio.run(work)
    except KafkaError as error:
        why = str(error) or type(error).__name__
        raise EnvironmentUnusable(say("state-topic-unreadable", lang, why=why)) from error


@dataclass(slots=True)
class _Import:
    """One import."""

    reader: StateReader
    link: Link
    program: Program
    lang: str
    replace: bool = field(kw_only=True)
    feeds: str | None = field(kw_only=True)
    ledgers: dict[Spot, Ledger] = field(default_factory=dict)

    async def run(self) -> Counted:
        """Do it."""
        parts, routes = self.reader.verified()
        await wait_for_broker(self.link, self.lang)
        await nobody_works(self.link, self.lang)
        layout = await lay_out(self.link, self.program, self.lang)
        number, _ = await cluster(self.link)
        placing = Placing(
            self.reader.head, parts, routes, layout, self.program, number, self.feeds, self.lang
        )
        placing.ends = await _ends(self.link, layout, self.program)
        placing.decide()
        try:
            await self._begin(layout, placing)
            counted = await self._rows(layout, placing, parts)
            await self._end(layout, placing)
        finally:
            await asyncio.gather(*(ledger.close() for ledger in self.ledgers.values()))
        return counted

    async def _begin(self, layout: Layout, placing: Placing) -> None:
        """Fence every writer; see that nothing is destroyed that should not be; mark it all."""
        stale: dict[Spot, list[bytes]] = {}
        names = layout.names
        for spot in placing.spots:
            topic = names.state(spot[0])
            ledger = self.ledgers[spot] = Ledger(self.link, names.writer(topic, spot[1]))
            await ledger.open()
            kept = await read_back(self.link, topic, spot[1])
            if kept and not self.replace and IMPORTING not in kept:
                place = f"{self.link.bootstrap} ({topic}/{spot[1]})"
                raise EnvironmentUnusable(say("state-not-empty", self.lang, place=place))
            stale[spot] = [key for key in kept if key != IMPORTING]
        for space, feed, partition in placing.routes:
            topic = names.route(space, feed)
            writer = names.writer(topic, partition)
            ledger = self.ledgers[topic, partition] = Ledger(self.link, writer)
            await ledger.open()
        mark = Line(IMPORTING, self.reader.head.project.encode())
        for spot, keys in stale.items():
            topic = names.state(spot[0])
            await self.ledgers[spot].commit([Parcel(topic, spot[1], [mark])])
            for start in range(0, len(keys), LOT):
                lines = [Line(key, None) for key in keys[start : start + LOT]]
                await self.ledgers[spot].commit([Parcel(topic, spot[1], lines)])

    async def _rows(self, layout: Layout, placing: Placing, parts: Sequence[Part]) -> Counted:
        """Write every row into the partition of its key."""
        counted = Counted(partitions=len(parts))
        lines: dict[Spot, list[Line]] = {}
        held = 0
        for row in self.reader.rows():
            if row.space not in layout.spaces:
                counted.unread[row.space] = counted.unread.get(row.space, 0) + 1
                continue
            spot = placing.spot_of(row.space, row.partition, key_of(row), row.rule)
            written = moved(row, placing.complete(row.space, row.partition), placing.marks[spot])
            lines.setdefault(spot, []).append(Line(row_key(row.rule, row.key), written.value))
            counted.rows += 1
            counted.waiting += row.rule == WAITING
            held += 1
            if held >= LOT:
                await self._write(layout.names, lines)
                lines, held = {}, 0
        await self._write(layout.names, lines)
        return counted

    async def _write(self, names: Names, lines: Mapping[Spot, list[Line]]) -> None:
        for spot, some in lines.items():
            await self.ledgers[spot].commit([Parcel(names.state(spot[0]), spot[1], some)])

    async def _end(self, layout: Layout, placing: Placing) -> None:
        """Let the whole become true at once."""
        await nobody_works(self.link, self.lang)
        names = layout.names
        parcels = [
            Parcel(
                names.state(space),
                partition,
                [Line(META, pack_meta(meta)), Line(IMPORTING, None)],
            )
            for (space, partition), meta in placing.metas.items()
        ]
        parcels += [
            Parcel(names.route(space, feed), partition, [Line(META, _pack(position))])
            for (space, feed, partition), position in placing.routes.items()
        ]
        ledger = Ledger(self.link, f"{self.link.app}-{self.link.prefix}.import")
        try:
            await ledger.open()
            await ledger.commit(parcels)
        finally:
            await ledger.close()


async def _ends(
    link: Link, layout: Layout, program: Program
) -> Mapping[TopicPartition, tuple[int, int]]:
    """How far every input of the target goes."""
    places: set[TopicPartition] = set()
    for name, space in layout.spaces.items():
        for topic in space.inputs:
            places.update(TopicPartition(topic, one) for one in range(space.partitions))
        for feed in program.spaces[name].outside:
            topic = layout.feeds[feed]
            places.update(TopicPartition(topic, one) for one in range(layout.counts[topic]))
    return await spans(link, sorted(places))


async def _adopt(link: Link, program: Program, lang: str) -> int:
    await wait_for_broker(link, lang)
    await nobody_works(link, lang)
    layout, count = await lay_out(link, program, lang), 0
    for name, space in layout.spaces.items():
        topic = layout.names.state(name)
        own = ruleset(rule.spec for rule in program.spaces[name].rules)
        for partition in range(space.partitions):
            ledger = Ledger(link, layout.names.writer(topic, partition))
            try:
                await ledger.open()
                kept = await read_back(link, topic, partition)
                if IMPORTING in kept:
                    raise StateError(say("state-unfinished", lang, topic=topic))
                if META in kept:
                    meta = unpack_meta(kept[META])
                    meta.rulesets = [own]
                    line = Line(META, pack_meta(meta))
                    await ledger.commit([Parcel(topic, partition, [line])])
                    count += 1
            finally:
                await ledger.close()
    return count
