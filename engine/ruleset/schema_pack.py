"""What the other files of a pack may say: pack, calendars, playbooks, lists, macros, routes."""

from typing import Annotated

from pydantic import Field

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
from engine.ruleset.shape import Strict


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


class RouteModel(Strict):
    """Who hears about alerts that name this route."""

    sinks: Names
    min_severity: SeverityName = "blue"
    labels: dict[Identifier, Expression] = Field(default={})


class RoutesModel(Strict):
    """`routes.yaml`, key by key."""

    routes: Annotated[dict[Id, RouteModel], Field(min_length=1)]
