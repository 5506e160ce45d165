"""From a feed's topic to a routed topic: each record goes to the partition of the rules' key.

Only records that a rule of the key space admits are routed, but all of them move the watermark.
A routed record carries the watermark that its source had before it, so that lateness is judged as
if nothing had been moved; markers tell every partition how far the source is. Records, markers
and the router's own position are one transaction.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

import msgspec
from faust.types import TP

from engine.edge.streaming.changelog import META, read_back
from engine.edge.streaming.kit import Ends, Kit, unread
from engine.edge.streaming.ledger import Ledger, Line, Parcel
from engine.edge.streaming.light import Fresh
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.parcels import rejected_parcels
from engine.edge.streaming.quiet import Quiet
from engine.edge.streaming.routed import marker_line, routed_line
from engine.edge.streaming.topics import SpaceLayout
from engine.ports import Record, Rejected, SourceId, Write
from engine.state.watermark import NEVER

REMIND_S = 60.0
"""How often a quiet source is called idle again, for evaluators that were opened meanwhile."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, int]).decode


class Router:
    """Routes one partition of one feed into one key space."""

    def __init__(self, kit: Kit, space: SpaceLayout, feed: str, partition: int) -> None:
        names = kit.layout.names
        self._saved = names.route(space.name, feed)
        self.name = names.writer(self._saved, partition)
        self.group = f"route-{space.name}"
        place = TP(kit.layout.feeds[feed], partition)
        self.inputs: tuple[TP, ...] = (place,)
        self.starts: dict[TP, int | None] = {place: None}
        self._space = space
        self._source = SourceId(feed, partition)
        self._learn(kit)
        self._tells = kit.layout.dead_letters[feed] == space.name
        self._ledger = Ledger(kit.link, self.name)
        self._watermark = NEVER
        self._told = NEVER
        self._routed: dict[int, Parcel] = {}
        self._rejected: list[Rejected] = []
        self._taken: list[Sequence[Record]] = []
        self._quiet = Quiet({}, 0.0)
        self._reminded = 0.0

    def _learn(self, kit: Kit) -> None:
        """What the program says of the feed and of the rules by this key."""
        feed = self._source.feed
        program, space = kit.program.feeds[feed], kit.program.spaces[self._space.name]
        self._kit = kit
        self._decoder = program.decoder
        self._lateness_ms = program.spec.lateness_ms
        self._idle_after_s = program.spec.idle_after_ms / 1000
        self._key_of, self._admit = space.key_of[feed], space.admit[feed]

    async def open(self) -> None:
        """Fence earlier owners and read back how far routing was."""
        await self._ledger.open()
        kept = await read_back(self._kit.link, self._saved, self._source.partition)
        start, watermark = _unpack(kept[META]) if META in kept else (None, NEVER)
        self.starts[self.inputs[0]] = start
        self._watermark = self._told = watermark
        self._forget()
        self._quiet = Quiet({self._source: self._idle_after_s}, self._kit.clock())

    def take(self, place: TP, records: Sequence[Fresh]) -> None:
        """Note records for the next step."""
        records = unread(self.starts, place, records)
        if not records:
            return
        self.starts[place] = records[-1].offset + 1
        self._quiet.heard(self._source, self._kit.clock())
        self._taken.append(cast("Sequence[Record]", records))

    def _route(self, records: Sequence[Record]) -> None:
        """Decode far enough to know key and time, and put each record into its parcel."""
        decoder, source = self._decoder, self._source
        parse, time_of, check = decoder.parse, decoder.time_of, decoder.check
        admit, key_of, lateness = self._admit, self._key_of, self._lateness_ms
        partitions, topic, parcels = self._space.partitions, self._space.inputs[0], self._routed
        watermark = self._watermark
        for one in records:
            value = one.value
            try:
                event = parse(value)
                at_ms = time_of(event)
                reason = check(event, at_ms, one.arrived_ms)
            except Exception as error:  # noqa: BLE001 - whatever bad bytes raise is a reason
                heartbeat = decoder.watermark(value)
                if heartbeat is not None:
                    watermark = max(watermark, heartbeat)
                else:
                    self._refuse(one, *decoder.explain(error, value))
                continue
            if reason is not None:
                self._refuse(one, reason.value, "")
                continue
            if admit(event, at_ms):
                key = key_of(event)
                partition = partition_of(key, partitions)
                parcel = parcels.get(partition)
                if parcel is None:
                    parcel = parcels[partition] = Parcel(topic, partition)
                parcel.lines.append(routed_line(key, source, one, watermark))
            watermark = max(watermark, at_ms - lateness)
        self._watermark = watermark

    def reaches(self) -> Mapping[TP, int]:
        """The watermark of what was routed."""
        return {self.inputs[0]: self._watermark}

    def _refuse(self, one: Record, reason: str, detail: str) -> None:
        """Keep a record that is no event for the dead letter, if this unit is the one to tell."""
        if self._tells:
            self._rejected.append(Rejected(self._source, one.offset, reason, detail, one.value))

    async def step(self, ends: Ends) -> None:
        """Route what was taken, with markers for every partition, and begin to save it."""
        now = self._kit.clock()
        idle = False
        if not ends.hears(self.inputs[0]):
            self._quiet.deaf(now)
        if self._quiet.due(now) and ends.at_end(self.inputs[0]):
            self._quiet.rest(self._source)
            idle, self._reminded = True, now
        elif not self._quiet.due(now) and self._resting(now):
            idle, self._reminded = True, now
        if not (self._taken or idle):
            await self._ledger.notice()
            return
        parcels = await self._kit.work(lambda: self._run(idle=idle))
        await self._ledger.begin(parcels, self._kit.figures.committed)

    async def settle(self) -> None:
        """Return when all that was routed is written; raises why it is not."""
        await self._ledger.settle()

    def rows(self, wanted: Mapping[str, Collection[str]]) -> tuple[str, list[Write]]:
        """It remembers nothing of any rule."""
        del wanted
        return self._space.name, []

    def succession(self, kit: Kit) -> Callable[[], None]:
        """Route by another program; what was routed stays where it is."""

        def go_on() -> None:
            self._learn(kit)
            self._quiet.wait_for({self._source: self._idle_after_s}, kit.clock())

        return go_on

    async def keep_succession(self, saved: Callable[[], None]) -> None:
        """There is nothing to save: how far it is has not changed."""
        saved()

    def _run(self, *, idle: bool) -> list[Parcel]:
        """Everything that one transaction writes."""
        taken, self._taken = self._taken, []
        for records in taken:
            self._route(records)
        if idle or self._watermark > self._told:
            marker = marker_line(self._source, self._watermark, idle=idle)
            for partition in range(self._space.partitions):
                topic = self._space.inputs[0]
                self._routed.setdefault(partition, Parcel(topic, partition)).lines.append(marker)
        layout = self._kit.layout
        parcels = [
            *self._routed.values(),
            *rejected_parcels(layout, layout.names.dead_letter, self._rejected),
            Parcel(self._saved, self._source.partition, [self._position()]),
        ]
        self._told = self._watermark
        self._forget()
        return parcels

    def _resting(self, now: float) -> bool:
        """Whether the source is idle and it is time to say so again."""
        return self._quiet.is_idle(self._source) and now - self._reminded >= REMIND_S

    def _position(self) -> Line:
        start = self.starts[self.inputs[0]] or 0
        return Line(META, _pack((start, self._watermark)))

    def _forget(self) -> None:
        self._routed, self._rejected, self._taken = {}, [], []

    async def close(self) -> None:
        """Forget what was not written."""
        self._forget()
        await self._ledger.close()
