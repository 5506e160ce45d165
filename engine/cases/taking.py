"""What the stream of alerts does to cases: open, join, follow, raise, prove over, bring back."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.cases.areas import rank
from engine.cases.decision import Decide, Decision, Mute, Quiet
from engine.cases.grouping import group_key
from engine.cases.model import (
    CLOCK,
    STREAM,
    Incident,
    Member,
    PaperKind,
    Stage,
    State,
    Terms,
    Verb,
    incident_id,
)
from engine.cases.notices import Letter
from engine.cases.papers import ZONE, recipients
from engine.cases.steps import begun, close, close_if_proved, lift, order, reopen, tell
from engine.cases.verify import evidence
from engine.cases.work import Work
from engine.model.change import ENDED, Change, Transition
from engine.model.severity import Severity

ASK_AGAIN_MS = 60_000
"""How soon a silence is asked of again that does not say when it ends (an inhibition)."""

_PROVES = frozenset({Transition.VERIFIED, Transition.RETRACTED})
_TOLD = {
    Transition.RAISED: "raised",
    Transition.CLEARED: "cleared",
    Transition.RETRACTED: "retracted",
    Transition.DROPPED: "dropped",
}
"""Transitions that whoever has the order is told of; an update is kept and seen, not sent."""


def member_of(change: Change, now_ms: int, known: Member | None = None) -> Member:
    """An alert of a case as a transition leaves it."""
    ended = change.transition in ENDED or (known is not None and known.ended)
    return Member(
        episode=change.episode_id,
        rule=change.rule,
        pack=change.pack,
        key=change.key,
        severity=change.severity,
        since_ms=change.since_ms,
        at_ms=change.at_ms,
        ordinal=change.ordinal,
        joined_ms=now_ms if known is None else known.joined_ms,
        ended=ended,
        verified=change.transition in _PROVES or (known is not None and known.verified),
        dropped=change.transition is Transition.DROPPED,
    )


def open_case(
    work: Work, change: Change, decision: Decision, mute: Mute | None, number: str
) -> Incident:
    """A case of its own for an alert that belongs to none."""
    group = group_key(decision, change)
    blank = Incident(
        id=incident_id(change.episode_id),
        number=number,
        state=State.NEW,
        version=0,
        group=group,
        route=decision.route,
        tier=decision.tier,
        severity=change.severity,
        opened_ms=work.now_ms,
        updated_ms=work.now_ms,
        area=decision.area,
        centre=decision.centre,
        lead=decision.lead,
        host=decision.host or decision.lead,
        assisting=decision.assisting,
        title=change.title,
        summary=change.summary,
        labels=change.labels,
        place=change.place or "",
        lon=change.lon,
        lat=change.lat,
        dispatch=change.dispatch,
        terms=terms_of(decision),
        members=(member_of(change, work.now_ms),),
        playbook=change.playbook,
        check=change.check,
        units=change.units,
        offences=change.offences,
        basis=change.basis,
        mute="" if mute is None else mute.why,
        mute_until_ms=None if mute is None else _again(mute, work.now_ms),
    )
    first = () if mute is not None else begun(work, blank, work.now_ms, 1, Stage.DISPATCH)
    incident = work.move(
        blank,
        Verb.OPEN,
        STREAM,
        work.now_ms,
        change.delivery_id,
        details={"episode": change.episode_id, "transition": str(change.transition)},
        clocks=first,
    )
    return send_out(work, incident, decision, change.delivery_id)


def send_out(work: Work, incident: Incident, decision: Decision, cause: str) -> Incident:
    """Order a new case at once where its route says so; else the centre is told that it waits."""
    if incident.mute:
        return incident
    if decision.dispatch and incident.lead in work.policy.departments:
        return order(work, incident, Verb.DISPATCH, CLOCK, work.now_ms, f"{cause}#dispatch")
    to = recipients(work.policy, incident)
    work.send(incident, Letter(PaperKind.NOTICE, "new", (*to.centre, *to.route)))
    return incident


def release(work: Work, incident: Incident, quiet: Quiet, decide: Decide) -> Incident:
    """Ask again whether a case is kept quiet; if it is not any more, it is told now."""
    alert = as_change(incident)
    mute = quiet(work.policy, work.book, alert, incident.area, work.now_ms)
    if mute is not None:
        return work.rearm(incident, max(_again(mute, work.now_ms), work.now_ms + 1))
    cause = f"mute:{incident.id}:{incident.version}"
    incident = work.move(
        incident,
        Verb.FOLLOW,
        CLOCK,
        work.now_ms,
        cause,
        details={"released": incident.mute},
        mute="",
        mute_until_ms=None,
        clocks=begun(work, incident, work.now_ms, incident.cycle, Stage.DISPATCH),
    )
    return send_out(work, incident, decide(work.policy, alert, work.now_ms), cause)


def join(
    work: Work,
    incident: Incident,
    change: Change,
    decision: Decision,
    *,
    recurs: bool,
    mute: Mute | None,
) -> Incident:
    """Another alert is the same matter; one that recurs brings the matter back."""
    void: dict[str, Any] = {} if incident.state is State.CLOSED else {"verified_ms": None}
    incident = work.move(
        incident,
        Verb.ATTACH,
        STREAM,
        work.now_ms,
        change.delivery_id,
        details={"episode": change.episode_id, "transition": str(change.transition)},
        members=(*incident.members, member_of(change, work.now_ms)),
        quiet_at_ms=None,
        **void,
    )
    if mute is not None:
        return incident
    if recurs:
        incident = reopen(
            work, incident, STREAM, work.now_ms, f"{change.delivery_id}#reopen", why="recurred"
        )
    else:
        tell(work, incident, "attached")
    return _raise(work, incident, change, decision)


def follow(work: Work, incident: Incident, change: Change, decide: Decide) -> Incident:
    """One of a case's alerts has changed."""
    known = next(one for one in incident.members if one.episode == change.episode_id)
    member = member_of(change, work.now_ms, known)
    members = tuple(member if one is known else one for one in incident.members)
    alone = len(members) == 1
    fields: dict[str, Any] = {"members": members}
    if alone and change.summary:
        fields["summary"] = change.summary
    if change.check and not incident.check:
        fields |= {"check": change.check, "units": change.units, "offences": change.offences}
    proof = evidence(members, work.now_ms, incident.terms.quiet_ms, incident.quiet_at_ms)
    if incident.state is not State.CLOSED and incident.verified_ms is None:
        fields["quiet_at_ms"] = None if proof.over else proof.quiet_at_ms
    incident = work.move(
        incident,
        Verb.FOLLOW,
        STREAM,
        work.now_ms,
        change.delivery_id,
        details={"episode": change.episode_id, "transition": str(change.transition)},
        **fields,
    )
    if incident.mute:
        return _ended_unheard(work, incident, change)
    if change.transition is Transition.RAISED and incident.state in {
        State.CLOSED,
        State.VERIFYING,
    }:
        cause = f"{change.delivery_id}#reopen"
        incident = reopen(work, incident, STREAM, work.now_ms, cause, why="raised")
    elif change.transition in _TOLD and incident.state is not State.CLOSED:
        tell(work, incident, _TOLD[change.transition])
    if proof.over and incident.state is not State.CLOSED and incident.verified_ms is None:
        incident = _over(work, incident, change)
    if incident.state is State.CLOSED:
        return incident
    return _raise(work, incident, change, decide(work.policy, change, work.now_ms))


def _over(work: Work, incident: Incident, change: Change) -> Incident:
    """The stream proves at once that the matter is over: withdrawn, or the rule's own proof."""
    cause = f"{change.delivery_id}#verify"
    incident = work.move(
        incident,
        Verb.VERIFY,
        STREAM,
        work.now_ms,
        cause,
        details={"evidence": str(change.transition)},
        verified_ms=work.now_ms,
        quiet_at_ms=None,
    )
    return close_if_proved(work, incident, work.now_ms, cause)


def _ended_unheard(work: Work, incident: Incident, change: Change) -> Incident:
    """A case that nobody was told of ends with its alerts, without a verdict."""
    if incident.state is not State.NEW or not all(one.ended for one in incident.members):
        return incident
    details = {"quiet": incident.mute}
    cause = f"{change.delivery_id}#close"
    return close(work, incident, STREAM, work.now_ms, cause, None, details=details)


def _raise(work: Work, incident: Incident, change: Change, decision: Decision) -> Incident:
    """An alert of a higher level raises its case, and lifts it where the route says so."""
    if incident.mute or incident.state in {State.CLOSED, State.MERGED}:
        return incident
    if Severity(change.severity).rank > Severity(incident.severity).rank:
        incident = work.move(
            incident,
            Verb.ESCALATE,
            STREAM,
            work.now_ms,
            f"{change.delivery_id}#escalate",
            details={"from": incident.severity, "to": change.severity},
            severity=change.severity,
            escalated=incident.escalated + 1,
        )
        tell(work, incident, "escalated")
        if rank(decision.tier) > rank(incident.tier):
            cause = f"{change.delivery_id}#lift"
            details = {"why": "severity"}
            incident = lift(work, incident, CLOCK, work.now_ms, cause, details=details)
    return incident


def terms_of(decision: Decision) -> Terms:
    """What is agreed with a case when it is opened."""
    proof, grouping = decision.proof, decision.grouping
    return Terms(
        timing=decision.timing.name,
        stream=proof.stream,
        receipt=proof.receipt,
        call_back=proof.call_back,
        quiet_ms=proof.quiet_ms,
        verdict=proof.verdict,
        within_ms=grouping.within_ms,
        recur_ms=grouping.recur_ms,
        repeat_ms=decision.repeat_ms,
        refer=decision.refer,
        sinks=decision.sinks,
    )


def as_change(incident: Incident) -> Change:
    """A case's first alert that is still open, as the transition that silences are asked about."""
    member = next((one for one in incident.members if not one.ended), incident.members[0])
    return Change(
        delivery_id="",
        episode_id=member.episode,
        rule=member.rule,
        rule_hash="",
        key=member.key,
        transition=Transition.UPDATED,
        ordinal=member.ordinal,
        at_ms=member.at_ms,
        since_ms=member.since_ms,
        severity=incident.severity,
        labels=incident.labels,
        place=incident.place or None,
        lon=incident.lon,
        lat=incident.lat,
        dispatch=incident.dispatch,
        pack=member.pack,
    )


def number_day(now_ms: int) -> str:
    """The day that a case's number begins with, in the city's time."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(ZONE))
    return f"{local:%Y%m%d}"


def newer(incident: Incident, change: Change) -> bool:
    """Whether a transition says more than the case knows of the alert already."""
    known = next((one for one in incident.members if one.episode == change.episode_id), None)
    return known is not None and change.ordinal > known.ordinal


def _again(mute: Mute, now_ms: int) -> int:
    """When to ask again; at least now and then, also of what says that it lasts long.

    Somebody may end a silence before its time.
    """
    soon = now_ms + ASK_AGAIN_MS
    return soon if mute.until_ms is None else min(max(mute.until_ms, now_ms + 1), soon)
