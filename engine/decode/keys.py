"""The texts that tell events apart: the key of their state, and their rank among equals."""

import hashlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from engine.feeds.spec import FieldSpec, FieldType

KeyOf = Callable[[Any], str]
RankOf = Callable[[Any, bytes], str]

_DIGEST_BYTES = 12
_JOIN = "|"


def key_of(fields: Sequence[FieldSpec]) -> KeyOf:
    """The key of an event as one text.

    A single text field is its own key. Several are joined by `|` (a `|` inside is escaped, so that
    different keys never share a text). An event without a value for a key field has no key: "".
    """
    if len(fields) == 1:
        (field,) = fields
        get = attrgetter(field.name)
        if field.type in (FieldType.TEXT, FieldType.PLATE) and not field.optional:
            return get
        return lambda event: key_text(get(event))
    getters = [attrgetter(field.name) for field in fields]

    def join(event: Any) -> str:
        values = [get(event) for get in getters]
        return "" if None in values else _JOIN.join(map(_escaped, values))

    return join


def joined_key(values: Sequence[object]) -> str:
    """The text that `key_of` makes of an event with these values; for tables and rosters."""
    if len(values) == 1:
        return key_text(values[0])
    return "" if None in values else _JOIN.join(map(_escaped, values))


def key_text(value: object) -> str:
    """One value as part of a key: 7 and 7.0 are the same key, null is none."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _escaped(value: object) -> str:
    text = key_text(value)
    if "\\" in text or _JOIN in text:
        return text.replace("\\", "\\\\").replace(_JOIN, "\\" + _JOIN)
    return text


def rank_of(
    id_fields: Sequence[FieldSpec], known: frozenset[str], *, declared: bool
) -> RankOf | None:
    """The order among events of one feed, key and time, and what makes two of them the same event.

    Args:
        id_fields: Fields of the declared event id.
        known: Names of the key's fields and of the time field; they are equal already.
        declared: The feed declares an event id; else the content is the id.

    Returns:
        A function of event and raw record, or None when key and time say it all.

    """
    if not declared:
        return lambda _event, raw: hashlib.blake2b(raw, digest_size=_DIGEST_BYTES).hexdigest()
    rest = [field for field in id_fields if field.name not in known]
    if not rest:
        return None
    key = key_of(rest)
    return lambda event, _raw: key(event)
