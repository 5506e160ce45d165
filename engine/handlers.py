"""Which function takes an event for which rule, and what becomes of a rule that fails."""

from collections.abc import Callable, Sequence
from typing import Any

from engine.alerts.budget import HOUR_MS
from engine.alerts.context import Names
from engine.alerts.judge import Words
from engine.operators.base import Logic
from engine.ports import Trouble
from engine.ruleset.compile import SpaceProgram
from engine.ruleset.spec import RuleSpec
from engine.state.quarantine import Quarantine

Handler = Callable[..., None]


class Handlers:
    """For each feed a row of functions: one a rule for events, and behind them one for late events.

    A rule that is quarantined does nothing; the rules beside it never notice.
    """

    def __init__(
        self,
        program: SpaceProgram,
        logics: Sequence[Logic],
        quarantine: Quarantine,
        tell: Callable[[Trouble], None],
        place: Callable[[int], None] = lambda _order_ms: None,
    ) -> None:
        self.program = program
        self.tell = tell
        self.place = place
        self.logics = logics
        self.quarantine = quarantine
        self.off: set[int] = set()
        self.rows = [self._row(feed) for feed in program.feeds]

    def _row(self, feed: str) -> list[Handler]:
        pairs = list(zip(self.logics, self.program.rules, strict=True))
        time_of = self.program.programs[feed].decoder.time_of
        events = [
            _handler(
                _watching(self._bounded(logic, rule.spec, feed), logic),
                rule.conditions[feed],
                rule.words,
            )
            if feed in rule.spec.feeds
            else _nothing
            for logic, rule in pairs
        ]
        late = [
            _reviser(logic.late(feed), rule.conditions[feed], rule.words, time_of, self.place)
            if feed in rule.spec.feeds
            else _nothing
            for logic, rule in pairs
        ]
        return events + late

    def _bounded(self, logic: Logic, spec: RuleSpec, feed: str) -> Handler:
        """The operator's handler; with a budget of keys it takes no new key when that is used up.

        Keys that have state go on. It is told once an hour of event time.
        """
        take, most, keys = logic.handler(feed), spec.limits.keys, logic.keys
        if not most:
            return take
        told = -1

        def handle(key: str, event: Any, at_ms: int) -> None:
            nonlocal told
            if len(keys) < most or key in keys:
                take(key, event, at_ms)
            elif at_ms // HOUR_MS != told:
                told = at_ms // HOUR_MS
                self.tell(Trouble("too-many-keys", spec.id, str(most), at_ms))

        return handle

    def revisers(self, feed: str, hits: tuple[int, ...], behind_ms: int) -> tuple[int, ...]:
        """Of the rules that want an event this late, those that can and will still count it."""
        count = len(self.logics)
        return tuple(
            number + count
            for number in hits
            if self.logics[number].late(feed) is not None
            and behind_ms <= (self.program.rules[number].spec.late_allow_ms or behind_ms)
        )

    def failed(self, number: int, error: Exception, at_ms: int) -> None:
        """Note that a rule's code raised, and take the rule out when it does so too often."""
        rule = self.program.rules[number % len(self.logics)].spec.id
        self.quarantine.failed(rule, error, at_ms)
        self.settle()

    def settle(self) -> None:
        """Take the quarantined rules out of the way of the others."""
        count = len(self.logics)
        for number, rule in enumerate(self.program.rules):
            if self.quarantine.is_off(rule.spec.id) and number not in self.off:
                self.off.add(number)
                for row in self.rows:
                    row[number] = row[number + count] = _nothing


def _watching(take: Handler, logic: Logic) -> Handler:
    """How a rule with a `verify` takes events: whether it holds is asked before anything ends."""
    proofs = logic.life.proofs
    if proofs is None:
        return take
    watched, look = proofs.keys, proofs.event

    def handle(key: str, event: Any, at_ms: int) -> None:
        if key in watched:
            look(key, event, at_ms)
        take(key, event, at_ms)

    return handle


def _handler(take: Handler, condition: Any, words: Words) -> Handler:
    """How a rule takes events; conditions that need look-ups are asked here, not at admission."""
    if condition is None:
        return take

    def handle(key: str, event: Any, at_ms: int) -> None:
        if condition(event, _names(words, key, event, at_ms)) is True:
            take(key, event, at_ms)

    return handle


def _reviser(
    take: Handler | None,
    condition: Any,
    words: Words,
    time_of: Callable[[Any], int],
    place: Callable[[int], None],
) -> Handler:
    """How a rule takes late events: by their own time, at their place in the order."""
    if take is None:
        return _nothing

    def handle(key: str, event: Any, order_ms: int) -> None:
        at_ms = time_of(event)
        if condition is None or condition(event, _names(words, key, event, at_ms)) is True:
            place(order_ms)
            try:
                take(key, event, at_ms, order_ms)
            finally:
                place(0)

    return handle


def _names(words: Words, key: str, event: Any, at_ms: int) -> Names:
    return Names(words.surroundings, key, event, at_ms)


def _nothing(*_ignored: Any) -> None:
    """What a quarantined rule does."""
