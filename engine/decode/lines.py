"""CSV records: one line of bytes becomes an event, by the columns of a header line."""

import csv
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from engine.decode.reject import FieldCheck
from engine.feeds.reasons import BadValue, Reason

NULL_TEXTS = frozenset({""})
HEARTBEAT = b"#watermark,"
"""How a line begins that only says how far the source has come."""
_BOM = "\ufeff"


def columns_of(header: bytes | str) -> tuple[str, ...]:
    """The column names of a header line, without a byte order mark and surrounding spaces.

    Raises:
        BadValue: The header is not UTF-8 or not one CSV line, or names a column twice.

    """
    names = tuple(name.strip() for name in _cells(header))
    if len(set(names)) < len(names):
        raise BadValue(Reason.REPEATED_FIELD, next(n for n in names if names.count(n) > 1))
    return names


def line_decoder(
    struct: type[msgspec.Struct],
    checks: Sequence[FieldCheck],
    columns: Sequence[str],
    nulls: Collection[str] = NULL_TEXTS,
) -> Callable[[bytes], Any]:
    """How to make an event of one CSV line. A text of `nulls` in an optional field means null.

    The event's values are final: times are milliseconds and plates are normalised.
    """
    places = {name: place for place, name in enumerate(columns)}
    plan = [(check, places.get(check.wire)) for check in checks]
    width = len(columns)

    def decode(value: bytes) -> Any:
        cells = _cells(value)
        if len(cells) != width or value.startswith(HEARTBEAT):
            raise BadValue(Reason.NOT_CSV, f"{len(cells)} of {width} columns")
        values: dict[str, object] = {}
        for check, place in plan:
            text = None if place is None else cells[place]
            if text is None or (text in nulls and (check.optional or text == "")):
                if not check.optional:
                    raise BadValue(Reason.MISSING_FIELD, check.name)
                continue
            try:
                values[check.name] = check.read(text)
            except BadValue as bad:
                raise BadValue(bad.reason, check.name) from bad
        return struct(**values)

    return decode


def _cells(line: bytes | str) -> list[str]:
    if isinstance(line, bytes):
        try:
            line = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadValue(Reason.NOT_TEXT) from error
    text = line.removeprefix(_BOM).rstrip("\r\n")
    if "\0" in text or "\n" in text:
        raise BadValue(Reason.NOT_CSV)
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadValue(Reason.NOT_CSV) from error
    if len(rows) != 1:
        raise BadValue(Reason.NOT_CSV)
    return rows[0]
