"""What people and outside systems ask of a case: one function a verb, all in one table.

Each gets a request that the table of `life` allows already; it looks at the details, refuses what
cannot be, and makes the move.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.cases import clocks
from engine.cases.book import Request
from engine.cases.life import allowed
from engine.cases.model import (
    Actor,
    Incident,
    PaperKind,
    Role,
    Stage,
    State,
    Verb,
    Verdict,
)
from engine.cases.notices import Letter, clock_time
from engine.cases.papers import recipients
from engine.cases.refused import Refused, Why
from engine.cases.sinks import sinks_of
from engine.cases.steps import (
    back_to_desk,
    begun,
    close,
    close_if_proved,
    lift,
    met,
    order,
    reopen,
    swapped,
    tell,
)
from engine.cases.verify import missing
from engine.cases.work import Work
from engine.model.calendar import CalendarEnd
from engine.model.severity import Severity


@dataclass(frozen=True, slots=True)
class Asked:
    """One request about one case, in the middle of a call."""

    work: Work
    incident: Incident
    request: Request

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.actor

    @property
    def cause(self) -> str:
        """What the moves of it are remembered by."""
        return self.request.id

    @property
    def at_ms(self) -> int:
        """When it is done."""
        return max(self.work.now_ms, self.incident.updated_ms)

    def text(self, name: str, fallback: str = "") -> str:
        """A detail as text."""
        value = self.request.details.get(name, fallback)
        return value if isinstance(value, str) else str(value)

    def refuse(self, code: Why, **found: object) -> Refused:
        """The refusal of this request."""
        return Refused(code, self.incident, allowed(self.incident, self.actor), **found)

    def move(self, **sets: Any) -> Incident:
        """The move of the request's own verb, without a change of state."""
        to = sets.pop("to", None)
        details = {**self.request.details, **sets.pop("details", {})}
        return self.work.move(
            self.incident,
            self.request.verb,
            self.actor,
            self.at_ms,
            self.cause,
            to=to,
            reason=self.request.reason,
            details=details,
            **sets,
        )


def _department(asked: Asked) -> str:
    """The department that a request names; a case's own where it names none."""
    name = asked.text("department") or asked.incident.lead
    if not name:
        raise asked.refuse(Why.NO_DEPARTMENT)
    if name not in asked.work.policy.departments:
        raise asked.refuse(Why.UNKNOWN_DEPARTMENT, department=name)
    return name


def _order(asked: Asked, lead: str, why: str, **sets: Any) -> Incident:
    incident, request = asked.incident, asked.request
    kept = lead == incident.lead
    helpers = request.details.get("assisting")
    assisting = tuple(map(str, helpers)) if isinstance(helpers, list | tuple) else None
    return order(
        asked.work,
        incident,
        request.verb,
        asked.actor,
        asked.at_ms,
        asked.cause,
        why=why,
        reason=request.reason,
        details={**request.details, "before": incident.lead},
        lead=lead,
        host=asked.text("host") or (incident.host if kept else lead),
        assisting=incident.assisting if assisting is None else assisting,
        **sets,
    )


def dispatch(asked: Asked) -> Incident:
    """A dispatcher sends the order out."""
    return _order(asked, _department(asked), "order")


def acknowledge(asked: Asked) -> Incident:
    """The department signs for the order; the clock of arriving begins."""
    work, at_ms = asked.work, asked.at_ms
    after, told = met(asked.incident, at_ms, Stage.SIGN)
    more = begun(work, asked.incident, at_ms, asked.incident.cycle, Stage.ARRIVE)
    if asked.incident.paused:
        timing = work.timing(asked.incident)
        more = tuple(clocks.pause(clock, at_ms, timing) for clock in more)
    return asked.move(
        to=State.ACKNOWLEDGED,
        clocks=after + more,
        signed_ms=at_ms,
        repeat_at_ms=None,
        assignee=asked.text("person") or asked.incident.assignee,
        details={"met": told},
    )


def assign(asked: Asked) -> Incident:
    """Another department gets the order, or a person of this one."""
    if "department" in asked.request.details:
        lead = _department(asked)
        if lead == asked.incident.lead and asked.incident.state is not State.NEW:
            raise asked.refuse(Why.SAME_DEPARTMENT, department=lead)
        return _order(asked, lead, "order")
    return asked.move(assignee=asked.text("person"))


def give_back(asked: Asked) -> Incident:
    """Not ours: to the department that is declared next, else to the dispatcher."""
    incident, work = asked.incident, asked.work
    for clock in incident.clocks:
        late = clock.stage is Stage.RETURN and clocks.is_late(clock, asked.at_ms)
        if late and asked.actor.role is Role.HANDLER:
            raise asked.refuse(Why.RETURN_LATE, until=clock_time(clock.due_ms))
    known = work.policy.departments
    following = known[incident.lead].next if incident.lead in known else ""
    counted = incident.returned + 1
    if following in known and following != incident.lead:
        return _order(asked, following, "order", returned=counted)
    return back_to_desk(
        work,
        incident,
        asked.request.verb,
        asked.actor,
        asked.at_ms,
        asked.cause,
        why="returned",
        reason=asked.request.reason,
        details={**asked.request.details, "before": incident.lead},
        returned=counted,
        lead="",
        host="",
    )


def arrive(asked: Asked) -> Incident:
    """People are on site; who arrives has signed."""
    after, told = met(asked.incident, asked.at_ms, Stage.SIGN, Stage.ARRIVE)
    signed = asked.incident.signed_ms
    return asked.move(
        to=State.HANDLING,
        clocks=after,
        signed_ms=asked.at_ms if signed is None else signed,
        arrived_ms=asked.at_ms,
        repeat_at_ms=None,
        details={"met": told},
    )


def resolve(asked: Asked) -> Incident:
    """What was found and done is reported; now it has to be proved."""
    proposed = asked.text("verdict")
    if proposed:
        _verdict(asked, proposed)
    work, at_ms = asked.work, asked.at_ms
    stages = (Stage.SIGN, Stage.ARRIVE, Stage.RESOLVE)
    after, told = met(asked.incident, at_ms, *stages)
    after = tuple(clock for clock in after if clock.stage is not Stage.RETURN)
    owed = (Stage.VERIFY, *((Stage.CALL_BACK,) if asked.incident.terms.call_back else ()))
    after += begun(work, asked.incident, at_ms, asked.incident.cycle, *owed)
    incident = asked.move(
        to=State.VERIFYING,
        clocks=after,
        resolved_ms=at_ms,
        proposed=proposed,
        repeat_at_ms=None,
        paused=False,
        details={"met": told},
    )
    to = recipients(work.policy, incident)
    work.send(incident, Letter(PaperKind.CHANGE, "resolved", (*to.centre, *to.route)))
    return close_if_proved(work, incident, at_ms, asked.cause)


def call_back(asked: Asked) -> Incident:
    """Whoever complained was asked; what is not solved is taken up again."""
    answers = {}
    for name in ("satisfied", "solved"):
        value = asked.request.details[name]
        if not isinstance(value, bool):
            raise asked.refuse(Why.BAD_DETAIL, detail=name, value=value, known="true, false")
        answers[name] = value
    after, told = met(asked.incident, asked.at_ms, Stage.CALL_BACK)
    incident = asked.move(
        clocks=after, called_back_ms=asked.at_ms, details={"met": told}, **answers
    )
    if not answers["solved"]:
        cause = f"{asked.cause}#reopen"
        return reopen(asked.work, incident, asked.actor, asked.at_ms, cause, why="unsolved")
    return close_if_proved(asked.work, incident, asked.at_ms, asked.cause)


def end(asked: Asked) -> Incident:
    """Somebody gives the verdict."""
    verdict = _verdict(asked, asked.text("verdict"))
    wanting = missing(asked.incident, verdict)
    if wanting:
        raise asked.refuse(Why.PROOF, missing=wanting)
    if verdict is not Verdict.TRUE and not asked.request.reason.strip():
        raise asked.refuse(Why.REASON, verb=asked.request.verb)
    return close(
        asked.work,
        asked.incident,
        asked.actor,
        asked.at_ms,
        asked.cause,
        verdict,
        reason=asked.request.reason,
        details=asked.request.details,
    )


def take_up(asked: Asked) -> Incident:
    """Somebody does not believe that it is over."""
    return reopen(
        asked.work,
        asked.incident,
        asked.actor,
        asked.at_ms,
        asked.cause,
        why="asked",
        reason=asked.request.reason,
    )


def escalate(asked: Asked) -> Incident:
    """Somebody asks for more attention; perhaps for a higher level."""
    severity = asked.text("severity", asked.incident.severity)
    levels = [str(one) for one in Severity]
    if severity not in levels or Severity(severity).rank < Severity(asked.incident.severity).rank:
        known = ", ".join(levels[Severity(asked.incident.severity).rank - 1 :])
        raise asked.refuse(Why.BAD_DETAIL, detail="severity", value=severity, known=known)
    incident = asked.move(severity=severity, escalated=asked.incident.escalated + 1)
    tell(asked.work, incident, "escalated")
    return incident


def lift_up(asked: Asked) -> Incident:
    """The case goes to the next tier."""
    if asked.incident.tier.above is None:
        raise asked.refuse(Why.NO_TIER)
    return lift(
        asked.work,
        asked.incident,
        asked.actor,
        asked.at_ms,
        asked.cause,
        reason=asked.request.reason,
        details=asked.request.details,
    )


def comment(asked: Asked) -> Incident:
    """Something is written down."""
    return asked.move()


def pause(asked: Asked) -> Incident:
    """Every limit that can be paused and has not passed stops."""
    incident = asked.incident
    if incident.paused:
        raise asked.refuse(Why.PAUSED)
    timing = asked.work.timing(incident)
    after = tuple(clocks.pause(clock, asked.at_ms, timing) for clock in incident.clocks)
    if after == incident.clocks:
        raise asked.refuse(Why.NOTHING_PAUSES)
    incident = asked.move(clocks=after, paused=True, repeat_at_ms=None)
    tell(asked.work, incident, "paused")
    return incident


def resume(asked: Asked) -> Incident:
    """Paused limits run on for the time they had left."""
    incident = asked.incident
    if not incident.paused:
        raise asked.refuse(Why.NOT_PAUSED)
    timing = asked.work.timing(incident)
    try:
        after = tuple(clocks.resume(clock, asked.at_ms, timing) for clock in incident.clocks)
    except CalendarEnd as short:
        raise _short(asked, short) from short
    every = incident.terms.repeat_ms if incident.state is State.DISPATCHED else 0
    incident = asked.move(
        clocks=after, paused=False, repeat_at_ms=asked.at_ms + every if every else None
    )
    tell(asked.work, incident, "resumed")
    return incident


def extend(asked: Asked) -> Incident:
    """One later end for one limit, before it passes, at most as much later as is declared."""
    incident, at_ms = asked.incident, asked.at_ms
    stages = [str(stage) for stage in Stage]
    stage = asked.text("stage")
    if stage not in stages:
        known = ", ".join(stages)
        raise asked.refuse(Why.BAD_DETAIL, detail="stage", value=stage, known=known)
    timing = asked.work.timing(incident)
    limit = timing.limits.get(Stage(stage))
    clock = next((one for one in incident.clocks if one.stage == stage), None)
    if clock is None or clock.met_ms is not None or clock.due_ms is None or limit is None:
        raise asked.refuse(Why.NO_LIMIT)
    for wrong, code in (
        (limit.extend is None, Why.NOT_EXTENDED),
        (clock.extended, Why.EXTENDED),
        (clock.paused_ms is not None, Why.PAUSED),
        (at_ms >= clock.due_ms, Why.OVERDUE),
    ):
        if wrong:
            raise asked.refuse(code)
    try:
        most = clocks.latest(clock, limit) or clock.due_ms
        wanted = asked.request.details.get("until_ms", most)
        if not isinstance(wanted, int) or not clock.due_ms < wanted <= most:
            raise asked.refuse(Why.TOO_LONG, latest=clock_time(most))
        after = clocks.extend(clock, wanted, at_ms, timing)
    except CalendarEnd as short:
        raise _short(asked, short) from short
    incident = asked.move(
        clocks=swapped(incident.clocks, after),
        extended_ms=wanted if stage == Stage.RESOLVE else incident.extended_ms,
        details={"before_ms": clock.due_ms, "until_ms": wanted},
    )
    tell(asked.work, incident, "extended", {"stage": stage, "until_ms": wanted})
    return incident


def press(asked: Asked) -> Incident:
    """Somebody of the centre reminds, supervises or criticises by hand."""
    incident = asked.move()
    to = recipients(asked.work.policy, incident)
    kind, why, sinks = {
        Verb.REMIND: (PaperKind.REMINDER, "asked-after", to.departments),
        Verb.SUPERVISE: (PaperKind.SUPERVISION, "supervised-by-hand", to.all),
        Verb.CRITICISE: (PaperKind.SUPERVISION, "criticised-by-hand", to.all),
    }[asked.request.verb]
    asked.work.send(incident, Letter(kind, why, sinks))
    return incident


def refer(asked: Asked) -> Incident:
    """The order goes to an outside order system as well."""
    sink = asked.text("sink")
    known = sorted({name for name, _ in sinks_of(asked.work.policy)})
    if sink not in known:  # nothing would ever bring it there
        raise asked.refuse(Why.BAD_DETAIL, detail="sink", value=sink, known=", ".join(known))
    incident = asked.move()
    asked.work.send(incident, Letter(PaperKind.ORDER, "referred", (sink,)))
    return incident


def _verdict(asked: Asked, text: str) -> Verdict:
    known = [str(verdict) for verdict in Verdict]
    if text not in known:
        raise asked.refuse(Why.BAD_DETAIL, detail="verdict", value=text, known=", ".join(known))
    return Verdict(text)


def _short(asked: Asked, short: CalendarEnd) -> Refused:
    return asked.refuse(Why.CALENDAR, calendar=short.calendar, until=short.until.isoformat())


STEPS: Final[Mapping[Verb, Callable[[Asked], Incident]]] = {
    Verb.DISPATCH: dispatch,
    Verb.ACKNOWLEDGE: acknowledge,
    Verb.ASSIGN: assign,
    Verb.RETURN: give_back,
    Verb.ARRIVE: arrive,
    Verb.RESOLVE: resolve,
    Verb.CALL_BACK: call_back,
    Verb.CLOSE: end,
    Verb.REOPEN: take_up,
    Verb.ESCALATE: escalate,
    Verb.LIFT: lift_up,
    Verb.COMMENT: comment,
    Verb.PAUSE: pause,
    Verb.RESUME: resume,
    Verb.EXTEND: extend,
    Verb.REMIND: press,
    Verb.SUPERVISE: press,
    Verb.CRITICISE: press,
    Verb.REFER: refer,
}
"""Every verb that can be asked for, but for merging and receipts, which have files of their own."""
