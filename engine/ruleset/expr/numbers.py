"""Units inside expressions: what may be compared, added and multiplied, and by which factor."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from engine.model.unit_table import BASE, PRODUCTS, UNITS, scale
from engine.model.units import measured, plain_number, written
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import NUMBER, Type
from engine.text.terms import Term


class Told(Protocol):
    """Takes note of a problem at a part of the expression."""

    def __call__(self, node: Checked, code: str, nearest: str = "", **found: object) -> None:
        """Note it."""


class Words(Protocol):
    """Answers the words of a part as written."""

    def __call__(self, node: Checked) -> str:
        """The words."""


def scaled(node: Checked, factor: Fraction, unit: str | None) -> Checked:
    """The number multiplied by a factor and now in `unit`; constants are computed at once."""
    type_ = replace(node.type, unit=unit)
    if node.op == "const" and isinstance(node.value, int | float | Fraction):
        return replace(node, type=type_, value=Fraction(node.value) * factor)
    if factor == 1:
        return replace(node, type=type_)
    return Checked("scale", type_, (node,), factor, node.start, node.end)


def align(nodes: Sequence[Checked], tell: Told, words: Words) -> list[Checked] | None:
    """Bring numbers to one unit, that of the first which is no constant; None if they cannot be.

    A percentage beside a computed share (`paid / due < 80%`) is the plain factor.
    """
    first = next((node for node in nodes if node.op != "const"), nodes[0])
    target = first.type.unit
    result: list[Checked] = []
    fine = True
    for node in nodes:
        unit = node.type.unit
        if unit == target:
            result.append(node)
        elif unit is not None and target is not None and _same(unit, target):
            result.append(scaled(node, scale(unit, target), target))
        elif node.type.measures == "ratio" and target is None and first.op != "const":
            result.append(as_ratio(node))
        elif first.type.measures == "ratio" and unit is None and node.op != "const":
            result.append(scaled(node, 1 / UNITS[str(target)].factor, target))
        else:
            _disagree(node, first, tell, words)
            fine = False
    return result if fine else None


def _same(unit: str, other: str) -> bool:
    """Whether two units measure the same."""
    return UNITS[unit].dimension == UNITS[other].dimension


def _disagree(node: Checked, first: Checked, tell: Told, words: Words) -> None:
    """Say why a number does not fit beside the first."""
    unit, target = node.type.unit, first.type.unit
    if target is None and unit is not None:
        if first.op == "const":
            tell(first, "R401", "", **_advice(first, unit), other=words(node))
        elif node.op == "const":
            number = written(Fraction(str(node.value)), None)
            tell(node, "R342", name=words(first), text=words(node), number=number)
        else:
            tell(node, "R343", name=words(first), other=words(node), unit=Term(unit))
    elif unit is None and target is not None:
        if node.op == "const":
            tell(node, "R401", "", **_advice(node, target), other=words(first))
        else:
            tell(node, "R343", name=words(node), other=words(first), unit=Term(target))
    elif _spelt_as_minutes(node, words) and first.type.measures == "length":
        tell(node, "R404", text=words(node), number=written(Fraction(str(node.value)), None))
    else:
        tell(
            node,
            "R402",
            left=words(first),
            right=words(node),
            one=measured(first.type.measures),
            other=measured(node.type.measures),
        )


def _spelt_as_minutes(node: Checked, words: Words) -> bool:
    """Whether a number was written as minutes, where metres may have been meant."""
    return node.op == "const" and node.type.unit == "min" and words(node).endswith("m")


def _advice(number: Checked, unit: str) -> dict[str, str]:
    """What to write in place of a bare number: the same number with the unit."""
    value = Fraction(str(number.value))
    shown = "min" if unit == "ms" else unit
    return {"number": written(value, None), "unit": Term(unit), "instead": written(value, shown)}


def as_ratio(node: Checked) -> Checked:
    """A percentage as a plain factor; any other number as it is."""
    if node.type.measures != "ratio" or node.type.unit is None:
        return node
    return scaled(node, UNITS[node.type.unit].factor, None)


def product(left: Checked, right: Checked) -> tuple[Checked, Checked, str | None, Fraction] | None:
    """Both factors, the unit of `left * right`, and by what to scale it; None if it has no unit."""
    left, right = as_ratio(left), as_ratio(right)
    one, other = left.type, right.type
    if one.unit is None or other.unit is None:
        return left, right, one.unit or other.unit, Fraction(1)
    for dimensions in ((one.measures, other.measures), (other.measures, one.measures)):
        found = PRODUCTS.get((dimensions[0] or "", dimensions[1] or ""))
        if found:
            return to_base(left), to_base(right), BASE[found[0]], found[1]
    return None


def quotient(left: Checked, right: Checked) -> tuple[Checked, Checked, str | None, Fraction] | None:
    """Both parts, the unit of `left / right`, and by what to scale it; None if it has no unit."""
    if left.type.measures and left.type.measures == right.type.measures:
        unit = left.type.unit
        assert unit is not None  # noqa: S101 - it measures something
        assert right.type.unit is not None  # noqa: S101
        return left, scaled(right, scale(right.type.unit, unit), unit), None, Fraction(1)
    right = as_ratio(right)
    if right.type.unit is None:
        return left, right, left.type.unit, Fraction(1)
    for (one, other), (whole, factor) in PRODUCTS.items():
        if whole == left.type.measures and right.type.measures in {one, other}:
            answer = other if right.type.measures == one else one
            return to_base(left), to_base(right), BASE[answer], 1 / factor
    return None


def to_base(node: Checked) -> Checked:
    """The number in the base unit of what it measures."""
    unit, measures = node.type.unit, node.type.measures
    if unit is None or measures is None:
        return node
    return scaled(node, UNITS[unit].factor, BASE[measures])


def number(value: Fraction, unit: str | None, start: int, end: int) -> Checked:
    """A constant number."""
    return Checked("const", Type(NUMBER, unit=unit), (), value, start, end)


def settled(node: Checked) -> object:
    """A constant as Python computes with it."""
    return plain_number(node.value) if isinstance(node.value, Fraction) else node.value
