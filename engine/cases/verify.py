"""When a matter is proved over: by the stream, by a report, by a call back."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.cases.model import Incident, Member, Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the stream says of a case's alerts.

    Attributes:
        over: The rules' own `verify` held for every one of them, or they were withdrawn.
        quiet_at_ms: When they will have been ended for long enough; None while one is open.

    """

    over: bool = False
    quiet_at_ms: int | None = None


def evidence(
    members: Iterable[Member], since_ms: int, quiet_ms: int, known: int | None = None
) -> Evidence:
    """What follows from the alerts of a case as they stand.

    An alert that was dropped with its rule proves nothing either way. A case of which nothing
    else is left has no evidence to wait for, see `missing`.

    Args:
        members: The alerts.
        since_ms: When the last of them ended, on the desk's time.
        quiet_ms: How long they have to stay ended.
        known: The instant that was waited for before; it stands while nothing was open since.

    """
    telling = [member for member in members if not member.dropped]
    if not telling or not all(member.ended for member in telling):
        return Evidence()
    if all(member.verified for member in telling):
        return Evidence(over=True)
    return Evidence(quiet_at_ms=since_ms + quiet_ms if known is None else known)


def quiet_again(members: Iterable[Member], since_ms: int, quiet_ms: int) -> int | None:
    """When the alerts of a case that begins to wait for its proof anew will have proved it over.

    What proved the matter over before somebody took it up again proves it once: nothing more will
    be told of alerts that are over, so from now on it is their silence that counts. None while an
    alert is open.
    """
    proof = evidence(members, since_ms, quiet_ms)
    return since_ms + quiet_ms if proof.over else proof.quiet_at_ms


def missing(incident: Incident, verdict: Verdict) -> tuple[str, ...]:
    """The proofs that are still wanting before a case may close with a verdict.

    Only what was true has to be proved over. That an alert was false, a duplicate or dealt with
    by others is said by whoever closes it, with a reason.
    """
    if verdict is not Verdict.TRUE:
        return ()
    terms = incident.terms
    wanting = []
    if terms.stream and incident.verified_ms is None and not _all_dropped(incident):
        wanting.append("stream")
    if terms.receipt and incident.resolved_ms is None:
        wanting.append("receipt")
    if terms.call_back and incident.called_back_ms is None:
        wanting.append("call-back")
    return tuple(wanting)


def verdict_by_clock(incident: Incident) -> Verdict | None:
    """The verdict that closes a case by itself now; None where a person has to give it."""
    if not incident.terms.verdict:
        return None
    verdict = Verdict(incident.proposed or incident.terms.verdict)
    return None if missing(incident, verdict) else verdict


def _all_dropped(incident: Incident) -> bool:
    return bool(incident.members) and all(member.dropped for member in incident.members)
