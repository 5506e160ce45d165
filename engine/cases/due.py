"""What comes due by itself: limits, the silence that proves a matter over, orders told again.

Whatever is due is done one after the other in the order of its instants, each dated by its own,
before anything else is done to a case. So a case is the same however seldom it is looked at.
"""

from typing import Any

from engine.cases import clocks
from engine.cases.clocks import Strike, Struck
from engine.cases.decision import Decide, Quiet
from engine.cases.ladder import climb, rung_cause
from engine.cases.model import CLOCK, STREAM, Clock, Incident, PaperKind, Verb
from engine.cases.notices import Letter
from engine.cases.papers import recipients
from engine.cases.steps import REPEATS, close_if_proved, swapped
from engine.cases.taking import release
from engine.cases.work import Work


def catch_up(work: Work, incident: Incident, quiet: Quiet, decide: Decide) -> Incident:
    """Do everything of a case that is due by now, in order."""
    incident = work.case(incident)
    while (at_ms := incident.next_ms) is not None and at_ms <= work.now_ms:
        incident = _next(work, incident, at_ms, quiet, decide)
    return incident


def _next(work: Work, incident: Incident, at_ms: int, quiet: Quiet, decide: Decide) -> Incident:
    """Do what is due at one instant; a case's clocks come before all else."""
    for clock in incident.clocks:
        if clock.next_ms == at_ms:
            return _strike(work, incident, clock, clocks.strike(clock, work.timing(incident)))
    if incident.quiet_at_ms == at_ms:
        return _proved(work, incident, at_ms)
    if incident.repeat_at_ms == at_ms:
        return _again(work, incident, at_ms)
    return release(work, incident, quiet, decide)


def _strike(work: Work, incident: Incident, clock: Clock, struck: Struck) -> Incident:
    """Tell what a clock has to tell at its instant."""
    at_ms = clock.next_ms or 0
    sets: dict[str, Any] = {"clocks": swapped(incident.clocks, struck.clock)}
    if struck.strike is Strike.RUNG:
        return climb(work, incident, clock, struck.rung, at_ms, **sets)
    name = str(struck.strike)
    if struck.strike is Strike.WARN and clock.extended:
        name = "warn-extended"
    if struck.strike in {Strike.COUNTED, Strike.UNCOUNTED}:
        name = f"{name}-{at_ms}"
    verb = Verb.OVERDUE if struck.strike is Strike.OVERDUE else Verb.WARN
    incident = work.move(
        incident,
        verb,
        CLOCK,
        at_ms,
        rung_cause(incident, clock, name),
        details={
            "stage": str(clock.stage),
            "due_ms": struck.clock.due_ms,
            "what": str(struck.strike),
            **({"calendar": struck.calendar} if struck.calendar else {}),
        },
        **sets,
    )
    _write(work, incident, struck)
    return incident


def _write(work: Work, incident: Incident, struck: Struck) -> None:
    """The paper of a warning or of a limit that passed: to whom owes the stage."""
    clock = struck.clock
    to = recipients(work.policy, incident)
    owed = to.owing(incident, clock.stage)
    found = {"stage": clock.stage, "due_ms": clock.due_ms, "calendar": struck.calendar}
    match struck.strike:
        case Strike.WARN:
            work.send(incident, Letter(PaperKind.REMINDER, "warned", owed, found))
        case Strike.OVERDUE if not work.timing(incident).ladder.get(clock.stage):
            work.send(incident, Letter(PaperKind.REMINDER, "overdue", owed, found))
        case Strike.UNCOUNTED:
            told = (*to.centre, *to.route) or owed
            work.send(incident, Letter(PaperKind.REMINDER, "uncounted", told, found))
        case Strike.COUNTED | Strike.OVERDUE | Strike.RUNG:
            pass


def _proved(work: Work, incident: Incident, at_ms: int) -> Incident:
    """The alerts have stayed ended for long enough."""
    cause = f"clock:{incident.id}:quiet:{incident.cycle}:{at_ms}"
    incident = work.move(
        incident,
        Verb.VERIFY,
        STREAM,
        at_ms,
        cause,
        details={"evidence": "quiet", "quiet_ms": incident.terms.quiet_ms},
        verified_ms=at_ms,
        quiet_at_ms=None,
    )
    return close_if_proved(work, incident, at_ms, cause)


def _again(work: Work, incident: Incident, at_ms: int) -> Incident:
    """Tell an order again that nobody has signed; of several that were missed only the last."""
    every, number = incident.terms.repeat_ms, incident.repeated + 1
    goes_on = every > 0 and number < REPEATS
    incident = work.move(
        incident,
        Verb.REMIND,
        CLOCK,
        at_ms,
        f"clock:{incident.id}:repeat:{incident.cycle}:{number}",
        details={"repeat": number},
        repeated=number,
        repeat_at_ms=at_ms + every if goes_on else None,
    )
    if not goes_on or at_ms + every > work.now_ms:
        to = recipients(work.policy, incident)
        sinks = (*to.departments, *to.route)
        work.send(incident, Letter(PaperKind.REMINDER, "repeated", sinks))
    return incident
