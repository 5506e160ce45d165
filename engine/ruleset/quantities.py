"""Quantities as types of a declaration: milliseconds, metres, metres a second, periods."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from engine.model.period import Period
from engine.model.units import (
    COUNTED,
    UNITS,
    QuantityError,
    parse_distance,
    parse_duration,
    parse_period,
    parse_speed,
)
from engine.ruleset.shape import refuse, show

_LONGEST = 200
_CENTURY_MS = 100 * 366 * 86_400_000
_EARTH_M = 21_000_000.0


def _reader(parse: Callable[[str], Any], example: str, most: float) -> Callable[[Any], Any]:
    """A validator that reads one kind of quantity from text."""

    def read(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            refuse("R405", text=_brief(value), example=example)
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
            refuse("R407", text=_brief(value), example=example)
        try:
            quantity = parse(value)
        except QuantityError as error:
            refuse(error.code, **error.found, nearest=error.nearest, column=error.column)
        if _size(quantity) > most:
            refuse("R438", text=_brief(value))
        return quantity

    return read


def _brief(value: Any) -> str:
    """What was written, without quotes of ours."""
    shown = show(value)
    return shown[1:-1] if isinstance(value, str) else shown


def _size(quantity: float | Period) -> float:
    """How large a quantity is; for a period, roughly in milliseconds."""
    if not isinstance(quantity, Period):
        return quantity
    return max(amount if unit == "ms" else amount * 86_400_000 for amount, unit in quantity.parts)


def spelled(kind: str, units: Iterable[str], examples: list[str]) -> WithJsonSchema:
    """How editors check and explain a quantity: numbers, each with one of these units."""
    names = "|".join(re.escape(name) for name in sorted(units, key=lambda one: (-len(one), one)))
    one = rf"[0-9]+(?:\.[0-9]+)?\s*(?:{names})"
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*{one}(?:\s*\+?\s*{one})*\s*$",
            "examples": examples,
            "description": f"say:schema-{kind}",
            "x-type": kind,
        }
    )


def _units(dimension: str) -> list[str]:
    """Every spelling of the units of a dimension."""
    return [name for name, unit in UNITS.items() if unit.dimension == dimension]


_TIMES = [*_units("time"), "m"]

Duration = Annotated[
    int,
    PlainValidator(_reader(parse_duration, "30m", _CENTURY_MS)),
    spelled("duration", _TIMES, ["30s", "20m", "1h30m", "7d"]),
]
"""An exact duration in milliseconds."""

Distance = Annotated[
    float,
    PlainValidator(_reader(parse_distance, "150 meters", _EARTH_M)),
    spelled("distance", _units("length"), ["150 meters", "2 km"]),
]
"""A distance in metres."""

Speed = Annotated[
    float,
    PlainValidator(_reader(parse_speed, "5 km/h", 1e6)),
    spelled("speed", _units("speed"), ["5 km/h", "12 knots"]),
]
"""A speed in metres a second."""

PeriodText = Annotated[
    Period,
    PlainValidator(_reader(parse_period, "20 workdays", _CENTURY_MS)),
    spelled("period", {*_TIMES, *COUNTED}, ["20 workdays", "1 month + 5 workdays", "30 days"]),
]
"""A period of days, months or workdays, or an exact duration."""
