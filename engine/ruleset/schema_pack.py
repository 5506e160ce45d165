"""What the other files of a pack may say: pack, calendars, playbooks, lists, macros, routes."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from engine.ruleset.schema_types import (
    Basis,
    Day,
    Expression,
    Id,
    Identifier,
    Listed,
    Names,
    SeverityName,
    Text,
    Title,
)
from engine.ruleset.shape import Strict, refuse
from engine.ruleset.when.base import exactly_one


class NeedsModel(Strict):
    """What a pack needs in order to run."""

    forewarn: Annotated[str, Field(pattern=r"^>=\s*[0-9]{1,4}(\.[0-9]{1,4}){1,2}$")]


class PackModel(Strict):
    """`pack.yaml`, key by key."""

    pack: Id
    title: Title
    owner: Text
    version: Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){1,2}$")]
    needs: NeedsModel | None = None
    basis: Basis = Field(default=[])


class CalendarModel(Strict):
    """A calendar file: days of rest and make-up working days beside the official ones."""

    calendar: Id
    title: Title | None = None
    base: Literal["cn", "all-days"] = "cn"
    shifts: dict[Identifier, Text] = Field(default={})
    holidays: list[Day] = Field(default=[])
    workdays: list[Day] = Field(default=[])
    until: Day | None = None


class PlaybookModel(Strict):
    """What officers check on site, who is responsible, which offence and penalty may apply."""

    playbook: Id
    title: Title
    check: Annotated[list[Title], Listed] = Field(default=[])
    units: Annotated[list[Text], Listed] = Field(default=[])
    offences: Annotated[list[Title], Listed] = Field(default=[])
    basis: Basis = Field(default=[])


class ListModel(Strict):
    """A named set of values that rules share."""

    list: Identifier
    title: Title | None = None
    values: Annotated[Names, Field(max_length=10_000)]


class MacroModel(Strict):
    """A named expression that rules share."""

    macro: Identifier
    title: Title | None = None
    takes: Annotated[list[Identifier], Field(max_length=8)] = Field(default=[])
    means: Expression


class DifferenceModel(Strict):
    """What an override says otherwise about one rule, list or macro."""

    rule: Text | None = None
    list: Text | None = None
    macro: Text | None = None
    replace: Any = None
    append: Any = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        exactly_one(
            {"rule": self.rule, "list": self.list, "macro": self.macro}, "rule", "list", "macro"
        )
        if self.replace is None and self.append is None:
            refuse("R148", missing="replace", kind="override")
        return self


class OverrideModel(Strict):
    """What one district, or one installation, says otherwise."""

    override: Id
    title: Title | None = None
    only: Expression | None = None
    changes: Annotated[list[DifferenceModel], Field(min_length=1, max_length=1000)]


class RouteModel(Strict):
    """Who hears about alerts that name this route."""

    sinks: Names
    min_severity: SeverityName = "blue"
    labels: dict[Identifier, Expression] = Field(default={})


class RoutesModel(Strict):
    """`routes.yaml`, key by key."""

    routes: Annotated[dict[Id, RouteModel], Field(min_length=1)]
