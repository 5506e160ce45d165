"""START HERE: the whole flow of one partition of one key space, on one page.

    record --decode--> event --admit--> reorder buffer --released in order--> rules --> changes
       |                  |late                              ^                 |
       '-> rejected       '-> counted, side, or revised      '---- timers <----'

A driver calls `ingest` with records, then `advance`, and applies the `Outcome`: all of it or
none. Between two calls nothing happens. No clock is read; the same records give the same outcome.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import heappop
from operator import itemgetter
from typing import Any

import msgspec

from engine import saved
from engine.handlers import Handlers
from engine.lot import LOT, make_intake, take_lot
from engine.model.row_keys import subject_of
from engine.noting import Notebook
from engine.operators.base import Host, Logic, Turn, place_of
from engine.ports import Outcome, Position, Record, SourceId, Write
from engine.ruleset.compile import Program, SpaceProgram
from engine.state.buffer import Entry, ReorderBuffer
from engine.state.dormant import Dormant
from engine.state.hygiene import Cleaning
from engine.state.log import Log
from engine.state.quarantine import Quarantine
from engine.state.watermark import NEVER, Progress
from engine.telling import Telling

_HITS = itemgetter(7)
"""Of an entry of the reorder buffer the rules that want the event."""

PASS = 4 * LOT
"""A longer batch is worked on in passes of so many records, while their events are at hand.

A pass fits into a processor's own cache; a batch of thousands does not, and takes half as long
again. It changes nothing else: batches may be cut anywhere.
"""


class Space(Telling):
    """One partition of one key space: what was read, what waits, what the rules remember.

    State: the reorder buffer is not saved; what waits in it is read again after a restart, and
    what was already handled is known by its time (semantics 8).
    """

    def __init__(
        self,
        program: SpaceProgram,
        owns: Callable[[str], bool] = lambda _key: True,
        *,
        saves: bool = True,
    ) -> None:
        """Make an empty partition.

        Args:
            program: The key space's rules and feeds.
            owns: Whether a key belongs to this partition.
            saves: Whether outcomes tell what to save; a replay that nobody resumes need not.

        """
        super().__init__(program, Notebook(program))
        self.saves = saves
        self.counts_matches = saves
        self.progress = Progress()
        self.buffer = ReorderBuffer(msgspec.json.encode)
        self.timers: list[tuple[int, int, str]] = []
        self.dirty: list[set[str]] = [set() for _ in program.rules]
        self.quarantine = Quarantine(self._trouble)
        self.logs: dict[str, Log] = {}
        self.log_names: list[str] = []
        self.seen: dict[tuple[int, str, str], int] = {}
        self.matched: Counter[tuple[int, ...]] = Counter()
        self.cleaning = {
            number: Cleaning(feed, program.cleaners[feed])
            for number, feed in enumerate(program.feeds)
            if feed in program.cleaners
        }
        self.feed_numbers = {feed: number for number, feed in enumerate(program.feeds)}
        self.turn = Turn(program.timeless)
        self.asks_turn = any(rule.spec.when.knows_repeats() for rule in program.rules)
        self.hosts = [self._host(number) for number in range(len(program.rules))]
        self.logics: list[Logic] = [
            rule.make(host, self._emit, self._overflow, owns)
            for rule, host in zip(program.rules, self.hosts, strict=True)
        ]
        self.notebook.logics = self.logics
        self.dormant = Dormant(self.logics)
        self.intakes = {
            feed: make_intake(program, number) for number, feed in enumerate(program.feeds)
        }
        self.handlers = Handlers(program, self.logics, self.quarantine, self._trouble, self._place)
        self.noted: list[tuple[Log, SourceId, Sequence[Record]]] = []
        self.begun = False
        self.pending: set[tuple[str, str]] = set()
        self.carried: list[tuple[int, str]] = []
        self.floors: dict[str, dict[str, int]] = {}
        self.rulesets: list[str] = []

    def _host(self, number: int) -> Host:
        """What the rule with this number may use of the partition."""
        rule = self.program.rules[number].spec.id
        return Host(
            number,
            self.timers,
            self.dirty[number],
            self._send,
            partial(self._tell, rule),
            partial(self._counted, rule),
            missed=partial(self.notebook.missed, number),
            turn=self.turn,
            unproved=partial(self.notebook.unproved, number),
        )

    # --- taking in ------------------------------------------------------------------------

    def announce(self, source: SourceId) -> None:
        """Let a source hold the watermark back until it speaks, rests or is finished."""
        self._catch_up()
        self.progress.announce(source)

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        """Take records; those that a rule wants are decoded and put into the reorder buffer.

        A long batch is only noted here: `advance` takes it in, pass by pass.
        """
        if not records:
            return
        place = self.log(log)
        if self._may_wait(place, source, records):
            self.progress.reach(source, NEVER)
            self.noted.append((place, source, records))
        else:
            self._catch_up()
            self._take(place, source, records)

    def _may_wait(self, place: Log, source: SourceId, records: Sequence[Record]) -> bool:
        """Whether taking these in later can make no difference: the source is known and awake."""
        return (
            len(records) > PASS
            and records[0].before_ms is None
            and source in self.progress.sources
            and not place.rests
        )

    def _catch_up(self) -> None:
        """Take in what was noted, before anything else is heard of the sources."""
        noted, self.noted = self.noted, []
        for place, source, records in noted:
            self._take(place, source, records)

    def _take(self, place: Log, source: SourceId, records: Sequence[Record]) -> None:
        """Take records in, by the lot where nothing is out of the ordinary."""
        intake = self.intakes[source.feed]
        mark, passed, events = place.mark, self.progress.watermark, 0
        for start in range(0, len(records), LOT):
            lot = records[start : start + LOT]
            after = take_lot(lot, intake, place.number, mark, passed, self.buffer.waiting)
            if after is None:
                mark, count = self._take_singly(place, source, lot, mark)
            else:
                mark, count = after, len(lot)
            events += count
        self._count("events", source.feed, events)
        place.read(mark, records[-1].offset + 1)
        if records[0].before_ms is None:
            place.source = source
            self.progress.reach(source, mark)
            if place.rests and not place.rereading:
                place.rests = False
                self.progress.rest(source)

    def _take_singly(
        self, place: Log, source: SourceId, records: Sequence[Record], mark: int
    ) -> tuple[int, int]:
        """Take records in with care for each; answers the source's watermark and the events."""
        feed = source.feed
        intake, decoder = self.intakes[feed], self.program.programs[feed].decoder
        parse, settle, append = decoder.parse, intake.settle, self.buffer.waiting.append
        frontier, passed, events = place.frontier, self.progress.watermark, 0
        for offset, value, arrived_ms, before_ms in records:
            try:
                event = parse(value)
                at_ms = intake.time_of(event)
                reason = intake.check(event, at_ms, arrived_ms)
            except Exception as error:  # noqa: BLE001 - whatever bad bytes raise is a reason
                said = decoder.watermark(value)
                if said is not None:
                    mark = max(mark, said)
                elif offset >= frontier:
                    self._reject(source, offset, *decoder.explain(error, value), value)
                continue
            if reason is not None:
                if offset >= frontier:
                    self._reject(source, offset, reason.value, "", value)
                continue
            events += 1
            for gap in intake.gaps:
                gap.count += gap.of(event) is None
            before = mark if before_ms is None else before_ms
            if at_ms - intake.lateness_ms > mark:
                mark = at_ms - intake.lateness_ms
            order = at_ms if at_ms >= before else before
            if order < passed:
                if offset >= frontier:
                    self._late(source, offset, value)
                continue
            if settle is not None and intake.settle_first:
                settle(event)
            hits = intake.admit(event, at_ms)
            if not hits:
                continue
            if settle is not None and not intake.settle_first:
                settle(event)
            key = intake.key_of(event)
            if not key:
                if offset >= frontier:
                    self._reject(source, offset, "bad-key", "", value)
                continue
            rank = "" if intake.rank_of is None else intake.rank_of(event, value)
            if at_ms < before:
                if feed not in self.program.timeless:
                    # Its place is not its time, which then tells it from what else is there.
                    rank = place_of(at_ms, rank)
                hits = self.handlers.revisers(feed, hits, before - at_ms)
                if offset >= frontier:
                    self._late(source, offset, value)
                if not hits:
                    continue
            append((order, intake.number, key, rank, place.number, offset, before, hits, event))
        return mark, events

    def mark(self, source: SourceId, watermark_ms: int) -> None:
        """Note that no record of this source older than `watermark_ms` will follow."""
        self._catch_up()
        self.progress.reach(source, watermark_ms)

    def idle(self, source: SourceId) -> None:
        """Note (from the tick log) that this source is quiet or finished; it holds nothing back."""
        self._catch_up()
        self.progress.rest(source)

    def tick(self, elapsed_ms: int) -> None:
        """Note (from the tick log) that all sources were quiet for this long."""
        self._catch_up()
        self.progress.elapse(elapsed_ms)

    # --- letting go -----------------------------------------------------------------------

    def advance(self, until_ms: int | None = None) -> Outcome:
        """Release what the watermark passed, run the rules and their timers; answer the outcome.

        With `until_ms` the input has ended: everything up to that instant, inclusive, happens.
        """
        if not self.begun:
            self.begin(NEVER)
        duplicates, released = self.buffer.duplicates, 0
        noted, self.noted = self.noted, []
        for place, source, records in noted:
            for start in range(0, len(records), PASS):
                self._take(place, source, records[start : start + PASS])
                released += self._let_go(self.progress.settle())
        watermark = self.progress.settle()
        if until_ms is not None:
            watermark = self.progress.watermark = max(watermark, until_ms + 1)
        released += self._let_go(watermark)
        if self.buffer.duplicates > duplicates:
            self._count("duplicates", self.program.name, self.buffer.duplicates - duplicates)
        return self._finish(watermark, released)

    def _let_go(self, watermark: int) -> int:
        """Release what lies before the watermark to the rules and timers; answers how many."""
        released = self.buffer.release(watermark)
        if self.counts_matches:
            self.matched.update(map(_HITS, released))
        self._run(released)
        self._fire(watermark)
        return len(released)

    def _run(self, released: list[Entry]) -> None:
        """Hand events to the rules in order, and between them the timers that come first."""
        timers, by_feed, failed = self.timers, self.handlers.rows, self.handlers.failed
        checked = bool(self.cleaning or self.program.timeless)
        turn = self.turn if self.asks_turn else None
        for at_ms, feed, key, rank, _log, _offset, _before, hits, event in released:
            if timers and timers[0][0] < at_ms:
                self._fire(at_ms)
            if checked and not self._sound(feed, key, rank, event, at_ms):
                continue
            if turn is not None:
                turn.rank = rank
            handlers = by_feed[feed]
            for number in hits:
                try:
                    handlers[number](key, event, at_ms)
                except Exception as error:  # noqa: BLE001 - one rule never stops the others
                    failed(number, error, at_ms)
                    self.notebook.failed(number, error, key, at_ms)

    def _sound(self, feed: int, key: str, rank: str, event: Any, at_ms: int) -> bool:
        """Whether an event is no repeat and its position is believed."""
        if self._repeated(feed, key, rank, at_ms):
            return False
        return feed not in self.cleaning or self._clean(feed, key, event, at_ms)

    def _fire(self, before_ms: int) -> None:
        """Call the timers of all instants before `before_ms`, in order."""
        timers, logics, off = self.timers, self.logics, self.handlers.off
        dormant = self.dormant
        while timers and timers[0][0] < before_ms:
            at_ms, number, key = heappop(timers)
            if number in off:
                continue
            try:
                if dormant.rows:
                    dormant.rouse(number, key)
                logics[number].on_timer(key, at_ms)
                life = logics[number].life
                if life.remembers:
                    life.rest_over(subject_of(key), at_ms)
                if life.proofs is not None:
                    life.proofs.on_timer(subject_of(key), at_ms)
            except Exception as error:  # noqa: BLE001 - one rule never stops the others
                self.handlers.failed(number, error, at_ms)
                self.notebook.failed(number, error, key, at_ms)

    def _finish(self, watermark: int, released: int) -> Outcome:
        """Collect what must be saved beside what must leave."""
        outcome, self.outcome = self.outcome, Outcome()
        if self.seen:
            oldest = watermark - self._memory
            self.seen = {one: at for one, at in self.seen.items() if at >= oldest}
        if self.saves:
            saved.collect(self, outcome, released)
            outcome.meta = saved.record(self, watermark)
        for dirty in self.dirty:
            dirty.clear()
        outcome.watermark_ms = watermark
        outcome.notes = self.notebook.take()
        for change in outcome.changes:
            name = (f"alerts-{change.transition}", change.rule)
            outcome.counts[name] = outcome.counts.get(name, 0) + 1
        for hits, count in self.matched.items():
            for number in hits:
                rule = self.program.rules[number % len(self.logics)].spec.id
                outcome.counts["matches", rule] = outcome.counts.get(("matches", rule), 0) + count
        self.matched.clear()
        for intake in self.intakes.values():
            for gap in intake.gaps:
                gap.tell(outcome.counts)
        return outcome

    # --- saved state ----------------------------------------------------------------------

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        """Take up saved state; answers from where each log must be read again.

        Raises:
            StateError: The state was written by other rules and no `on_change` says what to do.

        """
        positions, anew = saved.restore(self, meta, rows)
        self.begin(self.progress.watermark)
        for dirty in self.dirty:
            dirty.clear()
        for number, key in anew:
            self.dirty[number].add(key)
        return positions

    def adopted(self) -> Outcome | None:
        """What taking up state of edited rules changed; save it before anything else happens."""
        if self.pending or self.outcome.changes or any(self.dirty):
            return self._finish(self.progress.watermark, 0)
        return None

    def begin(self, since_ms: int) -> None:
        """Let the rules ask for what is due from this watermark on, such as a roster's starts."""
        for number, logic in enumerate(self.logics):
            if number not in self.handlers.off:
                logic.begin(since_ms)
        self.begun = True

    # --- small parts ----------------------------------------------------------------------

    def log(self, name: str) -> Log:
        """The log of this name; a new one stands at its beginning."""
        place = self.logs.get(name)
        if place is None:
            place = self.logs[name] = Log(name, len(self.log_names))
            self.log_names.append(name)
        return place

    def _repeated(self, feed: int, key: str, rank: str, at_ms: int) -> bool:
        """Whether an event with this id, but without its time in the id, was seen lately."""
        if self.program.feeds[feed] not in self.program.timeless:
            return False
        if (feed, key, rank) in self.seen:
            self._count("duplicates", self.program.feeds[feed], 1)
            return True
        self.seen[feed, key, rank] = at_ms
        return False

    @property
    def _memory(self) -> int:
        return max(feed.spec.lateness_ms for feed in self.program.programs.values())

    def _clean(self, feed: int, key: str, event: Any, at_ms: int) -> bool:
        reason = self.cleaning[feed].judge(key, event, at_ms)
        if reason is None:
            return True
        self._count("hygiene", f"{self.program.feeds[feed]}/{reason}", 1)
        return False

    def sizes(self) -> dict[str, int]:
        """How many keys each rule remembers."""
        return {
            rule.spec.id: logic.size() + self.dormant.size(number)
            for number, (rule, logic) in enumerate(
                zip(self.program.rules, self.logics, strict=True)
            )
        }


class Engine:
    """All key spaces of a program in one partition: for tests, replay and the embedded daemon.

    They are held in an order in which each comes after those it reads from.
    """

    def __init__(self, program: Program, *, saves: bool = True) -> None:
        self.program = program
        self.spaces = {name: Space(space, saves=saves) for name, space in program.spaces.items()}
