"""A partition goes on under other rules, between two batches and without a stop.

    old space --progress, logs, quarantine, rules that are the same--> new space
        |------rows of edited and removed rules, as they were saved-->    |
        '------events that wait, judged anew when their turn comes--->    '--> outcome: save first

What happens to state is what a restart would do (`state/taking.py`): kept, converted, forgotten.
A rule that is the very same goes over as it stands, with its timers, so the work grows with what
was edited and not with what is remembered.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from heapq import heapify
from typing import TYPE_CHECKING, Any, cast

from engine import saved
from engine.feeds.spec import FieldSpec, FieldType
from engine.handlers import Handlers
from engine.operators.base import Host
from engine.pipeline import Space
from engine.ports import Outcome, Position, SourceId, Write
from engine.ruleset.compile import SpaceProgram, fields_read
from engine.state.buffer import Entry
from engine.state.hygiene import Cleaning
from engine.state.taking import guard, take_up
from engine.state.watermark import NEVER

if TYPE_CHECKING:
    from engine.alerts.judge import RuleJudge

_NEUTRAL: dict[FieldType, Any] = {
    FieldType.NUMBER: 0.0,
    FieldType.INTEGER: 0,
    FieldType.BOOL: False,
    FieldType.TIME: 0,
}
"""What stands for a field that was not decoded; a rule that reads it is not asked about it."""


def edited(old: SpaceProgram, new: SpaceProgram) -> frozenset[str]:
    """Rules of the old program whose saved rows `hand_over` must be given: edited or taken out."""
    same = {id(rule) for rule in new.rules}
    return frozenset(rule.spec.id for rule in old.rules if id(rule) not in same)


def hand_over(old: Space, new: Space, rows: Sequence[Write]) -> Space:
    """Let an empty space go on where another is; as `Handover`, both steps at once."""
    return Handover(old, new, rows).complete()


class Handover:
    """A partition on its way from one program to another.

    Making it takes up what edited rules remember, and may be refused; the old space is as it was.
    `complete` cannot fail; after it the old space must not be used any more. So several partitions
    go over together or not at all.
    """

    def __init__(self, old: Space, new: Space, rows: Sequence[Write]) -> None:
        """Take up the rows of edited rules.

        Args:
            old: The partition, between two batches.
            new: The same partition, just made, of the program from now on. Where a rule is the
                same object as before, it goes on as it is.
            rows: What was saved of the `edited` rules.

        Raises:
            StateError: An edited rule cannot take up its rows.

        """
        old._catch_up()  # noqa: SLF001 - one space speaks to another
        self.old, self.new = old, new
        self.moved = _same(old, new)
        new.progress = old.progress
        _take_quarantine(old, new, self.moved)
        self.anew = take_up(new, rows)

    def complete(self) -> Space:
        """Let the new space go on; answers it."""
        old, new, moved = self.old, self.new, self.moved
        early = list(new.timers)
        _take_place(old, new)
        _take_budgets(old, new)
        for number, before in moved.items():
            _move(old, before, new, number)
        new.timers[:] = [*early, *_renumbered(old, {b: n for n, b in moved.items()})]
        heapify(new.timers)
        _take_cleaning(old, new)
        tell, place = new._trouble, new._place  # noqa: SLF001 - one of us
        new.handlers = Handlers(new.program, new.logics, new.quarantine, tell, place)
        new.handlers.settle()
        new.dormant.take_over(old.dormant, moved)
        new.dormant.guard(new.handlers.rows, len(new.logics))
        guard(new, {**old.floors, **new.floors})
        _take_waiting(old, new)
        if old.begun:
            for number, logic in enumerate(new.logics):
                if number not in moved and number not in new.handlers.off:
                    logic.begin(new.progress.watermark)
        new.begun = old.begun
        for dirty in new.dirty:
            dirty.clear()  # what was just taken up is saved already
        for number, key in self.anew:
            new.dirty[number].add(key)
        new.outcome = _after(old.outcome, new.outcome)
        return new


def taken_over(space: Space) -> Outcome:
    """What must be saved of a space that was handed over, before anything else happens."""
    return space._finish(space.progress.watermark, 0)  # noqa: SLF001


def join(space: Space, log: str, source: SourceId, offset: int) -> None:
    """Let a space hear of a log what comes at or after an offset; the rest is not for it."""
    place = space.log(log)
    place.resume(Position(offset, offset, NEVER))
    place.source = source


def _same(old: Space, new: Space) -> dict[int, int]:
    """Numbers of the rules that are the very same, with their numbers before."""
    before = {id(rule): number for number, rule in enumerate(old.program.rules)}
    pairs = ((n, before.get(id(rule))) for n, rule in enumerate(new.program.rules))
    return {number: one for number, one in pairs if one is not None}


def _move(old: Space, before: int, new: Space, number: int) -> None:
    """Let a rule's logic work in the new space: what it was lent is the new space's now."""
    logic, fresh = old.logics[before], new.logics[number]
    host, lent = old.hosts[before], new.hosts[number]
    for name in Host.__slots__:
        setattr(host, name, getattr(lent, name))
    new.hosts[number] = host
    cast("RuleJudge", logic.life.judge).speak_for(cast("RuleJudge", fresh.life.judge))
    new.logics[number] = logic


def _renumbered(old: Space, numbers: dict[int, int]) -> list[tuple[int, int, str]]:
    """The timers of the rules that go over."""
    if all(before == number for before, number in numbers.items()) and len(numbers) == len(
        old.logics
    ):
        return old.timers
    return [(at, numbers[n], key) for at, n, key in old.timers if n in numbers]


def _take_quarantine(old: Space, new: Space, moved: dict[int, int]) -> None:
    """A rule stays out until a new version of it comes."""
    hashes = {rule.spec.id: rule.spec.hash for rule in old.program.rules}
    kept = {
        rule.spec.id
        for number, rule in enumerate(new.program.rules)
        if number in moved or hashes.get(rule.spec.id) == rule.spec.hash
    }
    new.quarantine.load({r: said for r, said in old.quarantine.save().items() if r in kept})
    new.handlers.settle()


def _take_budgets(old: Space, new: Space) -> None:
    """An edited rule does not get its hour's budget of alerts again."""
    spent = {
        rule.spec.id: logic.life.judge.budget
        for rule, logic in zip(old.program.rules, old.logics, strict=True)
    }
    for rule, logic in zip(new.program.rules, new.logics, strict=True):
        if (before := spent.get(rule.spec.id)) is not None:
            budget = logic.life.judge.budget
            budget.hour, budget.count, budget.told = before.hour, before.count, before.told


def _take_place(old: Space, new: Space) -> None:
    """How far everything was read; sources that nobody reads any more hold nothing back."""
    hears = new.program.hears
    progress = new.progress
    progress.sources = {one: at for one, at in progress.sources.items() if hears(one)}
    progress.idle = {one for one in progress.idle if hears(one)}
    new.logs, new.log_names, new.carried = old.logs, old.log_names, old.carried
    new.pending |= old.pending
    new.seen = {
        (new.feed_numbers[feed], key, rank): at
        for (number, key, rank), at in old.seen.items()
        if (feed := old.program.feeds[number]) in new.feed_numbers
    }
    own = saved.ruleset(rule.spec for rule in new.program.rules)
    new.rulesets = saved.with_last(old.rulesets, own)


def _take_cleaning(old: Space, new: Space) -> None:
    """The last good fixes of each feed."""
    before = {cleaning.rule: cleaning for cleaning in old.cleaning.values()}
    for cleaning in new.cleaning.values():
        if (known := before.get(cleaning.rule)) is not None:
            _copy(known, cleaning)


def _copy(known: Cleaning, cleaning: Cleaning) -> None:
    cleaning.keys, cleaning.seen = known.keys, known.seen
    cleaning.dirty, cleaning.floors, cleaning.swept = known.dirty, known.floors, known.swept


def _after(before: Outcome, outcome: Outcome) -> Outcome:
    """What happened since the last batch, then what the change of rules did."""
    for name in ("changes", "rejected", "late", "troubles", "sent"):
        getattr(outcome, name)[:0] = getattr(before, name)
    counts = Counter(before.counts)
    counts.update(outcome.counts)
    outcome.counts = dict(counts)
    return outcome


def _take_waiting(old: Space, new: Space) -> None:
    """Let what waits go on waiting; it is judged by the new rules when its turn comes."""
    entries = [*old.buffer.elders, *old.buffer.waiting]
    feeds = old.program.feeds
    if new.program.feeds[: len(feeds)] != feeds:
        numbers = [new.feed_numbers.get(feed, -1) for feed in feeds]
        entries = [(e[0], numbers[e[1]], *e[2:]) for e in entries if numbers[e[1]] >= 0]
    asks = {number: _Asking(new, feed) for number, feed in enumerate(new.program.feeds)}
    new.buffer.inherit(entries, partial(_judge, new, asks))


def _judge(space: Space, asks: "dict[int, _Asking]", entry: Entry) -> Entry | None:
    """An entry under the rules as they are."""
    order, feed, key, rank, log, offset, before, _hits, event = entry
    at_ms, hits = asks[feed].hits(event)
    if at_ms < before:
        hits = space.handlers.revisers(space.program.feeds[feed], hits, before - at_ms)
    return (order, feed, key, rank, log, offset, before, hits, event) if hits else None


class _Asking:
    """Asks the rules about events of one feed that were decoded for other rules.

    A rule that reads a field which nobody read before is not given such an event: nobody knows
    what stood there. It hears the events that come after the change.
    """

    def __init__(self, space: Space, feed: str) -> None:
        program = space.program.programs[feed]
        self.intake = space.intakes[feed]
        self.struct = program.decoder.struct
        self.fields = program.spec.fields
        self.reads = [
            fields_read(feed, [rule.spec]) if feed in rule.spec.feeds else frozenset()
            for rule in space.program.rules
        ]
        self.known: dict[type, tuple[dict[str, Any], frozenset[int]]] = {}

    def hits(self, event: Any) -> tuple[int, tuple[int, ...]]:
        """When the event was, and the numbers of the rules that want it."""
        at_ms = self.intake.time_of(event)
        if type(event) is self.struct:
            return at_ms, self.intake.admit(event, at_ms)
        found = self.known.get(type(event))
        if found is None:
            found = self.known[type(event)] = self._compare(event.__struct_fields__)
        lacking, blind = found
        if not lacking:
            return at_ms, self.intake.admit(event, at_ms)
        names = (name for name in self.struct.__struct_fields__ if name not in lacking)
        whole = self.struct(**lacking, **{name: getattr(event, name) for name in names})
        hits = self.intake.admit(whole, at_ms)
        return at_ms, tuple(number for number in hits if number not in blind)

    def _compare(self, had: Sequence[str]) -> tuple[dict[str, Any], frozenset[int]]:
        """Which fields such events lack, with what stands for them, and who reads those."""
        lacking = {
            name: _stand_in(self.fields.get(name))
            for name in self.struct.__struct_fields__
            if name not in had
        }
        blind = frozenset(
            number
            for number, names in enumerate(self.reads)
            if names is None or not names.isdisjoint(lacking)
        )
        return lacking, blind


def _stand_in(field: FieldSpec | None) -> Any:
    if field is None or field.optional:
        return None
    return _NEUTRAL.get(field.type, "")
