"""Expressions and templates of one file, read and checked where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from engine.ruleset.expr import Typed, check, parse
from engine.ruleset.expr.syntax import Constant, Expr, Items, Name, Node
from engine.ruleset.expr.types import Scope
from engine.ruleset.macros import Macro, called_in, expand, names_in
from engine.ruleset.notes import Notes
from engine.ruleset.templates import Template, parse_template

Path = Sequence[str | int]


@dataclass(slots=True)
class Phrases:
    """Reads the expressions of one file.

    Attributes:
        lists: The shared lists that names may stand for.
        used_lists: Those that were met.
        used_names: All names that were met.
        unsure: Look-ups into something unknown; what reads them is not checked further.
        macros: The macros that names and calls may stand for.
        used_macros: Those that were met, with those they are made of.

    """

    notes: Notes
    lists: Mapping[str, Sequence[str]]
    used_lists: set[str]
    used_names: set[str]
    unsure: set[str] = field(default_factory=set)
    macros: Mapping[str, Macro] = field(default_factory=dict)
    used_macros: set[str] = field(default_factory=set)

    def expression(
        self, text: str | None, path: Path, scope: Scope, expect: str | None = None
    ) -> Typed | None:
        """The checked expression at a path, or None when there is none or it is wrong."""
        if text is None:
            return None
        parsed = parse(text, self.notes.document.text_at(path))
        if isinstance(parsed, list):
            self.notes.take(parsed, path)
            return None
        expanded = expand(parsed, self.macros, scope.names)
        if isinstance(expanded, list):
            self.notes.take(expanded, path)
            return None
        whole, used = expanded
        self.used_macros |= used
        names = names_in(whole.root)
        self.used_names |= names
        if (names | called_in(whole.root)) & self.unsure:
            return None
        typed = check(self._with_lists(whole, scope), scope, expect)
        if isinstance(typed, list):
            self.notes.take(typed, path)
            return None
        return typed

    def condition(self, text: str | None, path: Path, scope: Scope) -> Typed | None:
        """The checked condition at a path: an expression that is true, false or unknown."""
        return self.expression(text, path, scope, "bool")

    def template(self, text: str, path: Path, scope: Scope) -> Template | None:
        """The checked template at a path."""
        if any(name in text for name in self.unsure):
            return None
        parsed = parse_template(text, self.notes.document.text_at(path), scope)
        if isinstance(parsed, list):
            self.notes.take(parsed, path)
            return None
        self.used_names |= {word for word in scope.names if word in text}
        return parsed

    def _with_lists(self, expr: Expr, scope: Scope) -> Expr:
        """The same expression with the values of shared lists in the place of their names."""
        wanted = {
            name: values
            for name, values in self.lists.items()
            if name not in scope.names and name in names_in(expr.root)
        }
        if not wanted:
            return expr
        self.used_lists |= set(wanted)
        return replace(expr, root=_replaced(expr.root, wanted))


def _replaced(node: Node, lists: Mapping[str, Sequence[str]]) -> Node:
    """A part with names of lists replaced by their values."""
    if isinstance(node, Name):
        values = lists.get(node.parts[0]) if len(node.parts) == 1 else None
        if values is None:
            return node
        items = tuple(Constant(node.start, node.end, value) for value in values)
        return Items(node.start, node.end, items)
    changes: dict[str, Any] = {}
    for one in fields(node):
        value = getattr(node, one.name)
        if isinstance(value, Node):
            changes[one.name] = _replaced(value, lists)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[one.name] = tuple(_replaced(item, lists) for item in value)
    return replace(node, **changes) if changes else node
