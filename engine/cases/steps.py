"""The steps that people, the stream and clocks share: order, begin again, lift, raise, close.

Each makes one move and what follows of necessity, and writes the papers of it. A step that
follows has the cause of the step before it with its own name behind a `#`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.cases import clocks
from engine.cases.model import (
    CLOCK,
    Actor,
    Clock,
    Incident,
    PaperKind,
    Stage,
    State,
    Verb,
    Verdict,
)
from engine.cases.notices import Letter
from engine.cases.papers import recipients
from engine.cases.verify import quiet_again, verdict_by_clock
from engine.cases.work import Work

REPEATS = 48
"""How often an order that nobody signs is told again; from there on the ladder speaks."""

_WORKED = {
    "dispatched_ms": None,
    "signed_ms": None,
    "arrived_ms": None,
    "resolved_ms": None,
    "extended_ms": None,
    "proposed": "",
    "assignee": "",
    "paused": False,
    "repeat_at_ms": None,
    "repeated": 0,
}
"""What an order that begins again has not seen yet."""


def begun(
    work: Work, incident: Incident, at_ms: int, cycle: int, *stages: Stage
) -> tuple[Clock, ...]:
    """Clocks of some stages that begin now, as far as these have limits."""
    timing = work.timing(incident)
    made = (clocks.start(stage, cycle, at_ms, timing) for stage in stages)
    return tuple(clock for clock in made if clock is not None)


def met(incident: Incident, at_ms: int, *stages: Stage) -> tuple[tuple[Clock, ...], list[Any]]:
    """The clocks once some stages are done, and how they were met: what on-time rates count."""
    after: list[Clock] = []
    told: list[Any] = []
    for clock in incident.clocks:
        if clock.stage in stages and clock.met_ms is None:
            told.append(
                {
                    "stage": str(clock.stage),
                    "cycle": clock.cycle,
                    "started_ms": clock.started_ms,
                    "due_ms": clock.due_ms,
                    "late": clocks.is_late(clock, at_ms),
                }
            )
            after.append(clocks.meet(clock, at_ms))
        else:
            after.append(clock)
    return tuple(after), told


def order(
    work: Work,
    incident: Incident,
    verb: Verb,
    actor: Actor,
    at_ms: int,
    cause: str,
    *,
    why: str = "order",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    **sets: Any,
) -> Incident:
    """Make an order of a case: to its departments, on fresh clocks; also when it begins again.

    A department that had the order before is told that it is taken back.
    """
    at_ms = max(at_ms, incident.updated_ms)
    before = recipients(work.policy, incident).departments if incident.ordered else ()
    again = incident.state is not State.NEW
    cycle = incident.cycle + again
    kept, told = met(incident, at_ms, Stage.DISPATCH) if not again else ((), [])
    stages = (Stage.SIGN, Stage.RETURN, Stage.RESOLVE)
    every = incident.terms.repeat_ms
    fields = {**_WORKED, **sets}
    incident = work.move(
        incident,
        verb,
        actor,
        at_ms,
        cause,
        to=State.DISPATCHED,
        reason=reason,
        details={**(details or {}), "lead": sets.get("lead", incident.lead), "met": told},
        cycle=cycle,
        clocks=kept + begun(work, incident, at_ms, cycle, *stages),
        mute="",
        mute_until_ms=None,
        **{
            **fields,
            "ordered": incident.version + 1,
            "dispatched_ms": at_ms,
            "repeat_at_ms": at_ms + every if every else None,
        },
    )
    now = recipients(work.policy, incident)
    gone = tuple(sink for sink in before if sink not in now.departments)
    work.send(incident, Letter(PaperKind.CANCEL, "taken-back", gone))
    work.send(incident, Letter(PaperKind.ORDER, why, now.all))
    if incident.terms.refer:
        incident = work.move(
            incident,
            Verb.REFER,
            CLOCK,
            at_ms,
            f"{cause}#refer",
            details={"sink": incident.terms.refer},
        )
    return incident


def back_to_desk(
    work: Work,
    incident: Incident,
    verb: Verb,
    actor: Actor,
    at_ms: int,
    cause: str,
    *,
    why: str,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    **sets: Any,
) -> Incident:
    """Give a case back to the dispatcher, whose own clock begins anew."""
    at_ms = max(at_ms, incident.updated_ms)
    before = recipients(work.policy, incident)
    cycle = incident.cycle + 1
    incident = work.move(
        incident,
        verb,
        actor,
        at_ms,
        cause,
        to=State.NEW,
        reason=reason,
        details=details,
        cycle=cycle,
        clocks=begun(work, incident, at_ms, cycle, Stage.DISPATCH),
        mute="",
        mute_until_ms=None,
        **{**_WORKED, **sets},
    )
    now = recipients(work.policy, incident)
    found = {"before": (details or {}).get("before", "")}
    told = (*now.centre, *now.route)
    gone = tuple(sink for sink in (*before.departments, *before.outside) if sink not in told)
    work.send(incident, Letter(PaperKind.CANCEL, "taken-back", gone))
    work.send(incident, Letter(PaperKind.NOTICE, why, told, found))
    return incident


def reopen(
    work: Work,
    incident: Incident,
    actor: Actor,
    at_ms: int,
    cause: str,
    *,
    why: str,
    reason: str = "",
) -> Incident:
    """Take a case up again: a new order to whom had it, on fresh clocks.

    A case that comes back again and again goes a tier up.
    """
    at_ms = max(at_ms, incident.updated_ms)
    sets = {
        "reopened": incident.reopened + 1,
        "verified_ms": None,
        "called_back_ms": None,
        "satisfied": None,
        "solved": None,
        "closed_ms": None,
        "verdict": None,
        "quiet_at_ms": quiet_again(incident.members, at_ms, incident.terms.quiet_ms),
    }
    step = order if incident.lead in work.policy.departments else back_to_desk
    details = {"why": why, "before": incident.lead}
    incident = step(
        work,
        incident,
        Verb.REOPEN,
        actor,
        at_ms,
        cause,
        why="reopened",
        reason=reason,
        details=details,
        **sets,
    )
    limit = work.policy.reopen_lifts
    if limit and incident.reopened >= limit and incident.tier.above is not None:
        incident = lift(work, incident, CLOCK, at_ms, f"{cause}#lift", details={"why": "reopened"})
    return incident


def lift(
    work: Work,
    incident: Incident,
    actor: Actor,
    at_ms: int,
    cause: str,
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    sinks: tuple[str, ...] = (),
    **sets: Any,
) -> Incident:
    """Give a case to the centre of the next tier; the city has nobody above it."""
    above = incident.tier.above
    if above is None:
        return incident
    before = recipients(work.policy, incident)
    centre = work.areas.centre(incident.area, above)
    tier = above if centre is None else centre.tier
    incident = work.move(
        incident,
        Verb.LIFT,
        actor,
        at_ms,
        cause,
        reason=reason,
        details={**(details or {}), "from": str(incident.tier), "to": str(tier)},
        tier=tier,
        centre=centre.area if centre is not None else incident.centre,
        **sets,
    )
    to = recipients(work.policy, incident)
    work.send(incident, Letter(PaperKind.NOTICE, "lifted", (*to.centre, *sinks)))
    others = (*to.departments, *before.centre, *to.route)
    told = tuple(sink for sink in others if sink not in to.centre)
    if incident.ordered:
        work.send(incident, Letter(PaperKind.CHANGE, "lifted", told))
    return incident


def tell(work: Work, incident: Incident, why: str, found: Mapping[str, Any] | None = None) -> None:
    """Tell whoever has the case that something about it has changed."""
    to = recipients(work.policy, incident)
    if incident.ordered:
        work.send(incident, Letter(PaperKind.CHANGE, why, to.all, found or {}))
    else:
        work.send(incident, Letter(PaperKind.NOTICE, why, (*to.centre, *to.route), found or {}))


def close(
    work: Work,
    incident: Incident,
    actor: Actor,
    at_ms: int,
    cause: str,
    verdict: Verdict | None,
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Incident:
    """End a case with a verdict; a call back that is still owed keeps its clock."""
    at_ms = max(at_ms, incident.updated_ms)
    owed = incident.called_back_ms is None and not incident.terms.call_back and incident.ordered
    after, told = met(incident, at_ms, *(stage for stage in Stage if stage is not Stage.CALL_BACK))
    if owed and not any(clock.stage is Stage.CALL_BACK for clock in after):
        after += begun(work, incident, at_ms, incident.cycle, Stage.CALL_BACK)
    incident = work.move(
        incident,
        Verb.CLOSE,
        actor,
        at_ms,
        cause,
        to=State.CLOSED,
        reason=reason,
        details={
            **(details or {}),
            "verdict": None if verdict is None else str(verdict),
            "met": [one for one in told if one["stage"] != Stage.RETURN],
        },
        clocks=after,
        closed_ms=at_ms,
        verdict=verdict,
        paused=False,
        quiet_at_ms=None,
        repeat_at_ms=None,
        mute_until_ms=None,
    )
    if verdict is not None:
        to = recipients(work.policy, incident)
        work.send(incident, Letter(PaperKind.CLOSED, "closed", to.all, {"verdict": verdict}))
    return incident


def close_if_proved(work: Work, incident: Incident, at_ms: int, cause: str) -> Incident:
    """Close a case whose route lets the clock give the verdict, once every proof is there."""
    if incident.state is not State.VERIFYING:
        return incident
    verdict = verdict_by_clock(incident)
    if verdict is None:
        return incident
    return close(work, incident, CLOCK, at_ms, f"{cause}#close", verdict)


def swapped(all_clocks: Iterable[Clock], clock: Clock) -> tuple[Clock, ...]:
    """The clocks of a case with one of them as it stands now."""
    return tuple(clock if one.stage is clock.stage else one for one in all_clocks)
