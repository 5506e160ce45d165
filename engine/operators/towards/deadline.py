"""How far a deadline is: what is still owed, and how much of the time is left."""

from typing import Any

from engine.model.progress import Progress, Step
from engine.operators import limits
from engine.operators.deadline import DeadlineLogic
from engine.operators.deadline_clock import Clock, Cycle
from engine.operators.towards.base import Sight, tried


def deadline(logic: DeadlineLogic, key: str, at_ms: int, _sight: Sight) -> list[Progress]:
    """Each cycle of the key that is not over."""
    clock = logic.keys.get(key)
    if clock is None or clock.start is None:
        row = logic.roster.get(key)
        starts: dict[str, Any] = {} if row is None else {"start_at": row[0]}
        name = "deadline-start" if row is None else "deadline-roster"
        return [Progress("", (Step(name, met=False, found=starts),))]
    cycles = [clock.cycles[number] for number in sorted(clock.cycles)]
    return [_cycle(logic, key, clock, cycle, at_ms) for cycle in cycles]


def _cycle(logic: DeadlineLogic, key: str, clock: Clock, cycle: Cycle, at_ms: int) -> Progress:
    spec = logic.spec
    steps = [Step("deadline-started", True, at_ms=clock.start_ms)]
    if spec.every is not None:
        found = {"number": cycle.number + 1}
        steps.append(Step("deadline-cycle", at_ms >= cycle.begin, at_ms=cycle.begin, found=found))
    if spec.while_ is not None:
        enough = cycle.seen >= spec.while_count
        steps.append(Step("deadline-while", enough, cycle.seen, spec.while_count))
    owed = [
        number
        for number in range(len(cycle.got))
        if not logic.is_met(key, clock, cycle, number, at_ms)
    ]
    if cycle.met or not owed:
        steps.append(Step("deadline-met", met=False))
    for number in owed if not cycle.met else ():
        need, got = logic.parts.needs[number], cycle.got[number]
        reach = logic.reach(key, clock, number, at_ms)
        named = {"need_name": need.feed if need.name == "need" else need.name}
        if reach is None:
            steps.append(Step("deadline-missing", True, found=named))
        elif reach == float("inf"):
            steps.append(Step("deadline-unknown", True, got, found=named))
        else:
            steps.append(Step("deadline-short", True, got, reach, found=named))
    if clock.paused:
        steps.append(Step("deadline-paused", met=False, at_ms=clock.paused))
    if owed and not cycle.met:
        steps.append(_due(logic, cycle, at_ms))
    part = "" if spec.every is None else str(cycle.number)
    return tried(logic.life, key, part, at_ms, steps)


def _due(logic: DeadlineLogic, cycle: Cycle, at_ms: int) -> Step:
    """How much of the time has passed, and what is left of it in days of the kind it counts."""
    whole, passed = cycle.due - cycle.begin, max(0, at_ms - cycle.begin)
    if at_ms >= cycle.due:
        found = {"over_ms": at_ms - cycle.due}
        return Step("deadline-over", True, whole, whole, "ms", cycle.due, found)
    zone = logic.spec.zone
    today, last = limits.day_of(at_ms, zone), limits.day_of(cycle.due - 1, zone)
    found = {"left_ms": cycle.due - at_ms, "workdays": _workdays(logic, cycle, at_ms)}
    name = "deadline-due-workdays" if _counts_workdays(logic) else "deadline-due"
    if (last - today).days < 1:
        name = "deadline-due"
    return Step(name, False, passed, whole, "ms", cycle.due, found)


def _counts_workdays(logic: DeadlineLogic) -> bool:
    return any(unit.name == "WORKDAYS" for _, unit in logic.spec.within.parts)


def _workdays(logic: DeadlineLogic, cycle: Cycle, at_ms: int) -> int:
    """Working days after today up to and including the last one."""
    if not _counts_workdays(logic):
        return 0
    zone = logic.spec.zone
    today, last = limits.day_of(at_ms, zone), limits.day_of(cycle.due - 1, zone)
    return logic.calendar.workdays_between(today, last)
