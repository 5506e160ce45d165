"""How rules and feeds are: what is declared, what the desk counted, what this process measures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, func, select

from engine.edge.api.documents import Feed, Rule
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.tables import alerts, verdicts
from engine.ruleset.spec import Project, RuleSpec

DAY_MS = 86_400_000
VERDICT_DAYS = 90
_TRUE = ("true", "elsewhere")
_JUDGED = (*_TRUE, "false")
"""Verdicts that say whether an alert was right; a duplicate says nothing about that."""

Counts = Mapping[str, int]


class Figures:
    """Looks things up when they are asked for; nothing is kept."""

    def __init__(
        self,
        live: Callable[[], Project],
        keeper: Keeper,
        registry: CollectorRegistry | None = None,
    ) -> None:
        """Say where to look.

        Args:
            live: The declarations in force.
            keeper: The desk.
            registry: What this process measures; where rules run elsewhere nothing is known here
                of their health.

        """
        self._live, self._keeper, self._registry = live, keeper, registry

    async def rules(self) -> Sequence[Rule]:
        """The rules in force."""
        now_ms = self._keeper.store.now_ms()
        going, fresh, judged = await self._keeper.store.read(
            lambda link: (_open(link), _taken(link, now_ms - DAY_MS), _judged(link, now_ms))
        )
        off = self._sum("forewarn_rule_quarantined", "rule")
        here = self._least("forewarn_watermark_seconds", "space")
        found = []
        for name, spec in sorted(self._live().rules.items()):
            healthy = not off.get(name) if spec.space in here else None
            found.append(_rule(spec, healthy, going, fresh, judged.get(name, Counter())))
        return found

    async def feeds(self) -> Sequence[Feed]:
        """The feeds that they read."""
        project, now_ms = self._live(), self._keeper.store.now_ms()
        records = self._sum("forewarn_events_total", "feed")
        rejected = self._sum("forewarn_rejected_total", "feed")
        newest = self._most("forewarn_event_time_seconds", "feed")
        complete = self._least("forewarn_watermark_seconds", "space")
        found = []
        for name, spec in sorted(project.feeds.items()):
            readers = [rule for rule in project.rules.values() if name in rule.feeds]
            spaces = {rule.space for rule in readers} & set(complete)
            reached_ms = newest.get(name, 0.0) * 1000
            silent = bool(reached_ms) and now_ms - reached_ms > spec.idle_after_ms
            done = min((complete[space] for space in spaces), default=None)
            found.append(
                Feed(
                    feed=name,
                    title=dict(spec.title),
                    quiet=silent,
                    newest_ms=int(reached_ms) or None,
                    complete_ms=None if done is None else int(done * 1000),
                    records=int(records.get(name, 0)),
                    rejected=int(rejected.get(name, 0)),
                    rules=sorted(rule.id for rule in readers),
                )
            )
        return found

    def _by(self, name: str, label: str) -> dict[str, list[float]]:
        """The samples of a figure by one of its labels."""
        found: dict[str, list[float]] = {}
        if self._registry is not None:
            for family in self._registry.collect():
                for sample in family.samples:
                    if sample.name == name:
                        found.setdefault(sample.labels[label], []).append(sample.value)
        return found

    def _sum(self, name: str, label: str) -> dict[str, float]:
        return {one: sum(values) for one, values in self._by(name, label).items()}

    def _most(self, name: str, label: str) -> dict[str, float]:
        return {one: max(values) for one, values in self._by(name, label).items()}

    def _least(self, name: str, label: str) -> dict[str, float]:
        return {one: min(values) for one, values in self._by(name, label).items()}


def _rule(
    spec: RuleSpec, healthy: bool | None, going: Counts, fresh: Counts, judged: Counts
) -> Rule:
    total = sum(judged.get(name, 0) for name in _JUDGED)
    true = sum(judged.get(name, 0) for name in _TRUE)
    return Rule(
        rule=spec.id,
        title=dict(spec.title),
        owner=spec.owner,
        status=str(spec.status),
        severity=str(spec.severity),
        hash=spec.hash,
        feeds=list(spec.feeds),
        healthy=healthy,
        alerts_open=going.get(spec.id, 0),
        alerts_day=fresh.get(spec.id, 0),
        verdicts=dict(judged),
        precision=round(true / total, 4) if total else None,
    )


def _open(link: Connection) -> Counts:
    query = select(alerts.c.rule, func.count()).where(alerts.c.is_open).group_by(alerts.c.rule)
    return {row[0]: row[1] for row in link.execute(query)}


def _taken(link: Connection, since_ms: int) -> Counts:
    query = select(alerts.c.rule, func.count()).where(alerts.c.taken_ms >= since_ms)
    return {row[0]: row[1] for row in link.execute(query.group_by(alerts.c.rule))}


def _judged(link: Connection, now_ms: int) -> dict[str, Counter[str]]:
    query = (
        select(verdicts.c.rule, verdicts.c.verdict, func.count())
        .where(verdicts.c.at_ms >= now_ms - VERDICT_DAYS * DAY_MS)
        .group_by(verdicts.c.rule, verdicts.c.verdict)
    )
    found: dict[str, Counter[str]] = {}
    for rule, verdict, count in link.execute(query):
        found.setdefault(rule, Counter())[verdict] = count
    return found
