"""The operator of a rule: its conditions, places, limits and periods, checked against the feeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.feeds.spec import FeedSpec, FieldType
from engine.model.period import Period, PeriodUnit
from engine.model.unit_table import UNITS, scale
from engine.ruleset.expr import Typed
from engine.ruleset.expr.numbers import scaled
from engine.ruleset.expr.types import Scope, Type
from engine.ruleset.known import Known, common_scope, start_record
from engine.ruleset.notes import Notes
from engine.ruleset.phrases import Path, Phrases
from engine.ruleset.schema import DeadlineModel, DwellModel, EventModel, NeedModel, RuleModel
from engine.ruleset.spec import (
    DeadlineSpec,
    DwellSpec,
    EventTest,
    MatchSpec,
    Need,
    OperatorSpec,
    Roster,
    Severity,
    Warning_,
)
from engine.text.terms import Term

_DAY_MS = 86_400_000
_ROUGH_DAYS = {PeriodUnit.DAYS: 1.0, PeriodUnit.WORKDAYS: 1.4, PeriodUnit.MONTHS: 30.4}
_DEADLINE = ("when", "deadline")


def rough_days(period: Period) -> float:
    """About how many days a period lasts, to compare periods with each other."""
    return sum(
        amount / _DAY_MS if unit is PeriodUnit.MS else amount * _ROUGH_DAYS[unit]
        for amount, unit in period.parts
    )


@dataclass(slots=True)
class WhenLoader:
    """Builds the operator of one rule."""

    model: RuleModel
    feeds: Sequence[FeedSpec]
    known: Known
    notes: Notes
    phrases: Phrases
    scope: Scope

    def load(self) -> OperatorSpec | None:
        """The operator, or None when it cannot be built; what is wrong is noted."""
        when = self.model.when
        if when.match is not None:
            return self._match()
        if when.dwell is not None:
            return self._dwell(when.dwell)
        return self._deadline(when.deadline) if when.deadline is not None else None

    def _match(self) -> OperatorSpec | None:
        model = self.model.when.match
        if model is None:
            return None
        condition = self.phrases.condition(
            model.condition, ("when", "match", "condition"), self.scope
        )
        if condition is None:
            return None
        count, within = (model.times.count, model.times.within) if model.times else (1, 0)
        if model.times and not within:
            self.notes.add(("when", "match", "times", "within"), "R416", name="within")
        return MatchSpec(condition, count, within, model.quiet or 0)

    def _dwell(self, model: DwellModel) -> OperatorSpec | None:
        path = ("when", "dwell")
        only_while = self.phrases.condition(model.while_, (*path, "while"), self.scope)
        if model.zones is not None:
            self.notes.known(model.zones, self.known.layers, "R204", (*path, "zones"))
        for feed in self.feeds:
            if feed.position is None:
                self.notes.add(path, "R221", feed=feed.name, text="dwell", at_key=True)
        if not model.at_least:
            self.notes.add((*path, "at_least"), "R416", name="at_least")
        tolerate = model.tolerate
        for name, value in (("outside", tolerate.outside), ("silent", tolerate.silent or 0)):
            if value and value >= model.at_least > 0 and name == "outside":
                self.notes.add((*path, "tolerate", name), "R415", name=name)
        field, scale = self._speed(model)
        return DwellSpec(
            at_least_ms=model.at_least,
            radius_m=model.radius,
            zones=model.zones or "",
            slower_than_mps=model.slower_than,
            speed_field=field,
            speed_scale=scale,
            only_while=only_while,
            outside_ms=tolerate.outside,
            silent_ms=tolerate.silent,
            gap_counts=tolerate.gap == "counts",
        )

    def _speed(self, model: DwellModel) -> tuple[str, float]:
        """The field that holds the speed, and metres a second in one of its units."""
        if model.slower_than is None or not self.feeds:
            return "", 1.0
        choices = [_speed_fields(feed) for feed in self.feeds]
        shared = [item for item in choices[0] if all(item in other for other in choices)]
        named = [item for item in shared if item[0] == "speed"] or shared
        if len(named) != 1:
            path = ("when", "dwell", "slower_than")
            names = ", ".join(feed.name for feed in self.feeds)
            self.notes.add(path, "R222", feed=names, count=len(named))
            return "", 1.0
        return named[0][0], float(UNITS[named[0][1]].factor)

    def _deadline(self, model: DeadlineModel) -> OperatorSpec | None:
        start_feed = self.known.feeds.get(model.start.feed) if model.start else None
        roster = self._roster(model)
        start = start_record(
            start_feed, self.known.tables.get(model.roster.table) if model.roster else None
        )
        events = {
            name: self._event(event, (*_DEADLINE, name)) for name, event in model.events().items()
        }
        needs = [
            self._need(need, start, (*_DEADLINE, "need", index))
            for index, need in enumerate(model.need)
        ]
        self._limits(model)
        self.notes.known(model.calendar, self.known.calendars, "R207", (*_DEADLINE, "calendar"))
        zone = start_feed.time.zone if start_feed else "Asia/Shanghai"
        if model.roster and not start_feed and model.roster.table in self.known.tables:
            zone = self.known.tables[model.roster.table].zone
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
            retract=self.model.late.then == "retract",
            zone=zone,
            calendar=model.calendar,
        )

    def _event(self, model: EventModel, path: Path) -> EventTest:
        """Events of a feed that satisfy a condition over that feed's fields."""
        feed = self.known.feeds.get(model.feed)
        if feed is None:
            return EventTest(model.feed)
        where = self.phrases.condition(
            model.where, (*path, "where"), common_scope([feed], self.known, {})
        )
        return EventTest(model.feed, where)

    def _need(self, model: NeedModel, start: Type, path: Path) -> Need | None:
        """One need: its events, and the sum over them with the limit it must reach."""
        test = self._event(model, path)
        if model.sum is None or model.reach is None:
            return Need(test, name=model.name)
        feed = self.known.feeds.get(model.feed)
        if feed is None:
            return None
        amount = self.phrases.expression(
            model.sum, (*path, "sum"), common_scope([feed], self.known, {}), "number"
        )
        scope = Scope({"start": start}, frozenset(), None, self.known.zones(), self.known.calendars)
        reach = self.phrases.expression(model.reach, (*path, "reach"), scope, "number")
        if amount is None or reach is None:
            return None
        if amount.type.measures != reach.type.measures:
            units = [Term(kind.unit or "no-unit") for kind in (amount.type, reach.type)]
            self.notes.add((*path, "reach"), "R437", sum=units[0], reach=units[1])
            return None
        return Need(test, amount, _in_unit_of(reach, amount), model.name)

    def _roster(self, model: DeadlineModel) -> Roster | None:
        """The table of keys that must start; its start column must be a time."""
        if model.roster is None:
            return None
        path = (*_DEADLINE, "roster")
        if self.notes.known(model.roster.table, self.known.tables, "R203", (*path, "table")):
            table = self.known.tables[model.roster.table]
            column = model.roster.start
            found = self.notes.known(
                column, table.fields, "R214", (*path, "start"), table=table.name
            )
            if found and table.fields[column].type is not FieldType.TIME:
                declared = table.fields[column].type.value
                self.notes.add((*path, "start"), "R429", name=column, type=declared, wanted="time")
        return Roster(model.roster.table, model.roster.start)

    def _limits(self, model: DeadlineModel) -> None:
        """Warnings rise with time, within the limit and below the rule's own level."""
        whole = rough_days(model.within)
        if whole <= 0:
            self.notes.add((*_DEADLINE, "within"), "R416", name="within")
        if model.every is not None and rough_days(model.every) <= 0:
            self.notes.add((*_DEADLINE, "every"), "R416", name="every")
        if model.while_ is not None and model.every is None:
            self.notes.add((*_DEADLINE, "while"), "R420", at_key=True)
        top = Severity(self.model.severity).rank
        warnings = sorted(enumerate(model.warn), key=lambda item: -rough_days(item[1].left))
        last = 0
        for index, warn in warnings:
            path = (*_DEADLINE, "warn", index)
            rank = Severity(warn.severity).rank
            if rough_days(warn.left) >= whole > 0:
                self.notes.add(
                    (*path, "left"), "R417", left=warn.left.text, within=model.within.text
                )
            if rank >= top or rank < last:
                self.notes.add((*path, "severity"), "R418", severity=warn.severity)
            last = max(last, rank)


def _in_unit_of(reach: Typed, amount: Typed) -> Typed:
    """The limit in the unit in which the sum is added up."""
    unit, into = reach.type.unit, amount.type.unit
    if unit is None or into is None or unit == into:
        return reach
    node = scaled(reach.node, scale(unit, into), into)
    return replace(reach, node=node, type=node.type)


def _speed_fields(feed: FeedSpec) -> list[tuple[str, str]]:
    """The fields of a feed whose unit is a speed, with that unit."""
    return [
        (name, spec.unit)
        for name, spec in feed.fields.items()
        if spec.unit in UNITS and UNITS[spec.unit].dimension == "speed"
    ]
