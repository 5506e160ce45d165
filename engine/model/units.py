"""Quantities as people write them (`30m`, `150 meters`, `5 km/h`, `300 万元`) into base units.

Durations become milliseconds, distances metres, speeds metres a second. Distances are spelled,
because `50m` is fifty minutes.
"""

import re
from difflib import get_close_matches
from fractions import Fraction
from typing import NamedTuple

from engine.errors import Location, Problem
from engine.model.formats import (
    format_distance,
    format_duration,
    format_money,
    format_number,
    format_quantity,
    format_speed,
    format_time,
)
from engine.model.period import Period, PeriodUnit
from engine.model.unit_table import BASE, IN_TEXT, PLAIN, UNITS, WRITTEN, Unit, dimension, scale
from engine.text.terms import Term

__all__ = [
    "BASE",
    "COUNTED",
    "UNITS",
    "Quantity",
    "QuantityError",
    "Unit",
    "dimension",
    "format_distance",
    "format_duration",
    "format_money",
    "format_number",
    "format_quantity",
    "format_speed",
    "format_time",
    "measured",
    "parse_distance",
    "parse_duration",
    "parse_period",
    "parse_quantity",
    "parse_speed",
    "plain_number",
    "scale",
    "scan_quantity",
    "written",
]

MAX_DIGITS = 15
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_UNIT = re.compile(
    "(?:"
    + "|".join(re.escape(name) for name in sorted(IN_TEXT, key=len, reverse=True))
    + r")(?!\w)"
)
_WORD = re.compile(r"[^\W\d]\w*(?:/[^\W\d]\w*)?")
_STEP = r"([0-9]+(?:\.[0-9]+)?)(ms|毫秒|s|秒|m|分钟|分|h|小时|d|天)"
_ONE_STEP = re.compile(_STEP)
_STEPS = re.compile(rf"(?:{_STEP}){{2,40}}(?!\w)")
_COUNTED = {
    PeriodUnit.WORKDAYS: "workday workdays 工作日 个工作日",
    PeriodUnit.MONTHS: "month months 月 个月",
    PeriodUnit.DAYS: "day days 天 日 自然日 个自然日",
}
_LONGER = {
    "year": (12, PeriodUnit.MONTHS),
    "years": (12, PeriodUnit.MONTHS),
    "年": (12, PeriodUnit.MONTHS),
    "week": (7, PeriodUnit.DAYS),
    "weeks": (7, PeriodUnit.DAYS),
    "周": (7, PeriodUnit.DAYS),
}
_PERIODS = {
    spelling: (1, unit) for unit, spellings in _COUNTED.items() for spelling in spellings.split()
} | _LONGER
COUNTED = frozenset(_PERIODS)
"""Spellings of what a calendar counts: days, weeks, months, years, workdays."""
_CALENDAR = {name for name in _PERIODS if name not in UNITS}
_PART = re.compile(r"([0-9]{1,6})\s*([^\W\d]+)")
_EXAMPLES = {"time": "30m", "length": "150 meters", "speed": "5 km/h", "money": "300 万元"}


class QuantityError(ValueError):
    """A quantity that cannot be read: code and values for the catalogue, and where it went wrong.

    `column` counts characters from the start of the text that was read, from 0.
    """

    def __init__(self, column: int, code: str, nearest: str = "", **found: object) -> None:
        self.code = code
        self.column = column
        self.nearest = nearest
        self.found = found
        super().__init__(code, found)

    def problem(self, at: Location) -> Problem:
        """The same as a problem of a declaration whose text starts at `at`."""
        return Problem(at.moved(self.column), self.code, self.found, self.nearest)


class Quantity(NamedTuple):
    """A number as written, with the short spelling of its unit, or None for a bare number."""

    value: Fraction
    unit: str | None

    @property
    def base(self) -> Fraction:
        """The same in the base unit of its dimension."""
        return self.value * UNITS[self.unit].factor if self.unit else self.value


class Scanned(NamedTuple):
    """A quantity found inside a longer text, and the index after it."""

    quantity: Quantity
    end: int


def plain_number(value: Fraction) -> int | float:
    """The exact number as Python computes with it: whole numbers stay whole."""
    return value.numerator if value.denominator == 1 else float(value)


def written(value: Fraction | float, unit: str | None) -> str:
    """A quantity as it would be written in a rule: `5 km/h`, `30m`, `50 meters`."""
    if unit == "ms" and value:
        steps = ((name, UNITS[name].factor) for name in ("d", "h", "min", "s", "ms"))
        unit, size = next(step for step in steps if not value % step[1] or step[0] == "ms")
        value = Fraction(value) / size
    number = f"{float(value):.15g}"
    if unit is None:
        return number
    if unit in {"ms", "s", "min", "h", "d", "%"}:
        return f"{number}{WRITTEN.get(unit, unit)}"
    return f"{number} {WRITTEN.get(unit, unit)}"


def scan_quantity(text: str, start: int = 0, stop_words: frozenset[str] = frozenset()) -> Scanned:
    """Read the number at `start` and the unit behind it, if there is one.

    A word behind a number is its unit, unless it is one of `stop_words`. `50%` is a ratio unless
    an operand follows, which makes it a remainder.

    Raises:
        QuantityError: The number is too long or the unit is unknown.

    """
    steps = _STEPS.match(text, start)
    if steps:
        total = sum(
            Fraction(number) * UNITS[IN_TEXT[unit]].factor
            for number, unit in _ONE_STEP.findall(steps[0])
        )
        return Scanned(Quantity(Fraction(total), "ms"), steps.end())
    number = _NUMBER.match(text, start)
    if number is None:
        raise QuantityError(start, "R407", text=_brief(text), example=_EXAMPLES["length"])
    if len(number[0]) > MAX_DIGITS:
        raise QuantityError(start, "R307", digits=MAX_DIGITS)
    value, end = Fraction(number[0]), number.end()
    after = end
    while after < len(text) and text[after] in " \t":
        after += 1
    unit = _UNIT.match(text, after)
    if unit and unit[0] not in stop_words and not (unit[0] == "%" and _operand(text, unit.end())):
        return Scanned(Quantity(value, PLAIN[IN_TEXT[unit[0]]]), unit.end())
    word = _WORD.match(text, after)
    if word and word[0].split("/")[0] not in stop_words:
        if word[0] in _CALENDAR:
            raise QuantityError(start, "R408", text=text[start : word.end()])
        raise QuantityError(after, "R403", nearest_unit(word[0]), unit=word[0][:40])
    return Scanned(Quantity(value, None), end)


def _operand(text: str, at: int) -> bool:
    """Whether what follows `%` can be divided by, so that `%` means the remainder."""
    rest = text[at : at + 64].lstrip()
    word = _WORD.match(rest)
    if word:
        return word[0] not in {"and", "or", "not", "in", "if", "else"}
    return rest[:1].isdigit() or rest[:1] in {"(", "[", '"', "'"}


def measured(name: str | None) -> Term:
    """A dimension as a word of the catalogue."""
    return Term("duration" if name == "time" else name or "bare")


def nearest_unit(word: str) -> str:
    """The known unit most like `word` in its usual spelling, or nothing."""
    near = get_close_matches(word[:40], [*IN_TEXT, *_CALENDAR], n=1, cutoff=0.6)
    if not near:
        return ""
    plain = PLAIN.get(near[0])
    return WRITTEN.get(plain, plain) if plain and near[0].isascii() else near[0]


def parse_quantity(text: str, measures: str | None = None) -> Quantity:
    """Read a number with its unit that fills the whole text: `5 km/h`, `300 万元`, `20%`.

    Args:
        text: What was written.
        measures: The dimension it must have, or None for any, also none.

    Returns:
        The number in the unit written, exact.

    Raises:
        QuantityError: It is no quantity, its unit is unknown, or it measures something else.

    """
    start = len(text) - len(text.lstrip())
    example = _EXAMPLES.get(measures or "", _EXAMPLES["length"])
    if not text[start : start + 1].isdigit():
        raise QuantityError(0, "R407", text=_brief(text), example=example)
    quantity, end = scan_quantity(text, start)
    if text[end:].strip():
        raise QuantityError(0, "R407", text=_brief(text), example=example)
    if measures is None or dimension(quantity.unit) == measures:
        return quantity
    number = f"{float(quantity.value):.15g}"
    if quantity.unit is None:
        raise QuantityError(0, "R405", text=_brief(text), example=f"{number} {_spelled(measures)}")
    if measures == "length" and quantity.unit == "min" and text[end - 1] == "m":
        raise QuantityError(0, "R404", text=_brief(text), number=number)
    raise QuantityError(
        0,
        "R409",
        text=_brief(text),
        found=measured(dimension(quantity.unit)),
        expected=measured(measures),
        example=example,
    )


def _spelled(measures: str) -> str:
    """The unit to suggest for a dimension, as rules write it."""
    usual = {"time": "seconds", "speed": "km/h"}.get(measures, BASE.get(measures, ""))
    return WRITTEN.get(usual, usual)


def _brief(text: str) -> str:
    """What was written, short enough for a message."""
    text = text.strip()
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - a line's worth


def parse_duration(text: str) -> int:
    """Read an exact duration (`30s`, `20m`, `1h30m`, `7d`, `45 分钟`) in milliseconds."""
    base = parse_quantity(text, "time").base
    if base.denominator != 1:
        raise QuantityError(0, "R407", text=_brief(text), example=_EXAMPLES["time"])
    return base.numerator


def parse_distance(text: str) -> float:
    """Read a spelled distance (`150 meters`, `2 km`, `150 米`) in metres."""
    return float(parse_quantity(text, "length").base)


def parse_speed(text: str) -> float:
    """Read a speed (`5 km/h`, `2 m/s`, `12 knots`) in metres a second."""
    return float(parse_quantity(text, "speed").base)


def parse_period(text: str) -> Period:
    """Read a time limit as law writes it: `20 workdays`, `1 month + 5 workdays`, `30 days`, `7d`.

    Days, months and workdays are counted on a calendar; `7d` and `36h` are exact.

    Raises:
        QuantityError: A part is neither a counted unit nor a duration.

    """
    parts: list[tuple[int, PeriodUnit]] = []
    column = 0
    for piece in text.split("+"):
        counted = _PART.fullmatch(piece.strip())
        if counted and counted[2] in _PERIODS:
            times, unit = _PERIODS[counted[2]]
            parts.append((int(counted[1]) * times, unit))
        else:
            parts.append((_exact_part(piece, text, column), PeriodUnit.MS))
        column += len(piece) + 1
    return Period(tuple(parts), text.strip())


def _exact_part(piece: str, text: str, column: int) -> int:
    """A part of a period that is an exact duration, in milliseconds."""
    try:
        return parse_duration(piece)
    except QuantityError as error:
        if error.code == "R403":
            raise QuantityError(
                column + error.column, "R403", error.nearest, **error.found
            ) from None
        space = len(piece) - len(piece.lstrip())
        raise QuantityError(column + space, "R410", text=_brief(text)) from None
