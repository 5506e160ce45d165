"""Calls inside expressions: number and kinds of arguments, literals, and what comes back."""

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import re2

from engine.ruleset.expr import syntax as s
from engine.ruleset.expr.functions import FUNCTIONS, MASKS, Function
from engine.ruleset.expr.nearest import nearest
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import BOOL, NULL, UNKNOWN, Type
from engine.text.terms import Term

if TYPE_CHECKING:
    from engine.ruleset.expr.check import Checker

_DIGITS = 9
_BY_CALENDAR = frozenset({"workday", "shift"})
_LONGEST_PATTERN = 1000


def check_call(checker: "Checker", node: s.Call) -> Checked:
    """Check a call: the function is ours, and its arguments are what it takes."""
    function = FUNCTIONS.get(node.name)
    if function is None:
        near = nearest(node.name, [*FUNCTIONS, *checker.scope.shared])
        checker.tell(node, "R323", near, name=node.name[:60])
        return checker.unknown(node)
    if not function.least <= len(node.args) <= function.most:
        checker.tell(node, "R324", name=node.name, count=len(node.args), usage=function.usage)
        return checker.unknown(node)
    args = [checker.visit(arg) for arg in node.args]
    if not all([_fits(checker, node, function, i, arg) for i, arg in enumerate(args)]):  # noqa: C419
        return checker.unknown(node)
    if node.name in {"exists", "missing"}:
        op = "present" if node.name == "exists" else "absent"
        return checker.made(node, op, Type(BOOL), args)
    if function.gives is None:
        return _like_arguments(checker, node, args)
    if not _literals(checker, node, args):
        return checker.unknown(node)
    if node.name == "age":
        args.append(Checked("time", Type("time"), (), "event_time", node.start, node.start))
        checker.names.add("event_time")
    nullable = function.nullable or any(arg.type.nullable for arg in args)
    return checker.made(node, "call", function.gives.maybe(nullable), args, node.name)


def _fits(checker: "Checker", node: s.Call, function: Function, index: int, arg: Checked) -> bool:
    """Whether an argument has a kind the function takes; says so if not."""
    kinds = function.takes[min(index, len(function.takes) - 1)]
    kind = arg.type.kind
    if kind == UNKNOWN:
        return False
    if kind in kinds or (kind == NULL and node.name == "coalesce"):
        if index in function.literal and not (arg.op == "const" and isinstance(arg.value, str)):
            checker.tell(arg, "R332", text=checker.words(arg))
            return False
        return True
    expected = Term(kinds[0]) if len(kinds) < 3 else Term("value")  # noqa: PLR2004 - any kind
    checker.tell(
        arg,
        "R325",
        name=node.name,
        number=index + 1,
        expected=expected,
        found=Term(kind),
        usage=function.usage,
    )
    return False


def _like_arguments(checker: "Checker", node: s.Call, args: list[Checked]) -> Checked:
    """`coalesce`, `abs`, `min`, `max`, `round`: the answer is of the arguments' kind and unit."""
    if node.name == "round" and len(args) == 2:  # noqa: PLR2004 - value and digits
        digits = args[1].value if args[1].op == "const" and args[1].type.unit is None else None
        if not isinstance(digits, Fraction) or digits not in range(_DIGITS + 1):
            checker.tell(args[1], "R337", text=checker.words(args[1]), most=_DIGITS)
            return checker.unknown(node)
        return checker.made(node, "call", args[0].type, args, node.name)
    unified = checker.unified(args)
    if unified is None:
        return checker.unknown(node)
    type_ = next((arg.type for arg in unified if arg.type.kind != NULL), unified[0].type)
    merge = all if node.name == "coalesce" else any
    nullable = merge([arg.type.nullable for arg in unified])
    return checker.made(node, "call", replace(type_, nullable=nullable), unified, node.name)


def _literals(checker: "Checker", node: s.Call, args: list[Checked]) -> bool:
    """Check constant arguments that name something: patterns, zones, calendars, masks."""
    constant = args[1].value if len(args) > 1 and args[1].op == "const" else None
    if not isinstance(constant, str):
        return True
    scope = checker.scope
    if node.name == "matches":
        return _pattern(checker, args[1], constant)
    if node.name == "inside" and scope.zones is not None and constant not in scope.zones:
        if constant in scope.lines:
            checker.tell(args[1], "R551", name=constant[:60], text=node.name)
            return False
        checker.tell(args[1], "R333", nearest(constant, scope.zones), name=constant[:60])
        return False
    calendars = scope.calendars if node.name in _BY_CALENDAR else None
    if calendars is not None and constant not in calendars:
        checker.tell(args[1], "R334", nearest(constant, calendars), name=constant[:60])
        return False
    if node.name == "mask" and constant not in MASKS:
        checker.tell(args[1], "R338", nearest(constant, MASKS), name=constant[:60])
        return False
    return True


def _pattern(checker: "Checker", arg: Checked, pattern: str) -> bool:
    """Whether re2 takes a pattern; if not, says what it refuses and what to write instead."""
    if len(pattern) > _LONGEST_PATTERN:
        checker.tell(arg, "R331", pattern=pattern[:40], reason=f"> {_LONGEST_PATTERN}")
        return False
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        code = "R339" if any(part in pattern for part in _BEYOND) else "R331"
        checker.tell(arg, code, pattern=pattern[:40], reason=shown[:120])
        return False
    return True


_BEYOND = ("(?=", "(?!", "(?<=", "(?<!", "\\u", *(f"\\{digit}" for digit in range(1, 10)))
"""What other regex languages have and re2 has not: look-around, back-references, `\\u`."""
