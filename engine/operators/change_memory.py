"""What each kind of change remembers of a key, and what a sample says: plain lists, no events.

Each `see` takes the memory, a sample and its limit, changes the memory and answers whether the
change holds now (None: not known), since when, what was before, and how far it moved.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.operators.specs.change import ChangeSpec, Kind

MOST_VALUES = 10_000
"""How many values of a key `unseen_for` remembers; past it the one not seen for longest goes."""

_GRAINS = 60


class Seen(NamedTuple):
    """What a sample says."""

    holds: bool | None
    since: int
    before: Any = None
    moved: float | None = None


See = Callable[[list[Any], Any, int, Any], Seen]
"""Of a memory (empty for a new key), value, event time (ms) and limit."""


def watcher(spec: ChangeSpec) -> See:
    """How a kind of change looks at samples."""
    made: dict[Kind, Callable[[ChangeSpec], See]] = {
        Kind.BECOMES: _becomes,
        Kind.JUMPS: _jumps,
        Kind.RISES: _moves,
        Kind.FALLS: _moves,
        Kind.UNSEEN: _unseen,
        Kind.UNCHANGED: _unchanged,
    }
    return made[spec.kind](spec)


def _becomes(spec: ChangeSpec) -> See:
    """Memory: the last value, since when what it became holds (0: it does not), what it was."""
    before, after, lasting = frozenset(spec.before), frozenset(spec.after), bool(spec.after)

    def see(memory: list[Any], value: Any, at_ms: int, _limit: Any) -> Seen:
        if not memory:
            memory[:] = [value, None, None]
            return Seen(holds=False, since=at_ms)
        old = memory[0]
        if old != value:
            hit = (not before or old in before) and (not after or value in after)
            # Of several wanted values in a row the first began it, as long as it lasts.
            stays = lasting and memory[1] is not None and value in after
            if not stays:
                memory[1], memory[2] = (at_ms, old) if hit else (None, None)
            memory[0] = value
        elif not lasting:
            memory[1] = None
        if memory[1] is None:
            return Seen(holds=False, since=at_ms)
        return Seen(holds=True, since=memory[1], before=memory[2])

    return see


def _jumps(spec: ChangeSpec) -> See:
    """Memory: the last value and its time."""
    gap, direction, relative = spec.gap_ms, spec.direction, spec.relative

    def see(memory: list[Any], value: Any, at_ms: int, limit: Any) -> Seen:
        if not memory:
            memory[:] = [value, at_ms]
            return Seen(holds=False, since=at_ms)
        old, last = memory
        memory[:] = [value, at_ms]
        if gap and at_ms - last > gap:
            return Seen(holds=None, since=at_ms)
        moved = value - old
        if limit is None or (relative and not old):
            return Seen(None, at_ms, old, moved)
        far = moved / abs(old) if relative else moved
        far = abs(far) if direction == 0 else far * direction
        return Seen(far > limit, at_ms, old, moved)

    return see


def _moves(spec: ChangeSpec) -> See:
    """Memory: [slot, time, value] of one sample in each sixtieth of the span, and no older ones."""
    back, gap, per = spec.span_back_ms, spec.gap_ms, spec.per_ms
    sign = 1 if spec.kind is Kind.RISES else -1
    grain = max(1, back // _GRAINS)

    def see(memory: list[Any], value: Any, at_ms: int, limit: Any) -> Seen:
        oldest = 0
        while oldest + 1 < len(memory) and at_ms - memory[oldest + 1][1] >= back:
            oldest += 1
        del memory[:oldest]
        found = memory[0] if memory and at_ms - memory[0][1] >= back else None
        slot = at_ms // grain
        if not memory or memory[-1][0] != slot:
            memory.append([slot, at_ms, value])
        if found is None or at_ms - found[1] > back + gap or limit is None:
            return Seen(holds=None, since=at_ms)
        rate = (value - found[2]) * per / (at_ms - found[1])
        return Seen(rate * sign > limit, at_ms, found[2], rate)

    return see


def _unseen(spec: ChangeSpec) -> See:
    """Memory: the first sample's time, when values were last dropped, values with times."""
    least = spec.least_ms

    def see(memory: list[Any], value: Any, at_ms: int, _limit: Any) -> Seen:
        if not memory:
            memory[:] = [at_ms, at_ms, {value: at_ms}]
            return Seen(holds=False, since=at_ms)
        values: dict[Any, int] = memory[2]
        last = values.pop(value, None)
        values[value] = at_ms
        if at_ms - memory[1] > least:
            memory[1] = at_ms
            memory[2] = {one: time for one, time in values.items() if at_ms - time <= least}
        elif len(values) > MOST_VALUES:
            del values[next(iter(values))]
        known = at_ms - memory[0] >= least
        return Seen(known and (last is None or at_ms - last > least), at_ms)

    return see


def _unchanged(spec: ChangeSpec) -> See:
    """Memory: the run's first value, its time, its samples and the newest one's time."""
    least, gap, tolerance, samples = spec.least_ms, spec.gap_ms, spec.tolerance, spec.min_samples

    def see(memory: list[Any], value: Any, at_ms: int, _limit: Any) -> Seen:
        if memory and at_ms - memory[3] <= gap and _alike(memory[0], value, tolerance):
            memory[2] = min(memory[2] + 1, samples)
            memory[3] = at_ms
        else:
            memory[:] = [value, at_ms, 1, at_ms]
        holds = memory[2] >= samples and at_ms - memory[1] >= least
        return Seen(holds, memory[1], memory[0])

    return see


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two values count as the same."""
    return one == other if not tolerance else bool(abs(other - one) <= tolerance)


def plain(memory: list[Any]) -> list[Any]:
    """A memory as plain values; a map becomes a list of pairs, in its order."""
    return [
        [[key, time] for key, time in part.items()] if isinstance(part, dict) else part
        for part in memory
    ]


def taken(kind: Kind, saved: list[Any]) -> list[Any]:
    """The memory that `plain` wrote down."""
    if kind is Kind.UNSEEN:
        return [saved[0], saved[1], dict(saved[2])]
    return [list(part) if isinstance(part, list) else part for part in saved]
