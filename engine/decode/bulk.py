"""Many records of a feed decoded at once, where nothing about any of them is out of the ordinary.

A shortcut, not a second opinion: it answers only when every record of the lot is surely an event,
and then with the events that one-by-one decoding would give. Otherwise it answers None, and the
caller takes the careful way, which also knows the reasons.
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec

from engine.decode.generate import LARGEST_RECORD
from engine.decode.shape import Shape, member_of
from engine.feeds.spec import FeedSpec, FieldSpec, FieldType

LOT = 256
"""So many records are tried together; an unusual one costs its whole lot the shortcut."""

Bulk = Callable[[Sequence[bytes]], "list[Any] | None"]
Readers = Sequence[tuple[str, Callable[[Any], object], bool]]

_LAST_MS = 253_402_300_799_999
_BOUNDS = ((-180.0, 180.0), (-90.0, 90.0))


def make_bulk(shape: Shape, spec: FeedSpec, readers: Readers, words: Sequence[bytes]) -> Bulk:
    """Make the shortcut of a JSON feed.

    Args:
        shape: What is built of a record.
        spec: The feed.
        readers: (field, reader, optional) of fields whose text becomes another value.
        words: Quoted wire names of the record's identity, which must occur once.

    """
    struct = _strict(shape, spec)
    decode = msgspec.json.Decoder(struct).decode
    plain = spec.time.format == "epoch-ms"
    left = [one for one in readers if not (plain and one[0] == spec.time.field)]

    def bulk(values: Sequence[bytes]) -> list[Any] | None:
        try:
            events = list(map(decode, values))
            for name, read, optional in left:
                for event in events:
                    text = getattr(event, name)
                    if text is not None or not optional:
                        setattr(event, name, read(text))
        except Exception:  # noqa: BLE001 - whatever it is, the careful way finds its reason
            return None
        joined = b"\n".join(values)
        # Every record holds each word at least once unless it writes the name with escapes.
        if b"\\" in joined or any(joined.count(word) != len(values) for word in words):
            return None
        if len(joined) > LARGEST_RECORD and max(map(len, values)) > LARGEST_RECORD:
            return None
        return events

    return bulk


def is_complete(spec: FeedSpec, fields: Sequence[FieldSpec]) -> bool:
    """Whether the shortcut leaves nothing to check but how far ahead of its arrival an event is."""
    if "not-located" in spec.hygiene.drop or "null-island" in spec.hygiene.drop:
        return False
    if spec.position is None:
        return True
    axes = (spec.position.lon, spec.position.lat)
    return not any(field.optional for field in fields if field.name in axes)


def _strict(shape: Shape, spec: FeedSpec) -> type[msgspec.Struct]:
    """The feed's event with the bounds of time and position in the types themselves."""
    members = []
    for field in shape.fields:
        name, kind, *default = member_of(field, key=field.name in spec.key)
        if field.name == spec.time.field and spec.time.format == "epoch-ms":
            kind = Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]
        elif spec.position is not None and not field.optional:
            for axis, (low, high) in zip(
                (spec.position.lon, spec.position.lat), _BOUNDS, strict=True
            ):
                if field.name == axis and field.type is FieldType.NUMBER:
                    kind = _within(field, low, high)
        members.append((name, kind, *default))
    made: type[msgspec.Struct] = msgspec.defstruct(
        "Event",
        members,
        rename={field.name: field.wire or field.name for field in shape.fields},
        gc=False,
        kw_only=True,
        module=__name__,
    )
    return made


def _within(field: FieldSpec, low: float, high: float) -> Any:
    """A number in the field's own range and in that of its axis."""
    least = max(low, -math.inf if field.low is None else field.low)
    most = min(high, math.inf if field.high is None else field.high)
    return Annotated[float, msgspec.Meta(ge=least, le=most)]
