"""silence: nothing came from a key for so long; with a roster, also from one never seen.

    last event        nothing           due: fires          next event: clears
        x---------------------------------!---------------------x
        0            at_least (only time that counts)

Every event that the rule wants puts the due instant off. The timer is lazy: it is asked for once,
and when it rings too early it is set again, so an event costs one assignment.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.specs.silence import SilenceSpec
from engine.state.watermark import NEVER

FOREVER = 2**62
"""The end of a period that has none."""


class Stint(NamedTuple):
    """A period in which a key must report: [start, end) in UTC ms, and its row of the roster."""

    start: int
    end: int
    row: Mapping[str, Any] | None = None


_DAY_MS = 86_400_000
_ALWAYS = (Stint(NEVER, FOREVER),)


class Watch:
    """What is remembered of one key.

    Attributes:
        last: When it last reported, or from when it must (UTC ms).
        event: What it reported then, with its feed; None if it never did.
        until: While it is silent for too long, when it need not report any more; else 0.
        wake: The instant of the timer that counts, or 0.

    """

    __slots__ = ("event", "feed", "last", "until", "wake")

    def __init__(self, last: int) -> None:
        self.last = last
        self.event: Event | None = None
        self.feed = ""
        self.until = 0
        self.wake = 0


class SilenceLogic:
    """All keys of one `silence` rule in one partition.

    State: one `Watch` a key. Without a roster a key is given up `forget` after its last event;
    then its alert ends too. With a roster there is one for each of its keys, and none besides.
    """

    def __init__(
        self,
        spec: SilenceSpec,
        after: Callable[[int], int],
        roster: Mapping[str, Sequence[Stint]] | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.after = after
        self.roster = roster
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Watch] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take note that a key reported."""
        keys, roster, opened, touch = self.keys, self.roster, self.life.open, self.host.touch
        clears = self.life.judge.has_clear

        def on_event(key: str, event: Event, at_ms: int) -> None:
            if roster is not None and key not in roster:
                return
            watch = keys.get(key)
            if watch is None:
                watch = keys[key] = Watch(at_ms)
            watch.last, watch.event, watch.feed = at_ms, event, feed
            touch(key)
            if key in opened:
                if clears:  # otherwise this event ends the alert, and must not make it climb first
                    self.life.event(key, event, at_ms)
                self.life.gone(key, at_ms, event)
            if watch.until or not watch.wake:
                watch.until = 0
                self._arm(key, watch, self.next_due(key, at_ms, at_ms)[0])

        return on_event

    def late(self, feed: str) -> Callable[[str, Event, int, int], None] | None:
        """A late record shows that the key was not silent, where the rule retracts."""
        if not self.spec.retract:
            return None

        def on_late(key: str, event: Event, event_ms: int, order_ms: int) -> None:
            del order_ms
            if self.roster is not None and key not in self.roster:
                return
            watch = self.keys.get(key)
            if watch is None:
                watch = self.keys[key] = Watch(event_ms)
            elif event_ms <= watch.last:
                return
            elif key in self.life.open:
                due, _ = self.next_due(key, watch.last, watch.last)
                if due is not None and event_ms > due:  # at the due instant is in time
                    self.life.gone(key, event_ms, event)
                else:
                    self.life.retract(key, event_ms, event)
            watch.last, watch.event, watch.feed, watch.until = event_ms, event, feed, 0
            self.host.touch(key)
            self._arm(key, watch, self.next_due(key, event_ms, event_ms)[0])

        return on_late

    def on_timer(self, key: str, at_ms: int) -> None:
        """A key may have been silent for too long, may be given up, or need not report any more."""
        watch = self.keys.get(key)
        if watch is not None and watch.wake == at_ms:
            watch.wake = 0
            self.host.touch(key)
            self._ring(key, watch, at_ms)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)

    def _ring(self, key: str, watch: Watch, at_ms: int) -> None:
        """Do what the timer of a key was set for."""
        if watch.until and at_ms >= watch.until:
            self.life.gone(key, at_ms, watch.event)
            watch.until = 0
        if self._given_up(watch, at_ms):
            self.life.gone(key, at_ms, watch.event)
            del self.keys[key]
            return
        due, stint = self.next_due(key, watch.last, at_ms)
        if due is None or due > at_ms:
            self._arm(key, watch, due)
            return
        since = max(watch.last, stint.start)
        facts: dict[str, Any] = {"last": None if watch.event is None else watch.last}
        facts |= {"feed": watch.feed, "expected": None if stint.row is None else dict(stint.row)}
        self.life.hold(key, since, at_ms, watch.event, facts)
        watch.until = stint.end
        episode = self.life.find(key)
        again = FOREVER
        if episode is not None and episode.phase is Phase.PENDING:
            again = at_ms + (self.spec.exact_ms or _DAY_MS)  # an exception may be over by then
        ends = [stint.end, again]
        if self.spec.forget_ms:
            ends.append(watch.last + self.spec.forget_ms)
        self._arm(key, watch, min(ends))

    def _given_up(self, watch: Watch, at_ms: int) -> bool:
        forget = self.spec.forget_ms
        return bool(forget) and at_ms >= watch.last + forget

    def _arm(self, key: str, watch: Watch, at_ms: int | None) -> None:
        """Ask for the timer of a key, unless it will ring early enough."""
        if at_ms is None or at_ms >= FOREVER:
            return
        if not watch.wake or at_ms < watch.wake:
            watch.wake = at_ms
            self.host.wake(at_ms, key)

    def next_due(self, key: str, last: int, now: int) -> tuple[int | None, Stint]:
        """When a key that last reported at `last` is silent for too long, and in which stint.

        None when that is in no stint that is not over now.
        """
        for stint in self._stints(key):
            if stint.end > now and (due := self.after(max(last, stint.start))) < stint.end:
                return due, stint
        return None, _ALWAYS[0]

    def _stints(self, key: str) -> Sequence[Stint]:
        return _ALWAYS if self.roster is None else self.roster.get(key, ())

    def begin(self, since_ms: int) -> None:
        """Expect the keys of the roster from the start of their periods.

        A row that is new at a restart counts from the restart: what its key sent before, nobody
        noted.
        """
        for key, stints in (self.roster or {}).items():
            if key not in self.keys:
                watch = self.keys[key] = Watch(max(stints[0].start, since_ms))
                self.host.touch(key)
                self._arm(key, watch, self.next_due(key, watch.last, since_ms)[0])

    def save(self, key: str) -> Any:
        """The key's last event and episodes, or None."""
        watch = self.keys.get(key)
        episodes = self.life.save(key)
        if watch is None:
            return [None, episodes] if episodes else None
        event = save_event(self.codec, watch.feed, watch.event)
        return [[watch.last, watch.wake, watch.until, event], episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None and (self.roster is None or key in self.roster):
            watch = self.keys[key] = Watch(plain[0])
            watch.wake, watch.until = plain[1], plain[2]
            watch.feed, watch.event = load_event(self.codec, plain[3])
            if watch.wake:
                self.host.wake(watch.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
