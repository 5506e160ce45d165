"""Which key spaces there are, which rule works in which, and what they read of each other.

A rule that reads feeds works in the key space of its key. A rule that reads alerts (`from:
alerts`) works one floor higher: it reads what the key spaces below it emit, as records of a
derived feed of which each sender is one source. So every key space reads only from those below
it, and a driver that goes through them in the order given here carries an event through all of
them in one step.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.decode.record import FeedDecoder
from engine.feeds.alerts import ALERTS, alert_record, alerts_feed
from engine.feeds.spec import FeedSpec
from engine.model.change import Change
from engine.ports import Sent
from engine.ruleset.making.base import Make, Making
from engine.ruleset.making.make import SPLITTERS, maker
from engine.ruleset.spec import Project, RuleSpec, Status


@dataclass(frozen=True, slots=True)
class Tell:
    """Makes of a change the record that another key space reads, under the key its rules use."""

    space: str
    feed: str
    parse: Callable[[bytes], Any]
    key_of: Callable[[Any], str]

    def __call__(self, change: Change, at_ms: int) -> Sent | None:
        """The record, heard at an instant; None when the change is not told or has no such key."""
        value = alert_record(change, at_ms)
        if value is None:
            return None
        key = self.key_of(self.parse(value))
        return Sent(self.space, self.feed, key, at_ms, value) if key else None


@dataclass(frozen=True, slots=True)
class Stage:
    """A rule's part in one key space: its feeds, its key, and how its operator is made ready."""

    spec: RuleSpec
    make: Callable[[Making], Make] = maker


@dataclass(slots=True)
class Stages:
    """All parts of all rules.

    Attributes:
        stages: Each rule's parts, those that send before those that read.
        feeds: The derived feeds by name.
        upstream: For each key space and derived feed it reads, the key spaces that send it.
        reads: For each rule that reads alerts, the rules whose alerts they are.
        tells: For each sending key space and rule, what its changes become elsewhere.

    """

    stages: list[Stage] = field(default_factory=list)
    feeds: dict[str, FeedSpec] = field(default_factory=dict)
    upstream: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    tells: dict[str, dict[str, list[Tell]]] = field(default_factory=dict)

    def order(self) -> list[str]:
        """The key spaces, each after all from which it reads."""
        reads: dict[str, set[str]] = {}
        for stage in self.stages:
            upstream = self.upstream.get(stage.spec.space, {})
            reads.setdefault(stage.spec.space, set()).update(*upstream.values())
        placed: list[str] = []
        while reads:
            ready = sorted(name for name, needs in reads.items() if needs <= set(placed))
            placed += ready
            reads = {name: needs for name, needs in reads.items() if name not in ready}
        return placed


def plan_stages(rules: Sequence[RuleSpec], project: Project) -> Stages:
    """Work out the parts of all rules, from the lowest floor up."""
    plan = Stages()
    reads = {rule.id: read_rules(rule, rules) for rule in rules}
    floors = floors_of(reads)
    emits: dict[str, str] = {}
    for rule in sorted(rules, key=lambda one: (floors[one.id], one.id)):
        if ALERTS in rule.feeds:
            plan.reads[rule.id] = frozenset(reads[rule.id])
        stage = _over_alerts(rule, floors[rule.id], emits, plan, project)
        for part in _parts(stage, floors[rule.id], plan, project):
            plan.stages.append(part)
            emits[rule.id] = part.spec.space
    return plan


def _parts(stage: Stage, floor: int, plan: Stages, project: Project) -> list[Stage]:
    """The parts of a rule whose operator works in several key spaces, the sending ones first."""
    divide = SPLITTERS.get(type(stage.spec.when))
    if divide is None:
        return [stage]
    known = {**project.feeds, **plan.feeds}
    found: list[Stage] = []
    for part in divide(stage.spec, {name: known[name] for name in stage.spec.feeds}, floor):
        plan.feeds.update(part.reads)
        if ALERTS in part.spec.feeds:
            plan.reads[part.spec.id] = plan.reads[stage.spec.id]
        upstream = plan.upstream.setdefault(part.spec.space, {}) if part.reads else {}
        for feed in part.reads:
            upstream.setdefault(feed, set()).add(part.sender)
        found.append(Stage(part.spec, part.make))
    return found


def read_rules(rule: RuleSpec, rules: Iterable[RuleSpec]) -> tuple[str, ...]:
    """The rules whose alerts a rule reads.

    Those it names under `of`; else all stable rules that read no alerts themselves.
    """
    if ALERTS not in rule.feeds:
        return ()
    known = {one.id: one for one in rules}
    if rule.of:
        return tuple(name for name in rule.of if name in known)
    return tuple(
        sorted(
            one.id
            for one in known.values()
            if ALERTS not in one.feeds and one.status is Status.STABLE
        )
    )


def with_lower(names: Iterable[str], rules: Mapping[str, RuleSpec]) -> tuple[str, ...]:
    """These rules and all those below them whose alerts they read, each once."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += read_rules(rules[name], rules.values())
    return tuple(found)


def floors_of(reads: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many floors of rules lie below each: 0 for one that reads no alerts.

    Raises:
        ValueError: Rules read each other in a circle; the circle is its only argument.

    """
    floors: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> int:
        if name in floors:
            return floors[name]
        if name in path:
            raise ValueError([*path[path.index(name) :], name])
        path.append(name)
        floors[name] = max((visit(other) + 1 for other in reads.get(name, ())), default=0)
        path.pop()
        return floors[name]

    for name in sorted(reads):
        visit(name)
    return floors


def _over_alerts(
    rule: RuleSpec, floor: int, emits: Mapping[str, str], plan: Stages, project: Project
) -> Stage:
    """A rule that reads alerts, in a key space of its floor; others stay as they are."""
    if ALERTS not in rule.feeds:
        return Stage(rule)
    space, by = f"{rule.space}-over-{floor}", rule.by[ALERTS]
    spec = plan.feeds.setdefault(ALERTS, project.alerts or alerts_feed(()))
    decoder = FeedDecoder(spec, by)
    tell = Tell(space, ALERTS, decoder.parse, decoder.key_of(by))
    senders = plan.upstream.setdefault(space, {}).setdefault(ALERTS, set())
    for name in sorted(plan.reads[rule.id]):
        senders.add(emits[name])
        told = plan.tells.setdefault(emits[name], {}).setdefault(name, [])
        if all(one.space != space for one in told):
            told.append(tell)
    return Stage(replace(rule, space=space))
