"""When a source is called quiet, and how much time passes without it: decided, logged, done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.edge.store import Tick
from engine.ports import SourceId

EVERY_S = 1.0
"""A quiet key space is moved on at most this often."""


@dataclass(slots=True)
class Quiet:
    """Watches how long each source has said nothing. Time here is monotonic seconds.

    A live source silent for its feed's `idle_after` is idle: it holds event time back no longer.
    While all sources of a key space are idle or ended, and one of them is live, event time moves
    on by the time that passed since the last record. A recording never makes time pass.

    Attributes:
        spaces: For each key space, the sources it reads.
        idle_after_s: For each feed.

    """

    spaces: Mapping[str, Sequence[SourceId]]
    idle_after_s: Mapping[str, float]
    live: frozenset[SourceId]
    idle: set[SourceId] = field(default_factory=set)
    _heard: dict[SourceId, float] = field(default_factory=dict)
    _moved: dict[str, float] = field(default_factory=dict)

    def begin(self, now_s: float) -> None:
        """Start the watch: nobody is quiet yet."""
        for sources in self.spaces.values():
            for source in sources:
                self._heard[source] = now_s

    def over(
        self, spaces: Mapping[str, Sequence[SourceId]], idle_after_s: Mapping[str, float]
    ) -> "Quiet":
        """The same watch over other key spaces of the same sources."""
        kept = {name: since for name, since in self._moved.items() if name in spaces}
        return Quiet(spaces, idle_after_s, self.live, self.idle, self._heard, kept)

    def heard(self, source: SourceId, now_s: float) -> None:
        """A source said something."""
        self._heard[source] = now_s
        self.idle.discard(source)

    def ended(self, source: SourceId) -> list[Tick]:
        """A recording is over; every key space that reads it must stop waiting for it."""
        self.idle.add(source)
        return self._idle_ticks(source)

    def due(self, now_s: float) -> list[Tick]:
        """What must be logged and acted on now."""
        ticks: list[Tick] = []
        for source in sorted(self.live - self.idle):
            if now_s - self._heard.get(source, now_s) >= self.idle_after_s[source.feed]:
                self.idle.add(source)
                ticks += self._idle_ticks(source)
        for space, sources in self.spaces.items():
            if not sources or not self.idle.issuperset(sources) or self.live.isdisjoint(sources):
                self._moved.pop(space, None)
                continue
            since = self._moved.get(space)
            if since is None:
                since = max(self._heard[source] for source in sources)
            if now_s - since >= EVERY_S:
                elapsed_ms = int((now_s - since) * 1000)
                self._moved[space] = since + elapsed_ms / 1000
                ticks.append(Tick("tick", space, elapsed_ms=elapsed_ms))
        return ticks

    def _idle_ticks(self, source: SourceId) -> list[Tick]:
        return [
            Tick("idle", space, source.feed, source.partition)
            for space, sources in self.spaces.items()
            if source in sources
        ]
