"""After an alert: whether the stream proves the matter over, as the rule's `verify` asks.

An end says that the rule holds no longer; a proof says that what people were sent for is over: the
lorry is 300 m away and has stayed so for ten minutes. From the moment an alert fires its
rule's `verify` is asked of every event of the key that the rule takes. Once it has held for its
duration, and the alert has ended, one more transition tells so: `verified`.

      fired ---------- cleared ------------ verified
                 | verify begins to hold        |
                 '------- its duration ---------'

An event that the condition cannot be asked of (no position) proves nothing and disproves nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.alerts.episode import SAVED, Episode, Judge
from engine.model.progress import Progress, Step

if TYPE_CHECKING:
    from engine.operators.base import EventCodec, Host

GIVE_UP_MS = 86_400_000
"""So long after an end and the duration nothing is waited for any more: the key was not heard of,
or the condition never held long enough."""

HELD, WATCHED = frozenset({3, 5}), frozenset({16, 18})
"""How many values the note of an open alert has, and a saved watch of one that has ended; the
fewer in rows of builds that did not keep what broke off."""


class Watch:
    """What is remembered of one alert whose matter is not proved over.

    Attributes:
        episode: The alert; its own life's as long as it is open.
        held: Since when the condition holds, or None.
        over: When the alert ended, or None.
        broken: When the condition last ceased to hold, or None; it had then held for `lasted` ms.

    """

    __slots__ = ("broken", "episode", "held", "lasted", "over")

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.held: int | None = None
        self.over: int | None = None
        self.broken: int | None = None
        self.lasted = 0


class Proofs:
    """The watches of one rule in one partition.

    State: one `Watch` per alert from its firing until it is proved over, withdrawn, or given up a
    day after its end.

    Attributes:
        keys: The watches of each key, in the order of their alerts' starts: two that are proved
            at one instant are told in that order, whatever was saved and loaded in between.

    """

    __slots__ = ("_announce", "_codec", "_hold_ms", "_host", "_judge", "keys")

    def __init__(
        self,
        judge: Judge,
        hold_ms: int,
        host: "Host",
        codec: "EventCodec",
        announce: Callable[[str, Episode, int], None],
    ) -> None:
        self._judge = judge
        self._hold_ms = hold_ms
        self._host = host
        self._codec = codec
        self._announce = announce
        self.keys: dict[str, list[Watch]] = {}

    def begin(self, key: str, episode: Episode) -> Watch:
        """An alert fires."""
        watch = Watch(episode)
        watches = self.keys.setdefault(key, [])
        watches.append(watch)
        watches.sort(key=_in_order)
        return watch

    def event(self, key: str, event: Any, at_ms: int) -> None:
        """An event of a key with watches: does the condition hold?"""
        for watch in list(self.keys[key]):
            holds = self._judge.verified(key, watch.episode, event, at_ms)
            if holds is None or holds is (watch.held is not None):
                continue
            if watch.held is not None:
                watch.broken, watch.lasted = at_ms, at_ms - watch.held
            watch.held = at_ms if holds else None
            self._host.touch(key)
            self._await(key, watch, at_ms)

    def ended(self, key: str, episode: Episode, at_ms: int) -> None:
        """An alert has ended; what proves it over may hold already."""
        for watch in self.keys.get(key, ()):
            if watch.episode is episode:
                watch.over = at_ms
                self._host.touch(key)
                self._host.wake(self._until(watch), key)
                self._await(key, watch, at_ms)
                return

    def withdrawn(self, key: str, episode: Episode) -> None:
        """An alert never was: there is nothing to prove."""
        for watch in self.keys.get(key, ()):
            if watch.episode is episode:
                self._forget(key, watch)
                return

    def on_timer(self, key: str, at_ms: int) -> None:
        """An instant has passed at which a watch of this key may be done."""
        for watch in list(self.keys.get(key, ())):
            if watch.over is None:
                continue
            due = self._due(watch)
            if due is not None and due <= at_ms:
                self._prove(key, watch, due)
            elif at_ms >= self._until(watch):
                self._host.touch(key)
                self._host.count("never-verified")
                self._host.unproved(key, at_ms, self.progress(watch, at_ms))
                self._forget(key, watch)

    def save(self, key: str) -> list[Any]:
        """The key's watches as plain values; an open alert's only where its condition held once."""
        found: list[Any] = []
        for watch in self.keys.get(key, ()):
            one, broke = watch.episode, [watch.broken, watch.lasted]
            if watch.over is not None:
                found.append([*one.save(self._codec), *broke, one.id, watch.held, watch.over])
            elif watch.held is not None or watch.broken is not None:
                found.append([one.part, one.since, watch.held, *broke])
        return found

    def load(self, key: str, plain: list[Any]) -> None:
        """Take up one value that `save` wrote, timers included; open alerts are there already."""
        if len(plain) in HELD:
            for watch in self.keys.get(key, ()):
                if [watch.episode.part, watch.episode.since] == plain[:2]:
                    watch.held = plain[2]
                    watch.broken, watch.lasted = plain[3:] or (None, 0)
            return
        watch = self.begin(key, Episode.load(plain[:SAVED], self._codec))
        watch.episode.id, watch.held, watch.over = plain[-3:]
        watch.broken, watch.lasted = plain[SAVED:-3] or (None, 0)
        self._host.wake(self._until(watch), key)
        due = self._due(watch)
        if due is not None:
            self._host.wake(due, key)

    def progress(self, watch: Watch, at_ms: int) -> Progress:
        """How far the proof of one alert is at an instant: what it waits for, and how long yet."""
        held, over = watch.held, watch.over
        for_ms = 0 if held is None else min(at_ms - held, self._hold_ms)
        steps = [
            Step("proof-ended", met=over is not None, at_ms=over),
            Step("proof-holds", met=held is not None, at_ms=held),
        ]
        if self._hold_ms:
            enough = held is not None and for_ms >= self._hold_ms
            steps.append(Step("proof-held", enough, for_ms, self._hold_ms, "ms"))
        if held is None and watch.broken is not None:
            steps.append(Step("proof-broken", None, watch.lasted, self._hold_ms, "ms",
                              watch.broken))  # fmt: skip
        if over is not None:
            given_up = at_ms >= self._until(watch)
            name = "proof-given-up" if given_up else "proof-until"
            steps.append(Step(name, False if given_up else None, at_ms=self._until(watch)))
        return Progress(watch.episode.id, tuple(steps))

    def _await(self, key: str, watch: Watch, at_ms: int) -> None:
        """Tell at once what is proved by now, or ask for the instant at which it will be."""
        due = self._due(watch)
        if watch.over is None or due is None:
            return
        if due <= at_ms:
            self._prove(key, watch, at_ms)
        else:
            self._host.wake(due, key)

    def _prove(self, key: str, watch: Watch, at_ms: int) -> None:
        self._host.touch(key)
        self._forget(key, watch)
        self._announce(key, watch.episode, at_ms)

    def _due(self, watch: Watch) -> int | None:
        """When the matter is proved over if the condition goes on to hold; None if it does not."""
        if watch.held is None or watch.over is None:
            return None
        return max(watch.held + self._hold_ms, watch.over)

    def _until(self, watch: Watch) -> int:
        return (watch.over or 0) + self._hold_ms + GIVE_UP_MS

    def _forget(self, key: str, watch: Watch) -> None:
        self.keys[key].remove(watch)
        if not self.keys[key]:
            del self.keys[key]


class Waiting(NamedTuple):
    """What a saved watch of an alert that has ended says by itself, without its rule."""

    id: str
    held: int | None
    over: int
    broken: int | None = None
    lasted: int = 0


def waiting(plain: Any) -> Waiting | None:
    """Of one value of a saved row, the watch that it is; None if it is something else."""
    if not isinstance(plain, list) or len(plain) not in WATCHED:
        return None
    return Waiting(*plain[-3:], *plain[SAVED:-3])


def _in_order(watch: Watch) -> tuple[int, str]:
    return watch.episode.since, watch.episode.part
