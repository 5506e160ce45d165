"""Everything a backtest has to tell, before it is put into words, JSON or a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.backtest.compare import Comparison, Fate, Pair
from engine.backtest.declared import Edits, Line
from engine.backtest.episodes import Episode
from engine.backtest.figures import Figures, RuleFigures
from engine.backtest.run import Ran
from engine.ruleset.spec import Project

MOST_PAIRS = 1000
"""So many episodes that differ are listed in JSON; the counts are always of all."""


@dataclass(frozen=True, slots=True)
class Against:
    """The same records under other rules.

    Attributes:
        name: How the other version was given.
        edits: Which lines of the declarations differ.

    """

    name: str
    ran: Ran
    project: Project
    comparison: Comparison
    edits: Edits


@dataclass(frozen=True, slots=True)
class Report:
    """What a backtest found.

    Attributes:
        since_ms: Only what fired from then on is told; None for all.

    """

    project: Project
    ran: Ran
    figures: Figures
    since_ms: int | None = None
    against: Against | None = None

    @property
    def zone(self) -> str:
        """The zone of the clock by which days, hours and instants are told."""
        return self.ran.zone

    def title(self, rule: str, lang: str) -> str:
        """What a rule is called."""
        spec = self.project.rules.get(rule)
        if spec is None and self.against is not None:
            spec = self.against.project.rules.get(rule)
        return rule if spec is None else spec.title.get(lang, rule)


def plain(report: Report) -> dict[str, Any]:
    """The report as plain values; instants are UTC milliseconds."""
    tally = report.ran.tally
    return {
        "records": dict(sorted(tally.records.items())),
        "first_ms": tally.first_ms,
        "last_ms": tally.last_ms,
        "since_ms": report.since_ms,
        "until_ms": report.ran.end_ms,
        "zone": report.zone,
        "alerts": report.figures.fired,
        "rules": {name: _rule(one, report) for name, one in report.figures.rules.items()},
        "never_fired": report.figures.silent,
        "rejected": {f"{feed}/{reason}": n for (feed, reason), n in sorted(tally.rejected.items())},
        "late": dict(sorted(tally.late.items())),
        "other": {f"{name}/{label}": n for (name, label), n in sorted(tally.other.items())},
        "troubles": [one._asdict() for one in tally.troubles],
        "against": None if report.against is None else _against(report.against),
    }


def _rule(one: RuleFigures, report: Report) -> dict[str, Any]:
    near = report.ran.nearest.get(one.rule)
    return {
        "fired": one.fired,
        "raised": one.raised,
        "ends": dict(sorted(one.ends.items())),
        "days": dict(sorted(one.days.items())),
        "hours": {str(hour): count for hour, count in sorted(one.hours.items())},
        "severities": dict(sorted(one.severities.items())),
        "keys": len(one.keys),
        "top": [{"key": key, "alerts": count} for key, count in one.top],
        "median_ms": one.median_ms,
        "longest": [_brief(episode) for episode in one.longest],
        "shortest": [_brief(episode) for episode in one.shortest],
        "wanted": report.ran.wanted.get(one.rule, 0),
        "nearest": None
        if near is None
        else {
            "key": near.key,
            "at_ms": near.at_ms,
            "share": round(near.progress.share, 3),
            "steps": msgspec.to_builtins(near.progress.steps),
        },
    }


def _brief(one: Episode) -> dict[str, Any]:
    return {"id": one.id, "key": one.key, "fired_ms": one.fired_ms, "lasted_ms": one.lasted_ms}


def _against(other: Against) -> dict[str, Any]:
    pairs = [pair for pair in other.comparison.pairs if pair.fate is not Fate.SAME]
    rules = sorted({*other.comparison.rules, *other.edits.of_rules})
    return {
        "rules_of": other.name,
        "alerts": len(other.ran.episodes),
        "counts": other.comparison.counts(),
        "rules": {
            name: {
                "counts": other.comparison.counts(name),
                "lines": _lines(other.edits.of_rules, name),
            }
            for name in rules
        },
        "other_files": {name: _lines(other.edits.others, name) for name in other.edits.others},
        "differ": [_pair(pair) for pair in pairs[:MOST_PAIRS]],
        "differ_in_all": len(pairs),
    }


def _lines(edits: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    lines: list[Line] = list(edits.get(name, ()))
    return [{"sign": line.sign, "line": line.number, "text": line.text} for line in lines]


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "fate": pair.fate.value,
        "rule": pair.one.rule,
        "key": pair.one.key,
        "what": list(pair.what),
        "new": None if pair.new is None else _full(pair.new),
        "old": None if pair.old is None else _full(pair.old),
    }


def _full(one: Episode) -> dict[str, Any]:
    return {
        "id": one.id,
        "since_ms": one.since_ms,
        "fired_ms": one.fired_ms,
        "ended_ms": one.ended_ms,
        "end": one.end or "open",
        "severity": one.severity,
        "climbs": [{"at_ms": at_ms, "severity": severity} for at_ms, severity in one.climbs],
        "summary": dict(one.summary),
    }
