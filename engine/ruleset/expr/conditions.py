"""Conditions as Python syntax trees, with the logic of nulls written out only where needed.

Three ways to ask a condition: `value` (true, false or null), `truth` (is it true?) and `falsity`
(is it false?). `truth` and `falsity` need no third value, so most conditions become the Python
somebody would have written by hand.
"""

import ast
from collections.abc import Sequence

from engine.ruleset.expr.emit import Values
from engine.ruleset.expr.functions import FUNCTIONS
from engine.ruleset.expr.pieces import (
    OPPOSITE,
    among,
    comparison,
    constant,
    either,
    every,
    inside,
    is_none,
    is_true,
    negated,
    not_none,
)
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import BOOL, Type


class Emitter(Values):
    """Writes the expressions of one function, conditions among them."""

    def unsure(self, node: Checked) -> ast.expr:
        """A condition that may be null, as true, false or None."""
        match node.op:
            case "and" | "or":
                return self.kleene(node.op, node.args)
            case "not":
                return self.propagated(node.args, lambda ready: negated(ready[0]))
            case "compare" if len(node.args) == 2 and isinstance(node.value, tuple):  # noqa: PLR2004
                return self.propagated(node.args, comparison(node.value))
            case "compare":
                binds, again = self.all_bound(node.args)
                nulls = [
                    is_none(part)
                    for part, arg in zip(again, node.args, strict=True)
                    if arg.type.nullable
                ]
                rest = ast.IfExp(either(nulls), ast.Constant(None), ast.Constant(True))
                return ast.IfExp(
                    every([binds, self.broken(node, again)]), ast.Constant(False), rest
                )
            case "in":
                inner, binds = self.spelled_in(node)
                if inner is None:
                    return self.propagated(node.args[:1], lambda ready: among(ready[0], node))
                return ast.IfExp(binds, self.value(inner), ast.Constant(None))
            case _:
                return self.propagated(node.args, inside)

    def kleene(self, op: str, args: Sequence[Checked]) -> ast.expr:
        """`and` and `or` over three values; later parts are asked only if they can matter."""
        if len(args) == 1:
            return self.value(args[0])
        decided = ast.Constant(op == "or")
        if not args[0].type.nullable:
            rest = self.kleene(op, args[1:])
            test = self.truth(args[0])
            return ast.IfExp(test, decided, rest) if op == "or" else ast.IfExp(test, rest, decided)
        first, one = self.bind(args[0])
        second, other = self.bound(self.kleene(op, args[1:]))
        settled = ast.Compare(second, [ast.Is()], [decided])
        neutral = ast.Compare(one, [ast.Is()], [ast.Constant(op != "or")])
        rest = ast.IfExp(either([settled, neutral]), other, ast.Constant(None))
        return ast.IfExp(ast.Compare(first, [ast.Is()], [decided]), decided, rest)

    def truth(self, node: Checked) -> ast.expr:
        """Whether a condition is true: neither false nor null."""
        args = node.args
        match node.op:
            case "and":
                return every([self.truth(arg) for arg in args])
            case "or":
                return either([self.truth(arg) for arg in args])
            case "not":
                return self.falsity(args[0])
            case "present":
                return not_none(self.value(args[0])) if args[0].type.nullable else constant(True)
            case "absent":
                return is_none(self.value(args[0])) if args[0].type.nullable else constant(False)
            case "choice":
                return ast.IfExp(self.truth(args[0]), self.truth(args[1]), self.truth(args[2]))
            case "compare":
                return self.compared(node)
            case "in":
                inner, binds = self.spelled_in(node)
                if inner is None:
                    return among(self.value(args[0]), node)
                return every([binds, self.truth(inner)])
            case "within" | "member":
                return self.known(args, inside)
            case "call" if node.value != "coalesce":
                needed, build = self.call(node)
                if FUNCTIONS[str(node.value)].nullable:
                    return self.known(needed, lambda ready: is_true(build(ready)))
                return self.known(needed, build)
        value = self.value(node)
        if node.type.nullable:
            return is_true(value)
        return value

    def falsity(self, node: Checked) -> ast.expr:
        """Whether a condition is false: neither true nor null."""
        args = node.args
        match node.op:
            case "and":
                return either([self.falsity(arg) for arg in args])
            case "or":
                return every([self.falsity(arg) for arg in args])
            case "not":
                return self.truth(args[0])
            case "present" | "absent":
                opposite = "absent" if node.op == "present" else "present"
                return self.truth(Checked(opposite, node.type, args))
            case "choice":
                return ast.IfExp(self.truth(args[0]), self.falsity(args[1]), self.falsity(args[2]))
            case "compare" if len(args) == 2 and isinstance(node.value, tuple):  # noqa: PLR2004
                opposite = OPPOSITE[node.value[0]]
                return self.compared(Checked("compare", node.type, args, (opposite,)))
            case "compare" if node.type.nullable:
                binds, again = self.all_bound(args)
                return every([binds, self.broken(node, again)])
            case "in":
                inner, binds = self.spelled_in(node)
                if inner is None:
                    return self.known(args[:1], lambda ready: among(ready[0], node, ast.NotIn()))
                return every([binds, self.falsity(inner)])
        if not node.type.nullable:
            return negated(self.truth(node))
        if node.op == "call" and node.value != "coalesce":
            needed, build = self.call(node)
            if not FUNCTIONS[str(node.value)].nullable:
                return self.known(needed, lambda ready: negated(build(ready)))
        elif node.op in {"within", "member"}:
            return self.known(args, lambda ready: negated(inside(ready)))
        return ast.Compare(self.value(node), [ast.Is()], [ast.Constant(False)])

    def compared(self, node: Checked) -> ast.expr:
        """Whether every comparison of a chain holds."""
        ops = node.value
        assert isinstance(ops, tuple)  # noqa: S101 - by construction
        args = node.args
        nullable = [arg for arg in args if arg.type.nullable]
        if ops == ("==",) and len(nullable) == 1:
            return comparison(ops)([self.value(arg) for arg in args])
        return self.known(args, comparison(ops))

    def all_bound(self, args: Sequence[Checked]) -> tuple[ast.expr, list[ast.expr]]:
        """A true expression that binds every argument, and how to read each afterwards."""
        pairs = [self.bind(arg) for arg in args]
        return ast.Tuple([first for first, _ in pairs], ast.Load()), [again for _, again in pairs]

    def broken(self, node: Checked, again: Sequence[ast.expr]) -> ast.expr:
        """Whether one comparison of a chain is false, all arguments being bound."""
        assert isinstance(node.value, tuple)  # noqa: S101 - by construction
        pairs = []
        for position, op in enumerate(node.value):
            both = slice(position, position + 2)
            nulls = [
                not_none(part)
                for part, arg in zip(again[both], node.args[both], strict=True)
                if arg.type.nullable
            ]
            pairs.append(every([*nulls, comparison((OPPOSITE[op],))(again[both])]))
        return either(pairs)

    def spelled_in(self, node: Checked) -> tuple[Checked | None, ast.expr]:
        """`x in [a, b]` with parts that are not constant, as `x == a or x == b` with x bound.

        Answers None when all items are constants and a plain look-up will do.
        """
        asked, *items = node.args
        if all(item.op == "const" for item in items):
            return None, ast.Constant(True)
        name = self.fresh()
        local = Checked("local", asked.type, (), name)
        equals = [
            Checked(
                "compare",
                Type(BOOL, asked.type.nullable or item.type.nullable),
                (local, item),
                ("==",),
            )
            for item in items
        ]
        binds = ast.Tuple(
            [ast.NamedExpr(ast.Name(name, ast.Store()), self.value(asked))], ast.Load()
        )
        return Checked("or", node.type, tuple(equals)), binds
