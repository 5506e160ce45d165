"""One partition of one key space on Kafka: records in, one transaction a batch out.

State, alerts, dead letters and positions of a batch are one transaction of the partition's only
writer. So after any crash the next owner reads back exactly one of two worlds: the batch never
was, or all of it was. Memory that ran ahead of a failed transaction is thrown away.

The rules work on a batch while the one before is saved, so that neither waits for the other.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast

import msgspec
from faust.types import TP

from engine.edge import crashpoint
from engine.edge.streaming.adoption import adopt_rows, refuse_unfinished
from engine.edge.streaming.changelog import META, SavedRows, read_back
from engine.edge.streaming.kit import Ends, Kit, unread
from engine.edge.streaming.ledger import Ledger, Line, Parcel
from engine.edge.streaming.light import Fresh, Routed
from engine.edge.streaming.parcels import outcome_parcels, sent_parcels
from engine.edge.streaming.quiet import Quiet
from engine.edge.streaming.routed import Reached, read_routed
from engine.edge.streaming.topics import SpaceLayout
from engine.feeds.derived import source_of
from engine.handover import Handover, edited, taken_over
from engine.pipeline import Space
from engine.ports import Core, Outcome, Position, Record, SourceId, Write
from engine.saved import rows_of
from engine.state.codec import unpack_meta
from engine.state.watermark import NEVER

Restored = tuple[Core, Mapping[str, Position], Outcome | None]


class Evaluator:
    """The owner of one (key space, partition): its core, its ledger, its reading positions."""

    def __init__(self, kit: Kit, space: SpaceLayout, partition: int) -> None:
        self.name = kit.layout.names.writer(kit.layout.names.state(space.name), partition)
        self.inputs = tuple(TP(topic, partition) for topic in space.inputs)
        self.starts: dict[TP, int | None] = dict.fromkeys(self.inputs)
        self._space = space
        self._partition = partition
        self._learn(kit)
        self._ledger = Ledger(kit.link, self.name)
        self._core: Core | None = None
        self._quiet = Quiet({}, 0.0)
        self._ticks: list[Line] = []
        self._meta = b""
        self._taken: list[tuple[TP, Sequence[Fresh]]] = []
        self._unsaved_since: float | None = None
        self._told = NEVER
        self._owed: Outcome | None = None

    def _learn(self, kit: Kit) -> None:
        """What the program says of the key space: its rules, its sources, who reads from it."""
        self._kit = kit
        self._program = kit.program.spaces[self._space.name]
        self._sources = _sources(kit, self._space, self._partition)
        self._readers = _readers(kit, self._space.name)
        self.group = f"send-{self._space.name}" if self._readers else self.name

    async def open(self) -> None:
        """Fence earlier owners, read the state back, and know from where to read on."""
        await self._ledger.open()
        async with self._kit.restores:
            core, positions, adopted = await self._take_up()
        crashpoint.passing("recovery-end")
        crashpoint.watch_timers(core)
        for source in self._sources:
            core.announce(source)
        for place in self.inputs:
            position = positions.get(log_of(place))
            self.starts[place] = None if position is None else position.committed
        self._quiet = Quiet(self._waits(), self._kit.clock())
        self._core, self._taken, self._ticks, self._unsaved_since = core, [], [], None
        self._told = NEVER
        if self._readers:
            self._unsaved_since = self._kit.clock()  # readers that are new hear how far it is
        if adopted is not None:
            await self._ledger.begin(self._parcels(adopted), lambda _: None)
            await self._ledger.settle()

    async def _take_up(self) -> Restored:
        topic = self._kit.layout.names.state(self._space.name)
        kept = await read_back(self._kit.link, topic, self._partition)
        return await self._kit.work(lambda: self._restore(topic, kept))

    def _restore(self, topic: str, kept: dict[bytes, bytes]) -> Restored:
        """A core with the saved state in it, from where to read on, and what to save at once."""
        meta = kept.pop(META, None)
        core = self._kit.make_core(self._program, self._partition, self._space.partitions)
        refuse_unfinished(kept, topic, self._kit.lang)
        rows = SavedRows(kept)
        positions, adopted = adopt_rows(self._kit, core, self._space.name, meta, rows)
        self._kit.figures.took_up(len(rows))
        return core, positions, adopted

    def take(self, place: TP, records: Sequence[Fresh]) -> None:
        """Note records for the next step."""
        records = unread(self.starts, place, records)
        if not records:
            return
        self.starts[place] = records[-1].offset + 1
        self._taken.append((place, records))
        if self._space.direct:
            self._quiet.heard(self._source_of(place), self._kit.clock())

    def reaches(self) -> Mapping[TP, int]:
        """The watermarks of its feeds; a routed topic is read as it comes."""
        alone = len(self.inputs) == 1 and not self._readers
        if not self._space.direct or alone or not self._meta:
            return {}
        known = unpack_meta(self._meta).sources
        names = [f"{source.partition}/{source.feed}" for source in self._sources]
        pairs = zip(self.inputs, names, strict=True)
        return {place: known.get(name, NEVER) for place, name in pairs}

    async def step(self, ends: Ends) -> None:
        """Run the rules on what was taken and begin to save what came of it, whole."""
        now = self._kit.clock()
        self._listen(ends, now)
        since = self._unsaved_since
        late = since is not None and now - since >= self._kit.link.save_every_s
        if not (self._taken or self._ticks or late):
            await self._ledger.notice()
            return
        outcome, parcels = await self._kit.work(lambda: self._run(late=late))
        if not parcels:
            self._kit.watcher.outcome(self._space.name, self._partition, outcome)
            self._unsaved_since = self._unsaved_since or now
            return
        self._unsaved_since = None
        await self._ledger.begin(parcels, lambda seconds: self._saved(outcome, seconds))

    def _saved(self, outcome: Outcome, seconds: float) -> None:
        """Readers may see what came of a batch."""
        self._kit.figures.committed(seconds)
        self._kit.watcher.outcome(self._space.name, self._partition, outcome)

    async def settle(self) -> None:
        """Return when all that was worked on is saved; raises why it is not."""
        await self._ledger.settle()

    def rows(self, wanted: Mapping[str, Collection[str]]) -> tuple[str, list[Write]]:
        """What it remembers of some rules, as it would be saved."""
        core, name = self._core, self._space.name
        held = isinstance(core, Space) and name in wanted
        return name, rows_of(cast("Space", core), wanted[name]) if held else []

    def succession(self, kit: Kit) -> Callable[[], None]:
        """Let edited rules take up what is remembered; see `engine/handover.py`.

        A partition that is not open has no memory: it is opened by the new rules.

        Raises:
            StateError: one of them cannot.

        """
        if self._core is None:
            return lambda: self._learn(kit)
        program, old = kit.program.spaces[self._space.name], cast("Space", self._core)
        new = cast("Space", kit.make_core(program, self._partition, self._space.partitions))
        over = Handover(old, new, rows_of(old, edited(self._program, program)))
        return lambda: self._go_on(kit, over)

    def _go_on(self, kit: Kit, over: Handover) -> None:
        """Work under another program; what that did to state is owed to the next transaction."""
        core, known = over.complete(), set(self._sources)
        self._learn(kit)
        crashpoint.watch_timers(core)
        for source in self._sources:
            if source not in known:
                core.announce(source)
        self._quiet.wait_for(self._waits(), kit.clock())
        self._core, self._owed = core, taken_over(core)
        self._meta = self._owed.meta

    async def keep_succession(self, saved: Callable[[], None]) -> None:
        """Begin to save what going over did: state, alerts that are closed, positions."""
        outcome, self._owed, self._unsaved_since = self._owed, None, None
        if outcome is None:
            saved()
            return

        def told(seconds: float) -> None:
            self._saved(outcome, seconds)
            saved()

        await self._ledger.begin(_met(self._parcels(outcome)), told)

    def _waits(self) -> dict[SourceId, float]:
        """How long each source may be silent (s)."""
        return {source: _idle_after_s(self._kit, source) for source in self._sources}

    def _run(self, *, late: bool) -> tuple[Outcome, list[Parcel]]:
        """Let the rules see what was taken; what must be saved now, if anything must."""
        core, taken = self._running, self._taken
        self._taken = []
        for place, records in taken:
            if self._space.direct:
                # What came from a feed's own topic is a `Record` already, see `light.py`.
                feed = cast("Sequence[Record]", records)
                core.ingest(log_of(place), self._source_of(place), feed)
            else:
                self._take_routed(core, place, cast("Sequence[Routed]", records))
        crashpoint.passing("after-decode")
        outcome = core.advance()
        crashpoint.passing("after-core-step")
        self._meta = outcome.meta
        if late or self._ticks or must_leave(outcome) or self._owes(outcome):
            return outcome, self._parcels(outcome)
        return outcome, []

    def _take_routed(self, core: Core, place: TP, records: Sequence[Routed]) -> None:
        log, now = log_of(place), self._kit.clock()
        for said in read_routed(records):
            if not isinstance(said, Reached):
                self._quiet.heard(said.source, now)
                core.ingest(log, said.source, said.records)
            elif said.idle:
                self._quiet.rest(said.source)
                core.idle(said.source)
            else:
                self._quiet.heard(said.source, now)
                core.mark(said.source, said.watermark_ms)

    def _source_of(self, place: TP) -> SourceId:
        """The source that writes to an input of a direct key space."""
        return self._sources[self.inputs.index(place)]

    def _listen(self, ends: Ends, now: float) -> None:
        """Declare silent sources idle and move time on, in the tick log as in the core."""
        core, quiet = self._running, self._quiet
        if not all(ends.hears(place) for place in self.inputs):
            quiet.deaf(now)
            return
        if self._space.direct:
            for source in quiet.due(now):
                if ends.at_end(self.inputs[self._sources.index(source)]):
                    quiet.rest(source)
                    core.idle(source)
                    self._ticks.append(self._tick({"idle": source.feed}))
        elapsed = quiet.elapsed_ms(now, self._kit.link.tick_every_s)
        if elapsed and all(ends.at_end(place) for place in self.inputs):
            core.tick(elapsed)
            self._ticks.append(self._tick({"elapsed_ms": elapsed}))

    def _tick(self, what: dict[str, str | int]) -> Line:
        """One line of the tick log; it is saved in the transaction of what it caused."""
        what["read"] = " ".join(f"{log_of(place)}@{start}" for place, start in self.starts.items())
        key = f"{self._space.name}/{self._partition}".encode()
        return Line(key, msgspec.json.encode(what))

    def _owes(self, outcome: Outcome) -> bool:
        """Whether other key spaces wait to hear how far this one is."""
        return bool(self._readers) and outcome.watermark_ms > self._told

    def _parcels(self, outcome: Outcome) -> list[Parcel]:
        """All that one transaction writes; when it fails, this unit's memory is thrown away."""
        layout = self._kit.layout
        if self._space.direct:
            tellers = layout.dead_letters
            told = [one for one in outcome.rejected if tellers[one.source.feed] == self._space.name]
            outcome.rejected = told
        parcels = outcome_parcels(layout, self._space.name, self._partition, outcome)
        if self._readers:
            idle = outcome.watermark_ms <= NEVER and self._quiet.all_idle
            place = (self._space.name, self._partition)
            parcels = [
                *sent_parcels(layout, place, self._readers, outcome, idle=idle),
                *parcels,
            ]
        if self._ticks:
            topic = layout.names.ticks
            parcels.append(Parcel(topic, self._partition % layout.counts[topic], self._ticks))
        self._ticks, self._told = [], outcome.watermark_ms
        return parcels

    @property
    def _running(self) -> Core:
        assert self._core is not None, "open first"  # noqa: S101 - a slip of ours
        return self._core

    async def close(self) -> None:
        """Forget the core; what is saved stays."""
        self._core = None
        self._kit.figures.released(self._space.name, self._partition)
        await self._ledger.close()


def _met(parcels: Sequence[Parcel]) -> Iterator[Parcel]:
    """The parcels of a change of rules; where all of them are written has a name."""
    yield from parcels
    crashpoint.passing("swap-not-committed")


def must_leave(outcome: Outcome) -> bool:
    """Whether an outcome has anything that a reader or the next owner must see."""
    return bool(
        outcome.changes or outcome.writes or outcome.rejected or outcome.late or outcome.sent
    )


def log_of(place: TP) -> str:
    """The name of a partition as the core keeps it."""
    return f"{place.topic}/{place.partition}"


def _sources(kit: Kit, space: SpaceLayout, partition: int) -> tuple[SourceId, ...]:
    """Every source whose silence holds this partition back; for direct spaces in input order."""
    program = kit.program.spaces[space.name]
    if space.direct:
        return tuple(SourceId(feed, partition) for feed in program.feeds)
    counts = {feed: kit.layout.counts[kit.layout.feeds[feed]] for feed in program.outside}
    outside = [SourceId(feed, one) for feed in program.outside for one in range(counts[feed])]
    upstream = [
        source_of(feed, sender, one)
        for feed, senders in program.upstream.items()
        for sender in senders
        for one in range(kit.layout.spaces[sender].partitions)
    ]
    return (*outside, *upstream)


def _readers(kit: Kit, sender: str) -> tuple[tuple[str, str], ...]:
    """The key spaces that read what this one sends, each with the derived feed."""
    return tuple(
        (name, feed)
        for name, program in kit.program.spaces.items()
        for feed, senders in program.upstream.items()
        if sender in senders
    )


def _idle_after_s(kit: Kit, source: SourceId) -> float:
    """How long a source may be silent; a key space that sends says itself when it is idle."""
    feed = kit.program.feeds.get(source.feed)
    return float("inf") if feed is None else feed.spec.idle_after_ms / 1000
