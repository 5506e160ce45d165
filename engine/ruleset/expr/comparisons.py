"""Comparisons inside expressions: `<` and its like, chains, null, and membership."""

from typing import TYPE_CHECKING

from engine.ruleset.expr import numbers
from engine.ruleset.expr import syntax as s
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import BOOL, LIST, NULL, NUMBER, TEXT, TIME, UNKNOWN, Type
from engine.text.terms import Term

if TYPE_CHECKING:
    from engine.ruleset.expr.check import Checker

_ORDERED = {NUMBER, TIME}
_EQUAL = {NUMBER, TIME, TEXT, BOOL}


def check_comparison(checker: "Checker", node: s.Compare) -> Checked:
    """Comparisons, chains of them, and membership."""
    if node.ops[0] in {"in", "not in"}:
        return _membership(checker, node)
    args = [checker.visit(operand) for operand in node.operands]
    if any(arg.type.kind == UNKNOWN for arg in args):
        return checker.unknown(node)
    if any(arg.type.kind == NULL for arg in args):
        return _compare_null(checker, node, args)
    before = len(checker.problems)
    for position, op in enumerate(node.ops):
        _pair(checker, node, position, op, args[position], args[position + 1])
    if len(checker.problems) > before:
        return checker.unknown(node)
    if args[0].type.kind == NUMBER:
        aligned = numbers.align(args, checker.tell, checker.words)
        if aligned is None:
            return checker.unknown(node)
        args = aligned
    type_ = Type(BOOL, nullable=any(arg.type.nullable for arg in args))
    return checker.made(node, "compare", type_, args, node.ops)


def _pair(
    checker: "Checker", node: s.Compare, position: int, op: str, left: Checked, right: Checked
) -> None:
    """Whether two neighbours of a comparison may be compared by that sign."""
    one, other = left.type.kind, right.type.kind
    if one != other or one not in _EQUAL:
        checker.tell(
            left,
            "R326",
            left=checker.words(left),
            right=checker.words(right),
            one=Term(one),
            other=Term(other),
        )
    elif op not in {"==", "!="} and one not in _ORDERED:
        at = s.Node(node.op_at[position], node.op_at[position] + len(op))
        checker.tell(at, "R328", op=op, kind=Term(one))


def _compare_null(checker: "Checker", node: s.Compare, args: list[Checked]) -> Checked:
    """`x == null` and `x != null`: the only comparisons with null, and never unknown."""
    one, other = args[0], args[-1]
    if len(args) > 2 or node.ops[0] not in {"==", "!="}:  # noqa: PLR2004 - a pair
        at = s.Node(node.op_at[0], node.op_at[0] + 1)
        checker.tell(at, "R329")
        return checker.unknown(node)
    asked = other if one.type.kind == NULL else one
    op = "present" if node.ops[0] == "!=" else "absent"
    return checker.made(node, op, Type(BOOL), [asked])


def _membership(checker: "Checker", node: s.Compare) -> Checked:
    """`x in [a, b]`, `x in list`, `"part" in text`, and their opposites."""
    asked = checker.visit(node.operands[0])
    within = node.operands[1]
    if isinstance(within, s.Items):
        items = [checker.visit(item) for item in within.items]
        checked = _among(checker, node, asked, items)
    else:
        checked = _inside_value(checker, node, asked, checker.visit(within))
    if node.ops[0] == "in" or checked.type.kind == UNKNOWN:
        return checked
    return checker.made(node, "not", checked.type, [checked])


def _among(checker: "Checker", node: s.Compare, asked: Checked, items: list[Checked]) -> Checked:
    """Membership in a list that is written out."""
    kinds = {item.type.kind for item in items} | {asked.type.kind}
    if UNKNOWN in kinds:
        return checker.unknown(node)
    for item in items:
        if item.type.kind != asked.type.kind or asked.type.kind not in _EQUAL:
            checker.mixed(asked, item)
            return checker.unknown(node)
    if asked.type.kind == NUMBER and items:
        aligned = numbers.align((asked, *items), checker.tell, checker.words)
        if aligned is None:
            return checker.unknown(node)
        asked, *items = aligned
    nullable = any(part.type.nullable for part in (asked, *items))
    return checker.made(node, "in", Type(BOOL, nullable), (asked, *items))


def _inside_value(checker: "Checker", node: s.Compare, asked: Checked, whole: Checked) -> Checked:
    """Membership in a named list, or of a text in a text."""
    if UNKNOWN in {asked.type.kind, whole.type.kind}:
        return checker.unknown(node)
    nullable = asked.type.nullable or whole.type.nullable
    if whole.type.kind == TEXT and asked.type.kind == TEXT:
        return checker.made(node, "within", Type(BOOL, nullable), (asked, whole))
    if whole.type.kind != LIST:
        checker.wants(whole, "in", LIST)
        return checker.unknown(node)
    if whole.type.item is not None and whole.type.item.kind != asked.type.kind:
        checker.mixed(asked, whole)
        return checker.unknown(node)
    return checker.made(node, "member", Type(BOOL, nullable), (asked, whole))
