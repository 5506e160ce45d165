"""Small pieces of Python syntax trees, from which conditions are put together."""

import ast
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from engine.model.units import plain_number
from engine.ruleset.expr.tree import Checked

_COMPARE: Mapping[str, type[ast.cmpop]] = {
    "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq, "!=": ast.NotEq,
}  # fmt: skip
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
ARITH: Mapping[str, type[ast.operator]] = {
    "+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div, "%": ast.Mod,
}  # fmt: skip
Build = Callable[[Sequence[ast.expr]], ast.expr]


def load(name: str) -> ast.expr:
    """Read a variable."""
    return ast.Name(name, ast.Load())


def constant(value: Any) -> ast.expr:
    """A constant."""
    return ast.Constant(plain_number(value) if isinstance(value, Fraction) else value)


def is_none(value: ast.expr) -> ast.expr:
    """`value is None`."""
    return ast.Compare(value, [ast.Is()], [ast.Constant(None)])


def is_true(value: ast.expr) -> ast.expr:
    """`value is True`."""
    return ast.Compare(value, [ast.Is()], [ast.Constant(True)])


def not_none(value: ast.expr) -> ast.expr:
    """`value is not None`."""
    return ast.Compare(value, [ast.IsNot()], [ast.Constant(None)])


def every(parts: Sequence[ast.expr]) -> ast.expr:
    """`a and b and c`; true if there are none."""
    return _joined(ast.And(), parts, empty=True)


def either(parts: Sequence[ast.expr]) -> ast.expr:
    """`a or b or c`; false if there are none."""
    return _joined(ast.Or(), parts, empty=False)


def _joined(op: ast.boolop, parts: Sequence[ast.expr], *, empty: bool) -> ast.expr:
    flat: list[ast.expr] = []
    for part in parts:
        same = isinstance(part, ast.BoolOp) and type(part.op) is type(op)
        flat.extend(part.values if same and isinstance(part, ast.BoolOp) else [part])
    if not flat:
        return ast.Constant(empty)
    return flat[0] if len(flat) == 1 else ast.BoolOp(op, flat)


def negated(value: ast.expr) -> ast.expr:
    """`not value`."""
    return ast.UnaryOp(ast.Not(), value)


def scaled(value: ast.expr, factor: object) -> ast.expr:
    """A number times an exact factor; by division where that is the exact one."""
    assert isinstance(factor, Fraction)  # noqa: S101 - by construction
    if factor.denominator == 1 or factor.numerator != 1:
        return ast.BinOp(value, ast.Mult(), constant(factor))
    return ast.BinOp(value, ast.Div(), ast.Constant(factor.denominator))


def comparison(ops: tuple[str, ...]) -> Build:
    """Builds the comparison of arguments that are not null."""
    return lambda ready: ast.Compare(ready[0], [_COMPARE[op]() for op in ops], list(ready[1:]))


def inside(ready: Sequence[ast.expr]) -> ast.expr:
    """`a in b`."""
    return ast.Compare(ready[0], [ast.In()], [ready[1]])


def among(value: ast.expr, node: Checked, op: ast.cmpop | None = None) -> ast.expr:
    """Whether a value is one of the constants of a list."""
    items = [item.value for item in node.args[1:]]
    plain = frozenset(plain_number(i) if isinstance(i, Fraction) else i for i in items)
    return ast.Compare(value, [op or ast.In()], [constant(plain)])
