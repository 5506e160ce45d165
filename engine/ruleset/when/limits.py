"""Limits as expressions: in the unit of what they limit, over names that an operator adds."""

from collections.abc import Mapping
from dataclasses import replace

from engine.model.unit_table import scale
from engine.operators.specs.base import Path
from engine.ruleset.expr import Typed
from engine.ruleset.expr.numbers import scaled
from engine.ruleset.expr.types import NUMBER, Scope, Type
from engine.ruleset.when.base import Loading
from engine.text.terms import Term


def widened(scope: Scope, own: Mapping[str, Type]) -> Scope:
    """The same names and an operator's own, which go before fields of the same name."""
    event = scope.event
    fields = {name for name in scope.names if scope.in_event(name)} if event is None else event
    return replace(scope, names={**scope.names, **own}, event=frozenset(fields) - set(own))


def limit(text: str | None, path: Path, scope: Scope, value: Type, at: Loading) -> Typed | None:
    """The checked limit in the unit of the value, or None; a unit that does not fit is noted."""
    typed = at.phrases.expression(text, path, scope, NUMBER)
    if typed is None:
        return None
    if typed.type.measures != value.measures:
        carried = Term(typed.type.unit or "no-unit")
        at.notes.add(path, "R538", limit=carried, value=Term(value.unit or "no-unit"))
        return None
    return in_unit(typed, value.unit)


def in_unit(typed: Typed, unit: str | None) -> Typed:
    """The same number in another unit of the same dimension."""
    if unit is None or typed.type.unit is None or unit == typed.type.unit:
        return typed
    node = scaled(typed.node, scale(typed.type.unit, unit), unit)
    return replace(typed, node=node, type=node.type)
