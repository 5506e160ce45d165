"""correlate: several signals about one key, each counting for a while, point to one risk.

    stays (rule)     =====fired========cleared~~~~~~~|          lasts, and `within` after
    complaint (feed)             x~~~~~~~~~~~~~|                `within` after it was seen
    refuels (feed)                        x~~~~~~~~~~~~~|
                                          ^ at least 3: fires        ^ clears

A signal that comes again counts once, from its newest time. With a score each adds its weight;
where weights fade, the sum falls on its own and the alert clears at the instant it is too small.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.alerts.lifecycle import Judge, Life
from engine.feeds.alerts import ENDS
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.specs.correlate import CorrelateSpec
from engine.state.watermark import NEVER

_ENDS = frozenset(one.value for one in ENDS)


class SignalTest(NamedTuple):
    """Which events are a signal: those of a rule, or those that meet a condition."""

    number: int
    rule: str
    test: Callable[[Event, Any], Any] | None
    names: Callable[[str, Event, int], Any] | None

    def holds(self, key: str, event: Event, at_ms: int) -> bool:
        """Whether this event is the signal."""
        if self.rule and event.rule != self.rule:
            return False
        if self.test is None:
            return True
        names = None if self.names is None else self.names(key, event, at_ms)
        return self.test(event, names) is True


class Seen:
    """One signal of one key.

    Attributes:
        at: When it was last seen (UTC ms).
        open: Whether the alert that it is goes on.
        times: How often it came while it counted.

    """

    __slots__ = ("at", "open", "times")

    def __init__(self, at_ms: int) -> None:
        self.at = at_ms
        self.open = False
        self.times = 0


class Signals:
    """What is remembered of one key: its signals by number, and since when they are enough."""

    __slots__ = ("event", "feed", "seen", "since", "wake")

    def __init__(self) -> None:
        self.seen: dict[int, Seen] = {}
        self.since = NEVER
        self.event: Event | None = None
        self.feed = ""
        self.wake = 0


class CorrelateLogic:
    """All keys of one `correlate` rule in one partition.

    State: for each key the signals that count; nothing once the last has expired.
    """

    def __init__(
        self,
        spec: CorrelateSpec,
        tests: Mapping[str, Sequence[SignalTest]],
        condition: Callable[[Event, Any], Any] | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.tests = tests
        self.condition = condition
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Signals] = {}
        self._numbers = {signal.name: number for number, signal in enumerate(spec.signals)}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one event as every signal that it is."""
        tests, opened = self.tests[feed], self.life.open

        def on_event(key: str, event: Event, at_ms: int) -> None:
            hits = [one for one in tests if one.holds(key, event, at_ms)]
            if hits:
                self._take(feed, key, event, at_ms, hits)
            if key in opened:
                self.life.event(key, event, at_ms)
                self._ended(key)

        return on_event

    def late(self, feed: str) -> None:
        """A late event is dropped: what it would have been part of is over."""
        del feed

    def _take(
        self, feed: str, key: str, event: Event, at_ms: int, hits: Sequence[SignalTest]
    ) -> None:
        signals = self.keys.get(key)
        for number, rule, _, _ in hits:
            ends = bool(rule) and event.transition in _ENDS
            if signals is None:
                if ends:
                    return
                signals = self.keys[key] = Signals()
            seen = signals.seen.get(number)
            if seen is None:
                if ends:
                    continue
                seen = signals.seen[number] = Seen(at_ms)
            seen.at = at_ms
            seen.open = bool(rule) and not ends
            seen.times += not ends
        if signals is not None:
            signals.event, signals.feed = event, feed
            self._judge(key, signals, at_ms, event)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A signal may have expired, or faded too far."""
        signals = self.keys.get(key)
        if signals is not None and signals.wake == at_ms:
            signals.wake = 0
            self._judge(key, signals, at_ms, None)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)
            self._ended(key)
        self._tidy(key)

    def _ended(self, key: str) -> None:
        """Once the rule's `clear` has ended an alert, its signals have done their work."""
        signals = self.keys.get(key)
        if signals is not None and signals.since != NEVER and key not in self.life.open:
            self.host.touch(key)
            del self.keys[key]

    def _judge(self, key: str, signals: Signals, at_ms: int, event: Event | None) -> None:
        """Let go of what has expired; say whether what is left is enough; ask for the next look."""
        self.host.touch(key)
        rules = self.spec.signals
        for number in [
            number
            for number, seen in signals.seen.items()
            if not seen.open and at_ms >= seen.at + rules[number].within_ms
        ]:
            del signals.seen[number]
        score = sum(self.worth(number, seen, at_ms) for number, seen in signals.seen.items())
        if signals.seen and self.is_enough(signals, score):
            if signals.since == NEVER:
                signals.since = at_ms
            self.life.hold(key, signals.since, at_ms, event, self._facts(signals, score, at_ms))
        elif signals.since != NEVER:
            signals.since = NEVER
            self.life.gone(key, at_ms, signals.event)
        self._arm(key, signals, at_ms, score)

    def is_enough(self, signals: Signals, score: float) -> bool:
        """Whether what counts now, worth so much in sum, is what the rule asks for."""
        if self.condition is not None:
            counts = {
                signal.name: number in signals.seen
                for number, signal in enumerate(self.spec.signals)
            }
            return self.condition(None, counts) is True
        if self.spec.at_least:
            return len(signals.seen) >= self.spec.at_least
        return score >= self.spec.reach

    def worth(self, number: int, seen: Seen, at_ms: int) -> float:
        """What a signal adds to the score now."""
        weight = self.spec.signals[number].weight
        half = self.spec.half_life_ms
        if seen.open or not half:
            return weight
        return float(weight * 0.5 ** ((at_ms - seen.at) / half))

    def _facts(self, signals: Signals, score: float, at_ms: int) -> dict[str, Any]:
        """The score, itemised."""
        rules = self.spec.signals
        numbers = sorted(signals.seen)
        items = [
            {
                "name": rules[number].name,
                "at": signals.seen[number].at,
                "open": signals.seen[number].open,
                "times": signals.seen[number].times,
                "weight": rules[number].weight,
                "worth": round(self.worth(number, signals.seen[number], at_ms), 6),
            }
            for number in numbers
        ]
        return {
            "feed": signals.feed,
            "size": len(items),
            "value": round(score, 6),
            "seen": ", ".join(rules[number].name for number in numbers),
            "signals": items,
        }

    def _arm(self, key: str, signals: Signals, at_ms: int, score: float) -> None:
        """Ask for a look when the next signal expires, or the score falls below the limit."""
        rules = self.spec.signals
        ends = [
            seen.at + rules[number].within_ms
            for number, seen in signals.seen.items()
            if not seen.open
        ]
        if signals.since != NEVER and self.spec.half_life_ms and ends:
            lasting = sum(
                rules[number].weight for number, seen in signals.seen.items() if seen.open
            )
            if lasting < self.spec.reach:
                fall = math.log2((score - lasting) / (self.spec.reach - lasting))
                ends.append(at_ms + max(1, math.ceil(fall * self.spec.half_life_ms)))
        if ends and min(ends) != signals.wake:
            signals.wake = min(ends)
            self.host.wake(signals.wake, key)

    def _tidy(self, key: str) -> None:
        """Forget a key of which nothing counts."""
        signals = self.keys.get(key)
        if signals is not None and not signals.seen and key not in self.life.open:
            del self.keys[key]

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first event."""

    def save(self, key: str) -> Any:
        """The key's signals by name, and its episodes; None when nothing counts."""
        signals = self.keys.get(key)
        episodes = self.life.save(key)
        if signals is None:
            return [None, episodes] if episodes else None
        rules = self.spec.signals
        seen = [
            [rules[number].name, one.at, one.open, one.times]
            for number, one in sorted(signals.seen.items())
        ]
        event = save_event(self.codec, signals.feed, signals.event)
        return [[seen, signals.since, signals.wake, event], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again; signals the rule lost are left out."""
        plain, episodes = saved
        if plain is not None:
            signals = self.keys[key] = Signals()
            for name, at_ms, is_open, times in plain[0]:
                if name in self._numbers:
                    one = signals.seen[self._numbers[name]] = Seen(at_ms)
                    one.open, one.times = is_open, times
            signals.since, signals.wake = plain[1], plain[2]
            signals.feed, signals.event = load_event(self.codec, plain[3])
            if signals.wake:
                self.host.wake(signals.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
