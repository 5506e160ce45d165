"""A stage for one operator: fakes for what the pipeline lends it, and the pipeline's own order."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from heapq import heappop
from typing import Any

from engine.alerts.lifecycle import Episode
from engine.model.change import Transition
from engine.operators.base import Host, Logic

MIN = 60_000


@dataclass
class Recorder:
    """A judge without opinions that writes down what is announced."""

    for_ms: int = 0
    keep_ms: int = 0
    has_clear: bool = False
    asks: bool = False
    base_rank: int = 2
    steps: tuple[tuple[int, int], ...] = ()
    said: list[tuple[str, str, int, int, int]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    clear: Any = None
    cooldown_ms: int = 0
    flapping: Any = None
    by_part: bool = False
    verify_ms: int | None = None
    verify: Any = None

    def closed_until(self, _at_ms: int) -> int:
        return 0

    def excepted(self, _key: str, _episode: Episode, _event: Any, _at_ms: int) -> bool:
        return False

    def level(self, _key: str, _episode: Episode, _event: Any, _at_ms: int) -> int:
        return 0

    def cleared(self, _key: str, _episode: Episode, event: Any, _at_ms: int) -> bool:
        return self.clear is not None and self.clear(event) is True

    def verified(self, _key: str, _episode: Episode, event: Any, _at_ms: int) -> bool | None:
        return None if self.verify is None else self.verify(event)

    def announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, _event: Any
    ) -> None:
        self.parts.append(episode.part)
        self.said.append((transition.value, key, episode.since, at_ms, episode.rank))


class PlainCodec:
    """Events of these tests are dicts already."""

    def plain(self, event: Any) -> Any:
        return event

    fields = plain

    def event(self, _feed: str, plain: Any) -> Any:
        return plain


class Stage:
    """Runs one operator as the pipeline does: events in order, timers between them."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.judge = Recorder()
        self.saved: dict[str, Any] = {}
        self.start({})

    def start(self, rows: dict[str, Any], since: int = -(2**62)) -> None:
        self.timers: list[tuple[int, int, str]] = []
        self.dirty: set[str] = set()
        self.logic: Logic = self.make(self.judge, Host(0, self.timers, self.dirty), PlainCodec())
        for key, saved in rows.items():
            self.logic.load(key, saved)
        self.logic.begin(since)

    def restart(self, keys: Iterable[str], since: int) -> None:
        """Lose everything but what was saved of keys that said that they changed."""
        self.start({key: deepcopy(self.saved[key]) for key in keys if key in self.saved}, since)

    def event(self, feed: str, key: str, event: Any, at_ms: int) -> None:
        self.timers_before(at_ms)
        proofs = self.logic.life.proofs
        if proofs is not None and key in proofs.keys:
            proofs.event(key, event, at_ms)
        self.logic.handler(feed)(key, event, at_ms)
        self.save()

    def timers_before(self, at_ms: int) -> None:
        while self.timers and self.timers[0][0] < at_ms:
            instant, _, key = heappop(self.timers)
            self.logic.on_timer(key, instant)
            if self.logic.life.proofs is not None:
                self.logic.life.proofs.on_timer(key, instant)
        self.save()

    def save(self) -> None:
        """Save what changed, as the pipeline does with every batch."""
        for key in self.dirty:
            saved = deepcopy(self.logic.save(key))
            self.saved[key] = saved
            if saved is None:
                del self.saved[key]
        self.dirty.clear()
