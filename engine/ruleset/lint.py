"""What is allowed but probably not meant: costly rules, unused parts, untested or unowned rules."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath

from engine.errors import Level, Location, Problem
from engine.feeds.alerts import ALERTS
from engine.operators.specs.match import MatchSpec
from engine.operators.specs.silence import SilenceSpec
from engine.ruleset.document import Document
from engine.ruleset.expr import Typed
from engine.ruleset.known import REGIONS, Known
from engine.ruleset.load_rule import LoadedRule
from engine.ruleset.ranges import impossible
from engine.ruleset.spec import Basis, RuleSpec, Severity, Status
from engine.ruleset.uses import asks_places, expressions_of

_LONG_LATENESS_MS = 3 * 86_400_000
_PASSING = frozenset({"held", "event_time"})
"""Names whose values change though nothing is heard."""
_INSIDE = "inside("


def lint(
    rules: Sequence[LoadedRule],
    known: Known,
    tests: Mapping[str, Document],
    today: date | None,
    *,
    whole: bool,
) -> list[Problem]:
    """Every warning about rules without errors; if `whole`, also about what no rule uses."""
    tested = {PurePosixPath(path).stem.removesuffix("_test") for path in tests}
    tested |= {name for document in tests.values() for name in _named_in(document)}
    for rule in rules:
        if rule.spec is not None and not rule.notes.wrong():
            _rule(rule, rule.spec, known, tested)
            _basis(rule, rule.spec.basis, today)
    if not (rules and whole):
        return []
    uses = _uses(rules)
    return [*_unused(uses, known), *_feeds(rules, known, uses.words)]


def _named_in(document: Document) -> set[str]:
    """The rules a test file names itself."""
    value = document.value if isinstance(document.value, dict) else {}
    named = value.get("rules", [])
    return {named} if isinstance(named, str) else {str(name) for name in named or []}


def _rule(rule: LoadedRule, spec: RuleSpec, known: Known, tested: set[str]) -> None:
    """Warnings about one rule."""
    notes, model = rule.notes, rule.model
    _cost(rule, spec)
    for path, typed, feed in _conditions(spec):
        reason = impossible(typed.node, known.feeds[feed].fields) if feed else ""
        if reason:
            notes.add(path, "W207", name=reason)
    if spec.status is not Status.RETIRED and (spec.variant_of or spec.id) not in tested:
        notes.add(("rule",), "W201", name=spec.id)
    if not spec.owner:
        notes.add((), "W202")
    if model.annotations.summary is None:
        notes.add((), "W209")
    operator, declared = model.when.chosen()
    for place, code, found in declared.doubts():
        notes.add(("when", operator, *place), code, "", at_key=False, **found)
    for name in spec.when.alert_types():
        if rule.scope is not None and name in rule.scope.names and rule.scope.in_event(name):
            notes.add(("when", operator), "W240", at_key=True, name=name, text=operator)
    if isinstance(spec.when, SilenceSpec) and not spec.clear:
        for level in spec.levels:
            if level.when is not None and not _PASSING.isdisjoint(level.when.names):
                notes.add(("levels", level.severity.value), "W222")
    if spec.verify and not spec.when.of_keys():
        notes.add(("verify",), "W221", text=operator)
    for lookup in spec.lookups:
        if lookup.name not in rule.used_names:
            notes.add(("lookup", lookup.name), "W205", name=lookup.name, at_key=True)
    _dispatch(rule, spec, known)


def _cost(rule: LoadedRule, spec: RuleSpec) -> None:
    """Warnings about rules that keep much, or wait for what was said once."""
    notes, when = rule.notes, spec.when
    span = when.span_ms()
    if span and spec.for_ms > span:
        notes.add(("for",), "W101")
    if isinstance(when, MatchSpec) and spec.for_ms and not (when.quiet_ms or spec.clear):
        notes.add(("for",), "W220")
    if when.keeps_every_key() and not spec.where and not spec.limits.keys:
        notes.add(("when",), "W102", at_key=True)


def _conditions(spec: RuleSpec) -> list[tuple[tuple[str | int, ...], Typed, str]]:
    """Each condition that must hold for a rule to fire, with its path and its feed."""
    found: list[tuple[tuple[str | int, ...], Typed, str]] = []
    for feed, typed in list(spec.where.items())[:1] if len(spec.feeds) == 1 else ():
        found.append((("where",), typed, feed))
    only = spec.feeds[0] if len(spec.feeds) == 1 else ""
    return [*found, *spec.when.conditions(only)]


def _dispatch(rule: LoadedRule, spec: RuleSpec, known: Known) -> None:
    """Alerts of a stable rule should reach somebody."""
    if not spec.dispatch:
        if spec.status is Status.STABLE:
            rule.notes.add((), "W215")
        return
    route = known.routes.get(spec.dispatch)
    if route is not None and _top(spec).rank < route.min_severity.rank:
        least = route.min_severity.value
        rule.notes.add(("dispatch",), "W210", route=spec.dispatch, severity=least)


def _top(spec: RuleSpec) -> Severity:
    """The highest severity a rule's alerts can have."""
    return max(
        (spec.severity, *(level.severity for level in spec.levels)), key=lambda one: one.rank
    )


def _basis(rule: LoadedRule, basis: Sequence[Basis], today: date | None) -> None:
    """A legal basis should be in force on the day of loading."""
    if today is None:
        return
    day = today.isoformat()
    for index, item in enumerate(basis):
        if (item.from_day and day < item.from_day) or (item.to_day and day > item.to_day):
            rule.notes.add(("basis", index), "W203", title=item.title, day=day)


DEFAULT_ROUTE = "default"
"""Where alerts go whose labels the route of their rule does not ask for."""


@dataclass(slots=True)
class _Uses:
    """What the rules of a project use."""

    tables: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)
    routes: set[str] = field(default_factory=set)
    playbooks: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    words: str = ""


def _uses(rules: Iterable[LoadedRule]) -> _Uses:
    uses, words = _Uses(), []
    for rule in rules:
        spec = rule.spec
        if spec is None:
            continue
        words.append(json.dumps(spec.source, ensure_ascii=False, default=str))
        uses.lists |= rule.used_lists
        uses.macros |= rule.used_macros
        words += sorted(rule.used_names)
        uses.routes.add(spec.dispatch)
        uses.playbooks.add(spec.playbook)
        for lookup in spec.lookups:
            uses.tables.add(lookup.table)
            uses.layers.add(lookup.zone)
        uses.layers |= spec.when.layers()
        if any(asks_places(typed) for typed in expressions_of(spec)):  # by macros and overrides too
            words.append(_INSIDE)
        uses.tables |= spec.when.tables()
        words += spec.when.fields()
    uses.words = "\n".join(words)
    return uses


def _unused(uses: _Uses, known: Known) -> list[Problem]:
    """Lists, macros, tables, zones, routes and playbooks that no rule uses."""
    found: list[Problem] = []
    for name, route in known.routes.items():
        if name not in uses.routes:
            found.append(_warning(route.at.file, "W208", name))
        if route.labels and known.routes.get(DEFAULT_ROUTE, route) is route:
            found.append(Problem(route.at, "W219", {"name": name}, level=Level.WARNING))
    for name, table in known.tables.items():
        if name not in uses.tables:
            found.append(_warning(table.at.file, "W211", name))
    for kind, code, names, used in (
        ("lists", "W206", known.lists, uses.lists),
        ("macros", "W270", known.macros, uses.macros),
        ("playbooks", "W213", known.playbooks, uses.playbooks),
    ):
        found += [
            _warning(known.files.get((kind, name), kind), code, name)
            for name in names
            if name not in used
        ]
    for name in (*known.layers, *known.lines):
        dynamic = name in known.layers and _INSIDE in uses.words
        if name != REGIONS and name not in uses.layers and not dynamic:
            found.append(_warning(known.files.get(("zones", name), "zones"), "W212", name))
    return found


def _warning(file: str, code: str, name: str) -> Problem:
    return Problem(Location(file), code, {"name": name}, level=Level.WARNING)


def _feeds(rules: Sequence[LoadedRule], known: Known, words: str) -> list[Problem]:
    """Feeds that hold records back for long, that no rule reads, or whose fields no rule reads."""
    found: list[Problem] = []
    read = {name for rule in rules if rule.spec for name in rule.spec.feeds}
    for name, feed in known.feeds.items():
        if name == ALERTS:
            continue
        if feed.lateness_ms > _LONG_LATENESS_MS:
            hours = feed.lateness_ms // 3_600_000
            found.append(
                Problem(feed.at, "W104", {"name": name, "hours": hours}, level=Level.WARNING)
            )
        if name not in read:
            found.append(_warning(feed.at.file, "W218", name))
            continue
        needed = {*feed.key, *feed.id, feed.time.field, feed.hygiene.located, "accuracy"}
        needed |= {feed.position.lon, feed.position.lat} if feed.position else set()
        unread = [one for one in feed.fields if one not in needed and one not in words]
        if unread:
            words_found = {"name": name, "fields": ", ".join(unread)}
            found.append(Problem(feed.at, "W204", words_found, level=Level.WARNING))
    return found
