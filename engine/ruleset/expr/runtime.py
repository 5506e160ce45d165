"""What the functions of expressions compute, on values that are never null."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import re2

from engine.geo.distance import distance_m
from engine.model.masks import mask_name, mask_phone, mask_plate, mask_text

if TYPE_CHECKING:
    from engine.geo.zones import ZoneSet
    from engine.model.calendar import WorkCalendar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER = 900_000
_MINUTE = 60_000
_REMEMBERED = 4096
_MASKS = {"plate": mask_plate, "phone": mask_phone, "name": mask_name, "text": mask_text}


@dataclass(frozen=True, slots=True)
class Tools:
    """What functions need of the project.

    Attributes:
        zones: Layers by name, for `inside`.
        calendars: Working-day calendars by name, for `workday`; `cn` is the usual one.
        zone: The time zone of `hour`, `weekday` and `workday`.

    """

    zones: "Mapping[str, ZoneSet]" = field(default_factory=dict)
    calendars: "Mapping[str, WorkCalendar]" = field(default_factory=dict)
    zone: str = "Asia/Shanghai"


Position = tuple[float, float]
Run = Callable[..., Any]


def runner(name: str, constants: Mapping[int, object], tools: Tools) -> tuple[Run, tuple[int, ...]]:
    """The Python function behind a call, and which of the arguments it still takes.

    Args:
        name: The function's name in expressions.
        constants: Arguments known at load, by position.
        tools: What it needs of the project.

    Returns:
        The function, and the positions of the arguments to hand it. `distance`, and `inside` with
        a constant zone, take positions as longitude and latitude.

    """
    if name in _PLAIN:
        return _PLAIN[name], ()
    if name == "matches":
        return _matcher(str(constants[1])), (0,)
    if name == "mask":
        return _MASKS[str(constants.get(1, "text"))], (0,)
    if name == "inside":
        known = constants.get(1)
        finder = _finder(tools)
        if isinstance(known, str):
            return finder(known) or _nowhere, (0,)
        return _inside(finder), (0, 1)
    return _clock(name, str(constants.get(1, "cn")), tools), (0,)


def _nowhere(_lon: float, _lat: float) -> None:
    """The answer about a zone that nobody declared."""


def round_half_up(value: float, digits: int = 0) -> float:
    """The decimal number nearest to what is printed; a half goes away from zero: 2.5 is 3."""
    exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return float(exact) if digits else int(exact)


def any_of(text: str, parts: tuple[str, ...]) -> bool:
    """Whether one of the parts occurs in the text."""
    return any(part in text for part in parts)


def _contains(whole: Any, part: str) -> bool:
    """Whether a text or list contains a text."""
    return part in whole


_PLAIN: Mapping[str, Run] = {
    "distance": distance_m,
    "abs": abs,
    "min": min,
    "max": max,
    "round": round_half_up,
    "len": len,
    "lower": str.lower,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": _contains,
    "any_of": any_of,
}


def _matcher(pattern: str) -> Run:
    """Whether the pattern occurs anywhere in a text."""
    options = re2.Options()
    options.log_errors = False
    search = re2.compile(pattern, options).search
    return lambda text: search(text) is not None


def _finder(tools: Tools) -> Callable[[str], Callable[[float, float], bool] | None]:
    """For the name of a layer or the id of a zone: whether a position is inside; None if unknown.

    A layer hides a zone of the same name.
    """
    known: dict[str, Callable[[float, float], bool] | None] = {}

    def find(name: str) -> Callable[[float, float], bool] | None:
        if name in known:
            return known[name]
        found = tools.zones[name].inside if name in tools.zones else _zone(tools, name)
        if len(known) < _REMEMBERED:
            known[name] = found
        return found

    return find


def _zone(tools: Tools, name: str) -> Callable[[float, float], bool] | None:
    """The zone of that id in the first layer, by name, that has it."""
    for layer in sorted(tools.zones):
        try:
            zone = tools.zones[layer].zone(name)
        except KeyError:
            continue
        if zone is not None:
            return zone.contains
    return None


def _inside(finder: Callable[[str], Callable[[float, float], bool] | None]) -> Run:
    """`inside` with a zone id that comes from the data; null if there is no such zone."""

    def inside(at: Position, name: str) -> bool | None:
        contains = finder(name)
        return None if contains is None else contains(at[0], at[1])

    return inside


def _shift(calendar: str, tools: Tools, zone: ZoneInfo) -> Run:
    """`shift`: the shift of a calendar that works at an instant; one answer holds for a minute."""
    shift_at = tools.calendars[calendar].shift_at

    @lru_cache(_REMEMBERED)
    def answer(minute: int) -> object:
        return shift_at((_EPOCH + timedelta(minutes=minute)).astimezone(zone))

    return lambda at: answer(at // _MINUTE)


def _clock(name: str, calendar: str, tools: Tools) -> Run:
    """`hour`, `weekday` (Monday is 1) and `workday` by the local clock.

    Offsets from UTC change at quarter hours only, so one answer holds for a quarter of an hour.
    """
    zone = ZoneInfo(tools.zone)
    if name == "shift":
        return _shift(calendar, tools, zone)

    def local(quarter: int) -> datetime:
        return (_EPOCH + timedelta(milliseconds=quarter * _QUARTER)).astimezone(zone)

    answer: Callable[[int], object]
    if name == "hour":
        answer = lru_cache(_REMEMBERED)(lambda quarter: local(quarter).hour)
    elif name == "weekday":
        answer = lru_cache(_REMEMBERED)(lambda quarter: local(quarter).isoweekday())
    elif name == "workday":
        is_workday: Callable[[date], bool] = tools.calendars[calendar].is_workday
        answer = lru_cache(_REMEMBERED)(lambda quarter: is_workday(local(quarter).date()))
    else:
        message = f"no function '{name}'"
        raise AssertionError(message)
    return lambda at: answer(at // _QUARTER)
