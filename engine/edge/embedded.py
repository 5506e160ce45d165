"""The daemon without a broker: sources in, rules, one transaction a batch, sinks out.

    sources --line-up--> batch --every key space that reads its feed--> outcomes + ticks
                                                                             |
             outbox senders <--woken by what is on disk-- store.apply: ONE transaction

While one batch is being written the next is already computed; it is written only after the one
before it is on disk. A crash therefore loses nothing: what was not written is read again.

After a restart records that waited for their turn are read again. Until a key space has all of
them back, from every log, its event time stands still: else the records of one log would be
passed by before they were put back, because another log was read first.
"""

import asyncio
import gc
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from engine.chain import Chain, Handed
from engine.edge import crashpoint
from engine.edge.health import Health
from engine.edge.lineup import Line, Lineup, TimeOf, lineup
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.quiet import Quiet
from engine.edge.recover import PARTITION, Adopting, Recovery, recover
from engine.edge.store import Place, Store, Succession, Tick, may_pass
from engine.errors import EnvironmentUnusable
from engine.handover import join
from engine.model.change import Change
from engine.pipeline import Space
from engine.ports import Batch, Core, Outcome, Source, SourceId
from engine.ruleset.spec import RuleSpec
from engine.text import say

log = structlog.get_logger("daemon")

EXIT_FINE, EXIT_ENVIRONMENT = 0, 4
_LOOK_S = 0.25
_DISK_WAIT_S = (0.5, 1, 2, 5)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """What an embedded daemon works on.

    Attributes:
        spaces: The key spaces by name; the daemon is their only driver.
        feeds: For each key space, the feeds it reads from sources.
        rules: The rules by id, to judge saved state.
        time_of: For each feed, the event time of a raw record or heartbeat.
        idle_after_s: For each feed, after what silence a live source is idle.
        sources: Where records come from; `source_feeds` names the feed of each.
        chain: What the key spaces hand to each other.

    """

    spaces: Mapping[str, Core]
    feeds: Mapping[str, Sequence[str]]
    rules: Mapping[str, RuleSpec]
    time_of: Mapping[str, TimeOf]
    idle_after_s: Mapping[str, float]
    sources: Sequence[Source]
    source_feeds: Mapping[str, str]
    chain: Chain = field(default_factory=lambda: Chain({}))

    def readers(self, feed: str) -> tuple[str, ...]:
        """Names of the key spaces that read a feed."""
        return tuple(name for name, feeds in self.feeds.items() if feed in feeds)


@dataclass(slots=True)
class Embedded:
    """One run of the daemon over an open store."""

    work: Work
    store: Store
    senders: Senders
    metrics: Metrics
    health: Health
    lang: str = "en"
    clock: Callable[[], float] = time.monotonic
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _starts: dict[tuple[str, str], int] = field(default_factory=dict)
    _writing: "asyncio.Task[None] | None" = None
    _newest: dict[SourceId, int] = field(default_factory=dict)
    _behind: dict[tuple[str, str], int] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)
    _lines: Lineup = field(default_factory=lambda: Lineup(()))
    _quiet: Quiet = field(default_factory=lambda: Quiet({}, {}, frozenset()))
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stop(self) -> None:
        """Finish the batch in hand and end."""
        self._stop.set()

    async def between(self, job: Callable[[], Awaitable[T]]) -> T:
        """Do something between two batches: the last one is on disk, the next one waits for it.

        What must be prepared is prepared before: as long as the job lasts, no event is worked on.
        Jobs run one at a time, in the order in which they were asked for.

        Raises:
            EnvironmentUnusable: the daemon is ending, perhaps as the last batch could not be kept.

        """
        async with self._turn:
            if self._stop.is_set():
                raise EnvironmentUnusable(say("daemon-stopping", self.lang))
            if self._writing is not None:
                await asyncio.wait({self._writing})
                self._writing.result()  # left where it is: the daemon must hear of a failure too
            return await job()

    async def run(self, *, once: bool, drain_s: float = 60.0) -> int:
        """Work until stopped, or with `once` until every recording has ended and was delivered.

        Returns:
            0, or 4 when with `once` a sink did not take everything in time; what is left stays in
            the outbox for the next run.

        """
        begun = time.perf_counter()
        recovery = await recover(self.store, self.work.spaces, self.work.rules, self.lang)
        self.metrics.restored(time.perf_counter() - begun)
        for core in self.work.spaces.values():
            crashpoint.watch_timers(core)
        self._starts = dict(recovery.starts)
        self.work.chain.resume(*await self.store.handed())
        self._newest = await self.store.reach()
        gc.collect()
        gc.freeze()  # what was restored lives long; later collections need not look at it
        lines = self._lines = await self._open(recovery)
        self._quiet = self._watch(lines)
        try:
            await self.senders.start()
            self.health.started()
            self.begun.set()
            log.info("started", sources=len(self.work.sources), rules=len(self.work.rules))
            await self._loop(lines, once=once)
            if self._stop.is_set():
                log.info("stopping")
                return EXIT_FINE
            await self._finish()
            return await self._drain(drain_s)
        finally:
            self.health.stopping()
            self._stop.set()
            await lines.close()
            async with self._turn:
                await self._written()
            await self.senders.stop()

    async def _open(self, recovery: Recovery) -> Lineup:
        """Open the sources where their key spaces left off."""
        for source in self.work.sources:
            readers = self.work.readers(self.work.source_feeds[source.name])
            resume = recovery.resume(readers)
            await source.open(resume)
            self._read |= {name: resume.get(name, 0) for name in source.logs}
        logs = {name for source in self.work.sources for name in source.logs}
        self._behind = {
            (name, log): frontier
            for (name, log), frontier in recovery.frontiers.items()
            if log in logs
        }
        return lineup(self.work.sources, self.work.time_of)

    def _watch(self, lines: Lineup) -> Quiet:
        """Announce every stream to the key spaces that read it, and watch when it is quiet."""
        streams = self._streams()
        for name, core in self.work.spaces.items():
            for stream in streams[name]:
                core.announce(stream)
            for feed in set(self.work.feeds[name]) - {stream.feed for stream in streams[name]}:
                log.warning("feed-without-source", feed=feed, space=name)
                core.idle(SourceId(feed))
        self.work.chain.announce(self.work.spaces)
        present = {stream.feed for line in lines.lines for stream in line.source.ids}
        self.work.chain.rest(present, self.work.spaces)
        self.work.chain.restore(self.work.spaces)
        live = [stream for line in lines.lines if line.source.live for stream in line.source.ids]
        quiet = Quiet(streams, self.work.idle_after_s, frozenset(live), lines.idle)
        quiet.begin(self.clock())
        return quiet

    def _streams(self) -> dict[str, list[SourceId]]:
        """For each key space the streams that it reads from sources."""
        every = [stream for line in self._lines.lines for stream in line.source.ids]
        return {
            name: [stream for stream in every if stream.feed in feeds]
            for name, feeds in self.work.feeds.items()
        }

    def succeed(self, work: Work, name: str, closing: Sequence[Change]) -> "asyncio.Task[None]":
        """Go on with other key spaces, to be called between two batches.

        Those that go on under their name have what the ones before them had; a new one hears its
        feeds from now on. All that the change does is on disk when the answered task is done; as
        with a batch, the next one is computed meanwhile and written behind it.

        Args:
            work: The work from now on; its sources are those of now.
            name: Hash of the set of declarations that it is made of.
            closing: The ends of alerts of key spaces that are gone.

        """
        before, self.work = self.work, work
        ticks = self._join(before)
        self._quiet = self._quiet.over(self._streams(), work.idle_after_s)
        outcomes, handed = self._advance(work.spaces)
        for space, core in work.spaces.items():
            if (space, PARTITION) not in outcomes and isinstance(core, Adopting):
                adopted = core.adopted()
                outcomes |= {} if adopted is None else {(space, PARTITION): adopted}
        gone = set(before.spaces) - set(work.spaces)
        self._behind = {place: end for place, end in self._behind.items() if place[0] not in gone}
        succession = Succession(name, gone, closing)
        keeping = self._write(outcomes, handed, ticks, None, 0.0, succession)
        self._writing = asyncio.create_task(keeping)
        return self._writing

    def _join(self, before: Work) -> list[Tick]:
        """Let key spaces hear, from now on, what they did not read before."""
        ticks: list[Tick] = []
        places = {
            stream: log
            for source in self.work.sources
            for stream, log in zip(source.ids, source.logs, strict=True)
        }
        for name, streams in self._streams().items():
            core, known = self.work.spaces[name], before.feeds.get(name, ())
            for stream in streams:
                if stream.feed in known:
                    continue
                core.announce(stream)
                log = places[stream]
                self._starts[name, log] = self._read.get(log, 0)
                if isinstance(core, Space):
                    join(core, log, stream, self._read.get(log, 0))
                if stream in self._lines.idle:
                    core.idle(stream)
                    ticks.append(Tick("idle", name, stream.feed, stream.partition))
        self.work.chain.announce(self.work.spaces)
        present = {stream.feed for line in self._lines.lines for stream in line.source.ids}
        self.work.chain.rest(present, self.work.spaces)
        return ticks

    async def _loop(self, lines: Lineup, *, once: bool) -> None:
        """Take batches as they come and make quiet time pass, until stopped or all is read."""
        while not self._stop.is_set():
            line = await lines.next(_LOOK_S, self._stop)
            if line is not None:
                batch = line.take()
                self._note(line)
                if batch is None:
                    log.info("source-ended", source=line.source.name)
                    ended = [self._quiet.ended(stream) for stream in line.source.ids]
                    await self._step(None, [tick for ticks in ended for tick in ticks])
                else:
                    crashpoint.passing("after-fetch")
                    self._quiet.heard(batch.source, self.clock())
                    await self._step(batch, [])
            if ticks := self._quiet.due(self.clock()):
                await self._step(None, ticks)
            if once and lines.all_ended:
                return

    async def _step(self, batch: Batch | None, ticks: Sequence[Tick]) -> None:
        """Compute one batch or some ticks, and hand the outcome to the writer."""
        async with self._turn:
            begun = time.perf_counter()
            outcomes, handed = self._compute(batch, ticks)
            crashpoint.passing("after-core-step")
            spent = time.perf_counter() - begun
            await self._written()
            if not outcomes and not ticks:
                return
            self._writing = asyncio.create_task(self._write(outcomes, handed, ticks, batch, spent))
            await asyncio.sleep(0)

    def _compute(
        self, batch: Batch | None, ticks: Sequence[Tick]
    ) -> tuple[dict[Place, Outcome], list[Handed]]:
        touched: list[str] = []
        for tick in ticks:
            core = self.work.spaces.get(tick.space)
            if core is None:
                continue  # its last rule was taken out a moment ago
            if tick.kind == "idle":
                self._give_up(SourceId(tick.feed, tick.partition))
                core.idle(SourceId(tick.feed, tick.partition))
            else:
                core.tick(tick.elapsed_ms)
            touched.append(tick.space)
        if batch is not None:
            if batch.records:
                self._read[batch.log] = batch.records[-1].offset + 1
            for name in self.work.readers(batch.source.feed):
                records = batch.records
                start = self._starts.get((name, batch.log), 0)
                if start and records and records[0].offset < start:
                    records = [record for record in records if record.offset >= start]
                if records:
                    self.work.spaces[name].ingest(batch.log, batch.source, records)
                    touched.append(name)
                if records and records[-1].offset + 1 >= self._behind.get((name, batch.log), 0):
                    self._behind.pop((name, batch.log), None)
        crashpoint.passing("after-decode")
        return self._advance(touched)

    def _advance(
        self, touched: Iterable[str], until_ms: int | None = None
    ) -> tuple[dict[Place, Outcome], list[Handed]]:
        """Let key spaces go on; those that are behind what they had read before wait.

        Answers what each did, and what was handed on and is not released yet.
        """
        chain, behind = self.work.chain, {name for name, _ in self._behind}
        outcomes: dict[Place, Outcome] = {}
        handed: list[Handed] = []
        for name, outcome, sent in chain.advance(self.work.spaces, touched, until_ms, behind):
            outcomes[name, PARTITION] = outcome
            handed += sent
        return outcomes, [one for one in handed if chain.holds(one)]

    def _give_up(self, stream: SourceId) -> None:
        """A source is over or quiet: what it was expected to give again will not come."""
        for source in self.work.sources:
            for one, name in zip(source.ids, source.logs, strict=True):
                if one == stream:
                    self._behind = {
                        place: end for place, end in self._behind.items() if place[1] != name
                    }

    async def _write(
        self,
        outcomes: Mapping[Place, Outcome],
        handed: Sequence[Handed],
        ticks: Sequence[Tick],
        batch: Batch | None,
        compute_s: float,
        succession: Succession | None = None,
    ) -> None:
        """Put a batch on disk. A full disk is waited for; nothing is lost and nothing goes on."""
        begun, tries, reach = time.perf_counter(), 0, dict(self._newest)
        while True:
            try:
                await self.store.apply(outcomes, ticks, reach, handed, succession)
                break
            except sqlite3.Error as error:
                if not may_pass(error) or self._stop.is_set():
                    found = {"path": self.store.path, "why": str(error)}
                    message = say("store-unusable", self.lang, **found)
                    raise EnvironmentUnusable(message) from error
                wait_s = _DISK_WAIT_S[min(tries, len(_DISK_WAIT_S) - 1)]
                tries += 1
                self.health.blocked(str(error))
                self.metrics.blocked(is_blocked=True)
                log.warning("store-blocked", error=str(error), wait_s=wait_s)
                await asyncio.sleep(wait_s)
        if succession is not None:
            crashpoint.passing("swap-committed")
        crashpoint.passing("after-commit")
        if tries:
            self.health.unblocked()
            self.metrics.blocked(is_blocked=False)
        feed, count = ("", 0) if batch is None else (batch.source.feed, len(batch.records))
        self.metrics.batch(feed, count, compute_s, time.perf_counter() - begun)
        for (space, _), outcome in outcomes.items():
            self.metrics.outcome(space, outcome)
            for trouble in outcome.troubles:
                log.warning("trouble", kind=trouble.kind, rule=trouble.rule, detail=trouble.detail)

    async def _written(self) -> None:
        """Wait until the last batch is on disk; raises what stopped it."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _finish(self) -> None:
        """The recordings are over: everything up to their last event happens now."""
        streams = {stream for source in self.work.sources for stream in source.ids}
        ends = [at for stream, at in self._newest.items() if stream in streams]
        await self._written()
        if ends:
            self._behind = {}
            outcomes, handed = self._advance(self.work.spaces, max(ends))
            self._writing = asyncio.create_task(self._write(outcomes, handed, [], None, 0.0))
            await self._written()

    async def _drain(self, within_s: float) -> int:
        """Deliver what is due; tells when a sink would not take it in time."""
        left = await self.senders.drained(within_s, self._stop)
        if left and not self._stop.is_set():
            log.error("not-delivered", **left)
            return EXIT_ENVIRONMENT
        return EXIT_FINE

    def _note(self, line: Line) -> None:
        """Remember how far a source came in event time."""
        now_ms = self.store.now_ms()
        for stream, at_ms in line.newest.items():
            newest = self._newest[stream] = max(at_ms, self._newest.get(stream, at_ms))
            self.metrics.reached(stream.feed, stream.partition, newest, now_ms)
