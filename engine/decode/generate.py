"""Small functions over a feed's events, made once at load so that the hot path has no look-ups.

The patterns below are constants of ours. Field names enter them only as attribute nodes of the
syntax tree, never as text, so no declaration can become code.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.feeds.reasons import BadValue, Reason

LARGEST_RECORD = 1_048_576

Parse = Callable[[bytes], Any]
Check = Callable[[Any, int, int | None], Reason | None]
Settle = Callable[[Any], None]
Identify = Callable[[bytes], None]

_DECODE = """
if len(value) > LARGEST: too_large(value)
event = decode(value)
"""
_REPEATED = "if value.count(WORD) > 1: refuse_repeated(value)"
_READ = "event.FIELD = READ(event.FIELD)"
_READ_OPTIONAL = "if event.FIELD is not None: event.FIELD = READ(event.FIELD)"

_AHEAD = "if arrived is not None and at > arrived + AHEAD: return FAR"
_LOCATED = "if event.LOCATED is not None and not event.LOCATED: return NOT_LOCATED"
_PLACED = """
if not (-180.0 <= event.LON <= 180.0 and -90.0 <= event.LAT <= 90.0):
    return misplaced(event.LON, event.LAT)
"""
_PLACED_OPTIONAL = """
if event.LON is None or event.LAT is None:
    return None if event.LON is event.LAT else BAD_POSITION
if not (-180.0 <= event.LON <= 180.0 and -90.0 <= event.LAT <= 90.0):
    return misplaced(event.LON, event.LAT)
"""
_NULL_ISLAND = "if event.LON == 0.0 and event.LAT == 0.0: return NULL_ISLAND"

_SETTLE = "event.LON, event.LAT = CONVERT(event.LON, event.LAT)"
_SETTLE_OPTIONAL = """
if event.LON is not None and event.LAT is not None:
    event.LON, event.LAT = CONVERT(event.LON, event.LAT)
"""


def make_parse(
    decode: Callable[[bytes], Any],
    readers: Sequence[tuple[str, Callable[[Any], object], bool]],
    words: Sequence[bytes] = (),
    refuse_repeated: Identify | None = None,
) -> Parse:
    """Decode, refuse records over 1 MB or with a repeated identity, then read times and plates.

    Args:
        decode: Bytes to event.
        readers: (field, reader, optional) of the fields whose text is turned into another value.
        words: Quoted wire names; where one occurs twice, `refuse_repeated` looks closely.
        refuse_repeated: Raises `BadValue` if the record really says one of them twice.

    """
    lines: list[ast.stmt] = _statements(_DECODE)
    globals_: dict[str, Any] = {
        "LARGEST": LARGEST_RECORD,
        "too_large": _too_large,
        "decode": decode,
        "refuse_repeated": refuse_repeated,
    }
    for number, word in enumerate(words):
        globals_[f"WORD{number}"] = word
        lines += _statements(_REPEATED, names={"WORD": f"WORD{number}"})
    for number, (field, reader, optional) in enumerate(readers):
        globals_[f"READ{number}"] = reader
        pattern = _READ_OPTIONAL if optional else _READ
        lines += _statements(pattern, {"FIELD": field}, {"READ": f"READ{number}"})
    lines.append(ast.Return(ast.Name("event", ast.Load())))
    return _function("parse", ["value"], lines, globals_)


def make_check(
    ahead_ms: int,
    position: tuple[str, str] | None,
    *,
    optional: bool = False,
    located: str = "",
    null_island: bool = False,
) -> Check:
    """What must hold of an event besides its fields' own types; answers a reason or None.

    Args:
        ahead_ms: How far after its arrival the event time may lie.
        position: Names of the longitude and latitude fields, in degrees of the feed's own datum.
        optional: The position may be missing (both or none).
        located: The flag that says the receiver had a fix, if events without one are refused.
        null_island: Refuse a position of exactly 0, 0.

    """
    lines = _statements(_AHEAD)
    names = {"LOCATED": located}
    if located:
        lines += _statements(_LOCATED, names)
    if position is not None:
        names = {"LON": position[0], "LAT": position[1]}
        lines += _statements(_PLACED_OPTIONAL if optional else _PLACED, names)
        if null_island:
            lines += _statements(_NULL_ISLAND, names)
    lines.append(ast.Return(ast.Constant(None)))
    globals_ = {
        "AHEAD": ahead_ms,
        "FAR": Reason.TOO_FAR_AHEAD,
        "NOT_LOCATED": Reason.NOT_LOCATED,
        "NULL_ISLAND": Reason.NULL_ISLAND,
        "BAD_POSITION": Reason.BAD_POSITION,
        "misplaced": _misplaced,
    }
    return _function("check", ["event", "at", "arrived"], lines, globals_)


def make_settle(
    position: tuple[str, str],
    convert: Callable[[float, float], tuple[float, float]],
    *,
    optional: bool = False,
) -> Settle:
    """Replace an event's position by its WGS-84 equivalent, in place."""
    names = {"LON": position[0], "LAT": position[1]}
    lines = _statements(_SETTLE_OPTIONAL if optional else _SETTLE, names)
    return _function("settle", ["event"], lines, {"CONVERT": convert})


def _too_large(value: bytes) -> None:
    raise BadValue(Reason.TOO_LARGE, str(len(value)))


def _misplaced(lon: float, lat: float) -> Reason:
    """Out of bounds; if the other way round would be within them, the axes are swapped."""
    if abs(lat) <= 180.0 and abs(lon) <= 90.0:  # noqa: PLR2004 - degrees of a half and a quarter
        return Reason.SWAPPED_POSITION
    return Reason.BAD_POSITION


class _Fill(ast.NodeTransformer):
    """Puts real attribute and variable names in the place of a pattern's."""

    def __init__(self, attributes: Mapping[str, str], names: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        node.attr = self.attributes.get(node.attr, node.attr)
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node


def _statements(
    pattern: str,
    attributes: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> list[ast.stmt]:
    # The wrapper function makes a `return` in a pattern legal.
    tree = ast.parse("def f():\n" + "\n".join(f" {line}" for line in pattern.strip().split("\n")))
    tree = _Fill(attributes or {}, names or {}).visit(tree)
    function = tree.body[0]
    return list(function.body)


def _function(
    name: str, arguments: Sequence[str], body: list[ast.stmt], globals_: dict[str, Any]
) -> Callable[..., Any]:
    maker = ast.FunctionDef(
        name=name,
        args=ast.arguments(
            posonlyargs=[],
            args=[ast.arg(argument) for argument in arguments],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        ),
        body=body,
        decorator_list=[],
    )
    module = ast.fix_missing_locations(ast.Module(body=[maker], type_ignores=[]))
    space: dict[str, Any] = {"__builtins__": {"len": len}, **globals_}
    exec(compile(module, f"<{name} of a feed>", "exec"), space)  # noqa: S102 - built from constants
    made: Callable[..., Any] = space[name]
    return made
