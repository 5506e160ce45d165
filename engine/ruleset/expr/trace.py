"""Why a condition answered what it did: the value of each of its parts, for evidence."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.ruleset.expr.compile import Value, compile_value
from engine.ruleset.expr.runtime import Tools
from engine.ruleset.expr.tree import Checked, Typed

Steps = list[tuple[str, object]]
"""Parts as written with their values, each part before what it is part of; null is None."""
_HIDDEN = {"const", "list", "scale"}


def compile_trace(
    typed: Typed, tools: Tools | None = None
) -> Callable[[Any, Mapping[str, object]], Steps]:
    """Make the function that answers the value of every part of an expression.

    The parts are compiled when it is first asked. A part that would divide by zero answers None.
    """
    compiled: list[tuple[str, Value]] = []

    def steps(event: Any, extras: Mapping[str, object]) -> Steps:
        if not compiled:
            compiled.extend(
                (text, compile_value(replace(typed, node=node), tools))
                for text, node in _parts(typed).items()
            )
        return [(text, _answer(value, event, extras)) for text, value in compiled]

    return steps


def trace(
    typed: Typed, event: Any, extras: Mapping[str, object], tools: Tools | None = None
) -> Steps:
    """The value of every part of an expression, for one event; constants are left out."""
    return compile_trace(typed, tools)(event, extras)


def _answer(value: Value, event: Any, extras: Mapping[str, object]) -> object:
    """The value of a part, None where it divides by zero."""
    try:
        return value(event, extras)
    except ZeroDivisionError:
        return None


def _parts(typed: Typed) -> dict[str, Checked]:
    """The parts worth showing by the words they were written in; equal words once."""
    found: dict[str, Checked] = {}
    for node in _below(typed.node):
        text = " ".join(typed.text[node.start : node.end].split())
        if text and node.op not in _HIDDEN:
            found.setdefault(text, node)
    return found


def _below(node: Checked) -> Iterator[Checked]:
    """A part and all its parts, the smallest first."""
    for arg in node.args:
        yield from _below(arg)
    yield node
