"""What happens when a limit has passed: remind, supervise, lift, criticise, reassign; each once."""

from typing import Any

from engine.cases.model import CLOCK, Clock, Incident, PaperKind, State, Verb
from engine.cases.notices import Letter
from engine.cases.papers import recipients
from engine.cases.policy import Rung, Step
from engine.cases.steps import lift, order
from engine.cases.work import Work

_VERBS = {
    Step.REMIND: Verb.REMIND,
    Step.SUPERVISE: Verb.SUPERVISE,
    Step.CRITICISE: Verb.CRITICISE,
}


def rung_cause(incident: Incident, clock: Clock, rung: int | str) -> str:
    """The cause of what a clock does: the same for ever, and of no other clock."""
    return f"clock:{incident.id}:{clock.stage}:{clock.cycle}:{rung}"


def climb(
    work: Work, incident: Incident, clock: Clock, number: int, at_ms: int, **sets: Any
) -> Incident:
    """Take one rung of a ladder.

    What cannot be done any more is supervised instead: nobody is above the city, a closed case is
    given to nobody, and a department does not take over from itself. An order that is made late
    because the desk was down begins when it is made, so that nobody is late with what he has not
    had.

    Args:
        work: The call.
        incident: The case.
        clock: Its clock that has passed, as it stood before.
        number: Which rung, from 0.
        at_ms: The instant of the rung.
        sets: The fields of the case that the strike itself sets.

    """
    timing = work.timing(incident)
    rung = timing.ladder[clock.stage][number]
    cause = rung_cause(incident, clock, number)
    details = {
        "stage": str(clock.stage),
        "due_ms": clock.due_ms,
        "rung": number,
        "step": str(rung.do),
    }
    step = _possible(work, incident, rung)
    if step is Step.LIFT:
        return lift(work, incident, CLOCK, at_ms, cause, details=details, sinks=rung.sinks, **sets)
    if step is Step.REASSIGN:
        return order(
            work,
            incident,
            Verb.ASSIGN,
            CLOCK,
            work.now_ms,
            cause,
            details={**details, "department": rung.to, "before": incident.lead, "at_ms": at_ms},
            lead=rung.to,
            host=rung.to,
        )
    if step is not rung.do:
        details["instead"] = str(step)
    incident = work.move(incident, _VERBS[step], CLOCK, at_ms, cause, details=details, **sets)
    _write(work, incident, rung, step, clock)
    return incident


def _possible(work: Work, incident: Incident, rung: Rung) -> Step:
    """The step itself, or the one that is taken where it cannot be."""
    over = incident.state is State.CLOSED
    if rung.do is Step.LIFT and (over or incident.tier.above is None):
        return Step.SUPERVISE
    if rung.do is Step.REASSIGN:
        known = rung.to in work.policy.departments and rung.to != incident.lead
        if over or not known or incident.state is State.VERIFYING:
            return Step.SUPERVISE
    return rung.do


def _write(work: Work, incident: Incident, rung: Rung, step: Step, clock: Clock) -> None:
    """The paper of a rung: to the departments, and from supervision on to the centre as well."""
    to = recipients(work.policy, incident)
    found = {"stage": clock.stage, "due_ms": clock.due_ms}
    if step is Step.REMIND:
        owed = to.owing(incident, clock.stage)
        kind, why, sinks = PaperKind.REMINDER, "reminded", (*owed, *rung.sinks)
    else:
        kind = PaperKind.SUPERVISION
        why = "criticised" if step is Step.CRITICISE else "supervised"
        sinks = (*to.departments, *to.centre, *rung.sinks)
    work.send(incident, Letter(kind, why, sinks, found))
