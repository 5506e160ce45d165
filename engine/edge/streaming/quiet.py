"""Which sources have been silent for how long: the only thing here that reads the wall clock."""

from collections.abc import Mapping

from engine.ports import SourceId


class Quiet:
    """Silence per source, in seconds of a clock that never steps.

    A source that is silent for its `idle_after` while everything it ever sent was read may be
    declared idle. When all are, event time is moved on by the time that passed since somebody
    last spoke.
    """

    def __init__(self, waits_s: Mapping[SourceId, float], now_s: float) -> None:
        self._waits = dict(waits_s)
        self._heard = dict.fromkeys(waits_s, now_s)
        self._idle: set[SourceId] = set()
        self._ticked = now_s

    def heard(self, source: SourceId, now_s: float) -> None:
        """A source spoke."""
        self._heard[source] = now_s
        self._idle.discard(source)
        self._ticked = max(self._ticked, now_s)

    def wait_for(self, waits_s: Mapping[SourceId, float], now_s: float) -> None:
        """Go on with other sources or waits; who is new counts as heard just now."""
        self._waits = dict(waits_s)
        self._heard = {source: self._heard.get(source, now_s) for source in waits_s}
        self._idle &= self._heard.keys()

    def deaf(self, now_s: float) -> None:
        """The broker does not answer: nobody knows who is silent, and no time passes."""
        self._heard = dict.fromkeys(self._heard, now_s)
        self._ticked = max(self._ticked, now_s)

    def due(self, now_s: float) -> list[SourceId]:
        """Sources that have been silent for long enough and are not declared idle yet."""
        return [
            source
            for source, wait in self._waits.items()
            if source not in self._idle and now_s - self._heard[source] >= wait
        ]

    def rest(self, source: SourceId) -> None:
        """A source was declared idle."""
        self._heard.setdefault(source, self._ticked)
        self._idle.add(source)

    def is_idle(self, source: SourceId) -> bool:
        """Whether a source was declared idle and has not spoken since."""
        return source in self._idle

    @property
    def all_idle(self) -> bool:
        """Whether every source that it knows was declared idle."""
        return len(self._idle) >= len(self._heard)

    def elapsed_ms(self, now_s: float, at_least_s: float) -> int:
        """Time since somebody spoke or time was last moved on; 0 while anybody is not idle."""
        if not self.all_idle or now_s - self._ticked < at_least_s:
            return 0
        elapsed, self._ticked = now_s - self._ticked, now_s
        return int(elapsed * 1000)
