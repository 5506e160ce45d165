"""What the file of a feed or of a table may say."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from engine.model.unit_table import UNITS
from engine.ruleset.quantities import Duration, Speed
from engine.ruleset.schema_types import Id, Identifier, Names, Text, Title, ZoneName
from engine.ruleset.shape import Strict, nearest, refuse


def _column(name: str) -> str:
    """The name of a column; unlike a field it may be a word of the language, such as `return`."""
    if not name.isidentifier() or name.startswith("_") or len(name) > 80:  # noqa: PLR2004
        refuse("R131", text=name[:80])
    return name


ColumnName = Annotated[
    str,
    AfterValidator(_column),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 80}),
]
TypeName = Literal["text", "number", "integer", "bool", "time", "plate"]
_NUMBERS = ("number", "integer")
_BOUND = Annotated[float, Field(allow_inf_nan=False)]


def _typed(value: Any) -> Any:
    """A bare type where a field may stand."""
    return {"type": value} if isinstance(value, str) else value


class FieldModel(Strict):
    """One field of a feed."""

    type: TypeName
    from_: Annotated[Text | None, Field(alias="from")] = None
    unit: Text | None = None
    optional: bool = False
    pii: Text | None = None
    range: Annotated[list[_BOUND], Field(min_length=2, max_length=2)] | None = None
    values: Names | None = None
    format: Text | None = None
    zone: ZoneName | None = None
    max_length: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        number, words = self.type in _NUMBERS, self.type in {"text", "plate"}
        for key, given, fits in (
            ("unit", self.unit, number),
            ("range", self.range, number),
            ("values", self.values, words),
            ("max_length", self.max_length, words),
            ("format", self.format, self.type == "time"),
            ("zone", self.zone, self.type == "time"),
        ):
            if given is not None and not fits:
                refuse("R428", key=key, type=self.type, at=key)
        if self.range is not None and self.range[0] > self.range[1]:
            refuse("R412", at="range", low=f"{self.range[0]:g}", high=f"{self.range[1]:g}")
        if self.unit is not None and self.unit not in UNITS:
            refuse("R403", at="unit", unit=self.unit[:40], nearest=nearest(self.unit, UNITS))
        return self


_Typed = BeforeValidator(_typed, json_schema_input_type=TypeName | FieldModel)


class TimeModel(Strict):
    """Which field carries the event time, and how it is written."""

    field: Text
    format: Text
    zone: ZoneName = "Asia/Shanghai"


class PositionModel(Strict):
    """Which fields carry the position, and in which datum."""

    lon: Text
    lat: Text
    datum: Literal["wgs84", "cgcs2000", "gcj02", "bd09"]


class HygieneModel(Strict):
    """Which positions are not believed."""

    max_jump: Speed | None = None
    stuck: Duration | None = None
    located: Text | None = None
    drop: list[Literal["not-located", "null-island", "duplicate"]] = Field(default=[])


class FeedModel(Strict):
    """A feed file, key by key."""

    feed: Id
    title: Title
    topic: Annotated[Text | None, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = None
    format: Literal["json", "csv"]
    key: Names
    id: Names | None = None
    time: TimeModel
    lateness: Duration = 0
    idle_after: Duration = 300_000
    ahead: Duration = 3_600_000
    position: PositionModel | None = None
    fields: Annotated[
        dict[Identifier, Annotated[FieldModel, _Typed]],
        Field(min_length=1, max_length=2000),
    ]
    nulls: Annotated[list[Text], Field(max_length=50)] | None = None
    hygiene: HygieneModel = HygieneModel()
    purpose: Names | None = None


class SqlModel(Strict):
    """A query that gives a table's rows."""

    database: Id
    query: Text
    refresh: Annotated[Duration, Field(ge=1000)] = 60_000


class TopicModel(Strict):
    """A compacted topic that holds a table's rows."""

    database: Id = "broker"
    name: Annotated[Text, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    refresh: Annotated[Duration, Field(ge=1000)] = 10_000


class TableModel(Strict):
    """A table file, key by key."""

    table: Id
    title: Title | None = None
    key: Names
    fields: Annotated[
        dict[ColumnName, Annotated[FieldModel, _Typed]],
        Field(min_length=1, max_length=2000),
    ]
    valid: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    file: Annotated[Text | None, Field(pattern=r"^[^/\\]+\.(csv|parquet)$")] = None
    sql: SqlModel | None = None
    topic: TopicModel | None = None
    zone: ZoneName = "Asia/Shanghai"
