"""The small things declarations are made of: names, words in two languages, dates, hours, texts."""

import keyword
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from engine.ruleset.shape import Strict, nearest, refuse

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_ID = 80
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_DAY_MINUTES = 1440

SEVERITIES = ("blue", "yellow", "orange", "red")
SeverityName = Literal["blue", "yellow", "orange", "red"]


def _identifier(name: str) -> str:
    """A name that rules can use: a letter first, then letters, digits and underscores."""
    fits = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    if not fits or unicodedata.normalize("NFKC", name) != name or len(name) > _LONGEST_ID:
        refuse("R131", text=name[:_LONGEST_ID])
    return name


def _id(name: str) -> str:
    """A name of a file or of a thing in one: small letters, digits, single dashes."""
    if not _ID.fullmatch(name) or len(name) > _LONGEST_ID:
        refuse("R146", text=name[:_LONGEST_ID])
    return name


def _day(text: str) -> str:
    """A day as 2026-03-02."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        refuse("R139")
    if day.isoformat() != text:
        refuse("R139")
    return text


def _zone(name: str) -> str:
    """An IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        near = nearest(name, available_timezones())
        refuse("R431", nearest=near)
    return name


def _hours(text: Any) -> tuple[tuple[int, int], ...]:
    """Daily hours such as `08:00-12:00, 22:00-06:00` as spans of minutes of a day."""
    if not isinstance(text, str):
        refuse("R142")
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        found = _HOURS.fullmatch(part.strip())
        if not found:
            refuse("R142")
        begin, end = _minutes(found[1], found[2]), _minutes(found[3], found[4])
        if begin in {end, _DAY_MINUTES}:
            refuse("R142")
        spans += [(begin, end)] if begin < end else [(begin, _DAY_MINUTES), (0, end)]
    return tuple(sorted(span for span in spans if span[0] < span[1]))


def _minutes(hour: str, minute: str) -> int:
    """Minutes after midnight of a clock reading up to 24:00."""
    total = int(hour) * 60 + int(minute)
    if total > _DAY_MINUTES or int(minute) >= 60:  # noqa: PLR2004 - minutes in an hour
        refuse("R142")
    return total


def _both(value: Any) -> Any:
    """One text for all languages, or a mapping with one for each."""
    return {"zh": value, "en": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """A single item where a list may stand."""
    return [value] if isinstance(value, str | dict) else value


def _texts(value: Any) -> Any:
    """A single text where a list of texts may stand."""
    return [value] if isinstance(value, str) else value


def _expression(value: Any) -> Any:
    """An expression: text, or a bare number or truth value."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else value


def _distinct(items: list[str]) -> list[str]:
    """A list in which nothing stands twice."""
    for index, item in enumerate(items):
        if item in items[:index]:
            refuse("R138", item=item[:_LONGEST_ID])
    return items


class Words(Strict):
    """One text in Chinese and English."""

    zh: "Text"
    en: "Text"

    def plain(self) -> dict[str, str]:
        """The texts by language."""
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True)
class _OneOrMany:
    """Makes of a list one that may also be written as its single item."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        items = handler(source)
        single: CoreSchema = items.get("items_schema", core_schema.any_schema())
        return core_schema.no_info_before_validator_function(
            _listed, items, json_schema_input_schema=core_schema.union_schema([single, items])
        )


def _described(name: str, **shape: Any) -> WithJsonSchema:
    """How editors check and explain a text; the words are the entry `schema-<name>`."""
    words = {"description": f"say:schema-{name}", "x-type": name}
    return WithJsonSchema({"type": "string", **shape, **words})


_NAME = r"^[^\s\d_!-/:-@\[-^`{-~][^\s!-/:-@\[-^`{-~]*$"
"""A name in any script: no blanks and no ASCII signs but `_`, which cannot come first."""


Text = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
Identifier = Annotated[
    str,
    AfterValidator(_identifier),
    _described("identifier", pattern=_NAME, maxLength=_LONGEST_ID),
]
Id = Annotated[
    str,
    AfterValidator(_id),
    _described("id", pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", maxLength=_LONGEST_ID),
]
Day = Annotated[
    str, AfterValidator(_day), _described("day", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
]
ZoneName = Annotated[str, AfterValidator(_zone), _described("zone", examples=["Asia/Shanghai"])]
Hours = Annotated[
    tuple[tuple[int, int], ...],
    PlainValidator(_hours),
    _described(
        "hours",
        pattern=r"^\s*[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}(\s*,\s*[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})*\s*$",
        examples=["08:00-18:00", "22:00-06:00"],
    ),
]
Title = Annotated[Words, BeforeValidator(_both, json_schema_input_type=Text | Words)]
Expression = Annotated[
    str,
    BeforeValidator(_expression),
    StringConstraints(min_length=1),
    _described("expression", type=["string", "boolean", "number"], minLength=1),
]
_DistinctTexts = Annotated[list[Text], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
Names = Annotated[
    list[Text],
    BeforeValidator(_texts, json_schema_input_type=Text | _DistinctTexts),
    Field(min_length=1),
    AfterValidator(_distinct),
]
Listed = _OneOrMany()
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]


class BasisModel(Strict):
    """The legal ground of a rule, and the days between which it is in force."""

    title: Text
    article: Text | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    version: Text | None = None
    url: Text | None = None
    note: Text | None = None


Basis = Annotated[list[BasisModel], Listed]
