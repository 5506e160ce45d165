"""What a checked alert text consists of, and how each part prints."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.ruleset.expr.types import Type
from engine.ruleset.filters import MISSING, Filter, printed


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill in: the name and its columns, its type, and the filters in order."""

    path: tuple[str, ...]
    type: Type
    filters: tuple[tuple[Filter, tuple[object, ...]], ...] = ()

    def find(self, values: Mapping[str, object]) -> object:
        """The value that belongs here, or None."""
        found: object = values
        for step in self.path:
            if step == "exists" and found is not values:
                return found is not None
            found = found.get(step) if isinstance(found, Mapping) else None
        return found

    def fill(self, values: Mapping[str, object], lang: str, zone: str) -> str:
        """The text to print here."""
        value = self.find(values)
        if value is None:
            return MISSING
        if not self.filters:
            return printed(value, self.type, lang, zone)
        for run, arguments in self.filters:
            value = run.run(value, self.type, lang, zone, *arguments)
        return str(value)


@dataclass(frozen=True, slots=True)
class Test:
    """A condition of an `if`: a value, a comparison of two, or conditions joined."""

    op: str
    parts: "tuple[Test | Slot | Constant, ...]"

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it is met; a comparison with something missing is not."""
        if self.op == "and":
            return all(_truth(part, values) for part in self.parts)
        if self.op == "or":
            return any(_truth(part, values) for part in self.parts)
        if self.op == "not":
            return not _truth(self.parts[0], values)
        left, right = (_value(part, values) for part in self.parts)
        if left is None or right is None:
            return False
        return bool(_OPERATORS[self.op](left, right))


@dataclass(frozen=True, slots=True)
class Constant:
    """A text or number written in a condition."""

    value: object


@dataclass(frozen=True, slots=True)
class Branch:
    """An `if` with what to print when it holds and when it does not."""

    test: "Test | Slot | Constant"
    then: "tuple[Part, ...]"
    other: "tuple[Part, ...]"


Part = str | Slot | Branch
_OPERATORS: Mapping[str, Callable[[Any, Any], object]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _value(part: Test | Slot | Constant, values: Mapping[str, object]) -> object:
    """The value of a part of a condition."""
    if isinstance(part, Slot):
        return part.find(values)
    return part.value if isinstance(part, Constant) else part.holds(values)


def _truth(part: Test | Slot | Constant, values: Mapping[str, object]) -> bool:
    """Whether a part of a condition counts as true."""
    return bool(_value(part, values))


def render(
    parts: Sequence[Part], values: Mapping[str, object], lang: str, zone: str, out: list[str]
) -> None:
    """Append the text of each part."""
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Slot):
            out.append(part.fill(values, lang, zone))
        else:
            chosen = part.then if _truth(part.test, values) else part.other
            render(chosen, values, lang, zone, out)
