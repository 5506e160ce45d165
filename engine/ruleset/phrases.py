"""Expressions and templates of one file, read and checked where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from engine.errors import Location
from engine.ruleset.expr import Typed, check, parse
from engine.ruleset.expr.syntax import Constant, Expr, Items, Logic, Name, Node
from engine.ruleset.expr.types import Scope
from engine.ruleset.macros import (
    Macro,
    called_in,
    chosen,
    expand,
    names_in,
    where_false,
    where_true,
)
from engine.ruleset.notes import Notes
from engine.ruleset.spec import ListSpec
from engine.ruleset.templates import Template, parse_template

Path = Sequence[str | int]
Wanted = tuple[Macro, bool]
"""The condition of an override, and whether it must hold or must not."""


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
    lists: Mapping[str, ListSpec]
    used_lists: set[str]
    used_names: set[str]
    unsure: set[str] = field(default_factory=set)
    macros: Mapping[str, Macro] = field(default_factory=dict)
    used_macros: set[str] = field(default_factory=set)

    def expression(
        self,
        text: str | None,
        path: Path,
        scope: Scope,
        expect: str | None = None,
        also: Sequence[Wanted] = (),
    ) -> Typed | None:
        """The checked expression at a path, or None when there is none or it is wrong.

        With `also`, further conditions of overrides must hold besides.
        """
        if text is None and not also:
            return None
        at = self.notes.document.text_at(path)
        parsed = _nothing(at) if text is None else parse(text, at)
        if isinstance(parsed, list):
            self.notes.take(parsed, path)
            return None
        expanded = expand(_with_conditions(parsed, also), self.macros, scope.names)
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

    def condition(
        self, text: str | None, path: Path, scope: Scope, also: Sequence[Wanted] = ()
    ) -> Typed | None:
        """The checked condition at a path: an expression that is true, false or unknown."""
        return self.expression(text, path, scope, "bool", also)

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


def _nothing(at: Location) -> Expr:
    """An expression that nobody wrote, at the place where it would stand."""
    return Expr("", at, Constant(0, 0, value=True))


def _with_conditions(expr: Expr, also: Sequence[Wanted]) -> Expr:
    """An expression and the conditions of overrides that must hold, or must not, besides."""
    if not also:
        return expr
    end = len(expr.text)
    more = [(where_true if holds else where_false)(only, end, end) for only, holds in also]
    parts = (expr.root, *more) if expr.text else tuple(more)
    root = parts[0] if len(parts) == 1 else Logic(expr.root.start, end, "and", parts)
    return replace(expr, root=root)


def _items(node: Node, values: Sequence[str]) -> Items:
    """The values of a list in the place of its name."""
    return Items(
        node.start, node.end, tuple(Constant(node.start, node.end, value) for value in values)
    )


def _replaced(node: Node, lists: Mapping[str, ListSpec]) -> Node:
    """A part with names of lists replaced by their values."""
    if isinstance(node, Name):
        shared = lists.get(node.parts[0]) if len(node.parts) == 1 else None
        if shared is None:
            return node
        variants = [(only, _items(node, values)) for only, values in shared.variants]
        return chosen(variants, _items(node, shared.values), node.start, node.end)
    changes: dict[str, Any] = {}
    for one in fields(node):
        value = getattr(node, one.name)
        if isinstance(value, Node):
            changes[one.name] = _replaced(value, lists)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[one.name] = tuple(_replaced(item, lists) for item in value)
    return replace(node, **changes) if changes else node
