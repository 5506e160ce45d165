"""Checked expressions into Python functions, built from syntax trees and never from text."""

import ast
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any, cast

from engine.ruleset.expr.conditions import Emitter
from engine.ruleset.expr.pieces import load
from engine.ruleset.expr.runtime import Tools
from engine.ruleset.expr.tree import Typed

Value = Callable[[Any, Mapping[str, object]], Any]
"""Takes the decoded event and the extras (`event_time`, `anchor`, look-ups, ...); null is None."""


def compile_value(typed: Typed, tools: Tools | None = None) -> Value:
    """Make the function that answers an expression's value; a condition may answer None.

    It reads fields from the event's attributes and everything else from the extras, `event_time`
    and `key` among them. A name missing in the extras is null.

    Args:
        typed: The checked expression.
        tools: Zones, calendars and time zone, where it needs them.

    Returns:
        A function of (event, extras). It raises ZeroDivisionError where the data make it divide
        by zero, and CalendarEnd past a calendar's horizon.

    """
    emitter = _emitter(tools)
    loads = emitter.share([typed.node])
    return _value(emitter, [*loads, ast.Return(emitter.value(typed.node))])


def compile_condition(typed: Typed, tools: Tools | None = None) -> Value:
    """Make the function that answers whether a condition is true; null counts as not true."""
    emitter = _emitter(tools)
    loads = emitter.share([typed.node])
    return _value(emitter, [*loads, ast.Return(emitter.truth(typed.node))])


def _emitter(tools: Tools | None) -> Emitter:
    """An emitter for functions of (event, extras)."""
    time = ast.Subscript(load("x"), ast.Constant("event_time"), ast.Load())
    return Emitter(tools or Tools(), time)


def _value(emitter: Emitter, body: list[ast.stmt]) -> Value:
    """The function of (event, extras) with this body."""
    return cast("Value", function("value", ("e", "x"), body, emitter.helpers))


def function(
    name: str,
    parameters: tuple[str, ...],
    body: list[ast.stmt],
    helpers: Mapping[str, object],
    defaults: tuple[object, ...] = (),
) -> FunctionType:
    """Build a Python function from statements; its globals are the helpers and nothing else."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(parameter) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    definition = ast.FunctionDef(name, arguments, body, [])
    module = ast.fix_missing_locations(ast.Module([definition], []))
    code = compile(module, f"<expression {name}>", "exec")
    inner = next(item for item in code.co_consts if isinstance(item, CodeType))
    return FunctionType(inner, {"__builtins__": {}, **helpers}, name, defaults)
