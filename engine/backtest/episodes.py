"""Every episode of a run, put together from the changes that the rules sent."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from engine.model.change import Change, Transition
from engine.model.severity import Severity

_ENDS = {Transition.CLEARED, Transition.RETRACTED, Transition.DROPPED}


@dataclass(slots=True)
class Episode:
    """One run of an alert, from the instant it fired.

    Attributes:
        since_ms, fired_ms: When its condition began, and when it fired (UTC ms).
        ended_ms: When it was cleared or withdrawn; None while it is open.
        end: How it ended: `cleared`, `retracted`, `dropped`; empty while it is open.
        severity: The highest it reached.
        climbs: When it reached which severity, the first one included.
        summary: What people read last, by language.

    """

    id: str
    rule: str
    key: str
    since_ms: int
    fired_ms: int
    severity: str
    climbs: list[tuple[int, str]] = field(default_factory=list)
    updates: int = 0
    ended_ms: int | None = None
    end: str = ""
    summary: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    lon: float | None = None
    lat: float | None = None

    @property
    def lasted_ms(self) -> int | None:
        """How long it was open; None where its end is not known."""
        return None if self.ended_ms is None else self.ended_ms - self.fired_ms

    def text(self, lang: str) -> str:
        """What people read, in a language."""
        return self.summary.get(lang) or next(iter(self.summary.values()), "")


class Episodes:
    """Takes changes in the order in which they leave the rules.

    State: one small value an episode, about 1 kB.
    """

    def __init__(self, since_ms: int | None = None) -> None:
        """Leave out what fires before `since_ms`: the rules only warm up until then."""
        self.since_ms = since_ms
        self.by_id: dict[str, Episode] = {}

    def take(self, changes: Iterable[Change]) -> None:
        """Note what happened to the alerts."""
        for change in changes:
            if change.transition is Transition.FIRED:
                self._begin(change)
            elif change.transition is Transition.VERIFIED:
                continue
            elif (episode := self.by_id.get(change.episode_id)) is not None:
                self._go_on(episode, change)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def _begin(self, change: Change) -> None:
        if self.since_ms is not None and change.at_ms < self.since_ms:
            return
        self.by_id[change.episode_id] = Episode(
            change.episode_id,
            change.rule,
            change.key,
            change.since_ms,
            change.at_ms,
            change.severity,
            [(change.at_ms, change.severity)],
            summary=change.summary or change.title,
            place=change.place or "",
            lon=change.lon,
            lat=change.lat,
        )

    def _go_on(self, episode: Episode, change: Change) -> None:
        if change.transition in _ENDS:
            episode.ended_ms, episode.end = change.at_ms, str(change.transition)
            return
        episode.summary = change.summary or episode.summary
        episode.updates += 1
        if change.lon is not None:
            episode.lon, episode.lat = change.lon, change.lat
            episode.place = change.place or episode.place
        if change.transition is Transition.RAISED:
            episode.climbs.append((change.at_ms, change.severity))
        if Severity(change.severity).rank > Severity(episode.severity).rank:
            episode.severity = change.severity
