"""What `on_change: migrate` does: saved rows of an older version of a rule, judged by the new one.

    kept facts (times of hits, fixes, start, sums)   stay as they are
    instants that follow from them (timers, due)     are worked out anew from the rule as it is
    an instant that has passed meanwhile             acts at once, at the watermark of the start
    an alert that was announced                      stays open; it climbs and ends by the new words

An operator takes part with an entry in `MIGRATIONS` or with a method
`migrate(saved, now_ms) -> saved`; what `keep` would do is not a migration. Where the kept facts do
not suffice, the row is refused: nothing is guessed.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from engine.alerts.episode import SAVED as EPISODE
from engine.alerts.lifecycle import Life, Phase
from engine.operators import limits
from engine.operators.cluster import ClusterLogic
from engine.operators.correlate import CorrelateLogic
from engine.operators.deadline import DeadlineLogic
from engine.operators.dwell import DwellLogic
from engine.operators.match import MatchLogic
from engine.operators.silence import SilenceLogic
from engine.operators.specs.cluster import ClusterSpec

Convert = Callable[[Any, int], Any]
"""A saved row and the partition's watermark (UTC ms) to the row as the rule reads it now."""

_FLOOR, _PHASE, _CLEAR_FROM, _RANK, _WAKE, _FACTS = 3, 4, 5, 7, 10, 11
_SINCE, _HOLD_FROM = 1, 2
_ROW = 2
_MATCH, _DWELL, _DEADLINE = 4, 9, 5
_SILENCE, _CORRELATE, _CLUSTER = 4, 4, 5
_AT = 1


def migration(logic: Any) -> Convert | None:
    """How rows of this rule are converted, or None where only `keep` and `reset` are possible."""
    own: Convert | None = getattr(logic, "migrate", None)
    if own is not None:
        return own
    convert = MIGRATIONS.get(type(logic))
    return None if convert is None else lambda saved, now_ms: convert(logic, saved, now_ms)


class Why(StrEnum):
    """Why a row cannot be converted; each is a sentence of the catalogue."""

    NEVER = "state-migrate-never"
    OPERATOR = "state-migrate-operator"
    PAUSE = "state-migrate-pause"
    NEEDS = "state-migrate-needs"
    EVERY = "state-migrate-every"
    MEANING = "state-migrate-meaning"
    OLDER = "state-migrate-older"


class Unconvertible(Exception):
    """The kept facts of a row do not suffice."""

    def __init__(self, why: Why) -> None:
        self.why = why
        super().__init__(str(why))


def episodes(life: Life, saved: list[Any], now_ms: int, *, by_rule: bool = True) -> list[Any]:
    """Open episodes with their timers by the rule as it is now.

    `by_rule`: the severity is the rule's; a deadline gives each episode its own.
    """
    judge, found = life.judge, []
    for plain in saved:
        one = list(plain)
        if len(one) != EPISODE:
            found.append(one)  # a key's rest between two alerts, or what waits for its proof
            continue
        if by_rule:
            one[_FLOOR] = judge.base_rank
        if one[_PHASE] == Phase.PENDING:
            one[_WAKE] = max(one[_HOLD_FROM] + judge.for_ms, now_ms)
        elif one[_PHASE] == Phase.CLEARING:
            one[_WAKE] = max(one[_CLEAR_FROM] + judge.keep_ms, now_ms)
        else:
            ahead = [one[_SINCE] + least for least, rank in judge.steps if rank > one[_RANK]]
            if one[_FLOOR] > one[_RANK]:
                ahead.append(now_ms)
            one[_WAKE] = max(min(ahead), now_ms) if ahead else 0
        found.append(one)
    return found


def match(logic: MatchLogic, saved: Any, now_ms: int) -> Any:
    """Hits inside the new period count, at most as many as are asked for now.

    A key that had enough of them already fires with its next hit, not by the edit itself.
    """
    plain, opened = _shape(saved, _MATCH)
    if plain is not None:
        times, since, holding, event = plain
        spec = logic.spec
        if spec.count > 1:
            oldest = now_ms - spec.within_ms
            times = [time for time in times if time > oldest or holding][-spec.count :]
        if holding and spec.quiet_ms and not times:
            times = [_newest(opened, since)]
        plain = [times, since, holding, event]
    return [plain, episodes(logic.life, opened, now_ms)]


def dwell(logic: DwellLogic, saved: Any, now_ms: int) -> Any:
    """The kept fixes are asked again: the stay is the earliest one that the new place allows.

    A stay that has fired keeps its anchor. One that has lasted long enough by the new limit fires
    at `now_ms`.
    """
    plain, opened = _shape(saved, _DWELL)
    if plain is None:
        return [None, episodes(logic.life, opened, now_ms)]
    fixes, zone, last, out, held, _, seen, feed, event = plain
    spec, wake = logic.spec, 0
    if not held:
        found = _first_stay(logic, fixes, last)
        if found is None:
            return [None, episodes(logic.life, opened, now_ms)] if opened else None
        first, zone, out = found
        fixes = fixes[first:]
    if out is not None:
        wake = max(out + spec.outside_ms, now_ms)
    elif not held and spec.silent_ms is not None:
        wake = max(fixes[0][0] + spec.at_least_ms, now_ms)
    plain = [fixes, zone, last, out, held, wake, seen, feed, event]
    return [plain, episodes(logic.life, opened, now_ms)]


def _first_stay(
    logic: DwellLogic, fixes: list[Any], last: int
) -> tuple[int, str, int | None] | None:
    """Number and zone of the earliest fix from which a stay lasts to the end, and its excursion."""
    for first, fix in enumerate(fixes):
        zone = logic.place.anchor(fix)
        if zone is not None:
            survived, out = logic._survives(fixes, first, zone, last)  # noqa: SLF001
            if survived:
                return first, zone, out
    return None


def deadline(logic: DeadlineLogic, saved: Any, now_ms: int) -> Any:
    """Due instants are worked out anew from the kept start; what was met stays met.

    Refused where the kept facts do not suffice: another number of needs, another cycle, or a
    clock that may have stood still, since for how long is not kept.
    """
    plain, opened = _shape(saved, _DEADLINE)
    if plain is None:
        return [None, episodes(logic.life, opened, now_ms, by_rule=False)]
    start, start_ms, feed, newest, kept = plain
    spec, cycles, parts = logic.spec, [], {one[0] for one in opened}
    if spec.pause is not None:
        raise Unconvertible(Why.PAUSE)
    for number, begin, end, due, got, met, seen, step, *lost in kept:
        if len(got) != len(logic.parts.needs):
            raise Unconvertible(Why.NEEDS)
        if start is not None:
            begin, end, due = _limits(logic, start_ms, number, begin, end)  # noqa: PLW2901
        part = "" if spec.every is None else str(number)
        over = step > 0 and part not in parts  # its alert has ended; it is not raised again
        said = sum(at_ms < now_ms for at_ms, _ in logic._steps(due)) if over else 0  # noqa: SLF001
        cycles.append([number, begin, end, due, got, met, seen, said, *lost])
    last, last_end, paused, _, *early = newest
    wake = max(now_ms, 1) if start is not None or (early and early[0]) else 0
    plain = [start, start_ms, feed, [last, last_end, paused, wake, *early], cycles]
    return [plain, episodes(logic.life, opened, now_ms, by_rule=False)]


def _limits(
    logic: DeadlineLogic, start_ms: int, number: int, begin: int, end: int
) -> tuple[int, int, int]:
    """When a cycle begins, ends and is due by the rule as it is now."""
    spec = logic.spec
    begins, ends = start_ms, 0
    if spec.every is not None:
        begins = limits.cycle_begin(start_ms, spec.every, number, spec.zone)
        ends = limits.cycle_begin(start_ms, spec.every, number + 1, spec.zone)
    if (begins, ends) != (begin, end):
        raise Unconvertible(Why.EVERY)
    counted, within = limits.counted(start_ms, begins, number, spec.every, spec.within)
    return begins, ends, logic.calendar.add(counted, within, spec.zone)


def silence(logic: SilenceLogic, saved: Any, now_ms: int) -> Any:
    """When a key reported last stays; what that means by the new limit is asked at once."""
    plain, opened = _shape(saved, _SILENCE)
    if plain is not None:
        last, _, until, event = plain
        plain = [last, max(now_ms, 1), until, event]
    return [plain, episodes(logic.life, opened, now_ms)]


def correlate(logic: CorrelateLogic, saved: Any, now_ms: int) -> Any:
    """Signals are known by name; those the rule has lost go, the others are judged at once."""
    plain, opened = _shape(saved, _CORRELATE)
    if plain is not None:
        seen, since, _, event = plain
        names = {signal.name for signal in logic.spec.signals}
        plain = [[one for one in seen if one[0] in names], since, max(now_ms, 1), event]
    return [plain, episodes(logic.life, opened, now_ms)]


def cluster(logic: ClusterLogic, saved: Any, now_ms: int) -> Any:
    """Open clusters go on around their anchors; free records wait on as far as they say enough.

    With fewer records asked for, a cluster begins with its next record, not by the edit itself.
    Records that were kept without a place or a text cannot be compared by one.
    """
    plain, opened = _shape(saved, _CLUSTER)
    if plain is not None:
        free, groups, count, _, event = plain
        spec = logic.spec
        anchors = [one[0] for one in groups]
        if any(not _says_enough(spec, one) for one in anchors):
            raise Unconvertible(Why.OPERATOR)
        free = [one for one in free if _says_enough(spec, one)]
        oldest = now_ms - spec.within_ms
        free = [one for one in free if one[_AT] > oldest][-spec.keep :]
        plain = [free, groups, count, max(now_ms, 1), event]
    return [plain, episodes(logic.life, opened, now_ms)]


def _says_enough(spec: ClusterSpec, record: Any) -> bool:
    """Whether a kept record has what records are compared by now."""
    _, _, place, marks, _ = record
    return (spec.radius_m is None or place is not None) and (spec.text is None or bool(marks))


def _shape(saved: Any, values: int) -> tuple[list[Any] | None, list[Any]]:
    """The operator's own part and the episodes; another operator's row has another shape."""
    if not isinstance(saved, list) or len(saved) != _ROW:
        raise Unconvertible(Why.OPERATOR)
    plain, opened = saved
    if plain is not None and len(plain) != values:
        raise Unconvertible(Why.OPERATOR)
    return plain, opened


def _newest(opened: list[Any], since: int) -> int:
    """When a holding key hit last."""
    found = (one for one in opened if len(one) == EPISODE)
    return max((one[_FACTS].get("last", since) for one in found), default=since)


MIGRATIONS: Mapping[type, Callable[[Any, Any, int], Any]] = {
    MatchLogic: match,
    DwellLogic: dwell,
    DeadlineLogic: deadline,
    SilenceLogic: silence,
    CorrelateLogic: correlate,
    ClusterLogic: cluster,
}
