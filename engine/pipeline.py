"""START HERE: the whole flow of one partition of one key space, on one page.

    record --decode--> event --admit--> reorder buffer --released in order--> rules --> changes
       |                  |late                              ^                 |
       '-> rejected       '-> counted, side, or revised      '---- timers <----'

A driver calls `ingest` with records, then `advance`, and applies the `Outcome`: all of it or
none. Between two calls nothing happens. No clock is read; the same records give the same outcome.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop
from itertools import chain, repeat
from typing import Any

import msgspec

from engine.alerts.context import Names
from engine.alerts.judge import Words
from engine.decode.bulk import LOT, Bulk
from engine.errors import StateError
from engine.model.change import Change
from engine.operators.base import Host, Logic
from engine.ports import Outcome, Position, Record, Rejected, SourceId, Trouble, Write
from engine.ruleset.compile import Program, SpaceProgram
from engine.state.buffer import Entry, ReorderBuffer
from engine.state.codec import Fate, Meta, pack_meta, pack_row, plan_state, unpack_meta, unpack_row
from engine.state.hygiene import Cleaning
from engine.state.log import Log
from engine.state.quarantine import Quarantine
from engine.state.watermark import NEVER, Progress

Handler = Callable[..., None]


class Space:
    """One partition of one key space: what was read, what waits, what the rules remember.

    State: the reorder buffer is not saved; what waits in it is read again after a restart, and
    what was already handled is known by its time (semantics 8).
    """

    def __init__(
        self, program: SpaceProgram, owns: Callable[[str], bool] = lambda _key: True
    ) -> None:
        self.program = program
        self.progress = Progress()
        self.buffer = ReorderBuffer(msgspec.json.encode)
        self.timers: list[tuple[int, int, str]] = []
        self.dirty: set[tuple[int, str]] = set()
        self.outcome = Outcome()
        self.quarantine = Quarantine(self._trouble)
        self.logs: dict[str, Log] = {}
        self.log_names: list[str] = []
        self.seen: dict[tuple[int, str, str], int] = {}
        self.cleaning = {
            number: Cleaning(feed, program.cleaners[feed])
            for number, feed in enumerate(program.feeds)
            if feed in program.cleaners
        }
        self.feed_numbers = {feed: number for number, feed in enumerate(program.feeds)}
        self.logics: list[Logic] = [
            rule.make(Host(number, self.timers, self.dirty), self._emit, self._overflow, owns)
            for number, rule in enumerate(program.rules)
        ]
        self.handlers = self._make_handlers()
        self.begun = False

    # --- taking in ------------------------------------------------------------------------

    def announce(self, source: SourceId) -> None:
        """Let a source hold the watermark back until it speaks, rests or is finished."""
        self.progress.announce(source)

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        """Decode records and put those that a rule wants into the reorder buffer."""
        if not records:
            return
        feed = source.feed
        number = self.feed_numbers[feed]
        program, place = self.program, self._log(log)
        decoder = program.programs[feed].decoder
        spec = program.programs[feed].spec
        parse, time_of, check, settle = (
            decoder.parse, decoder.time_of, decoder.check, decoder.settle,
        )  # fmt: skip
        admit, key_of, rank_of = program.admit[feed], program.key_of[feed], program.rank_of[feed]
        lateness, append = spec.lateness_ms, self.buffer.waiting.append
        mark, frontier, passed = place.mark, place.frontier, self.progress.watermark
        settle_first = feed in program.settle_first
        events, asked = 0, decoder.bulk_checks
        for (offset, value, arrived_ms, before_ms), event in _decoded(records, decoder.bulk):
            reason = None
            try:
                if event is None:
                    event = parse(value)  # noqa: PLW2901 - the careful way, record by record
                    at_ms = time_of(event)
                    reason = check(event, at_ms, arrived_ms)
                else:
                    at_ms = time_of(event)
                    if asked or arrived_ms is not None:
                        reason = check(event, at_ms, arrived_ms)
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
            before = mark if before_ms is None else before_ms
            if at_ms - lateness > mark:
                mark = at_ms - lateness
            order = at_ms if at_ms >= before else before
            if order < passed:
                if offset >= frontier:
                    self._late(source, offset, value)
                continue
            if settle_first and settle is not None:
                settle(event)
            hits = admit(event, at_ms)
            if not hits:
                continue
            if settle is not None and not settle_first:
                settle(event)
            key = key_of(event)
            if not key:
                if offset >= frontier:
                    self._reject(source, offset, "bad-key", "", value)
                continue
            rank = "" if rank_of is None else rank_of(event, value)
            if at_ms < before:
                hits = self._revisers(feed, hits, before - at_ms)
                if offset >= frontier:
                    self._late(source, offset, value)
                if not hits:
                    continue
            append((order, number, key, rank, place.number, offset, before, hits, event))
        self._count("events", feed, events)
        place.read(mark, records[-1].offset + 1)
        if records[0].before_ms is None:
            place.source = source
            self.progress.reach(source, mark)
            if place.rests and not place.rereading:
                place.rests = False
                self.progress.rest(source)

    def mark(self, source: SourceId, watermark_ms: int) -> None:
        """Note that no record of this source older than `watermark_ms` will follow."""
        self.progress.reach(source, watermark_ms)

    def idle(self, source: SourceId) -> None:
        """Note (from the tick log) that this source is quiet or finished; it holds nothing back."""
        self.progress.rest(source)

    def tick(self, elapsed_ms: int) -> None:
        """Note (from the tick log) that all sources were quiet for this long."""
        self.progress.elapse(elapsed_ms)

    # --- letting go -----------------------------------------------------------------------

    def advance(self, until_ms: int | None = None) -> Outcome:
        """Release what the watermark passed, run the rules and their timers; answer the outcome.

        With `until_ms` the input has ended: everything up to that instant, inclusive, happens.
        """
        if not self.begun:
            self._begin(NEVER)
        watermark = self.progress.settle()
        if until_ms is not None:
            watermark = self.progress.watermark = max(watermark, until_ms + 1)
        duplicates = self.buffer.duplicates
        released = self.buffer.release(watermark)
        self._run(released)
        self._fire(watermark)
        if self.buffer.duplicates > duplicates:
            self._count("duplicates", self.program.name, self.buffer.duplicates - duplicates)
        return self._finish(watermark, len(released))

    def _run(self, released: list[Entry]) -> None:
        """Hand events to the rules in order, and between them the timers that come first."""
        timers, by_feed, cleaning, timeless = (
            self.timers, self.handlers, self.cleaning, self.program.timeless,
        )  # fmt: skip
        quarantine = self.quarantine
        for at_ms, feed, key, rank, _log, _offset, _before, hits, event in released:
            if timers and timers[0][0] < at_ms:
                self._fire(at_ms)
            if timeless and self._repeated(feed, key, rank, at_ms):
                continue
            if cleaning and feed in cleaning and not self._clean(feed, key, event, at_ms):
                continue
            handlers = by_feed[feed]
            for number in hits:
                try:
                    handlers[number](key, event, at_ms)
                except Exception as error:  # noqa: BLE001 - one rule never stops the others
                    quarantine.failed(self._rule_of(number), error, at_ms)
                    self._disable()

    def _fire(self, before_ms: int) -> None:
        """Call the timers of all instants before `before_ms`, in order."""
        timers, logics = self.timers, self.logics
        while timers and timers[0][0] < before_ms:
            at_ms, number, key = heappop(timers)
            if number in self.off:
                continue
            try:
                logics[number].on_timer(key, at_ms)
            except Exception as error:  # noqa: BLE001 - one rule never stops the others
                self.quarantine.failed(self.program.rules[number].spec.id, error, at_ms)
                self._disable()

    def _finish(self, watermark: int, released: int) -> Outcome:
        """Collect what must be saved beside what must leave."""
        outcome, self.outcome = self.outcome, Outcome()
        for place in self.logs.values():
            place.settle(self.buffer, released)
            outcome.positions[place.name] = place.position
        for number, key in sorted(self.dirty):
            spec = self.program.rules[number].spec
            saved = self.logics[number].save(key)
            value = None if saved is None else pack_row(spec.hash, saved)
            outcome.writes.append(Write(spec.id, key, value))
        self.dirty.clear()
        for cleaning in self.cleaning.values():
            outcome.writes += cleaning.writes()
        horizon = watermark
        if self.seen:
            self.seen = {one: at for one, at in self.seen.items() if at >= horizon - self._memory}
        outcome.meta = pack_meta(self._meta(watermark))
        outcome.watermark_ms = watermark
        for change in outcome.changes:
            name = (f"alerts-{change.transition}", change.rule)
            outcome.counts[name] = outcome.counts.get(name, 0) + 1
        return outcome

    # --- saved state ----------------------------------------------------------------------

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        """Take up saved state; answers from where each log must be read again.

        Raises:
            StateError: The state was written by other rules and no `on_change` says what to do.

        """
        specs = {rule.spec.id: rule.spec for rule in self.program.rules}
        plan = plan_state(specs, rows)
        if plan.refused:
            raise StateError(", ".join(sorted(plan.refused)))
        saved = Meta() if meta is None else unpack_meta(meta)
        if meta is not None:
            self.progress.watermark = saved.watermark
        for text, watermark in saved.sources.items():
            self.progress.reach(_source(text), watermark)
        for text in saved.idle:
            self.progress.rest(_source(text))
        for name, position in saved.positions.items():
            self._resume(self._log(name), Position(*position), saved)
        self.seen = {
            (self.feed_numbers[feed], key, rank): at
            for feed, key, rank, at in saved.seen
            if feed in self.feed_numbers
        }
        self.quarantine.load(saved.troubled)
        self._disable()
        self._restore_rows(plan.fates, rows)
        for number, rule in enumerate(self.program.rules):
            if rule.spec.id in saved.fired:
                budget = self.logics[number].life.judge.budget  # type: ignore[attr-defined]
                budget.hour, budget.count = saved.fired[rule.spec.id]
        self._begin(self.progress.watermark)
        self.dirty.clear()
        return {name: place.position for name, place in self.logs.items()}

    def _resume(self, place: Log, position: Position, saved: Meta) -> None:
        """Take up one log; its waiting records hold the watermark back until they are read again."""
        place.resume(position)
        origin = saved.origins.get(place.name)
        if origin is None:
            return
        place.source = _source(origin)
        if place.rereading:
            place.rests = origin in saved.idle
            self.progress.reread(place.source, position.before_ms)

    def _restore_rows(self, fates: Mapping[str, tuple[Fate, str]], rows: Sequence[Write]) -> None:
        numbers = {rule.spec.id: number for number, rule in enumerate(self.program.rules)}
        cleanings = {cleaning.rule: cleaning for cleaning in self.cleaning.values()}
        for row in rows:
            if row.value is None:
                continue
            if row.rule in cleanings:
                cleanings[row.rule].load(row.key, unpack_row(row.value)[1])
            elif row.rule in numbers and fates[row.rule][0] is not Fate.RESET:
                self.logics[numbers[row.rule]].load(row.key, unpack_row(row.value)[1])

    def _begin(self, since_ms: int) -> None:
        for number, logic in enumerate(self.logics):
            if number not in self.off:
                logic.begin(since_ms)
        self.begun = True

    def _meta(self, watermark: int) -> Meta:
        return Meta(
            watermark=watermark,
            sources={_text(source): w for source, w in sorted(self.progress.sources.items())},
            positions={name: place.position for name, place in sorted(self.logs.items())},
            origins={
                name: _text(place.source)
                for name, place in sorted(self.logs.items())
                if place.source is not None
            },
            idle=sorted({*map(_text, self.progress.idle), *self._resting()}),
            seen=sorted(
                (self.program.feeds[feed], key, rank, at)
                for (feed, key, rank), at in self.seen.items()
            ),
            troubled=self.quarantine.save(),
            fired={
                rule.spec.id: (budget.hour, budget.count)
                for number, rule in enumerate(self.program.rules)
                if (budget := self.logics[number].life.judge.budget).limit  # type: ignore[attr-defined]
            },
        )

    def _resting(self) -> list[str]:
        """Idle sources whose logs are being read again just now."""
        return [_text(p.source) for p in self.logs.values() if p.rests and p.source is not None]

    # --- small parts ----------------------------------------------------------------------

    def _log(self, name: str) -> Log:
        place = self.logs.get(name)
        if place is None:
            place = self.logs[name] = Log(name, len(self.log_names))
            self.log_names.append(name)
        return place

    def _make_handlers(self) -> list[list[Handler]]:
        """For each feed and rule the handler of events; behind them those of late events."""
        self.off: set[int] = set()
        return [
            [
                _handler(logic.handler(feed), rule.conditions[feed], rule.words)
                if feed in rule.spec.feeds
                else _nothing
                for logic, rule in zip(self.logics, self.program.rules, strict=True)
            ]
            + [
                _reviser(logic.late(feed), rule.conditions[feed], rule.words, self._time_of(feed))
                if feed in rule.spec.feeds
                else _nothing
                for logic, rule in zip(self.logics, self.program.rules, strict=True)
            ]
            for feed in self.program.feeds
        ]

    def _time_of(self, feed: str) -> Callable[[Any], int]:
        return self.program.programs[feed].decoder.time_of

    def _revisers(self, feed: str, hits: tuple[int, ...], behind_ms: int) -> tuple[int, ...]:
        """Of the rules that want an event this late, those that can and will still count it."""
        count = len(self.logics)
        return tuple(
            number + count
            for number in hits
            if self.logics[number].late(feed) is not None
            and behind_ms <= (self.program.rules[number].spec.late_allow_ms or behind_ms)
        )

    def _rule_of(self, number: int) -> str:
        return self.program.rules[number % len(self.program.rules)].spec.id

    def _disable(self) -> None:
        """Take the quarantined rules out of the way of the others."""
        count = len(self.program.rules)
        for number, rule in enumerate(self.program.rules):
            if self.quarantine.is_off(rule.spec.id) and number not in self.off:
                self.off.add(number)
                for handlers in self.handlers:
                    handlers[number] = handlers[number + count] = _nothing

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

    def _reject(
        self, source: SourceId, offset: int, reason: str, detail: str, value: bytes
    ) -> None:
        self.outcome.rejected.append(Rejected(source, offset, reason, detail, value))
        self._count("rejected", f"{source.feed}/{reason}", 1)

    def _late(self, source: SourceId, offset: int, value: bytes) -> None:
        self._count("late", source.feed, 1)
        if any(rule.spec.late == "side" for rule in self.program.rules):
            self.outcome.late.append(Rejected(source, offset, "late", "", value))

    def _emit(self, change: Change) -> None:
        self.outcome.changes.append(change)

    def _overflow(self, rule: str, at_ms: int) -> None:
        self._trouble(Trouble("too-many-alerts", rule, "", at_ms))

    def _trouble(self, trouble: Trouble) -> None:
        self.outcome.troubles.append(trouble)

    def _count(self, name: str, label: str, amount: int) -> None:
        counts = self.outcome.counts
        counts[name, label] = counts.get((name, label), 0) + amount

    def sizes(self) -> dict[str, int]:
        """How many keys each rule remembers."""
        return {
            rule.spec.id: logic.size()
            for rule, logic in zip(self.program.rules, self.logics, strict=True)
        }


def _decoded(records: Sequence[Record], bulk: Bulk | None) -> Iterator[tuple[Record, Any]]:
    """Records with their events, or with None where a record needs the careful way."""
    if bulk is None:
        return zip(records, repeat(None), strict=False)
    return chain.from_iterable(
        zip(lot, bulk([record[1] for record in lot]) or repeat(None), strict=False)
        for lot in (records[start : start + LOT] for start in range(0, len(records), LOT))
    )


def _handler(take: Handler, condition: Any, words: Words) -> Handler:
    """How a rule takes events; conditions that need look-ups are asked here, not at admission."""
    if condition is None:
        return take

    def handle(key: str, event: Any, at_ms: int) -> None:
        if condition(event, _names(words, key, event, at_ms)) is True:
            take(key, event, at_ms)

    return handle


def _reviser(
    take: Handler | None, condition: Any, words: Words, time_of: Callable[[Any], int]
) -> Handler:
    """How a rule takes late events: by their own time, at their place in the order."""
    if take is None:
        return _nothing

    def handle(key: str, event: Any, order_ms: int) -> None:
        at_ms = time_of(event)
        if condition is None or condition(event, _names(words, key, event, at_ms)) is True:
            take(key, event, at_ms, order_ms)

    return handle


def _names(words: Words, key: str, event: Any, at_ms: int) -> Names:
    return Names(words.surroundings, key, event, at_ms)


def _nothing(*_ignored: Any) -> None:
    """What a quarantined rule does."""


def _text(source: SourceId) -> str:
    return f"{source.partition}/{source.feed}"


def _source(text: str) -> SourceId:
    partition, feed = text.split("/", 1)
    return SourceId(feed, int(partition))


class Engine:
    """All key spaces of a program in one partition: for tests, replay and the embedded daemon."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.spaces = {name: Space(space) for name, space in program.spaces.items()}
