"""The ways of some keys around some of their episodes, read from the recordings once more."""

from collections.abc import Sequence
from operator import attrgetter

from engine.backtest.episodes import Episode
from engine.backtest.page.geography import Track
from engine.decode.record import Bad, FeedDecoder
from engine.ports import Batch
from engine.ruleset.spec import Project

BEFORE_MS, AFTER_MS = 1_800_000, 600_000
"""A track begins so long before its episode and goes on so long behind it."""
MOST_POINTS = 600
"""A longer track is thinned to every second point, again and again."""

_Point = tuple[float, float]


class _Way:
    """One track that is being gathered."""

    def __init__(self, episode: Episode, end_ms: int) -> None:
        self.episode = episode
        self.from_ms = episode.since_ms - BEFORE_MS
        self.to_ms = (episode.ended_ms or end_ms) + AFTER_MS
        self.points: list[_Point] = []
        self.every, self.seen = 1, 0

    def take(self, at_ms: int, point: _Point) -> None:
        if not self.from_ms <= at_ms <= self.to_ms:
            return
        if self.seen % self.every == 0:
            self.points.append(point)
        self.seen += 1
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self.every *= 2


class Tracks:
    """Gathers tracks while recordings are read once more; nothing of the rules runs."""

    def __init__(self, project: Project, chosen: Sequence[Episode], end_ms: int) -> None:
        """Gather for these episodes; those still open go on to the end."""
        self._ways = [_Way(one, end_ms) for one in chosen]
        self._eyes: dict[str, list[_Eye]] = {}
        for way in self._ways:
            spec = project.rules[way.episode.rule]
            for feed in spec.feeds:
                if feed in project.feeds and project.feeds[feed].position is not None:
                    fields = tuple(spec.by[feed])
                    self._eye(project, feed, fields).ways.setdefault(way.episode.key, []).append(
                        way
                    )

    def take(self, batch: Batch) -> None:
        """Look at the records of a batch."""
        for eye in self._eyes.get(batch.source.feed, ()):
            eye.take(batch)

    @property
    def feeds(self) -> frozenset[str]:
        """The feeds that must be read."""
        return frozenset(self._eyes)

    def found(self) -> list[Track]:
        """The tracks that have at least two points."""
        return [Track(way.episode.id, way.points) for way in self._ways if len(way.points) > 1]

    def _eye(self, project: Project, feed: str, fields: tuple[str, ...]) -> "_Eye":
        eyes = self._eyes.setdefault(feed, [])
        known = next((eye for eye in eyes if eye.fields == fields), None)
        if known is None:
            known = _Eye(project, feed, fields)
            eyes.append(known)
        return known


class _Eye:
    """Looks at one feed by one key."""

    def __init__(self, project: Project, feed: str, fields: tuple[str, ...]) -> None:
        spec = project.feeds[feed]
        place = spec.position
        assert place is not None  # noqa: S101 - feeds without positions are not looked at
        self.fields = fields
        self.ways: dict[str, list[_Way]] = {}
        self._decoder = FeedDecoder(spec)
        self._key_of = self._decoder.key_of(fields)
        self._place_of = attrgetter(place.lon, place.lat)

    def take(self, batch: Batch) -> None:
        ways, key_of = self.ways, self._key_of
        for record in batch.records:
            found = self._decoder.decode(record.value, record.arrived_ms)
            if isinstance(found, Bad):
                continue
            at_ms, event = found
            some = ways.get(key_of(event))
            if some:
                lon, lat = self._place_of(event)
                if lon is not None and lat is not None:
                    for way in some:
                        way.take(at_ms, (lon, lat))
