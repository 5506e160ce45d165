"""What another version of the rules makes of the same records: gained, lost, moved, changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.backtest.episodes import Episode

_ENDLESS = 2**62


class Fate(StrEnum):
    """What became of an episode from the old rules to the new."""

    SAME = "same"
    MOVED = "moved"
    CHANGED = "changed"
    GAINED = "gained"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Pair:
    """An episode of the new rules, its counterpart of the old ones, and what differs.

    Attributes:
        what: Of `start`, `fired`, `end`, `severity`, `text` those that differ, in this order.

    """

    fate: Fate
    new: Episode | None
    old: Episode | None
    what: tuple[str, ...] = ()

    @property
    def one(self) -> Episode:
        """The new episode, or the old one that is gone."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - one of the two is always there
        return found


@dataclass(slots=True)
class Comparison:
    """All pairs, in the order of rule, key and time."""

    pairs: list[Pair] = field(default_factory=list)

    def of(self, fate: Fate, rule: str | None = None) -> list[Pair]:
        """The pairs of one fate, of one rule or of all."""
        return [
            one for one in self.pairs if one.fate is fate and (rule is None or one.one.rule == rule)
        ]

    def counts(self, rule: str | None = None) -> dict[str, int]:
        """How many episodes had which fate."""
        found = {fate.value: 0 for fate in Fate}
        for one in self.pairs:
            if rule is None or one.one.rule == rule:
                found[one.fate.value] += 1
        return found

    @property
    def rules(self) -> list[str]:
        """The rules in which anything differs."""
        return sorted({one.one.rule for one in self.pairs if one.fate is not Fate.SAME})


def compare(new: Iterable[Episode], old: Iterable[Episode]) -> Comparison:
    """Pair episodes: first those of the same id (rule, key and start), then those that overlap.

    An edit may move the start of an episode, which changes its id. What is left of a rule and key
    is paired in order of time where the episodes of both overlap.
    """
    before = {one.id: one for one in old}
    pairs: list[Pair] = []
    alone: list[Episode] = []
    for one in new:
        other = before.pop(one.id, None)
        if other is None:
            alone.append(one)
        else:
            pairs.append(_pair(one, other))
    left: dict[tuple[str, str], list[Episode]] = {}
    for one in sorted(before.values(), key=_order):
        left.setdefault((one.rule, one.key), []).append(one)
    for one in sorted(alone, key=_order):
        others = left.get((one.rule, one.key), [])
        found = next((other for other in others if _overlap(one, other)), None)
        if found is None:
            pairs.append(Pair(Fate.GAINED, one, None))
        else:
            others.remove(found)
            pairs.append(_pair(one, found))
    pairs += [Pair(Fate.LOST, None, one) for some in left.values() for one in some]
    return Comparison(sorted(pairs, key=lambda pair: _order(pair.one)))


def _pair(new: Episode, old: Episode) -> Pair:
    """Two episodes that are one, with what differs."""
    asked: Sequence[tuple[str, bool]] = (
        ("start", new.since_ms != old.since_ms),
        ("fired", new.fired_ms != old.fired_ms),
        ("end", (new.ended_ms, new.end) != (old.ended_ms, old.end)),
        ("severity", new.climbs != old.climbs and _levels(new) != _levels(old)),
        ("climb", new.climbs[1:] != old.climbs[1:] and _levels(new) == _levels(old)),
        ("text", new.summary != old.summary),
    )
    what = tuple(name for name, differs in asked if differs)
    if not what:
        return Pair(Fate.SAME, new, old)
    times = {"start", "fired", "end", "climb"}
    return Pair(Fate.MOVED if times.intersection(what) else Fate.CHANGED, new, old, what)


def _levels(episode: Episode) -> list[str]:
    return [severity for _, severity in episode.climbs]


def _overlap(one: Episode, other: Episode) -> bool:
    """Whether there is an instant at which the conditions of both held."""
    ends = (one.ended_ms or _ENDLESS, other.ended_ms or _ENDLESS)
    return one.since_ms <= ends[1] and other.since_ms <= ends[0]


def _order(episode: Episode) -> tuple[str, str, int, str]:
    return episode.rule, episode.key, episode.fired_ms, episode.id
