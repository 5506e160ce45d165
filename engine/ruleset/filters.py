"""How values print in alert texts: by their type, or as a filter says."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.model.formats import format_distance, format_duration, format_quantity, format_time
from engine.model.masks import mask_name, mask_phone, mask_plate, mask_text
from engine.model.unit_table import UNITS
from engine.ruleset.expr.types import NUMBER, POSITION, TEXT, TIME, Type
from engine.text import say

MISSING = "—"
"""What prints where a value is missing."""
_LEVELS = {"blue", "yellow", "orange", "red"}
_DEGREES = 5
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+\-]+){0,2}")


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: the kind (and dimension) it takes, how many arguments, and what it does.

    `run` gets the value, its type, the language, the time zone, and the arguments.
    """

    takes: str
    run: Callable[..., str]
    measures: str = ""
    arguments: int = 0


def printed(value: object, type_: Type, lang: str, zone: str) -> str:
    """A value as it prints by its type."""
    if isinstance(value, bool):
        return say("format-true" if value else "format-false", lang)
    if isinstance(value, int | float):
        if type_.kind == TIME:
            return format_time(int(value), zone, lang)
        if type_.unit is not None:
            return format_quantity(value, type_.unit, lang)
        return str(value) if isinstance(value, int) else f"{value:.10g}"
    if type_.kind == POSITION and isinstance(value, tuple):
        return ", ".join(f"{part:.{_DEGREES}f}" for part in value)
    return str(value)


def _time(value: int, _type: Type, lang: str, zone: str, other: str = "") -> str:
    return format_time(value, other or zone, lang)


def _duration(value: float, type_: Type, lang: str, _zone: str) -> str:
    factor = UNITS[type_.unit].factor if type_.unit in UNITS else 1
    return format_duration(float(value * factor), lang)


def _distance(value: float, type_: Type, lang: str, _zone: str) -> str:
    factor = UNITS[type_.unit].factor if type_.unit in UNITS else 1
    return format_distance(float(value * factor), lang)


def _level(value: str, _type: Type, lang: str, _zone: str) -> str:
    return say(f"format-level-{value}", lang) if value in _LEVELS else value


def _masked(mask: Callable[[str], str]) -> Callable[..., str]:
    return lambda value, _type, _lang, _zone: mask(str(value))


FILTERS: Mapping[str, Filter] = {
    "time": Filter(TIME, _time, arguments=1),
    "duration": Filter(NUMBER, _duration, measures="time"),
    "distance": Filter(NUMBER, _distance, measures="length"),
    "mask": Filter(TEXT, _masked(mask_text)),
    "mask_plate": Filter(TEXT, _masked(mask_plate)),
    "mask_phone": Filter(TEXT, _masked(mask_phone)),
    "mask_name": Filter(TEXT, _masked(mask_name)),
    "level": Filter(TEXT, _level),
}
"""Every filter by name."""


def is_zone(name: object) -> bool:
    """Whether there is a time zone of that name."""
    if not isinstance(name, str) or not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
