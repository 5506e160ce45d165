"""Rows of other systems as the text in which packs hold them: the same rows give the same bytes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from uuid import UUID

import orjson

from engine.feeds.values import INTEGER_LIMIT
from engine.state.answers import TIME_MARK

MOST_ROWS = 2_000_000


def as_answer(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as one JSON text, a row a line, sorted: a database answers in any order.

    Raises:
        ValueError: there are more than `MOST_ROWS`, or a value is of a kind that tables lack.

    """
    lines: list[bytes] = []
    for row in rows:
        if len(lines) >= MOST_ROWS:
            message = f"> {MOST_ROWS}"
            raise ValueError(message)
        try:
            values = {name: _plain(value) for name, value in zip(columns, row, strict=True)}
            lines.append(orjson.dumps(values))
        except (TypeError, OverflowError) as error:  # text that is not Unicode; years before 1
            raise ValueError(str(error)) from error
    head = orjson.dumps(list(columns))
    return b"\n".join([head, *sorted(lines)]) + b"\n"


def _wide(value: int | Decimal) -> float | None:
    """A number that is no integer of 64 bits; None for one that is not finite (null, as NaN is)."""
    try:
        number = float(value)
    except (OverflowError, ValueError):  # too large; a NaN that signals
        return None
    return number if isfinite(number) else None


def _plain(value: object) -> object:
    """A value as JSON holds it; instants are marked, so that they need no format."""
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return value if abs(value) <= INTEGER_LIMIT else _wide(value)
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return _plain(int(value)) if whole else _wide(value)
        case datetime():
            at = value.astimezone(UTC) if value.tzinfo is not None else value
            return {TIME_MARK: at.isoformat()}
        case date():
            return {TIME_MARK: datetime.combine(value, time()).isoformat()}
        case UUID():
            return str(value)
        case _:
            message = type(value).__name__
            raise ValueError(message)
