"""What a rule file may say."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.ruleset.quantities import Duration, PeriodText
from engine.ruleset.schema_types import (
    Basis,
    Expression,
    Hours,
    Id,
    Identifier,
    Names,
    SeverityName,
    Text,
    Title,
    ZoneName,
)
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import exactly_one
from engine.ruleset.when.model import WhenModel, one_operator


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


_LevelText = Annotated[str, Field(min_length=1)] | bool | LevelModel
"""A level as written: a bare condition, or its mapping."""


class FlappingModel(Strict):
    """When an alert that comes and goes is held open."""

    times: Annotated[int, Field(ge=2, le=100)]
    within: Duration
    quiet: Duration | None = None


class ScheduleModel(Strict):
    """When a rule may fire."""

    calendar: Text = "all-days"
    hours: Hours | None = None
    shift: Names | None = None
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
    from_: Annotated[Names | None, Field(alias="from")] = None
    of: Names | None = None
    by: Annotated[
        dict[str, Names],
        BeforeValidator(_keys, json_schema_input_type=Names | dict[str, Names]),
        AfterValidator(_several),
    ]
    where: Annotated[
        dict[str, Expression],
        BeforeValidator(_by_feed, json_schema_input_type=Expression | dict[str, Expression]),
    ] = Field(default={})
    lookup: dict[Identifier, LookupModel] = Field(default={})
    when: Annotated[WhenModel, BeforeValidator(one_operator)]
    except_: Annotated[
        list[Expression],
        BeforeValidator(
            lambda v: [v] if isinstance(v, str) else v,
            json_schema_input_type=Annotated[str, Field(min_length=1)] | list[Expression],
        ),
    ] = Field(default=[], alias="except")
    levels: dict[
        SeverityName,
        Annotated[LevelModel, BeforeValidator(_level, json_schema_input_type=_LevelText)],
    ] = Field(default={})
    for_: Annotated[Duration, Field(alias="for")] = 0
    clear: Expression | None = None
    keep_firing_for: Duration = 0
    cooldown: Duration = 0
    flapping: FlappingModel | None = None
    schedule: ScheduleModel | None = None
    late: LateModel = LateModel()
    limits: LimitsModel = LimitsModel()
    labels: dict[Identifier, Expression] = Field(default={})
    annotations: Annotations = Annotations()
    playbook: Text | None = None
    dispatch: Text | None = None
    verify: Text | None = None
    on_change: OnChangeModel | None = None
