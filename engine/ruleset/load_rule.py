"""A rule as declared into the rule the engine compiles: references, expressions, levels, texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import Location
from engine.feeds.spec import FeedSpec
from engine.model.units import QuantityError, parse_duration
from engine.operators.specs.base import OperatorSpec
from engine.ruleset.canonical import rule_hash
from engine.ruleset.expr import Typed
from engine.ruleset.expr.types import Scope, Type
from engine.ruleset.known import Known, alert_scope, common_scope
from engine.ruleset.layered import Overridden
from engine.ruleset.load_alerts import check_of, of
from engine.ruleset.lookups import build_lookups, lookup_types
from engine.ruleset.notes import Notes
from engine.ruleset.phrases import Phrases, Wanted
from engine.ruleset.schema import RuleModel
from engine.ruleset.spec import (
    Flapping,
    LevelSpec,
    Limits,
    OnChange,
    RuleSpec,
    Schedule,
    Severity,
    Status,
)
from engine.ruleset.validate import basis_of, check_by, check_late, check_purpose, check_references
from engine.ruleset.when.base import Loading, OperatorModel
from engine.ruleset.when.load import load_when

_VERIFY = re.compile(r"(?s)(.*?\S)\s+for\s+([^\s()'\"]+(?:\s?[^\s()'\"]+)?)\s*")


@dataclass(slots=True)
class LoadedRule:
    """A rule with what linting needs to know about it: the names and lists it reads."""

    model: RuleModel
    notes: Notes
    spec: RuleSpec | None = None
    scope: Scope | None = None
    used_names: set[str] = field(default_factory=set)
    used_lists: set[str] = field(default_factory=set)
    used_macros: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands: its pack, and what overrides made of it.

    Attributes:
        of: The rule it is a variant of.
        also: The conditions under which overrides let it see an event.

    """

    pack: str = ""
    of: str = ""
    also: tuple[Wanted, ...] = ()
    overridden: tuple[Overridden, ...] = ()

    @property
    def only(self) -> str:
        """Where a variant holds."""
        return next((only.expr.text for only, holds in self.also if holds), "")


def load_rule(model: RuleModel, notes: Notes, known: Known, place: Place) -> LoadedRule:
    """Check one rule against everything declared around it, and build it if nothing is wrong."""
    loaded = LoadedRule(model, notes)
    phrases = Phrases(
        notes,
        known.lists,
        loaded.used_lists,
        loaded.used_names,
        set(notes.broken),
        known.macros,
        loaded.used_macros,
    )
    before = len(notes.problems)
    names = _feeds(model, notes, known)
    feeds = [known.feeds[name] for name in names if name in known.feeds]
    by = check_by(model, names, feeds, notes)
    check_purpose(feeds, notes)
    check_references(model, notes, known)
    check_late(model, notes)
    check_of(model, notes, known)
    if len(feeds) < len(names) or not names:
        return loaded
    _, operator = model.when.chosen()
    if operator.needs_no_event:
        phrases.unsure |= set(model.lookup)  # it falls due without an event to look up by
        for name in model.lookup:
            notes.add(
                ("lookup", name),
                "R209",
                at_key=True,
                text=f"lookup: {name}",
                choices="start.<field>",
            )
    plain = common_scope(feeds, known, {})
    lookups = () if operator.needs_no_event else build_lookups(model, notes, known, plain)
    phrases.unsure |= {
        lookup.name
        for lookup in lookups
        if lookup.table not in known.tables and lookup.zone not in known.layers
    }
    types = lookup_types(lookups, known)
    scope = common_scope(feeds, known, types) if types else plain
    loaded.scope = scope
    where = _where(model, feeds, known, phrases, types, scope, place.also)
    when = load_when(Loading(model, feeds, known, notes, phrases, scope))
    if when is None:
        phrases.unsure |= operator.typed_names
    alerts = _alert_names(operator, when, known, scope, types)
    excepts = [
        phrases.condition(text, ("except", index), alerts)
        for index, text in enumerate(model.except_)
    ]
    levels = _levels(model, notes, phrases, alerts)
    clear = phrases.condition(model.clear, ("clear",), alerts)
    verify_if, verify_ms = _verify(model, notes, phrases, alerts)
    if model.flapping is not None:
        for name in ("within", "quiet"):
            if getattr(model.flapping, name) == 0:
                notes.add(("flapping", name), "R416", name=name)
    labels = {
        name: phrases.template(text, ("labels", name), alerts)
        for name, text in model.labels.items()
    }
    words = model.annotations.summary.plain() if model.annotations.summary else {}
    summary = {
        lang: phrases.template(text, ("annotations", "summary", lang), alerts)
        for lang, text in words.items()
    }
    if len(notes.problems) > before or when is None:
        return loaded
    loaded.spec = RuleSpec(
        id=model.rule,
        title=model.title.plain(),
        severity=Severity(model.severity),
        feeds=tuple(names),
        by=by,
        space=space_name(by),
        when=when,
        of=of(model),
        where=where,
        lookups=lookups,
        excepts=tuple(item for item in excepts if item is not None),
        levels=levels,
        for_ms=model.for_,
        clear=clear,
        keep_firing_ms=model.keep_firing_for,
        cooldown_ms=model.cooldown,
        flapping=_flapping(model, notes),
        schedule=_schedule(model, feeds, notes, known),
        late=model.late.then,
        late_allow_ms=model.late.allow,
        limits=Limits(model.limits.keys, model.limits.alerts_per_hour, model.limits.overflow),
        labels={name: item for name, item in labels.items() if item is not None},
        summary={lang: item for lang, item in summary.items() if item is not None},
        status=Status(model.status),
        owner=model.owner or "",
        basis=basis_of(model.basis),
        playbook=model.playbook or "",
        dispatch=model.dispatch or "",
        verify=model.verify or "",
        verify_if=verify_if,
        verify_ms=verify_ms,
        on_change=OnChange(model.on_change.from_, model.on_change.do) if model.on_change else None,
        pack=place.pack,
        variant_of=place.of,
        only=place.only,
        overridden=place.overridden,
        at=Location(notes.document.file),
        shared=tuple(sorted(loaded.used_lists | loaded.used_macros)),
        hash=rule_hash(
            model,
            feeds,
            loaded.used_names,
            {name: known.lists[name] for name in loaded.used_lists},
            {name: known.macros[name] for name in loaded.used_macros},
            [only.expr.text for only, _ in place.also],
        ),
        source=notes.document.value,
    )
    return loaded


def space_name(by: Mapping[str, tuple[str, ...]]) -> str:
    """The key space of a rule: its key fields, and where feeds name them differently, all names."""
    return "/".join(sorted({"+".join(names) for names in by.values()}))


def _feeds(model: RuleModel, notes: Notes, known: Known) -> list[str]:
    """The feeds a rule reads: those of `from`, or of the operator's own events, as it repeats."""
    name, operator = model.when.chosen()
    named = list(model.from_ or [])
    for index, feed in enumerate(named):
        notes.known(feed, known.feeds, "R201", ("from", index))
    if not operator.names_feeds:
        if not named:
            notes.add((), "R111", name="from")
        return named
    events = operator.events()
    for path, feed in events:
        if feed not in named:
            notes.known(feed, known.feeds, "R201", ("when", name, *path))
    used = list(dict.fromkeys(feed for _, feed in events))
    for index, feed in enumerate(named):
        if feed not in used and feed in known.feeds:
            notes.add(("from", index), "R224", name=feed)
    missing = [feed for feed in used if named and feed not in named and feed in known.feeds]
    if missing and all(feed in known.feeds for feed in named):
        notes.add(("from",), "R225", name=missing[0])
    return used


def _alert_names(
    operator: OperatorModel,
    when: OperatorSpec | None,
    known: Known,
    scope: Scope,
    lookups: Mapping[str, Type],
) -> Scope:
    """The names that `except`, `clear`, `levels` and texts may use.

    An operator that falls due without an event offers no fields, only names of its own.
    """
    types = {} if when is None else when.alert_types()
    own = {name: type_ for name, type_ in types.items() if name not in scope.names}
    names = {**own, **operator.alert_names(known)}
    if operator.needs_no_event:
        return alert_scope(common_scope([], known, lookups), names)
    return alert_scope(scope, names)


def _where(
    model: RuleModel,
    feeds: Sequence[FeedSpec],
    known: Known,
    phrases: Phrases,
    lookups: Mapping[str, Type],
    shared: Scope,
    also: Sequence[Wanted],
) -> dict[str, Typed]:
    """For each feed the condition an event must meet: over the event and the look-ups."""
    found: dict[str, Typed] = {}
    names = [feed.name for feed in feeds]
    for name in model.where:
        if name != "*":
            phrases.notes.known(name, names, "R220", ("where", name))
    for feed in feeds:
        name = feed.name if feed.name in model.where else "*"
        text = model.where.get(name)
        path = ("where",) if name == "*" else ("where", name)
        scope = shared if name == "*" else common_scope([feed], known, lookups)
        typed = phrases.condition(text, path, scope, also)
        if typed is not None:
            found[feed.name] = typed
        if name == "*" and typed is None:
            break
        if name == "*":
            continue
    return found


def _levels(
    model: RuleModel, notes: Notes, phrases: Phrases, scope: Scope
) -> tuple[LevelSpec, ...]:
    """The higher levels from low to high; each above the rule's own, later than the one before."""
    own, found = Severity(model.severity), []
    by_overdue = model.when.chosen()[1].overdue_levels
    held, overdue = 0, 0.0
    for severity in sorted(map(Severity, model.levels), key=lambda item: item.rank):
        level, path = model.levels[severity.value], ("levels", severity.value)
        if severity.rank <= own.rank:
            notes.add(path, "R411", level=severity.value, severity=own.value, at_key=True)
        if level.at_least is not None and by_overdue:
            notes.add((*path, "at_least"), "R414", name="at_least", wanted="overdue")
        if level.overdue is not None and not by_overdue:
            notes.add((*path, "overdue"), "R414", name="overdue", wanted="at_least")
        if level.at_least is not None and level.at_least <= held:
            notes.add((*path, "at_least"), "R413", level=severity.value)
        if level.overdue is not None and level.overdue.rough_days <= overdue:
            notes.add((*path, "overdue"), "R413", level=severity.value)
        held = max(held, level.at_least or 0)
        overdue = max(overdue, level.overdue.rough_days if level.overdue else 0.0)
        when = phrases.condition(level.when, (*path, "when"), scope)
        found.append(LevelSpec(severity, level.at_least, level.overdue, when))
    return tuple(found)


def _verify(
    model: RuleModel, notes: Notes, phrases: Phrases, scope: Scope
) -> tuple[Typed | None, int]:
    """What proves a matter over, and for how long it has to hold: `for` and a duration, or not."""
    if model.verify is None:
        return None, 0
    split = _VERIFY.fullmatch(model.verify)
    text, held_ms = split[1] if split else model.verify, 0
    if split:
        try:
            held_ms = parse_duration(split[2])
        except QuantityError as error:
            at = notes.document.text_at(("verify",)).moved(split.start(2))
            notes.take([error.problem(at)], ("verify",))
    return phrases.condition(text, ("verify",), scope), held_ms


def _flapping(model: RuleModel, notes: Notes) -> Flapping | None:
    """When alerts flap; a pause so long that they cannot come often enough is doubtful."""
    declared = model.flapping
    if declared is None:
        return None
    if model.cooldown * (declared.times - 1) >= declared.within:
        notes.add(("flapping",), "W280", at_key=True, times=declared.times)
    quiet = declared.within if declared.quiet is None else declared.quiet
    return Flapping(declared.times, declared.within, quiet)


def _schedule(
    model: RuleModel, feeds: Sequence[FeedSpec], notes: Notes, known: Known
) -> Schedule | None:
    """When the rule may fire; without a zone, in the zone of the first feed's clock."""
    declared = model.schedule
    if declared is None:
        return None
    zone = declared.zone or feeds[0].time.zone
    hours = declared.hours or ((0, 1440),)
    if declared.shift is not None:
        hours = _hours_of_shifts(model, declared.shift, notes, known)
    return Schedule(declared.calendar, hours, zone)


def _hours_of_shifts(
    model: RuleModel, names: Sequence[str], notes: Notes, known: Known
) -> tuple[tuple[int, int], ...]:
    """The hours of some shifts of the rule's calendar, cut at midnight."""
    assert model.schedule is not None  # noqa: S101 - they stand in it
    calendar = known.shifts.get(model.schedule.calendar)
    shifts = dict(calendar.shifts) if calendar is not None else {}
    if model.schedule.hours is not None:
        notes.add(("schedule", "shift"), "R626", at_key=True)
    spans: list[tuple[int, int]] = []
    for index, name in enumerate(names):
        path = ("schedule", "shift", index)
        if notes.known(name, shifts, "R627", path, calendar=model.schedule.calendar):
            for begin, end in shifts[name]:
                whole = [(begin, end)] if begin < end else [(begin, 1440), (0, end)]
                spans += [span for span in whole if span[0] < span[1]]
    return tuple(sorted(spans))
