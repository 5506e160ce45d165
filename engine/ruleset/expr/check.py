"""A parsed expression against the names in reach: kinds, units, nulls; every problem at once."""

from collections.abc import Sequence
from fractions import Fraction

from engine.errors import Problem
from engine.model.units import measured
from engine.ruleset.expr import calls, comparisons, expansions, numbers
from engine.ruleset.expr import syntax as s
from engine.ruleset.expr.nearest import nearest
from engine.ruleset.expr.tree import Checked, Typed
from engine.ruleset.expr.types import (
    BOOL,
    LIST,
    NULL,
    NUMBER,
    RECORD,
    TEXT,
    TIME,
    UNKNOWN,
    Scope,
    Type,
)
from engine.text.terms import Term

_BRIEF = 60


def check(expr: s.Expr, scope: Scope, expect: str | None = None) -> Typed | list[Problem]:
    """Give every part of an expression its type, or say everything that is wrong.

    Args:
        expr: The parsed expression.
        scope: The names it may use.
        expect: The kind the whole must have (`bool` for a condition), or None for any.

    Returns:
        The typed expression, or the problems in order of place.

    """
    checker = Checker(expr, scope)
    node = checker.visit(expr.root)
    kind = node.type.kind
    if expect is not None and kind not in {expect, UNKNOWN}:
        checker.tell(
            node, "R330", expected=Term(expect), found=Term(kind), text=checker.words(node)
        )
    if checker.problems:
        return sorted(checker.problems, key=lambda problem: (problem.at, problem.code))
    names = tuple(sorted(checker.names))
    return Typed(expr.text, node.type, names, node, not checker.needs_more, expr.at)


class Checker:
    """Walks one expression; notes problems and the names it met."""

    def __init__(self, expr: s.Expr, scope: Scope, outer: "Checker | None" = None) -> None:
        """Check an expression; inside a macro, `outer` checks what uses it."""
        self.expr = expr
        self.scope = scope
        self.outer = outer
        self.meanings: dict[tuple[int, int], s.Meaning] = {}
        self.problems: list[Problem] = []
        self.names: set[str] = set()
        self.needs_more = False

    def tell(self, node: Checked | s.Node, code: str, nearest: str = "", **found: object) -> None:
        """Note a problem at the first character of a part."""
        self.problems.append(Problem(self.expr.place(node.start), code, found, nearest))

    def words(self, node: Checked | s.Node) -> str:
        """A part as it was written, short enough for a message."""
        text = " ".join(self.expr.text[node.start : node.end].split())
        text = text if len(text) <= _BRIEF else text[: _BRIEF - 1] + "…"
        macro = self.meanings.get((node.start, node.end))
        return text if macro is None else f"{text} ({macro.at})"

    def unknown(self, node: s.Node) -> Checked:
        """A part about which a problem was noted."""
        return Checked(UNKNOWN, Type(UNKNOWN), (), None, node.start, node.end)

    def visit(self, node: s.Node) -> Checked:
        """Check one part."""
        match node:
            case s.Number():
                return numbers.number(node.value, node.unit, node.start, node.end)
            case s.Constant():
                return self.constant(node)
            case s.Name():
                return self.name(node)
            case s.Logic():
                args = [self.condition(part, node.op) for part in node.operands]
                type_ = Type(BOOL, nullable=any(arg.type.nullable for arg in args))
                return self.made(node, node.op, type_, args)
            case s.Unary():
                return self.unary(node)
            case s.Arith():
                return self.arith(node)
            case s.Compare():
                return comparisons.check_comparison(self, node)
            case s.Choice():
                return self.choice(node)
            case s.Items():
                return self.items(node)
            case s.Call():
                return calls.check_call(self, node)
            case s.Expanded():
                return expansions.check_expanded(self, node)
            case s.Argument():
                return expansions.check_argument(self, node)
        message = f"no case for {type(node).__name__}"
        raise AssertionError(message)

    def made(
        self, node: s.Node, op: str, type_: Type, args: Sequence[Checked], value: object = None
    ) -> Checked:
        """A checked part in the place of a parsed one; unknown if a part of it is."""
        if any(arg.type.kind == UNKNOWN for arg in args):
            return self.unknown(node)
        return Checked(op, type_, tuple(args), value, node.start, node.end)

    def constant(self, node: s.Constant) -> Checked:
        """A text, `true`, `false` or `null`."""
        if node.value is None:
            type_ = Type(NULL, nullable=True)
        else:
            type_ = Type(BOOL if isinstance(node.value, bool) else TEXT)
        return Checked("const", type_, (), node.value, node.start, node.end)

    def name(self, node: s.Name) -> Checked:
        """A name and the columns behind its dots."""
        first = node.parts[0]
        found = self.scope.names.get(first)
        if found is None:
            near = nearest(first, [*self.scope.names, *self.scope.shared])
            self.tell(node, "R320", near, name=first[:_BRIEF])
            return self.unknown(node)
        self.names.add(first)
        part = self.top(node, first, found)
        offset = node.start + len(first)
        for column in node.parts[1:]:
            offset = self.expr.text.find(column, offset)
            if part.type.kind != RECORD:
                self.tell(node, "R322", name=self.words(part), kind=Term(part.type.kind))
                return self.unknown(node)
            end = offset + len(column)
            if column == "exists":
                part = Checked("present", Type(BOOL), (part,), None, node.start, end)
                continue
            columns = part.type.fields or {}
            if column not in columns:
                near = nearest(column, [*columns, "exists"])
                at = s.Node(offset, end)
                self.tell(at, "R321", near, column=column[:_BRIEF], name=self.words(part))
                return self.unknown(node)
            type_ = columns[column].maybe()
            part = Checked("column", type_, (part,), column, node.start, end)
            offset = end
        return part

    def top(self, node: s.Name, first: str, type_: Type) -> Checked:
        """A name without dots, and where its value comes from."""
        end = node.start + len(first)
        if self.scope.in_event(first):
            return Checked("event", type_, (), first, node.start, end)
        if first == "event_time":
            return Checked("time", type_, (), first, node.start, end)
        if first == "position" and self.scope.position is not None:
            return Checked("position", type_, (), (first, *self.scope.position), node.start, end)
        self.needs_more = True
        return Checked("extra", type_, (), first, node.start, end)

    def condition(self, node: s.Node, op: str) -> Checked:
        """A part that must be a condition."""
        checked = self.visit(node)
        if checked.type.kind not in {BOOL, UNKNOWN}:
            self.wants(checked, op, BOOL)
            return self.unknown(node)
        return checked

    def wants(self, node: Checked, op: str, expected: str) -> None:
        """Say that an operator needs another kind."""
        kind = Term(node.type.kind)
        self.tell(node, "R327", op=op, expected=Term(expected), text=self.words(node), found=kind)

    def unary(self, node: s.Unary) -> Checked:
        """`not x` and `-x`."""
        if node.op == "not":
            operand = self.condition(node.operand, "not")
            return self.made(node, "not", operand.type, [operand])
        operand = self.visit(node.operand)
        if operand.type.kind == NUMBER:
            if operand.op == "const" and isinstance(operand.value, Fraction):
                return numbers.number(-operand.value, operand.type.unit, node.start, node.end)
            return self.made(node, "neg", operand.type, [operand])
        if operand.type.kind != UNKNOWN:
            self.wants(operand, "-", NUMBER)
        return self.unknown(node)

    def arith(self, node: s.Arith) -> Checked:
        """Sums, differences, products, quotients and remainders, with their units."""
        left, right = self.visit(node.left), self.visit(node.right)
        kinds = (left.type.kind, right.type.kind)
        if UNKNOWN in kinds:
            return self.unknown(node)
        if TIME in kinds and node.op in {"+", "-"}:
            return self.clock(node, left, right)
        for side in (left, right):
            if side.type.kind != NUMBER:
                self.wants(side, node.op, NUMBER)
        if kinds != (NUMBER, NUMBER):
            return self.unknown(node)
        if node.op in {"/", "%"} and right.op == "const" and right.value == 0:
            self.tell(right, "R336", text=self.words(node))
            return self.unknown(node)
        nullable = left.type.nullable or right.type.nullable
        factor = Fraction(1)
        if node.op in {"*", "/"}:
            found = (numbers.product if node.op == "*" else numbers.quotient)(left, right)
            if found is None:
                self.no_product(node, left, right)
                return self.unknown(node)
            left, right, unit, factor = found
        else:
            aligned = numbers.align((left, right), self.tell, self.words)
            if aligned is None:
                return self.unknown(node)
            (left, right), unit = aligned, aligned[0].type.unit
        made = self.made(node, "arith", Type(NUMBER, nullable, unit), (left, right), node.op)
        return made if factor == 1 else numbers.scaled(made, factor, unit)

    def no_product(self, node: s.Arith, left: Checked, right: Checked) -> None:
        """Say that a product or quotient has no unit."""
        one, other = (measured(side.type.measures) for side in (left, right))
        self.tell(node, "R341", text=self.words(node), one=one, other=other)

    def clock(self, node: s.Arith, left: Checked, right: Checked) -> Checked:
        """`time - time` is a duration; `time + duration` and `time - duration` are times."""
        nullable = left.type.nullable or right.type.nullable
        if left.type.kind == TIME and right.type.kind == TIME and node.op == "-":
            return self.made(node, "arith", Type(NUMBER, nullable, "ms"), (left, right), "-")
        span, at = (left, right) if right.type.kind == TIME else (right, left)
        if span.type.measures != "time" or (node.op == "-" and span is left):
            kind = Term(span.type.kind)
            self.tell(
                span,
                "R327",
                op=node.op,
                expected=Term("duration"),
                text=self.words(span),
                found=kind,
            )
            return self.unknown(node)
        span = numbers.to_base(span)
        sides = (span, at) if span.start < at.start else (at, span)
        return self.made(node, "arith", Type(TIME, nullable), sides, node.op)

    def mixed(self, one: Checked, other: Checked) -> None:
        """Say that two values which belong together are of different kinds."""
        kinds = {"one": Term(one.type.kind), "other": Term(other.type.kind)}
        self.tell(other, "R335", left=self.words(one), right=self.words(other), **kinds)

    def choice(self, node: s.Choice) -> Checked:
        """`a if condition else b`."""
        condition = self.condition(node.condition, "if")
        both = self.unified([self.visit(node.then), self.visit(node.other)])
        if both is None:
            return self.unknown(node)
        then, other = both
        type_ = (other if then.type.kind == NULL else then).type
        type_ = type_.maybe(then.type.nullable or other.type.nullable)
        return self.made(node, "choice", type_, (condition, then, other))

    def unified(self, parts: list[Checked]) -> list[Checked] | None:
        """Values that stand for one another, in one kind and unit; None if they differ."""
        if any(part.type.kind == UNKNOWN for part in parts):
            return None
        known = [part for part in parts if part.type.kind != NULL]
        for part in known[1:]:
            if part.type.kind != known[0].type.kind:
                self.mixed(known[0], part)
                return None
        if known and known[0].type.kind == NUMBER:
            aligned = numbers.align(known, self.tell, self.words)
            if aligned is None:
                return None
            fitted = iter(aligned)
            return [part if part.type.kind == NULL else next(fitted) for part in parts]
        return parts

    def items(self, node: s.Items) -> Checked:
        """A list of constants on its own, as `any_of` takes it."""
        items = [self.visit(item) for item in node.items]
        for item in items:
            if item.type.kind not in {TEXT, UNKNOWN} or item.op not in {"const", UNKNOWN}:
                self.tell(item, "R332", text=self.words(item))
                return self.unknown(node)
        return self.made(node, "list", Type(LIST, item=Type(TEXT)), items)
