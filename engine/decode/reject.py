"""Why a record was rejected: a bounded reason and the name of the field, in our words only."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine.feeds.reasons import BadValue as BadValue  # noqa: PLC0414 - readable from here too
from engine.feeds.reasons import Reason as Reason  # noqa: PLC0414
from engine.feeds.values import Reader


class FieldCheck(NamedTuple):
    """How to tell whether one field of a raw record is as declared."""

    name: str
    wire: str
    optional: bool
    read: Reader


def diagnose(value: bytes, checks: Sequence[FieldCheck]) -> tuple[Reason, str] | None:
    """Find what is wrong with a JSON record, field by field in the order of the declaration.

    Slow on purpose and independent of the fast decoder's messages. Answers the reason and the
    field's name, or None when it finds nothing wrong.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return Reason.NOT_TEXT, ""
    try:
        # The strict reader decides what is JSON; the patient one then tells members apart.
        msgspec.json.decode(value)
    except RecursionError:
        return Reason.TOO_DEEP, ""
    except msgspec.DecodeError as error:
        if "out of range" not in str(error):
            return Reason.NOT_JSON, ""
    try:
        raw = json.loads(text)
    except RecursionError:
        return Reason.TOO_DEEP, ""
    except ValueError:
        return Reason.NOT_JSON, ""
    if not isinstance(raw, dict):
        return Reason.NOT_OBJECT, ""
    return diagnose_fields(raw, checks)


def diagnose_fields(
    raw: dict[str, object], checks: Iterable[FieldCheck]
) -> tuple[Reason, str] | None:
    """The first field of a record that is not as declared, and why; None if all are."""
    for check in checks:
        if check.wire not in raw or raw[check.wire] is None:
            if check.optional:
                continue
            return Reason.MISSING_FIELD, check.name
        try:
            check.read(raw[check.wire])
        except BadValue as bad:
            return bad.reason, check.name
    return None


def repeats(names: Iterable[str]) -> Callable[[bytes], None]:
    """A close look at a record (a JSON object) in which a wire name occurs twice.

    The name may be a value, or belong to a nested object; only a repeated member raises.
    """
    watched = frozenset(names)

    def look(value: bytes) -> None:
        seen: set[str] = set()
        for name, _ in json.loads(value, object_pairs_hook=list):
            if name in seen and name in watched:
                raise BadValue(Reason.REPEATED_FIELD, name)
            seen.add(name)

    return look
