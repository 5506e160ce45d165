"""A checked project becomes a program: a decoder a feed, an admission function, rules by key space.

Everything here happens once, when rules are loaded. What comes out is shared by all partitions
and never changes; `make` builds the parts that hold state, once per partition.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from engine.alerts.context import Surroundings
from engine.alerts.judge import Words
from engine.decode.record import FeedDecoder
from engine.feeds.alerts import ALERTS
from engine.feeds.derived import is_from
from engine.feeds.hygiene import Cleaner
from engine.feeds.spec import FeedSpec
from engine.operators.near_note import OF_NOTES
from engine.ports import SourceId
from engine.ruleset.expr import (
    Tools,
    Typed,
    compile_admission,
    compile_condition,
    compile_trace,
    compile_value,
)
from engine.ruleset.making.base import Function, Make, Making
from engine.ruleset.spec import Playbook, Project, RuleSpec, Status
from engine.ruleset.stages import Stage, Stages, Tell, plan_stages


class StructCodec:
    """Events of the program's feeds as values that can be saved, and back.

    An event is saved as it is: as a map of its wire names. A field that the saved event does not
    have (another rule began to read it later) is null.
    """

    def __init__(self, structs: Mapping[str, type[msgspec.Struct]]) -> None:
        self._structs = structs
        self._wires = {
            feed: dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
            for feed, struct in structs.items()
        }

    def fields(self, event: Any) -> dict[str, Any]:
        """The event's fields by name; those of a note about it are ours, not the feed's."""
        return {
            name: getattr(event, name) for name in event.__struct_fields__ if name not in OF_NOTES
        }

    def plain(self, event: Any) -> Any:
        """The event itself: the state's encoding knows how to write it."""
        return event

    def event(self, feed: str, plain: Any) -> Any:
        """The event that `plain` wrote down."""
        names = self._wires[feed].items()
        return self._structs[feed](**{name: plain.get(wire) for name, wire in names})


@dataclass(frozen=True, slots=True)
class FeedProgram:
    """One feed, ready to decode."""

    spec: FeedSpec
    decoder: FeedDecoder


@dataclass(frozen=True, slots=True)
class RuleProgram:
    """One rule, compiled: how to make the part that holds its state in a partition.

    Attributes:
        conditions: For each feed, the `where` that must be asked per event beyond admission.
        make: (host, emit, overflow, owns) to the operator's logic.

    """

    spec: RuleSpec
    words: Words
    conditions: Mapping[str, Function | None]
    make: Make


Admit = Callable[[Any, int], tuple[int, ...]]
"""Answers, for an event and its time, the numbers of the rules that want it."""


@dataclass(frozen=True, slots=True)
class SpaceProgram:
    """All rules with the same key, compiled together.

    Attributes:
        feeds: Names of the feeds they read, in the order that breaks ties of event time.
        admit: For each feed, ONE function that answers the numbers of the rules that want an event.
        key_of: For each feed, the function that answers an event's key.
        rank_of: For each feed, what orders events of equal time and key, if anything is needed.
        timeless: Feeds whose event id does not hold the time: repeats are known by a list.
        cleaners: For feeds with hygiene, how their positions are judged.
        settle_first: Feeds whose admission asks for the position, so that it is converted before.
        direct: Every feed is partitioned by this very key, so that no routing is needed.
        upstream: Of its feeds those that other key spaces send, with the senders.
        tells: For each rule whose alerts other key spaces read, what its changes become there.

    """

    name: str
    feeds: tuple[str, ...]
    rules: tuple[RuleProgram, ...]
    programs: Mapping[str, FeedProgram]
    admit: Mapping[str, "Admit"]
    key_of: Mapping[str, Callable[[Any], str]]
    rank_of: Mapping[str, Callable[[Any, bytes], str] | None]
    timeless: frozenset[str]
    cleaners: Mapping[str, Cleaner]
    settle_first: frozenset[str]
    codec: StructCodec
    direct: bool
    upstream: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tells: Mapping[str, Sequence[Tell]] = field(default_factory=dict)

    @property
    def outside(self) -> tuple[str, ...]:
        """Those of its feeds that come from outside, not from other key spaces."""
        return tuple(feed for feed in self.feeds if feed not in self.upstream)

    def hears(self, source: SourceId) -> bool:
        """Whether this source is still one of those it reads, as far as the rules tell."""
        if source.feed in self.upstream:
            return any(is_from(source, sender) for sender in self.upstream[source.feed])
        return source.feed in self.feeds


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that a driver needs to run a project.

    Attributes:
        feeds: The feeds that come from outside.
        rules: Every part of every rule, by its id.
        spaces: The key spaces, each after those it reads from.

    """

    project: Project
    feeds: Mapping[str, FeedProgram] = field(default_factory=dict)
    rules: Mapping[str, RuleProgram] = field(default_factory=dict)
    spaces: Mapping[str, SpaceProgram] = field(default_factory=dict)


def compile_project(
    project: Project, like: Program | None = None, same: Collection[str] = ()
) -> Program:
    """Make the program of a project; retired rules are left out.

    Args:
        project: The checked declarations.
        like: A program made before, of which parts may be taken over as they are.
        same: Of its rules those that are what they were, with all they use beside other rules.

    """
    before = Program(project) if like is None else like
    rules = [
        project.rules[name]
        for name in sorted(project.rules)
        if project.rules[name].status is not Status.RETIRED
    ]
    plan = plan_stages(rules, project)
    wide = replace(project, feeds={**project.feeds, **plan.feeds})
    parts = sorted((stage.spec for stage in plan.stages), key=lambda spec: spec.id)
    feeds = {
        name: _feed(wide.feeds[name], fields_read(name, parts), before)
        for name in sorted({name for spec in parts for name in spec.feeds})
    }
    codec = StructCodec({name: feed.decoder.struct for name, feed in feeds.items()})
    compiled = {
        stage.spec.id: _again(stage, before, same) or _rule(stage, wide, codec)
        for stage in plan.stages
    }
    spaces = {
        name: _space(
            [spec for spec in parts if spec.space == name], compiled, feeds, codec, plan, wide
        )
        for name in plan.order()
    }
    outside = {name: feed for name, feed in feeds.items() if name not in plan.feeds}
    return Program(project, outside, compiled, spaces)


def _feed(spec: FeedSpec, used: frozenset[str] | None, before: Program) -> FeedProgram:
    """A feed's decoder; the one from before where nothing about it has changed."""
    for space in before.spaces.values():
        known = space.programs.get(spec.name)
        if known is not None and known.spec == spec and known.decoder.used == used:
            return known
    return FeedProgram(spec, FeedDecoder(spec, used))


def _again(stage: Stage, before: Program, same: Collection[str]) -> RuleProgram | None:
    """The part of a rule as it was compiled before, if it is what it was and works where it did."""
    spec, known = stage.spec, before.rules.get(stage.spec.id)
    if known is None or spec.id.partition("/")[0] not in same:
        return None
    was = known.spec
    fits = (was.hash, was.space, was.feeds, was.by) == (spec.hash, spec.space, spec.feeds, spec.by)
    return known if fits else None


def fields_read(feed: str, rules: Iterable[RuleSpec]) -> frozenset[str] | None:
    """Names of the fields that rules read from a feed; None when a rule may read any of them."""
    used: set[str] = set()
    for rule in rules:
        if feed not in rule.feeds:
            continue
        if rule.when.reads_all():
            return None
        used.update(rule.by[feed])
        if feed == ALERTS:
            used.add("rule")
        for typed in (*_expressions(rule, feed), rule.verify_if):
            used.update(() if typed is None else typed.names)
        for lookup in rule.lookups:
            used.update(lookup.on)
        for template in (*rule.labels.values(), *rule.summary.values()):
            used.update(template.names)
        used |= rule.when.fields()
    return frozenset(used)


def _expressions(rule: RuleSpec, feed: str) -> list[Typed]:
    """Every expression of a rule that may read this feed's fields."""
    found: list[Typed | None] = [rule.where.get(feed), rule.clear, *rule.excepts]
    found += [level.when for level in rule.levels]
    found += rule.when.expressions(feed)
    return [typed for typed in found if typed is not None]


def _space(
    rules: list[RuleSpec],
    compiled: Mapping[str, RuleProgram],
    feeds: Mapping[str, FeedProgram],
    codec: StructCodec,
    plan: Stages,
    project: Project,
) -> SpaceProgram:
    """Put the rules of one key space together."""
    names = tuple(sorted({feed for rule in rules for feed in rule.feeds}))
    by = {feed: next(rule.by[feed] for rule in rules if feed in rule.feeds) for feed in names}
    admit: dict[str, Admit] = {}
    settle_first: set[str] = set()
    for feed in names:
        wheres: list[Typed | None] = []
        for rule in rules:
            where = rule.where.get(feed)
            wheres.append(where if where is not None and where.uses_event_only else None)
        tools = Tools(project.zones, project.calendars, feeds[feed].spec.time.zone)
        readers = tuple(number for number, rule in enumerate(rules) if feed in rule.feeds)
        admit[feed] = _only(compile_admission(wheres, tools), readers, len(rules))
        if feed == ALERTS:
            admit[feed] = _read_by(admit[feed], [plan.reads.get(rule.id) for rule in rules])
        settle_first |= {
            feed for where in wheres if where is not None and _asks_place(where, feeds[feed].spec)
        }
    name = rules[0].space
    return SpaceProgram(
        name=name,
        feeds=names,
        rules=tuple(compiled[rule.id] for rule in rules),
        programs={feed: feeds[feed] for feed in names},
        admit=admit,
        key_of={feed: feeds[feed].decoder.key_of(by[feed]) for feed in names},
        rank_of={feed: feeds[feed].decoder.rank_of(by[feed]) for feed in names},
        timeless=frozenset(
            feed
            for feed in names
            if feeds[feed].spec.id and feeds[feed].spec.time.field not in feeds[feed].spec.id
        ),
        cleaners={
            feed: Cleaner(feeds[feed].spec)
            for feed in names
            if feeds[feed].spec.position is not None
            and (
                feeds[feed].spec.hygiene.max_jump_mps is not None
                or feeds[feed].spec.hygiene.stuck_ms is not None
            )
        },
        settle_first=frozenset(settle_first),
        codec=codec,
        direct=all(feeds[feed].spec.key == by[feed] for feed in names),
        upstream={
            feed: tuple(sorted(senders)) for feed, senders in plan.upstream.get(name, {}).items()
        },
        tells=plan.tells.get(name, {}),
    )


def _asks_place(where: Typed, spec: FeedSpec) -> bool:
    """Whether a condition reads the position, which a datum conversion would change."""
    if spec.position is None:
        return False
    return not {"position", spec.position.lon, spec.position.lat}.isdisjoint(where.names)


def _only(admit: "Admit", readers: tuple[int, ...], count: int) -> "Admit":
    """Keep only rules that read this feed at all; costs nothing where all of them do."""
    if len(readers) == count:
        return admit
    allowed = frozenset(readers)
    return lambda event, at_ms: tuple(n for n in admit(event, at_ms) if n in allowed)


def _read_by(admit: "Admit", reads: Sequence[frozenset[str] | None]) -> "Admit":
    """Let each rule see the alerts of those rules only that it reads."""

    def admitted(event: Any, at_ms: int) -> tuple[int, ...]:
        return tuple(
            number
            for number in admit(event, at_ms)
            if (read := reads[number]) is not None and event.rule in read
        )

    return admitted


def _rule(stage: Stage, project: Project, codec: StructCodec) -> RuleProgram:
    """Compile one part of a rule."""
    rule = stage.spec
    first = project.feeds[rule.feeds[0]]
    zone = first.time.zone
    tools = Tools(zones=project.zones, calendars=project.calendars, zone=zone)
    axes = next(
        (
            (spec.position.lon, spec.position.lat)
            for spec in (project.feeds[name] for name in rule.feeds)
            if spec.position is not None
        ),
        None,
    )
    around = Surroundings(rule.lookups, project.tables, project.zones, axes, project.calendars)

    def function(typed: Typed) -> Function:
        if typed.type.kind == "bool":
            return compile_condition(typed, tools)
        return compile_value(typed, tools)

    conditions = {
        feed: None
        if (where := rule.where.get(feed)) is None or where.uses_event_only
        else function(where)
        for feed in rule.feeds
    }
    traced = [typed for feed in rule.feeds[:1] for typed in _expressions(rule, feed)]
    schedule = rule.schedule
    words = Words(
        spec=rule,
        surroundings=around,
        excepts=[(typed.text, function(typed)) for typed in rule.excepts],
        levels=[
            (function(level.when), level.severity.rank)
            for level in rule.levels
            if level.when is not None
        ],
        clear=None if rule.clear is None else function(rule.clear),
        # What is unknown breaks no proof off, so it must not become false.
        verify=None if rule.verify_if is None else compile_value(rule.verify_if, tools),
        traces=[compile_trace(typed, tools) for typed in traced] if len(rule.feeds) == 1 else [],
        labels=rule.labels,
        summary=rule.summary,
        calendar=None
        if schedule is None or schedule.calendar == "all-days"
        else project.calendars[schedule.calendar],
        describe=codec.fields,
        personal=_personal(rule, project),
        **_what_to_do(project.playbooks.get(rule.playbook)),
    )
    return RuleProgram(
        rule, words, conditions, stage.make(Making(rule, words, project, codec, function))
    )


def _personal(rule: RuleSpec, project: Project) -> dict[str, str]:
    """The fields of a rule's feeds and tables that hold personal data, with its kind."""
    sources = [project.feeds[name].fields for name in rule.feeds]
    sources += [project.tables[one.table].spec.fields for one in rule.lookups if one.table]
    fields = (spec for fields in sources for spec in fields.values())
    return {spec.name: spec.pii for spec in fields if spec.pii}


def _what_to_do(playbook: Playbook | None) -> dict[str, Any]:
    """What a playbook says to those who are sent out, as alerts hold it."""
    if playbook is None:
        return {}
    return {
        "check": [dict(words) for words in playbook.check],
        "units": list(playbook.units),
        "offences": [dict(words) for words in playbook.offences],
    }
