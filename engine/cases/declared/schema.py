"""What the files about departments, centres and mutes may say, and what every file shares."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from engine.ruleset.quantities import Duration
from engine.ruleset.schema_types import (
    Hours,
    Id,
    Identifier,
    Names,
    Positive,
    SeverityName,
    Text,
    Title,
    ZoneName,
)
from engine.ruleset.shape import Strict, refuse, show

_CODE = re.compile(r"[0-9A-Z]{4,12}")
_MIDNIGHT = " 24:00"


def digits_as_text(value: Any) -> Any:
    """A whole number as the digits it is written with."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _code(value: Any) -> Any:
    """An area code; a code of digits may be written without quotes."""
    value = digits_as_text(value)
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        refuse("D103", text=show(value).strip("'"))
    return value


def _codes(value: Any) -> Any:
    """One code where a list of codes may stand."""
    return [value] if isinstance(value, str | int) else value


def _instant(value: Any) -> str:
    """A reading of the clock as `2026-03-14 22:00`; 24:00 is the next day's 00:00."""
    try:
        if value.endswith(_MIDNIGHT):
            day = date.fromisoformat(value.removesuffix(_MIDNIGHT)) + timedelta(days=1)
            return f"{day.isoformat()} 00:00"
        return datetime.strptime(value, "%Y-%m-%d %H:%M").strftime("%Y-%m-%d %H:%M")  # noqa: DTZ007 - the zone is declared beside it
    except (AttributeError, TypeError, ValueError):
        refuse("D104")


def _star_at_end(name: str) -> str:
    """A name, or the beginning of names with a `*` behind it."""
    if "*" in name[:-1]:
        refuse("D105", text=name[:80])
    return name


TierName = Literal["city", "county", "town"]

AreaCode = Annotated[
    str,
    PlainValidator(_code),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9A-Z]{4,12}$"}),
]
Areas = Annotated[
    list[AreaCode],
    BeforeValidator(_codes, json_schema_input_type=AreaCode | list[AreaCode]),
    Field(min_length=1),
]
OtherNames = Annotated[
    list[
        Annotated[
            str,
            BeforeValidator(digits_as_text, json_schema_input_type=Text | int),
            Field(min_length=1, max_length=80),
        ]
    ],
    BeforeValidator(_codes, json_schema_input_type=Text | int | list[Text | int]),
]
"""Names and older codes; codes of digits may be written without quotes."""
Instant = Annotated[
    str,
    PlainValidator(_instant),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$"}
    ),
]
Pattern = Annotated[Text, AfterValidator(_star_at_end)]
Patterns = Annotated[
    list[Pattern],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=Text | list[Text],
    ),
    Field(min_length=1),
]


class DeskStormModel(Strict):
    """When single papers become one digest."""

    over: Positive = 60
    within: Duration = 60_000
    every: Duration = 300_000
    singly_from: SeverityName | Literal["never"] = "red"
    sinks: Names | None = None


class DeskModel(Strict):
    """`desk.yaml`: whose desk the folder declares, and what holds for all of it."""

    desk: Id
    title: Title
    owner: Text | None = None
    storm: DeskStormModel = DeskStormModel()
    reopen_lifts: Annotated[int, Field(ge=0, le=100)] = 2
    merge_reasons: list[Text] = Field(default=[])


class DeskDepartmentModel(Strict):
    """An office that can be in charge of a case."""

    title: Title
    sinks: Names | None = None
    areas: Areas | None = None
    person: Text | None = None
    next: Text | None = None


class DepartmentsModel(Strict):
    """`departments.yaml`, key by key."""

    departments: Annotated[dict[Id, DeskDepartmentModel], Field(min_length=1)]


class DeskCentreModel(Strict):
    """A command centre of one of the three tiers."""

    tier: TierName
    title: Title
    sinks: Names | None = None
    also: OtherNames | None = None
    above: AreaCode | None = None


class CentresModel(Strict):
    """`centres.yaml`, key by key."""

    centres: Annotated[dict[AreaCode, DeskCentreModel], Field(min_length=1)]


class DeskMatchModel(Strict):
    """Which alerts are meant; every part that is named must fit."""

    labels: dict[Identifier, Names] = Field(default={})
    rules: Patterns | None = None
    keys: Patterns | None = None
    areas: Areas | None = None
    packs: Names | None = None
    dispatch: Names | None = None
    min_severity: SeverityName | None = None
    hours: Text | None = None


class DeskHoursModel(Strict):
    """Time that counts: hours of the working days of a calendar."""

    calendar: Text = "all-days"
    hours: Hours | None = None
    zone: ZoneName = "Asia/Shanghai"


class DeskInhibitionModel(Strict):
    """While an alert of one kind is open, alerts of another with the same labels are not told."""

    name: Id
    while_: Annotated[DeskMatchModel, Field(alias="while")]
    quiet: DeskMatchModel
    equal: Names | None = None


class DeskMaintenanceModel(Strict):
    """A time in which alerts that match are kept and not told."""

    name: Id
    quiet: DeskMatchModel
    from_: Annotated[Instant | None, Field(alias="from")] = None
    until: Instant | None = None
    hours: Text | None = None
    zone: ZoneName = "Asia/Shanghai"
    reason: Text


class DeskQuietModel(Strict):
    """What keeps alerts from being told."""

    inhibitions: list[DeskInhibitionModel] = Field(default=[])
    maintenance: list[DeskMaintenanceModel] = Field(default=[])


class MutesModel(Strict):
    """`mutes.yaml`, key by key."""

    mutes: DeskQuietModel
