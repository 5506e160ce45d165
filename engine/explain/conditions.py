"""The conditions of a rule one by one, with the values they were asked about."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.explain.funnel import Part
from engine.model.formats import format_time
from engine.ruleset.expr import Tools, Typed, Value, compile_value
from engine.ruleset.expr.tree import Checked, describe
from engine.ruleset.expr.types import TIME

_SHOWN = {"event", "extra", "column", "position", "time", "call"}


class Asked:
    """A condition, taken apart where it says `and`; each part is asked by itself."""

    def __init__(self, typed: Typed, tools: Tools, zone: str) -> None:
        self.zone = zone
        self.whole = compile_value(typed, tools)
        self.parts: list[tuple[str, Value, list[tuple[str, Value, str]]]] = []
        for node in _conjuncts(typed.node):
            leaves = {_text(typed, leaf): leaf for leaf in _leaves(node)}
            values = [
                (text, compile_value(replace(typed, node=leaf), tools), leaf.type.kind)
                for text, leaf in leaves.items()
            ]
            value = compile_value(replace(typed, node=node), tools)
            self.parts.append((_text(typed, node), value, values))

    def told(self, event: Any, names: Any) -> list[Part]:
        """Each part with its answer and the values behind it."""
        return [
            Part(
                text,
                _answer(value, event, names),
                [(leaf, self._shown(ask, kind, event, names)) for leaf, ask, kind in values],
            )
            for text, value, values in self.parts
        ]

    def _shown(self, ask: Value, kind: str, event: Any, names: Any) -> Any:
        """A value as it is kept: plain, and an instant by the feed's clock."""
        value = _answer(ask, event, names)
        return (
            format_time(value, self.zone) if kind == TIME and value is not None else _plain(value)
        )


def holds(parts: list[Part]) -> bool | None:
    """Whether all parts hold; None where that cannot be told."""
    if all(part.value is True for part in parts):
        return True
    return None if all(part.value is not False for part in parts) else False


def _conjuncts(node: Checked) -> Iterator[Checked]:
    if node.op == "and":
        for arg in node.args:
            yield from _conjuncts(arg)
    else:
        yield node


def _leaves(node: Checked) -> Iterator[Checked]:
    """The names and calls of a part, not those inside a call that is shown itself."""
    if node.op in _SHOWN and node.type.kind not in {"bool", "record"}:
        yield node
        return
    for arg in node.args:
        yield from _leaves(arg)


def _text(typed: Typed, node: Checked) -> str:
    """What was written; what a macro or list stands for has no words of its own."""
    return " ".join(typed.text[node.start : node.end].split()) or describe(node)


def _answer(value: Value, event: Any, names: Any) -> Any:
    try:
        return value(event, names)
    except ZeroDivisionError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
