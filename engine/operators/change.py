"""change: a value changes, jumps, rises too fast, is new, or stands still though samples come.

becomes      o o o c c c c o      from o to c: holds while it is c
jumps        . . .   ' '          holds at the sample that jumped
rises        .....:::''           two samples at least `span` apart, and the rate between them
unchanged    ..::'''''''''''      holds from T on, at samples; silence proves nothing
"""

from collections.abc import Callable
from typing import Any

from engine.alerts.context import Names
from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.change_memory import Seen, plain, taken, watcher
from engine.operators.specs.base import mark_of
from engine.operators.specs.change import ChangeSpec, Kind

Value = Callable[[Event, Any], Any]
Scope = Callable[[str, Event, int], Names]

_STEPS = 8


class Trace:
    """What is remembered of one key.

    Attributes:
        memory: What its kind of change needs, as plain values.
        seen: In which eighth of `forget` the last sample came.
        hit: Time of the last change, while its alert waits for `quiet`; else 0.
        event, feed: The sample of that change.
        known: Whether the last sample said anything.
        wake: When to look whether the key was silent.

    """

    __slots__ = ("event", "feed", "hit", "known", "memory", "seen", "wake")

    def __init__(self) -> None:
        self.memory: list[Any] = []
        self.seen = 0
        self.hit = 0
        self.known = True
        self.wake = 0
        self.event: Event = None
        self.feed = ""


class ChangeLogic:
    """All keys of one `change` rule in one partition.

    State: per key the last value and its time; for a rate one sample in each sixtieth of its span;
    for new values at most 10,000 with their last times; forgotten when the key was silent for
    `forget`, at the latest an eighth of it later.
    """

    def __init__(
        self,
        spec: ChangeSpec,
        of: Value,
        limit: Value | None,
        scope: Scope,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.mark = mark_of(spec)
        self.of = of
        self.limit = limit
        self.scope = scope
        self.see = watcher(spec)
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Trace] = {}
        self.step = max(1, spec.forget_ms // _STEPS)

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one sample and see what changed."""
        of, limit, scope, keys, opened = self.of, self.limit, self.scope, self.keys, self.life.open
        see, step, touch = self.see, self.step, self.host.dirty.add

        def on_event(key: str, event: Event, at_ms: int) -> None:
            names = scope(key, event, at_ms)
            value = of(event, names)
            if value is not None:
                trace = keys.get(key)
                if trace is None:
                    trace = keys[key] = Trace()
                    trace.seen = at_ms // step
                    self._wake(key, trace)
                trace.seen = at_ms // step
                seen = see(trace.memory, value, at_ms, limit and limit(event, names))
                touch(key)
                if seen.holds or key in opened:
                    self._tell(feed, key, trace, event, at_ms, value, seen)
                trace.known = seen.holds is not None
            if key in opened:
                self.life.event(key, event, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A change is never revised by late records."""

    def _tell(
        self, feed: str, key: str, trace: Trace, event: Event, at_ms: int, value: Any, seen: Seen
    ) -> None:
        """Tell the alert's life what a sample says."""
        quiet = self.spec.quiet_ms
        if seen.holds:
            facts = {"value": value, "before": seen.before, "moved": seen.moved, "feed": feed}
            self.life.hold(key, seen.since, at_ms, event, facts)
            if quiet:
                trace.hit, trace.event, trace.feed = at_ms, event, feed
                self.host.wake(at_ms + quiet, key)
            return
        episode = self.life.find(key)
        if episode is None or quiet:
            return
        if seen.holds is False or episode.phase is Phase.PENDING:
            self.life.gone(key, at_ms, event)

    def _due(self, trace: Trace) -> int:
        """When a key is forgotten if it is silent since the eighth of `forget` it was heard in."""
        return (trace.seen + 1) * self.step + self.spec.forget_ms

    def _wake(self, key: str, trace: Trace) -> None:
        """Ask to look then whether it was."""
        trace.wake = self._due(trace)
        self.host.wake(trace.wake, key)

    def on_timer(self, key: str, at_ms: int) -> None:
        """It was quiet, or silent, for long enough; or an alert asked for this instant."""
        trace = self.keys.get(key)
        if trace is not None:
            self.host.touch(key)
            if trace.hit and at_ms >= trace.hit + self.spec.quiet_ms:
                self.life.gone(key, at_ms, trace.event)
                trace.hit, trace.event = 0, None
            if at_ms == trace.wake:
                if at_ms < self._due(trace):
                    self._wake(key, trace)
                else:
                    self._forget(key, at_ms)
        if key in self.life.open:
            known = trace is None or (trace.known and not self._stale(trace, at_ms))
            self.life.on_timer(key, at_ms, known=known)

    def _forget(self, key: str, at_ms: int) -> None:
        """The key was silent for so long that its next sample is its first."""
        episode = self.life.find(key)
        if episode is not None:
            self.life.gone(key, at_ms, episode.event)
        del self.keys[key]

    def _stale(self, trace: Trace, at_ms: int) -> bool:
        """Whether a run that stood still has not been heard of since for longer than its gap."""
        if self.spec.kind is not Kind.UNCHANGED:
            return False
        return bool(at_ms - trace.memory[3] > self.spec.gap_ms)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first sample."""

    def save(self, key: str) -> Any:
        """Memory and episodes of a key, or None."""
        trace, episodes = self.keys.get(key), self.life.save(key)
        if trace is None:
            return [None, episodes] if episodes else None
        event = save_event(self.codec, trace.feed, trace.event)
        kept = [plain(trace.memory), trace.seen, trace.hit, trace.known, trace.wake, event]
        kept.append(self.mark)
        return [kept, episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        kept, episodes = saved
        if kept is not None:
            trace = self.keys[key] = Trace()
            trace.memory = taken(self.spec.kind, kept[0])
            trace.seen, trace.hit, trace.known, trace.wake = kept[1:5]
            trace.feed, trace.event = load_event(self.codec, kept[5])
            self.host.wake(trace.wake, key)
            if trace.hit:
                self.host.wake(trace.hit + self.spec.quiet_ms, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
