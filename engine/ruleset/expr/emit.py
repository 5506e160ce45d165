"""Checked trees into Python syntax trees: values, and what one function loads and shares."""

import ast
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from engine.ruleset.expr.pieces import (
    ARITH,
    Build,
    constant,
    either,
    every,
    is_none,
    load,
    not_none,
    scaled,
)
from engine.ruleset.expr.runtime import Run, Tools, runner
from engine.ruleset.expr.tree import Checked
from engine.ruleset.expr.types import NUMBER, POSITION, Type


class Values(ABC):
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
        self.runs: dict[tuple[object, ...], tuple[Run, tuple[int, ...]]] = {}
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
        return self.propagated(_halves(node), lambda ready: ast.Tuple(list(ready), ast.Load()))

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
        if name == "distance" or (name == "inside" and 1 in constants):
            return self.located(node, constants)
        run, takes = self.run(name, constants)
        args = [node.args[position] for position in takes] if takes else node.args
        function = self.helper(run)
        return args, lambda ready: ast.Call(function, list(ready), [])

    def run(self, name: str, constants: Mapping[int, object]) -> tuple[Run, tuple[int, ...]]:
        """The Python function behind a call; equal calls of one function share it."""
        known = (name, *sorted(constants.items()))
        if known not in self.runs:
            self.runs[known] = runner(name, constants, self.tools)
        return self.runs[known]

    def located(
        self, node: Checked, constants: Mapping[int, object]
    ) -> tuple[Sequence[Checked], Build]:
        """A call on positions, which are handed over as longitudes and latitudes."""
        run, _ = self.run(str(node.value), constants)
        function = self.helper(run)
        args: list[Checked] = []
        for arg in node.args:
            if arg.op == "position":
                args.extend(_halves(arg))
            elif arg.type.kind == POSITION:
                args.append(arg)
        spread = [arg.type.kind == POSITION for arg in args]

        def build(ready: Sequence[ast.expr]) -> ast.expr:
            parts = [
                ast.Starred(part, ast.Load()) if pair else part
                for part, pair in zip(ready, spread, strict=True)
            ]
            return ast.Call(function, parts, [])

        return args, build

    @abstractmethod
    def truth(self, node: Checked) -> ast.expr:
        """Whether a condition is true: neither false nor null."""

    @abstractmethod
    def unsure(self, node: Checked) -> ast.expr:
        """A condition that may be null, as true, false or None."""


def _halves(node: Checked) -> list[Checked]:
    """Longitude and latitude of the event's position."""
    assert isinstance(node.value, tuple)  # noqa: S101 - by construction
    type_ = Type(NUMBER, node.type.nullable)
    return [Checked("event", type_, (), name) for name in node.value[1:]]


def _reads(node: Checked) -> Iterator[str]:
    """Every read of an event attribute below a part, once for each time.

    Extras are not among them: a look-up is made only where it is needed.
    """
    if node.op == "event":
        yield f"{node.op} {node.value}"
    elif node.op == "position" and isinstance(node.value, tuple):
        yield from (f"event {name}" for name in node.value[1:])
    for arg in node.args:
        yield from _reads(arg)
