"""One generated function for all rules of a feed: which of them want to see an event.

Rules that ask `field == constant` (or `field in [constants]`) are kept in a table by that
constant, and many limits on one field (`speed < 5 km/h`) stand in blocks behind the weakest, so
an event meets only rules that can want it; all share loads of fields.
"""

import ast
from collections.abc import Sequence
from fractions import Fraction
from operator import itemgetter
from typing import Any, Protocol, cast

from engine.ruleset.expr import numbers
from engine.ruleset.expr.compile import function
from engine.ruleset.expr.conditions import Emitter
from engine.ruleset.expr.pieces import constant, every, load
from engine.ruleset.expr.runtime import Tools
from engine.ruleset.expr.tree import Checked, Typed
from engine.ruleset.expr.types import BOOL, Type


class Admission(Protocol):
    """Answers the indexes of the rules whose `where` is true for an event, in growing order."""

    def __call__(self, event: Any, event_time: int = ...) -> tuple[int, ...]:
        """Ask it. `event_time` (UTC ms) is needed when a condition names it."""


_Rule = tuple[int, tuple[Checked, ...]]
"""A rule's index and the conjuncts that are still to be asked."""
_FEWEST = 3
_DEEPEST = 3
_BLOCK = 16


def compile_admission(wheres: Sequence[Typed | None], tools: Tools | None = None) -> Admission:
    """Make the function that answers which rules want an event.

    Args:
        wheres: The condition of each rule; None wants every event. Each must use the event and
            its time only (`Typed.uses_event_only`).
        tools: Zones, calendars and time zone, where the conditions need them.

    Returns:
        A function of (event, event_time) that answers the rules' indexes, smallest first.

    Raises:
        ValueError: A condition uses more than the event.

    """
    rules: list[_Rule] = []
    for index, typed in enumerate(wheres):
        if typed is not None and not typed.uses_event_only:
            message = f"'{typed.text}' needs more than the event"
            raise ValueError(message)
        rules.append((index, () if typed is None else _conjuncts(typed.node)))
    emitter = Emitter(tools or Tools(), load("t"))
    body = _single(emitter, rules[0]) if len(rules) == 1 else _several(emitter, rules)
    made = function(
        "admit", ("e", "t"), body, {**emitter.helpers, "sorted": sorted, "tuple": tuple}, (None,)
    )
    return cast("Admission", made)


def _conjuncts(node: Checked) -> tuple[Checked, ...]:
    """The parts of a condition that must all be true."""
    if node.op != "and":
        return (node,)
    return tuple(part for arg in node.args for part in _conjuncts(arg))


def _single(emitter: Emitter, rule: _Rule) -> list[ast.stmt]:
    """The body for one rule alone."""
    index, parts = rule
    if not parts:
        return [ast.Return(constant((index,)))]
    loads = emitter.share(parts)
    test = every([emitter.truth(part) for part in parts])
    return [*loads, ast.Return(ast.IfExp(test, constant((index,)), constant(())))]


def _several(emitter: Emitter, rules: Sequence[_Rule]) -> list[ast.stmt]:
    """The body for several rules: collects indexes, through tables where they help."""
    body: list[ast.stmt] = [ast.Assign([ast.Name("out", ast.Store())], ast.List([], ast.Load()))]
    mixed = _collect(emitter, rules, body, depth=0)
    answer: ast.expr = load("out")
    if mixed:
        answer = ast.Call(load("sorted"), [answer], [])
    body.append(ast.Return(ast.Call(load("tuple"), [answer], [])))
    return body


def _collect(emitter: Emitter, rules: Sequence[_Rule], body: list[ast.stmt], depth: int) -> bool:
    """Add the statements that append the indexes of wanting rules; answers if out of order."""
    groups, rest = _grouped(rules) if depth < _DEEPEST else ({}, list(rules))
    body.extend(emitter.share([part for _, parts in rest for part in parts]))
    blocks, rest = _ranged(rest)
    for guard, members in blocks:
        body.append(ast.If(emitter.truth(guard), _appends(emitter, members), []))
    body.extend(_appends(emitter, rest))
    for field, table in groups.items():
        branches = {
            value: _branch(emitter.tools, members, depth + 1) for value, members in table.items()
        }
        branch = emitter.fresh()
        find = ast.Attribute(emitter.helper(branches), "get", ast.Load())
        found = ast.Call(find, [emitter.read("event", field)], [])
        test = ast.Compare(
            ast.NamedExpr(ast.Name(branch, ast.Store()), found), [ast.IsNot()], [constant(None)]
        )
        run = ast.Call(load(branch), [load("e"), load("t"), load("out")], [])
        body.append(ast.If(test, [ast.Expr(run)], []))
    return bool(groups or blocks)


def _appends(emitter: Emitter, rules: Sequence[_Rule]) -> list[ast.stmt]:
    """Statements that ask each rule and append its index."""
    statements: list[ast.stmt] = []
    for index, parts in rules:
        append: ast.stmt = ast.Expr(
            ast.Call(ast.Attribute(load("out"), "append", ast.Load()), [constant(index)], [])
        )
        if parts:
            test = every([emitter.truth(part) for part in parts])
            append = ast.If(test, [append], [])
        statements.append(append)
    return statements


def _branch(tools: Tools, rules: Sequence[_Rule], depth: int) -> object:
    """The function for the rules under one constant of a table."""
    emitter = Emitter(tools, load("t"))
    body: list[ast.stmt] = []
    _collect(emitter, rules, body, depth)
    return function("branch", ("e", "t", "out"), body, emitter.helpers)


def _grouped(
    rules: Sequence[_Rule],
) -> tuple[dict[str, dict[object, list[_Rule]]], list[_Rule]]:
    """Rules by the field and constant they ask for, and those that have no such conjunct.

    A field is used only if enough rules ask for it by different constants.
    """
    groups: dict[str, dict[object, list[_Rule]]] = {}
    rest = list(rules)
    while True:
        fields: dict[str, list[_Rule]] = {}
        for rule in rest:
            for field in {found[0] for part in rule[1] if (found := _asks(part))}:
                fields.setdefault(field, []).append(rule)
        best = max(fields, key=lambda field: (len(fields[field]), field), default=None)
        if best is None or len(fields[best]) < _FEWEST:
            return groups, rest
        table: dict[object, list[_Rule]] = {}
        for index, parts in fields[best]:
            position, values = next(
                (i, found[1])
                for i, part in enumerate(parts)
                if (found := _asks(part)) and found[0] == best
            )
            left = (*parts[:position], *parts[position + 1 :])
            for value in values:
                table.setdefault(value, []).append((index, left))
        groups[best] = table
        taken = {index for index, _ in fields[best]}
        rest = [rule for rule in rest if rule[0] not in taken]


def _asks(part: Checked) -> tuple[str, frozenset[Any]] | None:
    """The field a conjunct asks for and the constants it wants, if it is such a question."""
    if part.op == "in":
        field, items = part.args[0], part.args[1:]
    elif part.op == "compare" and part.value == ("==",):
        field, items = part.args[0], part.args[1:]
        if field.op == "const":
            field, items = part.args[1], part.args[:1]
    else:
        return None
    if field.op != "event" or any(item.op != "const" for item in items):
        return None
    return str(field.value), frozenset(numbers.settled(item) for item in items)


def _ranged(
    rules: Sequence[_Rule],
) -> tuple[list[tuple[Checked, Sequence[_Rule]]], list[_Rule]]:
    """Rules with limits on one field in blocks of like limits, each behind its weakest limit.

    An event that does not reach the weakest limit of a block meets none of the block's rules.
    """
    groups: dict[tuple[str, str], list[tuple[Fraction, Checked, _Rule]]] = {}
    rest: list[_Rule] = []
    for rule in rules:
        limit = next((found for part in rule[1] if (found := _limits(part))), None)
        if limit is None:
            rest.append(rule)
        else:
            field, sign, value = limit
            groups.setdefault((str(field.value), sign), []).append((value, field, rule))
    blocks: list[tuple[Checked, Sequence[_Rule]]] = []
    for (_, sign), members in groups.items():
        if len(members) < 2 * _BLOCK:
            rest.extend(rule for _, _, rule in members)
            continue
        members.sort(key=lambda member: (member[0], member[2][0]))
        for first in range(0, len(members), _BLOCK):
            block = members[first : first + _BLOCK]
            value, field, _ = block[-1 if sign == "<=" else 0]
            bound = numbers.number(value, field.type.unit, 0, 0)
            type_ = Type(BOOL, field.type.nullable)
            guard = Checked("compare", type_, (field, bound), (sign,))
            blocks.append((guard, sorted((rule for _, _, rule in block), key=itemgetter(0))))
    rest.sort(key=itemgetter(0))
    return blocks, rest


def _limits(part: Checked) -> tuple[Checked, str, Fraction] | None:
    """The field a conjunct limits, the direction (`<=` or `>=`) and the limit, if it is that."""
    if part.op != "compare" or part.value not in {("<",), ("<=",), (">",), (">=",)}:
        return None
    (field, bound), less = part.args, part.value in {("<",), ("<=",)}
    if field.op == "const":
        field, bound, less = bound, field, not less
    if field.op != "event" or bound.op != "const" or not isinstance(bound.value, Fraction):
        return None
    return field, "<=" if less else ">=", bound.value
