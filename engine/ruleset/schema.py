"""What a rule file may say."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.ruleset.quantities import Distance, Duration, PeriodText, Speed
from engine.ruleset.schema_types import (
    Basis,
    Expression,
    Hours,
    Id,
    Identifier,
    Listed,
    Names,
    Positive,
    SeverityName,
    Text,
    Title,
    ZoneName,
)
from engine.ruleset.shape import Strict, refuse

OPERATORS = ("match", "dwell", "deadline")
LATER_OPERATORS = (
    "change",
    "window",
    "cross",
    "near",
    "corridor",
    "silence",
    "sequence",
    "correlate",
    "cluster",
)


def exactly_one(given: dict[str, object], *names: str) -> None:
    """Refuse a mapping that holds none or several of these keys."""
    present = [name for name in names if given.get(name) is not None]
    if len(present) != 1:
        refuse("R130", choices=", ".join(names), count=len(present), **_last(present))


def _last(present: list[str]) -> dict[str, object]:
    """The place of the last key given, if any."""
    return {"at": present[-1]} if present else {}


def _one_operator(value: Any) -> Any:
    """Exactly one operator, and one of those that run today."""
    if not isinstance(value, dict):
        return value
    later = next((name for name in value if name in LATER_OPERATORS), None)
    if later is not None:
        refuse("R209", text=later, choices=", ".join(OPERATORS))
    if len(value) != 1:
        refuse("R129", count=len(value), choices=", ".join(OPERATORS))
    return value


def _condition(value: Any) -> Any:
    """A bare condition where a mapping may stand."""
    return {"condition": value} if isinstance(value, str | bool) else value


def _level(value: Any) -> Any:
    """A bare expression where a level may stand."""
    return {"when": value} if isinstance(value, str | bool) else value


def _by_feed(value: Any) -> Any:
    """One condition for all feeds, or one for each."""
    return {"*": value} if isinstance(value, str | bool | int | float) else value


def _keys(value: Any) -> Any:
    """A field, a list of fields, or these for each feed."""
    if isinstance(value, dict):
        return {feed: [names] if isinstance(names, str) else names for feed, names in value.items()}
    return {"*": [value] if isinstance(value, str) else value}


def _several(names: dict[str, Any]) -> dict[str, Any]:
    """A mapping that is not empty."""
    if not names:
        refuse("R134")
    return names


def _from_alerts(names: list[str]) -> list[str]:
    """Rules over other rules' alerts do not run yet."""
    if "alerts" in names:
        refuse("R209", text="from: alerts", choices=", ".join(OPERATORS))
    return names


class Times(Strict):
    """N events within a time."""

    count: Annotated[int, Field(ge=1, le=10_000)]
    within: Duration


class MatchModel(Strict):
    """`match`: an event satisfies the condition."""

    condition: Expression
    times: Times | None = None
    quiet: Duration | None = None


class Tolerate(Strict):
    """What a stay survives: being outside shortly, being silent."""

    outside: Duration = 0
    silent: Duration | None = None
    gap: Literal["counts", "breaks"] = "breaks"


class DwellModel(Strict):
    """`dwell`: a key stays within a radius or inside zones."""

    radius: Distance | None = None
    zones: Text | None = None
    at_least: Duration
    slower_than: Speed | None = None
    while_: Annotated[Expression | None, Field(alias="while")] = None
    tolerate: Tolerate = Tolerate()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one({"radius": self.radius, "zones": self.zones}, "radius", "zones")
        return self


class EventModel(Strict):
    """Events of one feed that satisfy a condition."""

    feed: Text
    where: Expression | None = None


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


class DeadlineModel(Strict):
    """`deadline`: after a start, every need must be met within a period."""

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

    def events(self) -> dict[str, EventModel]:
        """Every event the deadline listens to, by the key under which it is declared."""
        named: dict[str, EventModel | None] = {
            "start": self.start,
            "while": self.while_,
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
        }
        return {name: event for name, event in named.items() if event is not None}


class WhenModel(Strict):
    """The one operator of a rule."""

    match: Annotated[MatchModel | None, BeforeValidator(_condition)] = None
    dwell: DwellModel | None = None
    deadline: DeadlineModel | None = None

    @model_validator(mode="after")
    def _not_null(self) -> Self:
        given = {"match": self.match, "dwell": self.dwell, "deadline": self.deadline}
        exactly_one(dict(given), *OPERATORS)
        return self


class LookupModel(Strict):
    """A name for a table row or for the zone at the event's position."""

    table: Text | None = None
    on: Names | None = None
    valid: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    missing: None = None
    zone: Text | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one({"table": self.table, "zone": self.zone}, "table", "zone")
        if self.zone is not None and (self.on is not None or self.valid is not None):
            extra = "on" if self.on is not None else "valid"
            refuse("R147", text=extra, kind="zone", at=extra)
        if self.table is not None and self.on is None:
            refuse("R148", missing="on", kind="table")
        return self


class LevelModel(Strict):
    """When an alert climbs to this severity."""

    at_least: Duration | None = None
    overdue: PeriodText | None = None
    when: Expression | None = None

    @model_validator(mode="after")
    def _one_reason(self) -> Self:
        given = {"at_least": self.at_least, "overdue": self.overdue, "when": self.when}
        exactly_one(dict(given), "at_least", "overdue", "when")
        return self


class ScheduleModel(Strict):
    """When a rule may fire."""

    calendar: Text = "all-days"
    hours: Hours | None = None
    zone: ZoneName | None = None


class LateModel(Strict):
    """What happens to events behind the watermark."""

    allow: Duration = 0
    then: Literal["drop", "side", "retract"] = "drop"


class LimitsModel(Strict):
    """Budgets of a rule."""

    keys: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    alerts_per_hour: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    overflow: Literal["quiet-and-tell"] = "quiet-and-tell"


class Annotations(Strict):
    """What people read when the rule fires."""

    summary: Title | None = None


class OnChangeModel(Strict):
    """What an edit does with saved state."""

    from_: Annotated[str, Field(alias="from", pattern=r"^[0-9a-f]{6,64}$")]
    do: Literal["keep", "migrate", "reset"]


class RuleModel(Strict):
    """A rule file, key by key."""

    rule: Id
    title: Title
    status: Literal["draft", "shadow", "stable", "retired"] = "stable"
    owner: Text | None = None
    severity: SeverityName
    basis: Basis = Field(default=[])
    from_: Annotated[
        Names | None,
        AfterValidator(lambda names: _from_alerts(names) if names else names),
        Field(alias="from"),
    ] = None
    by: Annotated[dict[str, Names], BeforeValidator(_keys), AfterValidator(_several)]
    where: Annotated[dict[str, Expression], BeforeValidator(_by_feed)] = Field(default={})
    lookup: dict[Identifier, LookupModel] = Field(default={})
    when: Annotated[WhenModel, BeforeValidator(_one_operator)]
    except_: Annotated[
        list[Expression], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)
    ] = Field(default=[], alias="except")
    levels: dict[SeverityName, Annotated[LevelModel, BeforeValidator(_level)]] = Field(default={})
    for_: Annotated[Duration, Field(alias="for")] = 0
    clear: Expression | None = None
    keep_firing_for: Duration = 0
    schedule: ScheduleModel | None = None
    late: LateModel = LateModel()
    limits: LimitsModel = LimitsModel()
    labels: dict[Identifier, Expression] = Field(default={})
    annotations: Annotations = Annotations()
    playbook: Text | None = None
    dispatch: Text | None = None
    verify: Text | None = None
    on_change: OnChangeModel | None = None
