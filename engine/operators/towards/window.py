"""How far a window is: what it holds by now, and how far that is from its limit."""

from typing import Any

from engine.alerts.context import Names
from engine.model.progress import Progress, Step
from engine.operators.specs.window import WindowSpec
from engine.operators.towards.base import Sight, tried
from engine.operators.window import Limit, Panel, WindowLogic
from engine.operators.window_session import SessionLogic

_Held = tuple[int, float | None]
"""Samples of a window, and its value."""


def window(logic: WindowLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """The window of each member that ends at the coming edge, as far as it is filled."""
    panel = logic.keys.get(key)
    if panel is None:
        return [tried(logic.life, key, "", at_ms, [Step("window-empty", met=False)])]
    every = logic.spec.every_ms
    # At an edge whose timer has not been called yet, the window that ends there is still to come.
    passed = (at_ms + logic.offset_ms) // every
    end = passed if panel.wake == at_ms else passed + 1
    edge = end * every - logic.offset_ms
    return [
        _member(logic, key, panel, member, end, edge, at_ms) for member in sorted(panel.members)
    ]


def _member(
    logic: WindowLogic, key: str, panel: Panel, member: str, end: int, edge: int, at_ms: int
) -> Progress:
    # By name, as the operator adds them up: a restart brings the members back in another order.
    members = sorted(panel.members.items())
    values = {name: logic.over(one, end, logic.length) for name, one in members}
    series, (count, value) = panel.members[member], values[member]
    enough = count >= logic.spec.min_samples
    # Without a value nothing is noted for the weeks to come: this only looks.
    compared = logic.compared(series, member, values, end, edge, None)
    if logic.spec.baseline is not None and logic.spec.baseline.neighbours and not enough:
        value = None
    event = logic.newest(series, edge)[1]
    names = logic.scope(key, event, at_ms)
    names.update(value=value, baseline=compared.mean, spread=compared.spread)
    found = {"from_at": edge - logic.spec.over_ms, "to_at": edge}
    steps = [Step("window-span", met=True, found=found)]
    steps += _judged(logic.spec, logic.limit, (count, value), event, names)
    return tried(logic.life, key, member, at_ms, steps)


def session(logic: SessionLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """The key's open session."""
    one = logic.keys.get(key)
    if one is None:
        return [tried(logic.life, key, "", at_ms, [Step("window-session-none", met=False)])]
    held = logic.aggregate.merged([one.cell])
    names = logic.scope(key, one.event, at_ms)
    names.update(value=held[1], baseline=None, spread=None)
    found = {"until_at": one.last + logic.spec.gap_ms}
    steps = [Step("window-session", met=True, at_ms=one.begin, found=found)]
    steps += _judged(logic.spec, logic.limit, held, one.event, names)
    return [tried(logic.life, key, "", at_ms, steps)]


def _judged(spec: WindowSpec, limit: Limit, held: _Held, event: Any, names: Names) -> list[Step]:
    """Samples enough, a baseline to compare with, and the value past its limit."""
    count, value = held
    steps = [Step("window-samples", count >= spec.min_samples, count, spec.min_samples)]
    if limit.needs_baseline:
        steps.append(Step("window-baseline", names["baseline"] is not None, names["baseline"]))
    holds, needed = (None, None) if value is None else limit.judge(value, event, names)
    unit = ""
    if spec.types is not None and "value" in spec.types:
        unit = spec.types["value"].unit or ""
    found = {"aggregate": spec.aggregate}
    if limit.passes is not None:
        text = "" if spec.passes is None else spec.passes.text
        return [*steps, Step("window-passes", holds, value, text, unit, found=found)]
    name = "window-above" if limit.above is not None else "window-below"
    return [*steps, Step(name, holds, _round(value), _round(needed), unit, found=found)]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
