"""Which fields of an event make a condition unknown when they are missing."""

from collections.abc import Iterator

from engine.ruleset.expr import Typed
from engine.ruleset.expr.tree import Checked
from engine.ruleset.spec import RuleSpec

_HEEDED = {"present", "absent"}


def unknown_without(rule: RuleSpec, feed: str) -> tuple[str, ...]:
    """The fields of a feed that a rule compares, and does not heed that they may be missing.

    It is heeded where the condition asks `x == null`, `exists(x)` or `coalesce(x, ...)`.
    """
    only = rule.feeds[0] if len(rule.feeds) == 1 else ""
    conditions = [typed for _, typed, owner in rule.when.conditions(only) if owner in {"", feed}]
    where = rule.where.get(feed)
    if where is not None:
        conditions.append(where)
    return tuple(sorted({name for typed in conditions for name in _compared(typed)}))


def _compared(typed: Typed) -> set[str]:
    found = list(_fields(typed.node, heeded=False))
    return {name for name, heeded in found if not heeded} - {
        name for name, heeded in found if heeded
    }


def _fields(node: Checked, *, heeded: bool) -> Iterator[tuple[str, bool]]:
    """The fields that may be missing, and whether that is asked about where they stand."""
    if node.op == "event" and node.type.nullable:
        yield str(node.value), heeded
    heeds = node.op in _HEEDED or (node.op == "call" and node.value == "coalesce")
    for arg in node.args:
        yield from _fields(arg, heeded=heeded or heeds)
