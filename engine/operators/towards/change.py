"""How far a change is: what the last value was, and how far the newest has moved from it."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.model.progress import Progress, Step
from engine.operators.change import ChangeLogic, Trace
from engine.operators.specs.change import ChangeSpec, Kind
from engine.operators.towards.base import Sight, tried


def change(logic: ChangeLogic, key: str, at_ms: int, sight: Sight) -> list[Progress]:
    """What the sample at hand would be, or what is remembered of the samples before."""
    trace = logic.keys.get(key)
    value, limit = None, None
    if sight.event is not None:
        names = logic.scope(key, sight.event, at_ms)
        value = logic.of(sight.event, names)
        limit = logic.limit and logic.limit(sight.event, names)
        if value is None:
            steps = [Step("change-value", met=False)]
            return [tried(logic.life, key, "", at_ms, steps)]
    if trace is None or not trace.memory:
        steps = [Step("change-first", met=False, have=value, unit=_unit(logic.spec))]
        return [tried(logic.life, key, "", at_ms, steps)]
    episode = logic.life.find(key)
    if sight.event is None and episode is not None:
        found = {"before": episode.facts.get("before"), "value": episode.facts.get("value")}
        happened = Step("change-happened", True, at_ms=episode.since, found=found)
        return [tried(logic.life, key, "", at_ms, [happened])]
    told = _KINDS[logic.spec.kind](logic.spec, trace, at_ms, value, limit)
    return [tried(logic.life, key, "", at_ms, told)]


def _unit(spec: ChangeSpec) -> str:
    return spec.of.type.unit or ""


def _waits(spec: ChangeSpec, value: Any, at_ms: int) -> Step:
    """Nothing but the next sample can tell."""
    return Step("change-waits", met=False, have=value, unit=_unit(spec), at_ms=at_ms)


def _becomes(spec: ChangeSpec, trace: Trace, _at: int, value: Any, _limit: Any) -> list[Step]:
    old, since = trace.memory[0], trace.memory[1]
    if value is None or value == old:
        found = {"value": old, "wanted": _wanted(spec.after)}
        return [Step("change-becomes", since is not None, found=found)]
    before = not spec.before or old in spec.before
    after = not spec.after or value in spec.after
    found = {"value": old, "wanted": _wanted(spec.before)}
    return [
        Step("change-was", before, found=found),
        Step("change-becomes", after, found={"value": value, "wanted": _wanted(spec.after)}),
    ]


def _wanted(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or "*"


def _jumps(spec: ChangeSpec, trace: Trace, at_ms: int, value: Any, limit: Any) -> list[Step]:
    old, last = trace.memory
    if value is None:
        return [_waits(spec, old, last)]
    steps = [_gap(spec, at_ms - last)] if spec.gap_ms else []
    moved = value - old
    if limit is None or (spec.relative and not old):
        return [*steps, Step("change-limit", met=False)]
    far = moved / abs(old) if spec.relative else moved
    far = abs(far) if spec.direction == 0 else far * spec.direction
    found = {"before": old, "value": value}
    if spec.relative:
        return [*steps, _limit("change-share", far * 100, limit * 100, "%", found)]
    return [*steps, _limit("change-jump", far, limit, _unit(spec), found)]


def _limit(name: str, far: float, limit: float, unit: str, found: dict[str, Any]) -> Step:
    return Step(name, far > limit, round(max(far, 0.0), 6), round(limit, 6), unit, found=found)


def _gap(spec: ChangeSpec, apart: int) -> Step:
    """Whether two samples are near enough for what was between them to be believed."""
    return Step("change-gap", apart <= spec.gap_ms, apart, spec.gap_ms, "ms")


def _moves(spec: ChangeSpec, trace: Trace, at_ms: int, value: Any, limit: Any) -> list[Step]:
    back = spec.span_back_ms
    if value is None:
        newest = trace.memory[-1]
        return [_waits(spec, newest[2], newest[1])]
    old = [sample for sample in trace.memory if at_ms - sample[1] >= back]
    if not old:
        span = at_ms - trace.memory[0][1]
        return [Step("change-span", False, span, back, "ms")]
    apart = at_ms - old[-1][1]
    steps = [Step("change-span", True, back, back, "ms")]
    if apart > back + spec.gap_ms:
        return [*steps, Step("change-gap", False, apart, back + spec.gap_ms, "ms")]
    if limit is None:
        return [*steps, Step("change-limit", met=False)]
    rate = (value - old[-1][2]) * spec.per_ms / apart
    rate = rate if spec.kind is Kind.RISES else -rate
    found = {"before": old[-1][2], "value": value, "per_ms": spec.per_ms}
    name = "change-rises" if spec.kind is Kind.RISES else "change-falls"
    return [*steps, _limit(name, rate, limit, _unit(spec), found)]


def _unseen(spec: ChangeSpec, trace: Trace, at_ms: int, value: Any, _limit: Any) -> list[Step]:
    known, need = at_ms - trace.memory[0], spec.least_ms
    steps = [Step("change-known", known >= need, min(known, need), need, "ms")]
    if value is None:
        newest = max(trace.memory[2], key=trace.memory[2].get)
        return [*steps, _waits(spec, newest, trace.memory[2][newest])]
    last = trace.memory[2].get(value)
    found = {"value": value}
    if last is None:
        return [*steps, Step("change-new", met=True, found=found)]
    ago = at_ms - last
    return [*steps, Step("change-unseen", ago > need, min(ago, need), need, "ms", last, found)]


def _unchanged(spec: ChangeSpec, trace: Trace, at_ms: int, value: Any, _limit: Any) -> list[Step]:
    first, begin, samples, last = trace.memory
    steps: list[Step] = []
    if value is not None:
        same = value == first if not spec.tolerance else abs(value - first) <= spec.tolerance
        found = {"value": value, "first": first}
        steps.append(Step("change-same", same, found=found))
        if at_ms - last > spec.gap_ms:
            steps.append(_gap(spec, at_ms - last))
        if same and at_ms - last <= spec.gap_ms:
            samples, last = min(samples + 1, spec.min_samples), at_ms
    if spec.min_samples > 1:
        enough = samples >= spec.min_samples
        steps.append(Step("change-samples", enough, samples, spec.min_samples))
    held, need = last - begin, spec.least_ms
    found = {"first": first}
    return [*steps, Step("change-held", held >= need, min(held, need), need, "ms", begin, found)]


_KINDS: Mapping[Kind, Callable[[ChangeSpec, Trace, int, Any, Any], list[Step]]] = {
    Kind.BECOMES: _becomes,
    Kind.JUMPS: _jumps,
    Kind.RISES: _moves,
    Kind.FALLS: _moves,
    Kind.UNSEEN: _unseen,
    Kind.UNCHANGED: _unchanged,
}
