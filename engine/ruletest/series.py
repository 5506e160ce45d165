"""Readings as one line of text, one word a step: `4 4 11x12 _ 6`."""

import re

from engine.feeds.spec import FieldSpec, FieldType
from engine.ruletest.moments import Fault, Unreadable

_REPEATED = re.compile(r"(?P<value>.+?)x(?P<times>\d+)")
_WORDS = {"true": True, "false": False}
MOST = 100_000


class Missing:
    """No reading at this step."""


MISSING = Missing()
Reading = float | int | bool | str | Missing


def parse_series(text: str, spec: FieldSpec) -> list[Reading]:
    """Read a series of one field: `_` is a missing reading, `11x12` twelve readings of 11.

    Raises:
        Unreadable: A word does not fit the field's type; the column points at it.

    """
    readings: list[Reading] = []
    for word in re.finditer(r"\S+", text):
        value, times = word[0], 1
        if found := _REPEATED.fullmatch(word[0]):
            value, times = found["value"], int(found["times"])
        if len(readings) + times > MOST:
            raise Unreadable(Fault.MANY, word.start(), found=word[0], limit=MOST)
        readings += [_reading(value, spec, word.start())] * times
    return readings


def _reading(word: str, spec: FieldSpec, column: int) -> Reading:
    if word == "_":
        return MISSING
    try:
        match spec.type:
            case FieldType.NUMBER:
                return float(word)
            case FieldType.INTEGER:
                return int(word)
            case FieldType.BOOL:
                return _WORDS[word]
            case _:
                return word
    except (ValueError, KeyError):
        raise Unreadable(
            Fault.VALUE, column, found=word, name=spec.name, type=str(spec.type)
        ) from None
