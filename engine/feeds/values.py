"""Single values as a declaration types them, read from text or from plain YAML and JSON values.

This is the slow and patient reader: for CSV records, tables and the diagnosis of bad records.
The hot path of JSON feeds lets msgspec do the same work (`engine/decode/shape.py`), and a test
holds the two together.
"""

import math
from collections.abc import Callable
from datetime import date, datetime

from engine.feeds.reasons import BadValue, Reason
from engine.feeds.spec import FieldSpec, FieldType
from engine.feeds.times import EPOCH_FORMATS, TimeReader, time_reader
from engine.model.plates import normalise

Reader = Callable[[object], object]
"""From one raw value to the typed one; raises `BadValue`."""

INTEGER_LIMIT = 2**63 - 1
LONGEST_KEY = 256
_TRUE = frozenset({"true", "yes", "1", "t", "y", "是"})
_FALSE = frozenset({"false", "no", "0", "f", "n", "否"})
_PLATES_KEPT = 100_000


def value_reader(spec: FieldSpec, *, key: bool = False, from_text: bool = False) -> Reader:
    """How to read one value of a declared field that is not null.

    Args:
        spec: The field.
        key: The field is part of a key: it may be neither empty nor longer than 256 characters.
        from_text: All values arrive as text (CSV), so numbers and truth values are read from it.

    """
    match spec.type:
        case FieldType.TEXT:
            return lambda value: _text(value, spec, key=key)
        case FieldType.PLATE:
            plate = plate_reader()
            return lambda value: plate(_text(value, spec, key=key))
        case FieldType.NUMBER:
            return lambda value: _bounded(_number(value, from_text=from_text), spec)
        case FieldType.INTEGER:
            return lambda value: _bounded(_integer(value, from_text=from_text), spec)
        case FieldType.BOOL:
            return lambda value: _bool(value, from_text=from_text)
        case FieldType.TIME:
            return _time_reader(spec, from_text=from_text)


def plate_reader() -> Callable[[str], str]:
    """A reader of plates that remembers the spellings it has seen."""
    seen: dict[str, str] = {}

    def read(text: str) -> str:
        plate = seen.get(text)
        if plate is None:
            plate = normalise(text)
            if plate is None:
                raise BadValue(Reason.BAD_PLATE)
            if len(seen) >= _PLATES_KEPT:
                seen.clear()
            seen[text] = plate
        return plate

    return read


def _text(value: object, spec: FieldSpec, *, key: bool) -> str:
    if not isinstance(value, str):
        raise BadValue(Reason.WRONG_TYPE)
    if key and not 0 < len(value) <= LONGEST_KEY:
        raise BadValue(Reason.BAD_KEY)
    if len(value) > spec.max_length:
        raise BadValue(Reason.TOO_LONG)
    if spec.values and value not in spec.values:
        raise BadValue(Reason.NOT_ALLOWED)
    return value


def _number(value: object, *, from_text: bool) -> float:
    if from_text and isinstance(value, str):
        number = _from_text(value, float)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError as error:
            raise BadValue(Reason.OUT_OF_RANGE) from error
    else:
        raise BadValue(Reason.WRONG_TYPE)
    if not math.isfinite(number):
        raise BadValue(Reason.OUT_OF_RANGE)
    return number


def _integer(value: object, *, from_text: bool) -> int:
    if from_text and isinstance(value, str):
        value = _from_text(value, int)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadValue(Reason.WRONG_TYPE)
    if not -INTEGER_LIMIT <= value <= INTEGER_LIMIT:
        raise BadValue(Reason.OUT_OF_RANGE)
    return value


def _from_text(text: str, kind: Callable[[str], float]) -> float:
    if not text.isascii() or "_" in text or len(text) > LONGEST_KEY:
        raise BadValue(Reason.WRONG_TYPE)
    try:
        return kind(text)
    except ValueError as error:
        raise BadValue(Reason.WRONG_TYPE) from error


def _bounded(number: float, spec: FieldSpec) -> float:
    if (spec.low is not None and number < spec.low) or (
        spec.high is not None and number > spec.high
    ):
        raise BadValue(Reason.OUT_OF_RANGE)
    return number


def _bool(value: object, *, from_text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if from_text and isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise BadValue(Reason.WRONG_TYPE)


def _time_reader(spec: FieldSpec, *, from_text: bool) -> Reader:
    """Times also arrive as the date objects of YAML; epoch formats as text in CSV."""
    read: TimeReader = time_reader(spec.format, spec.zone)
    iso: TimeReader = time_reader("iso8601", spec.zone)
    epoch = spec.format in EPOCH_FORMATS

    def moment(value: object) -> int:
        if isinstance(value, datetime | date):
            return iso(value.isoformat())
        if epoch and from_text and isinstance(value, str):
            number = _from_text(value, int if value.isdigit() else float)
            if not math.isfinite(number):
                raise BadValue(Reason.BAD_TIME)
            return read(number)
        if epoch is isinstance(value, str):
            raise BadValue(Reason.WRONG_TYPE)
        return read(value)

    return moment
