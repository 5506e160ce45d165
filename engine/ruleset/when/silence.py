"""`silence` as declared: nothing from a key for so long, perhaps from one never seen."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from engine.operators.specs.silence import During, Expected, FeedSilenceSpec, SilenceSpec
from engine.ruleset.expr.types import Type
from engine.ruleset.known import Known, start_record
from engine.ruleset.quantities import Duration, PeriodText
from engine.ruleset.schema_types import Hours, Text, ZoneName
from engine.ruleset.shape import Strict
from engine.ruleset.when.base import Loading, OperatorModel

_PATH = ("when", "silence")
_DAY_MS = 86_400_000
_WHOLE_DAY = ((0, 1440),)


class DuringModel(Strict):
    """The time that counts: hours of the working days of a calendar."""

    calendar: Text = "all-days"
    hours: Hours | None = None
    zone: ZoneName | None = None


class ExpectedModel(Strict):
    """A table of keys that must report, and from when to when each must."""

    table: Text
    start: Text
    end: Text | None = None


class SilenceModel(OperatorModel):
    """`silence`: nothing that the rule wants comes from a key for so long."""

    retracts: ClassVar[bool] = True

    of: Literal["key", "feed"] = "key"
    at_least: PeriodText
    during: DuringModel | None = None
    roster: ExpectedModel | None = None
    forget: Duration | None = None
    calendar: Text = "cn"

    def may_retract(self) -> bool:
        """That a whole feed was silent for so long is said by all of its keys at once."""
        return self.of == "key"

    def alert_names(self, known: Known) -> Mapping[str, Type]:
        """The record `expected`: the key's row of the roster."""
        table = known.tables.get(self.roster.table) if self.roster else None
        return {} if table is None else {"expected": start_record(None, table)}


def load(model: SilenceModel, at: Loading) -> SilenceSpec | None:
    """The checked operator; what is wrong is noted."""
    notes, known = at.notes, at.known
    at.positive(model.at_least.rough_days, "silence", "at_least")
    notes.known(model.calendar, known.calendars, "R207", (*_PATH, "calendar"))
    zone = at.feeds[0].time.zone if at.feeds else "Asia/Shanghai"
    during = None
    if model.during is not None:
        notes.known(model.during.calendar, known.calendars, "R207", (*_PATH, "during", "calendar"))
        hours = model.during.hours or _WHOLE_DAY
        during = During(model.during.calendar, hours, model.during.zone or zone)
    if model.of == "feed" and model.roster is not None:
        notes.add((*_PATH, "roster"), "R652", at_key=True)
    if model.forget is not None and model.roster is not None:
        notes.add((*_PATH, "forget"), "R570", at_key=True)
    rough_ms = round(model.at_least.rough_days * _DAY_MS)
    if model.forget is not None and model.forget <= rough_ms:
        notes.add((*_PATH, "forget"), "R571")
    expected = _expected(model, at)
    forget = max(30 * _DAY_MS, 2 * rough_ms) if model.forget is None else model.forget
    made = FeedSilenceSpec if model.of == "feed" else SilenceSpec
    spec = made(
        at_least=model.at_least,
        during=during,
        expected=expected,
        forget_ms=0 if expected is not None else forget,
        retract=at.model.late.then == "retract",
        zone=zone,
        calendar=model.calendar,
    )
    if spec.of_feed() and not spec.exact_ms:
        notes.add((*_PATH, "at_least"), "R651")
    if during is not None and not spec.exact_ms:
        notes.add((*_PATH, "during"), "R573", at_key=True)
    return spec


def _expected(model: SilenceModel, at: Loading) -> Expected | None:
    """The roster: a table whose key is as long as the rule's, with times where they are named."""
    roster = model.roster
    if roster is None:
        return None
    columns = {"start": roster.start, "end": roster.end}
    table = at.roster(roster.table, columns, "silence", "roster")
    width = max((len(names) for names in at.model.by.values()), default=1)
    if table is not None and len(table.key) != width:
        path, count = (*_PATH, "roster", "table"), len(table.key)
        at.notes.add(path, "R572", table=table.name, count=count, width=width)
    return Expected(roster.table, roster.start, roster.end or "")
