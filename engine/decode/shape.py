"""The typed record of a feed: which fields are built, under which names, checked for what."""

import keyword
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec

from engine.feeds.spec import FeedSpec, FieldSpec, FieldType
from engine.feeds.times import EPOCH_FORMATS
from engine.feeds.values import INTEGER_LIMIT, LONGEST_KEY


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a feed that are built, and the struct that holds them.

    Attributes:
        fields: What is built, in the order of the declaration.
        keys: Names of the fields that make up the key or the event id.
        struct: The msgspec type; attributes are named like the fields.

    """

    fields: tuple[FieldSpec, ...]
    keys: frozenset[str]
    struct: type[msgspec.Struct]


def shape_of(spec: FeedSpec, used: Collection[str] | None) -> Shape:
    """Choose what of a feed's records is built: what rules use, and what identifies a record.

    Key, event id, time, position and the `located` flag are always built, also where the feed
    declares them by their role only and not under `fields`.

    Args:
        spec: The feed.
        used: Names of the fields that rules read, or None for all.

    """
    always = _implied(spec)
    every = {**spec.fields, **always}
    ordered = [*spec.fields, *(name for name in every if name not in spec.fields)]
    fields = tuple(every[n] for n in ordered if used is None or n in used or n in always)
    for field in fields:
        if not field.name.isidentifier() or keyword.iskeyword(field.name):
            message = f"a field cannot be named '{field.name}'"
            raise ValueError(message)
    keys = frozenset(spec.key) | frozenset(spec.id)
    struct = msgspec.defstruct(
        "Event",
        [member_of(field, key=field.name in spec.key) for field in fields],
        rename={field.name: field.wire or field.name for field in fields},
        gc=False,
        kw_only=True,
        module=__name__,
    )
    return Shape(fields, keys, struct)


def _implied(spec: FeedSpec) -> dict[str, FieldSpec]:
    """The fields that a feed has by their role: key, id, time, position, located."""
    roles: dict[str, FieldSpec] = {}
    for name in (*spec.key, *spec.id):
        roles[name] = spec.fields.get(name) or FieldSpec(name, FieldType.TEXT)
    if spec.position is not None:
        for name in (spec.position.lon, spec.position.lat):
            roles[name] = spec.fields.get(name) or FieldSpec(name, FieldType.NUMBER)
    if spec.hygiene.located:
        name = spec.hygiene.located
        roles[name] = spec.fields.get(name) or FieldSpec(name, FieldType.BOOL)
    time = spec.time
    declared = spec.fields.get(time.field) or FieldSpec(time.field, FieldType.TIME)
    roles[time.field] = replace(
        declared, type=FieldType.TIME, format=time.format, zone=time.zone, optional=False
    )
    for name in spec.key:
        roles[name] = replace(roles[name], optional=False)
    return roles


def member_of(field: FieldSpec, *, key: bool) -> tuple[str, Any] | tuple[str, Any, Any]:
    """A field as a member of its struct: name, type, and None as the default of an optional one."""
    kind = _kind(field, key=key)
    return (field.name, kind | None, None) if field.optional else (field.name, kind)


def _kind(field: FieldSpec, *, key: bool) -> Any:
    match field.type:
        case FieldType.TEXT | FieldType.PLATE:
            if field.values:
                return Literal[tuple(field.values)]
            longest = min(field.max_length, LONGEST_KEY) if key else field.max_length
            return Annotated[str, msgspec.Meta(min_length=1 if key else None, max_length=longest)]
        case FieldType.NUMBER:
            return Annotated[float, msgspec.Meta(ge=field.low, le=field.high)]
        case FieldType.INTEGER:
            low = -INTEGER_LIMIT if field.low is None else math.ceil(field.low)
            high = INTEGER_LIMIT if field.high is None else math.floor(field.high)
            return Annotated[int, msgspec.Meta(ge=low, le=high)]
        case FieldType.BOOL:
            return bool
        case FieldType.TIME:
            return int | float if field.format in EPOCH_FORMATS else str


def columns_of_feed(spec: FeedSpec) -> tuple[str, ...]:
    """The columns of a CSV record without header: the declared fields, in their order."""
    return tuple(
        field.wire or field.name
        for field in shape_of(spec, None).fields
        if not (field.implied and field.optional)
    )
