"""The figures of a backtest: counts by rule, day, hour and severity, and what stands out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

from engine.backtest.episodes import Episode
from engine.model.severity import Severity

SEVERITIES = tuple(one.value for one in Severity)
TOP = 5
"""So many keys, long and short episodes are named for each rule."""


@dataclass(slots=True)
class RuleFigures:
    """What one rule did.

    Attributes:
        ends: How many episodes ended how; `open` for those that did not.
        days, hours: New episodes by local day (ISO) and by local hour of day.
        severities: Episodes by the highest severity they reached.
        keys: Episodes by key.
        longest, shortest: Among those that were cleared, the most and the least lasting.
        median_ms: The middle of how long those lasted.

    """

    rule: str
    fired: int = 0
    raised: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    longest: list[Episode] = field(default_factory=list)
    shortest: list[Episode] = field(default_factory=list)
    median_ms: int | None = None

    @property
    def top(self) -> list[tuple[str, int]]:
        """The keys with the most episodes; of equals the first by name."""
        return sorted(self.keys.items(), key=lambda one: (-one[1], one[0]))[:TOP]


@dataclass(slots=True)
class Figures:
    """What all rules did; those that never fired are among `rules` too."""

    rules: dict[str, RuleFigures]
    days: list[str]

    @property
    def fired(self) -> int:
        """All episodes."""
        return sum(one.fired for one in self.rules.values())

    @property
    def silent(self) -> list[str]:
        """The rules that never fired."""
        return sorted(name for name, one in self.rules.items() if not one.fired)


def count(episodes: Iterable[Episode], rules: Sequence[str], zone: str) -> Figures:
    """Count the episodes of some rules; days and hours are those of a zone's clock."""
    clock = ZoneInfo(zone)
    found = {name: RuleFigures(name) for name in sorted(rules)}
    lasted: dict[str, list[Episode]] = {}
    for episode in episodes:
        one = found.setdefault(episode.rule, RuleFigures(episode.rule))
        at = datetime.fromtimestamp(episode.fired_ms / 1000, UTC).astimezone(clock)
        one.fired += 1
        one.raised += len(episode.climbs) - 1
        one.ends[episode.end or "open"] += 1
        one.days[f"{at:%Y-%m-%d}"] += 1
        one.hours[at.hour] += 1
        one.severities[episode.severity] += 1
        one.keys[episode.key] += 1
        if episode.end == "cleared":
            lasted.setdefault(episode.rule, []).append(episode)
    for rule, some in lasted.items():
        some.sort(key=lambda one: (one.lasted_ms or 0, one.fired_ms, one.id))
        found[rule].shortest = some[:TOP]
        found[rule].longest = some[: -TOP - 1 : -1]
        found[rule].median_ms = round(median(one.lasted_ms or 0 for one in some))
    return Figures(found, sorted({day for one in found.values() for day in one.days}))
