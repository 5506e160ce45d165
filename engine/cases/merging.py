"""Two cases that are one matter: the duplicate gives its alerts and its earlier limits away."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from engine.cases import clocks
from engine.cases.asking import Asked
from engine.cases.life import allowed
from engine.cases.model import OPEN, Clock, Incident, PaperKind, Stage, State, Verb
from engine.cases.notices import Letter
from engine.cases.papers import recipients
from engine.cases.policy import Timing
from engine.cases.refused import Refused, Why
from engine.cases.steps import begun, tell
from engine.cases.verify import quiet_again
from engine.model.calendar import CalendarEnd
from engine.model.severity import Severity


def merge(asked: Asked, into: Incident | None) -> Incident:
    """Make a case part of another, open one.

    The other gets the alerts, and for every stage that runs in both the limit that is due first:
    nobody gains time by merging. The duplicate's order is called off with a reference to the other.
    Where the duplicate was told of, the other is no longer kept quiet.

    Args:
        asked: The request about the duplicate.
        into: The other case, with everything done that was due; None if it is unknown.

    """
    work, lesser = asked.work, asked.incident
    if into is None or into.id == lesser.id or into.state not in OPEN:
        name = asked.text("into") if into is None else into.number
        raise Refused(Why.MERGE, lesser, allowed(lesser, asked.actor), into=name)
    before = recipients(work.policy, lesser)
    others = tuple(_running(lesser.clocks, asked.at_ms, work.timing(lesser)))
    lesser = asked.move(
        to=State.MERGED,
        merged_into=into.id,
        clocks=tuple(_stopped(clock) for clock in lesser.clocks),
        paused=False,
        repeat_at_ms=None,
        quiet_at_ms=None,
        mute_until_ms=None,
        details={"into": into.id, "number": into.number},
    )
    if lesser.ordered:
        found = {"into": into.number}
        work.send(lesser, Letter(PaperKind.CANCEL, "merged", before.all, found, (into.id,)))
    known = {member.episode for member in into.members}
    members = into.members + tuple(one for one in lesser.members if one.episode not in known)
    clocks_now = tuple(_earlier(clock, others) for clock in into.clocks)
    heard: dict[str, Any] = {}
    if into.mute and not lesser.mute:
        heard = {"mute": "", "mute_until_ms": None}
        clocks_now += begun(work, into, asked.at_ms, into.cycle, Stage.DISPATCH)
    quiet_at_ms = quiet_again(members, asked.at_ms, into.terms.quiet_ms)
    into = work.move(
        into,
        Verb.ATTACH,
        asked.actor,
        asked.at_ms,
        f"{asked.cause}#attach",
        reason=asked.request.reason,
        details={"merged": lesser.id, "number": lesser.number},
        members=members,
        clocks=clocks_now,
        severity=max(into.severity, lesser.severity, key=lambda text: Severity(text).rank),
        verified_ms=None if quiet_at_ms is None else into.verified_ms,
        quiet_at_ms=quiet_at_ms if into.verified_ms is None else None,
        **heard,
    )
    tell(work, into, "absorbed", {"other": lesser.number})
    return into


def _running(all_clocks: tuple[Clock, ...], at_ms: int, timing: Timing) -> Iterator[Clock]:
    """The duplicate's limits, those that were paused with the end they would have from now on.

    One that the calendar does not reach any more is left out: nothing is guessed.
    """
    for clock in all_clocks:
        try:
            yield clocks.resume(clock, at_ms, timing)
        except CalendarEnd:
            continue


def _earlier(clock: Clock, others: tuple[Clock, ...]) -> Clock:
    """A running limit, with the earlier end of the duplicate's where that was due first."""
    for other in others:
        if other.stage is not clock.stage or other.due_ms is None or clock.due_ms is None:
            continue
        running = clock.met_ms is None and clock.paused_ms is None and clock.overdue_ms is None
        if running and other.met_ms is None and other.due_ms < clock.due_ms:
            warned = clock.warned_ms is not None or clock.warn_ms is None
            warn_ms = None if clock.warn_ms is None else min(clock.warn_ms, other.due_ms - 1)
            next_ms = clock.next_ms
            if next_ms is not None:
                next_ms = other.due_ms if warned else min(next_ms, warn_ms or other.due_ms)
            return replace(
                clock,
                started_ms=min(clock.started_ms, other.started_ms),
                due_ms=other.due_ms,
                warn_ms=warn_ms,
                next_ms=next_ms,
            )
    return clock


def _stopped(clock: Clock) -> Clock:
    """A clock of a case that is no more: it says what it has said, and nothing else."""
    return replace(clock, next_ms=None, paused_ms=None, left_ms=None)
