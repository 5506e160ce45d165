"""Checked trees into Python syntax trees, with the logic of nulls written out only where needed.

Three ways to ask a condition: `value` (true, false or null), `truth` (is it true?) and `falsity`
(is it false?). `truth` and `falsity` need no third value, so most conditions become the Python
somebody would have written by hand.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from engine.ruleset.expr.functions import FUNCTIONS
from engine.ruleset.expr.pieces import (
    ARITH,
    OPPOSITE,
    Build,
    among,
    comparison,
    constant,
    either,
    every,
    inside,
    is_none,
    is_true,
    load,
    negated,
    not_none,
    scaled,
)
from engine.ruleset.expr.runtime import Tools, runner
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import BOOL, Type


class Emitter:
    """Writes the expressions of one function; owns its helpers and the values it shares.

    Args:
        tools: What functions need of the project.
        time: How the function reads the event's time.

    Attributes:
        helpers: Global names of the generated code.

    """

    def __init__(self, tools: Tools, time: ast.expr) -> None:
        self.tools = tools
        self.time = time
        self.helpers: dict[str, object] = {}
        self.shared: dict[str, str] = {}
        self.count = 0

    def fresh(self) -> str:
        """A variable name nothing else uses."""
        self.count += 1
        return f"_{self.count}"

    def helper(self, value: object) -> ast.expr:
        """Read a helper object from the globals."""
        for name, known in self.helpers.items():
            if known is value:
                return load(name)
        name = f"h{len(self.helpers)}"
        self.helpers[name] = value
        return load(name)

    def share(self, nodes: Sequence[Checked]) -> list[ast.stmt]:
        """Statements that load what several parts read; later parts use the variables."""
        counts = Counter(name for node in nodes for name in _reads(node))
        statements: list[ast.stmt] = []
        for name, times in counts.items():
            if times > 1 and name not in self.shared:
                variable = self.fresh()
                origin, _, attribute = name.partition(" ")
                value = self.read(origin, attribute)
                statements.append(ast.Assign([ast.Name(variable, ast.Store())], value))
                self.shared[name] = variable
        return statements

    def read(self, origin: str, name: str) -> ast.expr:
        """Read an attribute of the event, or one of the extras."""
        variable = self.shared.get(f"{origin} {name}")
        if variable is not None:
            return load(variable)
        if origin == "event":
            return ast.Attribute(load("e"), name, ast.Load())
        return ast.Call(ast.Attribute(load("x"), "get", ast.Load()), [ast.Constant(name)], [])

    def bind(self, node: Checked) -> tuple[ast.expr, ast.expr]:
        """The value of a part to be read twice: how to read it first, and how then."""
        return self.bound(self.value(node))

    def bound(self, value: ast.expr) -> tuple[ast.expr, ast.expr]:
        """A value to be read twice: how to read it first, and how then."""
        if isinstance(value, ast.Constant | ast.Name):
            return value, value
        name = self.fresh()
        return ast.NamedExpr(ast.Name(name, ast.Store()), value), load(name)

    def strict(self, args: Sequence[Checked]) -> tuple[list[ast.expr], list[ast.expr]]:
        """The nullable arguments, to be asked for null in this order, and then all arguments."""
        asked, ready = [], []
        for arg in args:
            if arg.type.nullable:
                first, again = self.bind(arg)
                asked.append(first)
                ready.append(again)
            else:
                ready.append(self.value(arg))
        return asked, ready

    def propagated(self, args: Sequence[Checked], build: Build) -> ast.expr:
        """A value computed from the arguments, null if one of them is."""
        asked, ready = self.strict(args)
        answer = build(ready)
        if not asked:
            return answer
        return ast.IfExp(either([is_none(part) for part in asked]), ast.Constant(None), answer)

    def known(self, args: Sequence[Checked], build: Build) -> ast.expr:
        """A condition on the arguments, not met if one of them is null."""
        asked, ready = self.strict(args)
        return every([*(not_none(part) for part in asked), build(ready)])

    # -- values ---------------------------------------------------------------------------------

    def value(self, node: Checked) -> ast.expr:
        """The value of a part; null is None."""
        args = node.args
        match node.op:
            case "const":
                return constant(node.value)
            case "local":
                return load(str(node.value))
            case "event" | "extra":
                return self.read(node.op, str(node.value))
            case "time":
                return self.time
            case "position" if isinstance(node.value, tuple):
                return self.position(node)
            case "column":
                return self.propagated(
                    args,
                    lambda ready: ast.Call(
                        ast.Attribute(ready[0], "get", ast.Load()), [constant(node.value)], []
                    ),
                )
            case "list":
                return constant(tuple(arg.value for arg in args))
            case "arith":
                sign = ARITH[str(node.value)]()
                return self.propagated(args, lambda ready: ast.BinOp(ready[0], sign, ready[1]))
            case "neg":
                return self.propagated(args, lambda ready: ast.UnaryOp(ast.USub(), ready[0]))
            case "scale" if isinstance(node.value, Fraction):
                return self.propagated(args, lambda ready: scaled(ready[0], node.value))
            case "choice":
                return ast.IfExp(self.truth(args[0]), self.value(args[1]), self.value(args[2]))
            case "call" if node.value == "coalesce":
                return self.coalesced(args)
            case "call":
                return self.propagated(*self.call(node))
        if not node.type.nullable:
            return self.truth(node)
        return self.unsure(node)

    def position(self, node: Checked) -> ast.expr:
        """The event's position as a pair, null if a half is missing."""
        assert isinstance(node.value, tuple)  # noqa: S101 - by construction
        halves = [
            Checked("event", Type("number", node.type.nullable), (), name)
            for name in node.value[1:]
        ]
        return self.propagated(halves, lambda ready: ast.Tuple(list(ready), ast.Load()))

    def coalesced(self, args: Sequence[Checked]) -> ast.expr:
        """The first value that is not null."""
        if len(args) == 1 or not args[0].type.nullable:
            return self.value(args[0])
        first, again = self.bind(args[0])
        return ast.IfExp(not_none(first), again, self.coalesced(args[1:]))

    def call(self, node: Checked) -> tuple[Sequence[Checked], Build]:
        """The arguments a call still needs when it runs, and the call itself."""
        constants = {
            position: arg.value for position, arg in enumerate(node.args) if arg.op == "const"
        }
        name = str(node.value)
        if name == "age":
            return node.args, lambda ready: ast.BinOp(ready[1], ast.Sub(), ready[0])
        if name in {"min", "max"} and len(node.args) == 1:
            return node.args, lambda ready: ready[0]
        run, takes = runner(name, constants, self.tools)
        args = [node.args[position] for position in takes] if takes else node.args
        function = self.helper(run)
        return args, lambda ready: ast.Call(function, list(ready), [])

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

    # -- conditions -----------------------------------------------------------------------------

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


def _reads(node: Checked) -> Iterator[str]:
    """Every read of an event attribute or extra below a part, once for each time."""
    if node.op in {"event", "extra"}:
        yield f"{node.op} {node.value}"
    elif node.op == "position" and isinstance(node.value, tuple):
        yield from (f"event {name}" for name in node.value[1:])
    for arg in node.args:
        yield from _reads(arg)
