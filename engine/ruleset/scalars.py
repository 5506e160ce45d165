"""What a plain YAML word means: the YAML 1.2 core rules, and nothing cleverer.

`yes`, `12:30:00` and `2020-01-01` are text; `010` is the number ten; only `true`, `false`, `null`
and decimal, octal (`0o`) and hexadecimal (`0x`) numbers are anything else.
"""

import math
import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_LONGEST_NUMBER = 64
_BEGINS_NUMBER = frozenset("0123456789+-.")

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """The value of an unquoted word. Numbers too long to be meant as numbers stay text."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in _BEGINS_NUMBER or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
