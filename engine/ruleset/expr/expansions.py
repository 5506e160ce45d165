"""Macros inside expressions: checked where they are used, against the names in reach there."""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.ruleset.expr import syntax as s
from engine.ruleset.expr.tree import Checked
from engine.text.terms import Sentence

if TYPE_CHECKING:
    from engine.ruleset.expr.check import Checker


def check_expanded(checker: "Checker", node: s.Expanded) -> Checked:
    """Check what a macro means; what does not fit is told at its use, with its own place."""
    inner = type(checker)(node.macro.expr, checker.scope, checker)
    found = inner.visit(node.body)
    checker.names |= inner.names
    checker.needs_more = checker.needs_more or inner.needs_more
    checker.meanings[node.start, node.end] = node.macro
    for problem in map(node.macro.placed, inner.problems):
        why = Sentence(problem.code, problem.found)
        found_in = {"name": node.macro.name, "place": str(problem.at), "why": why}
        checker.tell(node, node.macro.misfit, problem.nearest, **found_in)
    return _moved(found, node.start, node.end)


def check_argument(checker: "Checker", node: s.Argument) -> Checked:
    """Check what a macro was given, where it was given."""
    outer = checker.outer
    assert outer is not None  # noqa: S101 - arguments stand inside macros
    before = list(outer.problems)
    found = outer.visit(node.given)
    outer.problems[:] = before + [one for one in outer.problems[len(before) :] if one not in before]
    return replace(found, start=node.start, end=node.end)


def _moved(part: Checked, start: int, end: int) -> Checked:
    """A part that counts its characters as the text which uses it does; its own parts have none."""
    args = tuple(_moved(arg, start, start) for arg in part.args)
    return replace(part, args=args, start=start, end=end)
