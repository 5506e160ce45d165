"""Texts with places to fill in: `{{ vehicle }} has stayed {{ held }}`, checked at load.

The Jinja syntax people know, read by Jinja and run by us: only output, filters of our list, `if`
and dotted names. No loops, no arithmetic, no calls; what is missing prints as a dash.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from engine.errors import Location, Problem
from engine.model.units import measured
from engine.ruleset.expr.nearest import nearest
from engine.ruleset.expr.syntax import place
from engine.ruleset.expr.types import BOOL, NUMBER, RECORD, TEXT, TIME, Scope, Type
from engine.ruleset.filters import FILTERS, is_zone
from engine.ruleset.template_parts import Branch, Constant, Part, Slot, Test, render
from engine.text.terms import Term

MAX_LENGTH = 4096
_DEEPEST = 20
_ENVIRONMENT = Environment(autoescape=True)
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_REFUSED = {
    name: term
    for term, names in {
        "loop": "For",
        "arithmetic": "Add Sub Mul Div FloorDiv Mod Pow Neg Pos Concat",
        "include": "Include Import FromImport Extends",
        "call": "Call CallBlock Macro FilterBlock Block",
        "assignment": "Assign AssignBlock With",
        "inline-if": "CondExpr",
    }.items()
    for name in names.split()
}
"""Constructs of Jinja that texts do not have, by the word under which they are reported."""
_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PLAIN = re.compile(r"[^{\r\n]+")
"""A line without places to fill in, which Jinja leaves as it is."""


@dataclass(frozen=True, slots=True)
class Template:
    """A checked text with places to fill in.

    Attributes:
        text: As written.
        names: The names it uses, without what follows a dot, sorted.
        parts: What to print, in order.
        at: Where it is written.

    """

    text: str
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    at: Location = Location("")  # noqa: RUF009 - frozen

    def render(
        self, values: Mapping[str, object], lang: str = "zh", zone: str = "Asia/Shanghai"
    ) -> str:
        """The text with its places filled in, at most 4,096 characters.

        Durations, distances and times print in the words of the language by their type: `held`
        is `45 分钟` or `45 min`. What is missing or null prints as a dash.
        """
        out: list[str] = []
        render(self.parts, values, lang, zone, out)
        text = "".join(out)
        return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def parse_template(text: str, at: Location, scope: Scope) -> Template | list[Problem]:
    """Read a template and check every name and filter in it; answers it, or all problems.

    Args:
        text: The template.
        at: Where its first character stands.
        scope: The names it may use.

    """
    if len(text) > MAX_LENGTH:
        return [Problem(at, "R353", {"length": len(text), "limit": MAX_LENGTH})]
    if _PLAIN.fullmatch(text):
        return Template(text, (), (text,), at)
    if any(_depth(found[0]) > _DEEPEST for found in _BRACES.finditer(text)):
        return [Problem(at, "R303", {"limit": _DEEPEST})]
    try:
        tree = Parser(_ENVIRONMENT, text).parse()
    except TemplateSyntaxError as error:
        offset = _line_start(text, error.lineno)
        return [Problem(place(text, at, offset), "R350", {"line": error.lineno})]
    except RecursionError:
        return [Problem(at, "R303", {"limit": _DEEPEST})]
    reader = _Reader(text, at, scope)
    parts = reader.parts(tree.body)
    if reader.problems:
        return sorted(reader.problems, key=lambda problem: (problem.at, problem.code))
    return Template(text, tuple(sorted(reader.names)), parts, at)


def _depth(text: str) -> int:
    """The most brackets and `not` that are open at once, counted generously."""
    opened = deepest = 0
    for char in text:
        if char in "([{":
            opened += 1
            deepest = max(deepest, opened)
        elif char in ")]}":
            opened -= 1
    return max(deepest, text.count("not "), text.count("-"), text.count("if ") - 1)


def _line_start(text: str, line: int) -> int:
    """The index of the first character of a line."""
    offset = 0
    for _ in range(line - 1):
        offset = text.find("\n", offset) + 1
    return offset


class _Reader:
    """Walks what Jinja parsed; keeps what is allowed and notes what is not."""

    def __init__(self, text: str, at: Location, scope: Scope) -> None:
        self.text = text
        self.at = at
        self.scope = scope
        self.problems: list[Problem] = []
        self.names: set[str] = set()

    def tell(
        self, node: nodes.Node, code: str, near: str = "", word: str = "", **found: object
    ) -> None:
        """Note a problem where the word stands on the node's line, or where that line begins."""
        start = _line_start(self.text, node.lineno)
        for braces in _BRACES.finditer(self.text, start):
            hit = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", braces[0]) if word else None
            if hit:
                start = braces.start() + hit.start()
                break
        self.problems.append(Problem(place(self.text, self.at, start), code, found, near))

    def parts(self, body: Sequence[nodes.Node]) -> tuple[Part, ...]:
        """What a list of statements prints."""
        out: list[Part] = []
        for node in body:
            if isinstance(node, nodes.Output):
                for item in node.nodes:
                    if isinstance(item, nodes.TemplateData):
                        out.append(item.data)
                    elif isinstance(item, nodes.Const):
                        out.append(str(item.value))
                    elif (slot := self.slot(item)) is not None:
                        out.append(slot)
            elif isinstance(node, nodes.If):
                out.append(self.branch(node, node.elif_))
            else:
                self.refuse(node)
        return tuple(out)

    def refuse(self, node: nodes.Node) -> None:
        """Say that a construct of Jinja is not one of ours."""
        self.tell(node, "R351", found=Term(_REFUSED.get(type(node).__name__, "construct")))

    def branch(self, node: nodes.If, rest: Sequence[nodes.If]) -> Branch:
        """An `if`, its `elif`s as branches of what is printed otherwise."""
        then = self.parts(node.body)
        other = (self.branch_of(rest, node.else_),) if rest else self.parts(node.else_)
        return Branch(self.test(node.test), then, other)

    def branch_of(self, rest: Sequence[nodes.If], last: Sequence[nodes.Node]) -> Branch:
        """The first of several `elif`s, and the others behind it."""
        first, *more = rest
        other = (self.branch_of(more, last),) if more else self.parts(last)
        return Branch(self.test(first.test), self.parts(first.body), other)

    def test(self, node: nodes.Node) -> Test | Slot | Constant:
        """A condition."""
        match node:
            case nodes.And() | nodes.Or():
                op = "and" if isinstance(node, nodes.And) else "or"
                return Test(op, (self.test(node.left), self.test(node.right)))
            case nodes.Not():
                return Test("not", (self.test(node.node),))
            case nodes.Compare() if len(node.ops) == 1 and node.ops[0].op in _COMPARE:
                return self.comparison(node)
            case nodes.Const():
                return Constant(node.value)
            case nodes.Filter():
                self.refuse(node)
                return Constant(None)
        return self.slot(node) or Constant(None)

    def comparison(self, node: nodes.Compare) -> Test | Constant:
        """A comparison of a name with a constant of its kind, or with another name."""
        op = _COMPARE[node.ops[0].op]
        left, right = self.test(node.expr), self.test(node.ops[0].expr)
        kinds = {_kind(left), _kind(right)} - {""}
        if len(kinds) > 1 or (op not in {"==", "!="} and kinds - {NUMBER, TIME}):
            one, other = (Term(_kind(part) or "value") for part in (left, right))
            self.tell(node, "R356", one=one, other=other, op=op)
            return Constant(None)
        return Test(op, (left, right))

    def slot(self, node: nodes.Node) -> Slot | None:
        """A name with its columns and filters; None if it is anything else, or unknown."""
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self.filtered(node)
        path: list[str] = []
        inner = node
        while isinstance(inner, nodes.Getattr | nodes.Getitem):
            if isinstance(inner, nodes.Getattr):
                path.append(inner.attr)
            elif isinstance(inner.arg, nodes.Const) and isinstance(inner.arg.value, str):
                path.append(inner.arg.value)
            else:
                break
            inner = inner.node
        if not isinstance(inner, nodes.Name):
            self.refuse(inner)
            return None
        path.append(inner.name)
        path.reverse()
        type_ = self.typed(node, path)
        return None if type_ is None else Slot(tuple(path), type_)

    def typed(self, node: nodes.Node, path: Sequence[str]) -> Type | None:
        """The type of a dotted name; says so if it is unknown."""
        type_ = self.scope.names.get(path[0])
        if type_ is None:
            near = nearest(path[0], self.scope.names)
            self.tell(node, "R320", near, path[0], name=path[0][:60])
            return None
        self.names.add(path[0])
        for index, column in enumerate(path[1:], 1):
            name = ".".join(path[:index])
            if type_.kind != RECORD:
                self.tell(node, "R322", "", path[0], name=name, kind=Term(type_.kind))
                return None
            columns = type_.fields or {}
            if column == "exists":
                type_ = Type(BOOL)
                continue
            if column not in columns:
                near = nearest(column, [*columns, "exists"])
                self.tell(node, "R321", near, path[0], column=column[:60], name=name)
                return None
            type_ = columns[column]
        return type_

    def filtered(self, node: nodes.Filter) -> Slot | None:
        """A slot with one more filter behind it."""
        assert node.node is not None  # noqa: S101 - asked by the caller
        slot = self.slot(node.node)
        known = FILTERS.get(node.name)
        if known is None:
            self.tell(node, "R352", nearest(node.name, FILTERS), node.name, name=node.name[:60])
            return None
        if slot is None:
            return None
        arguments = [arg.value for arg in node.args if isinstance(arg, nodes.Const)]
        plain = len(arguments) == len(node.args) and not node.kwargs
        if not plain or node.dyn_args or node.dyn_kwargs or len(arguments) > known.arguments:
            self.tell(node, "R355", "", node.name, name=node.name)
            return None
        if any(not is_zone(argument) for argument in arguments):
            self.tell(node, "R357", "", node.name, zone=str(arguments[0])[:60])
            return None
        kind = TEXT if slot.filters else slot.type.kind
        unit = slot.type.measures
        if kind != known.takes or (known.measures and unit not in {None, known.measures}):
            found = measured(unit) if unit else Term(kind)
            expected = measured(known.measures) if known.measures else Term(known.takes)
            self.tell(node, "R354", "", node.name, name=node.name, expected=expected, found=found)
            return None
        return Slot(slot.path, slot.type, (*slot.filters, (known, tuple(arguments))))


def _kind(part: Test | Slot | Constant) -> str:
    """The kind of a part of a condition, or nothing if it is null."""
    if isinstance(part, Slot):
        return part.type.kind
    if isinstance(part, Test) or isinstance(part.value, bool):
        return BOOL
    if isinstance(part.value, int | float):
        return NUMBER
    return TEXT if isinstance(part.value, str) else ""
