"""`deadline` as declared: after a start, every need must be met within a period."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from engine.model.severity import Severity
from engine.model.unit_table import scale
from engine.operators.specs.base import Path
from engine.operators.specs.deadline import DeadlineSpec, Need, Roster, Warning_
from engine.ruleset.expr import Typed
from engine.ruleset.expr.numbers import scaled
from engine.ruleset.expr.types import Scope, Type
from engine.ruleset.known import Known, start_record
from engine.ruleset.quantities import PeriodText
from engine.ruleset.schema_types import Expression, Listed, Positive, SeverityName, Text
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import EventModel, Loading, OperatorModel
from engine.text.terms import Term

_PATH = ("when", "deadline")


class NeedModel(EventModel):
    """What must happen: an event, or a sum that reaches a limit."""

    sum: Expression | None = None
    reach: Expression | None = None
    name: Text = "need"

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.sum is None) != (self.reach is None):
            given, missing = ("sum", "reach") if self.reach is None else ("reach", "sum")
            refuse("R422", missing=missing, at=given)
        return self


class WhileModel(EventModel):
    """Only cycles in which this many events were seen are judged."""

    count: Positive = 1


class WarnModel(Strict):
    """A lower level announced when only `left` of the limit remains."""

    left: PeriodText
    severity: SeverityName


class RosterModel(Strict):
    """A table of keys that must start even if no event starts them."""

    table: Text
    start: Text


class DeadlineModel(OperatorModel):
    """`deadline`: after a start, every need must be met within a period."""

    names_feeds: ClassVar[bool] = True
    needs_no_event: ClassVar[bool] = True
    overdue_levels: ClassVar[bool] = True
    retracts: ClassVar[bool] = True

    start: EventModel | None = None
    within: PeriodText
    need: Annotated[list[NeedModel], Listed, Field(min_length=1, max_length=20)]
    every: PeriodText | None = None
    while_: Annotated[WhileModel | None, Field(alias="while")] = None
    warn: Annotated[list[WarnModel], Listed] = Field(default=[])
    pause: EventModel | None = None
    resume: EventModel | None = None
    cancel: EventModel | None = None
    roster: RosterModel | None = None
    calendar: Text = "cn"

    @model_validator(mode="after")
    def _starts(self) -> Self:
        if self.start is None and self.roster is None:
            refuse("R130", choices="start, roster", count=0)
        if (self.pause is None) != (self.resume is None):
            given, missing = ("pause", "resume") if self.pause else ("resume", "pause")
            refuse("R419", missing=missing, at=given)
        return self

    def parts(self) -> dict[str, EventModel]:
        """Every event it listens to beside its needs, by the key under which it is declared."""
        named: dict[str, EventModel | None] = {
            "start": self.start,
            "while": self.while_,
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
        }
        return {name: event for name, event in named.items() if event is not None}

    def events(self) -> Sequence[tuple[Path, str]]:
        """The feeds of the start, the needs and the other events."""
        needs = [(("need", index, "feed"), need.feed) for index, need in enumerate(self.need)]
        parts = [((name, "feed"), event.feed) for name, event in self.parts().items()]
        started = [part for part in parts if part[0][0] == "start"]
        return [*started, *needs, *(part for part in parts if part[0][0] != "start")]

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """The record `start`."""
        return {"start": _start(self, known)}


def load(model: DeadlineModel, at: Loading) -> DeadlineSpec | None:
    """The checked operator, or None when it cannot be built; what is wrong is noted."""
    known, notes = at.known, at.notes
    roster = _roster(model, at)
    start = _start(model, known)
    events = {name: at.event(event, (*_PATH, name)) for name, event in model.parts().items()}
    needs = [
        _need(need, start, (*_PATH, "need", index), at) for index, need in enumerate(model.need)
    ]
    _limits(model, at)
    notes.known(model.calendar, known.calendars, "R207", (*_PATH, "calendar"))
    start_feed = known.feeds.get(model.start.feed) if model.start else None
    zone = start_feed.time.zone if start_feed else "Asia/Shanghai"
    if model.roster and not start_feed and model.roster.table in known.tables:
        zone = known.tables[model.roster.table].zone
    if any(need is None for need in needs):
        return None
    return DeadlineSpec(
        within=model.within,
        needs=tuple(need for need in needs if need is not None),
        start=events.get("start"),
        every=model.every,
        while_=events.get("while"),
        while_count=model.while_.count if model.while_ else 1,
        warnings=tuple(Warning_(warn.left, Severity(warn.severity)) for warn in model.warn),
        pause=events.get("pause"),
        resume=events.get("resume"),
        cancel=events.get("cancel"),
        roster=roster,
        retract=at.model.late.then == "retract",
        late_ms=at.model.late.allow,
        zone=zone,
        calendar=model.calendar,
    )


def _start(model: DeadlineModel, known: Known) -> Type:
    """The record `start`: fields of the start event and columns of the roster."""
    feed = known.feeds.get(model.start.feed) if model.start else None
    return start_record(feed, known.tables.get(model.roster.table) if model.roster else None)


def _need(model: NeedModel, start: Type, path: Path, at: Loading) -> Need | None:
    """One need: its events, and the sum over them with the limit it must reach."""
    test = at.event(model, path)
    if model.sum is None or model.reach is None:
        return Need(test, name=model.name)
    known, feed = at.known, at.known.feeds.get(model.feed)
    if feed is None:
        return None
    amount = at.phrases.expression(model.sum, (*path, "sum"), at.scope_of(feed), "number")
    scope = Scope({"start": start}, frozenset(), None, known.zones(), known.calendars)
    reach = at.phrases.expression(model.reach, (*path, "reach"), scope, "number")
    if amount is None or reach is None:
        return None
    if amount.type.measures != reach.type.measures:
        units = [Term(kind.unit or "no-unit") for kind in (amount.type, reach.type)]
        at.notes.add((*path, "reach"), "R437", sum=units[0], reach=units[1])
        return None
    return Need(test, amount, _in_unit_of(reach, amount), model.name)


def _roster(model: DeadlineModel, at: Loading) -> Roster | None:
    """The table of keys that must start; its start column must be a time."""
    if model.roster is None:
        return None
    at.roster(model.roster.table, {"start": model.roster.start}, "deadline", "roster")
    return Roster(model.roster.table, model.roster.start)


def _limits(model: DeadlineModel, at: Loading) -> None:
    """Warnings rise with time, within the limit and below the rule's own level."""
    notes, whole = at.notes, model.within.rough_days
    at.positive(whole, "deadline", "within")
    at.positive(model.every.rough_days if model.every else None, "deadline", "every")
    if model.while_ is not None and model.every is None:
        notes.add((*_PATH, "while"), "R420", at_key=True)
    top = Severity(at.model.severity).rank
    last = 0
    for index, warn in sorted(enumerate(model.warn), key=lambda item: -item[1].left.rough_days):
        path = (*_PATH, "warn", index)
        rank = Severity(warn.severity).rank
        if warn.left.rough_days >= whole > 0:
            notes.add((*path, "left"), "R417", left=warn.left.text, within=model.within.text)
        if rank >= top or rank < last:
            notes.add((*path, "severity"), "R418", severity=warn.severity)
        last = max(last, rank)


def _in_unit_of(reach: Typed, amount: Typed) -> Typed:
    """The limit in the unit in which the sum is added up."""
    unit, into = reach.type.unit, amount.type.unit
    if unit is None or into is None or unit == into:
        return reach
    node = scaled(reach.node, scale(unit, into), into)
    return replace(reach, node=node, type=node.type)
