"""Macros: named expressions that rules share, put in the place of their names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from engine.errors import Location, Problem
from engine.ruleset.document import Document, Path
from engine.ruleset.expr import FUNCTIONS, parse
from engine.ruleset.expr.syntax import (
    Argument,
    Call,
    Choice,
    Constant,
    Expanded,
    Expr,
    Name,
    Node,
    Unary,
)
from engine.ruleset.layered import Overridden
from engine.ruleset.notes import Notes

if TYPE_CHECKING:
    from engine.ruleset.schema_pack import MacroModel

MOST_PARTS = 1000
DEEPEST = 200
"""An expression may become so large, and so deep, once its macros are put in."""

_TEXT_PATH = ("means",)


@dataclass(frozen=True, slots=True)
class Macro:
    """A named expression.

    Attributes:
        name: What rules write in its place; with values in brackets if it takes any.
        takes: Names inside it that stand for the values it is given.
        expr: What it means.
        document: The file that declares it.
        title: What people call it, by language.
        path: Where its expression stands in the file.
        variants: What it means instead where an override holds: the condition, and the macro.
        overridden: What overrides changed.

    """

    name: str
    takes: tuple[str, ...]
    expr: Expr
    document: Document
    title: Mapping[str, str] = field(default_factory=dict)
    path: Path = _TEXT_PATH
    variants: "tuple[tuple[Macro, Macro], ...]" = ()
    overridden: tuple[Overridden, ...] = ()

    @property
    def at(self) -> Location:
        """Where its expression begins."""
        return self.document.at(self.path)

    @property
    def misfit(self) -> str:
        """The code of the problem that it does not fit where it is used."""
        return "R636" if self.path == ("only",) else "R622"

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"{self.name}({', '.join(self.takes)})" if self.takes else self.name

    def placed(self, problem: Problem) -> Problem:
        """A problem of its expression where it stands in the file, through quotes and folds."""
        return self.document.relocate(problem, self.path)


def build_macro(model: "MacroModel", notes: Notes, lists: Collection[str]) -> Macro | None:
    """A macro as declared, or None when its name is taken or its meaning cannot be read."""
    if model.macro in FUNCTIONS or model.macro in lists:
        notes.add(("macro",), "R621", name=model.macro)
        return None
    at = notes.document.text_at(_TEXT_PATH)
    parsed = parse(model.means, at)
    if isinstance(parsed, list):
        notes.take(parsed, _TEXT_PATH)
        return None
    read = _names(parsed.root)
    for index, name in enumerate(model.takes):
        if name not in read:
            notes.add(("takes", index), "R625", name=name)
    title = model.title.plain() if model.title else {}
    return Macro(model.macro, tuple(model.takes), parsed, notes.document, title)


def without_circles(
    macros: Mapping[str, Macro], notes: Mapping[str, Notes]
) -> tuple[dict[str, Macro], set[str]]:
    """The macros that do not come back to themselves, and the names of the others.

    Each circle is told once, at the macro of it whose name comes first.
    """
    below = {name: read_by(macro, macros) for name, macro in macros.items()}
    circular = {name for name in macros if name in _reached(name, below)}
    told: set[str] = set()
    for name in sorted(circular):
        if name in told:
            continue
        way = _way(name, below)
        told |= set(way)
        notes[name].add(_TEXT_PATH, "R620", way=" -> ".join([*way, name]))
    unsound = {name for name in macros if circular & ({name} | _reached(name, below))}
    return {name: macro for name, macro in macros.items() if name not in unsound}, unsound


def read_by(macro: Macro, macros: Collection[str]) -> tuple[str, ...]:
    """The macros that a macro is made of, directly, sorted."""
    read = _names(macro.expr.root) - set(macro.takes)
    for only, other in macro.variants:
        read |= _names(only.expr.root) | (_names(other.expr.root) - set(macro.takes))
    return tuple(sorted(read & set(macros)))


def with_below(names: Collection[str], macros: Mapping[str, Macro]) -> set[str]:
    """These macros and all that they are made of."""
    below = {name: read_by(macro, macros) for name, macro in macros.items()}
    return {one for name in names for one in ({name} | _reached(name, below))}


def _reached(name: str, below: Mapping[str, Sequence[str]]) -> set[str]:
    """Everything that lies below a name; the name itself only if it lies below itself."""
    found: set[str] = set()
    waiting = list(below.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += below.get(one, ())
    return found


def _way(name: str, below: Mapping[str, Sequence[str]]) -> list[str]:
    """A shortest way from a name back to itself, without its end."""
    ways, seen = [[name]], set()
    while ways:
        way = ways.pop(0)
        for one in below.get(way[-1], ()):
            if one == name:
                return way
            if one not in seen:
                seen.add(one)
                ways.append([*way, one])
    return [name]


def names_in(node: Node) -> set[str]:
    """The names an expression begins its dotted names with."""
    if isinstance(node, Name):
        return {node.parts[0]}
    return {name for child in _children(node) for name in names_in(child)}


def _names(node: Node) -> set[str]:
    """The names and the calls of an expression."""
    called = {node.name} if isinstance(node, Call) else set()
    if isinstance(node, Name):
        return {node.parts[0]}
    return called | {name for child in _children(node) for name in _names(child)}


def called_in(node: Node) -> set[str]:
    """The names of all calls in an expression."""
    called = {node.name} if isinstance(node, Call) else set()
    return called | {name for child in _children(node) for name in called_in(child)}


def _children(node: Node) -> list[Node]:
    """The parts directly inside a part."""
    found: list[Node] = []
    for name in node.__dataclass_fields__:  # `fields` makes a tuple of them for every part
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            found += [item for item in value if isinstance(item, Node)]
    return found


def expand(
    expr: Expr, macros: Mapping[str, Macro], hidden: Collection[str]
) -> tuple[Expr, set[str]] | list[Problem]:
    """The same expression with macros in the place of their names, and which these were.

    Args:
        expr: As parsed.
        macros: By name; none comes back to itself.
        hidden: Names of fields and the like, which come before a macro of the same name.

    """
    if not macros or not _names(expr.root) & set(macros):
        return expr, set()
    expansion = _Expansion(macros, hidden)
    root = expansion.walk(expr.root, expr, {}, 0)
    if expansion.problems:
        return expansion.problems[:1] if expansion.too_large else expansion.problems
    return replace(expr, root=root), expansion.used


@dataclass(slots=True)
class _Expansion:
    """One expression being expanded."""

    macros: Mapping[str, Macro]
    hidden: Collection[str]
    used: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    parts: int = 0
    too_large: bool = False
    outermost: Location | None = None

    def walk(self, node: Node, source: Expr, given: Mapping[str, Node], depth: int) -> Node:
        """A part with all macros inside it put in.

        Args:
            node: The part.
            source: The expression it is a part of.
            given: What the names stand for that the macro around it takes.
            depth: How many parts lie around it.

        """
        self.parts += 1
        if self.parts > MOST_PARTS or depth > DEEPEST:
            if not self.too_large:
                self.too_large = True
                at = self.outermost or source.place(node.start)
                self.problems.insert(0, Problem(at, "R624", {"limit": MOST_PARTS}))
            return node
        if isinstance(node, Name) and len(node.parts) == 1:
            name = node.parts[0]
            if name in given:
                return Argument(node.start, node.end, given[name])
            if name in self.macros and name not in self.hidden:
                return self._put_in(node, self.macros[name], (), source, given, depth)
            return node
        if isinstance(node, Call) and node.name in self.macros:
            macro = self.macros[node.name]
            return self._put_in(node, macro, node.args, source, given, depth)
        changes: dict[str, Any] = {}
        for one in fields(node):
            value = getattr(node, one.name)
            if isinstance(value, Node):
                changes[one.name] = self.walk(value, source, given, depth + 1)
            elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
                changes[one.name] = tuple(
                    self.walk(item, source, given, depth + 1) for item in value
                )
        return replace(node, **changes) if changes else node

    def _put_in(
        self,
        node: Node,
        macro: Macro,
        args: Sequence[Node],
        source: Expr,
        given: Mapping[str, Node],
        depth: int,
    ) -> Node:
        """What a macro means, in the place of its name."""
        if len(args) != len(macro.takes):
            found = {"name": macro.name, "count": len(args), "usage": macro.usage}
            self.problems.append(Problem(source.place(node.start), "R623", found))
            return node
        self.used.add(macro.name)
        around = self.outermost
        self.outermost = around or source.place(node.start)
        walked = [self.walk(arg, source, given, depth + 1) for arg in args]
        inner = dict(zip(macro.takes, walked, strict=True))
        span = (node.start, node.end)
        body = self.walk(macro.expr.root, macro.expr, inner, depth + 1)
        variants: list[tuple[Macro, Node]] = []
        for only, other in macro.variants:
            meant = self.walk(other.expr.root, other.expr, inner, depth + 1)
            variants.append((self._settled(only, depth), Expanded(*span, other, meant)))
        self.outermost = around
        return chosen(variants, Expanded(*span, macro, body), *span)

    def _settled(self, only: Macro, depth: int) -> Macro:
        """The condition of an override with macros put in."""
        root = self.walk(only.expr.root, only.expr, {}, depth + 1)
        return replace(only, expr=replace(only.expr, root=root))


def where_true(only: Macro, start: int, end: int) -> Node:
    """The condition of an override as a part of another expression; unknown counts as false."""
    held = Expanded(start, end, only, only.expr.root)
    return Call(start, end, "coalesce", (held, Constant(start, end, value=False)))


def where_false(only: Macro, start: int, end: int) -> Node:
    """That an override does not hold."""
    return Unary(start, end, "not", where_true(only, start, end))


def chosen(variants: Sequence[tuple[Macro, Node]], plain: Node, start: int, end: int) -> Node:
    """What the first override that holds says, else what is plain."""
    found = plain
    for only, node in reversed(variants):
        found = Choice(start, end, where_true(only, start, end), node, found)
    return found
