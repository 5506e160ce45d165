"""match: an event satisfies a condition, or N events within T do.

events      . x . x x . . .            x satisfies the condition
times: 3 in T   [-----]  fires at the third
episode             #####...|          ends after `quiet`, by `clear`, or at the next event
                                       that does not satisfy it, whichever the rule declares
"""

from collections.abc import Callable
from typing import Any

from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.specs.match import MatchSpec

Condition = Callable[[Event, Any], Any]


class Hits:
    """What is remembered of one key: times of recent hits, and the last event that hit."""

    __slots__ = ("event", "feed", "holding", "since", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.since = 0
        self.holding = False
        self.event: Event = None
        self.feed = ""


class MatchLogic:
    """All keys of one `match` rule in one partition.

    State: times of hits inside `within` (at most `count`), the last event that hit while an
    episode is open; forgotten when neither is left.
    """

    def __init__(
        self,
        spec: MatchSpec,
        condition: Condition,
        extras: Callable[[str, Event, int], Any] | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.condition = condition
        self.extras = extras
        self.has_clear = judge.has_clear
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Hits] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one event: does it hit, and what follows."""
        condition, extras, keys = self.condition, self.extras, self.keys
        hit, miss, opened = self._hit, self._miss, self.life.open

        def on_event(key: str, event: Event, at_ms: int) -> None:
            more = None if extras is None else extras(key, event, at_ms)
            if condition(event, more) is True:
                hit(feed, key, event, at_ms)
            elif key in keys:
                miss(key, event, at_ms)
            if key in opened:
                self.life.event(key, event, at_ms)
                if key not in opened and key in keys:
                    self._end(key, at_ms, event)

        return on_event

    def late(self, feed: str) -> None:
        """A match is never revised by late records."""

    def _hit(self, feed: str, key: str, event: Event, at_ms: int) -> None:
        spec = self.spec
        hits = self.keys.get(key)
        if hits is None:
            hits = self.keys[key] = Hits()
        hits.event, hits.feed = event, feed
        self.host.touch(key)
        if spec.count > 1:
            hits.times.append(at_ms)
            oldest = at_ms - spec.within_ms
            hits.times = [time for time in hits.times if time > oldest][-spec.count :]
            if len(hits.times) < spec.count and not hits.holding:
                self.host.wake(hits.times[0] + spec.within_ms, key)
                return
        if not hits.holding:
            hits.holding = True
            hits.since = hits.times[0] if hits.times else at_ms
        if spec.quiet_ms:
            hits.times = hits.times or [at_ms]
            hits.times[-1] = at_ms
            self.host.wake(at_ms + spec.quiet_ms, key)
        facts = {"size": len(hits.times) or 1, "last": at_ms, "feed": feed}
        self.life.hold(key, hits.since, at_ms, event, facts)

    def _miss(self, key: str, event: Event, at_ms: int) -> None:
        hits = self.keys[key]
        if not hits.holding or self.spec.quiet_ms:
            return
        episode = self.life.find(key)
        if not self.has_clear or (episode is not None and episode.phase is Phase.PENDING):
            self._end(key, at_ms, event)

    def _end(self, key: str, at_ms: int, event: Event) -> None:
        hits = self.keys[key]
        hits.holding = False
        self.life.gone(key, at_ms, event)
        hits.times = []
        self._tidy(key)

    def _tidy(self, key: str) -> None:
        """Forget a key that holds nothing."""
        self.host.touch(key)
        hits = self.keys.get(key)
        if hits is not None and not hits.times and not hits.holding and key not in self.life.open:
            del self.keys[key]

    def on_timer(self, key: str, at_ms: int) -> None:
        """A window ran out, or it has been quiet for long enough."""
        hits = self.keys.get(key)
        if hits is not None:
            if hits.holding:
                quiet = self.spec.quiet_ms
                if quiet and at_ms >= hits.times[-1] + quiet:
                    self._end(key, at_ms, hits.event)
            elif hits.times and at_ms >= hits.times[0] + self.spec.within_ms:
                hits.times = [time for time in hits.times if time > at_ms - self.spec.within_ms]
                self.host.touch(key)
                if hits.times:
                    self.host.wake(hits.times[0] + self.spec.within_ms, key)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)
        if hits is not None and key in self.keys:
            if hits.holding and key not in self.life.open:
                hits.holding = False
                hits.times = []
            self._tidy(key)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first event."""

    def save(self, key: str) -> Any:
        """Hits and episodes of a key, or None."""
        hits = self.keys.get(key)
        episodes = self.life.save(key)
        if hits is None and not episodes:
            return None
        if hits is None:
            return [None, episodes]
        event = save_event(self.codec, hits.feed, hits.event)
        return [[hits.times, hits.since, hits.holding, event], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None:
            hits = self.keys[key] = Hits()
            hits.times, hits.since, hits.holding = list(plain[0]), plain[1], plain[2]
            hits.feed, hits.event = load_event(self.codec, plain[3])
            if hits.holding and self.spec.quiet_ms:
                self.host.wake(hits.times[-1] + self.spec.quiet_ms, key)
            elif hits.times:
                self.host.wake(hits.times[0] + self.spec.within_ms, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
