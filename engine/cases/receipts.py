"""What an outside order system says about its order, and what that means for the case."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from engine.cases.asking import STEPS, Asked
from engine.cases.life import is_legal, ways
from engine.cases.model import Incident, Verb
from engine.cases.refused import Refused, Why

MEANS: Final[Mapping[str, Verb | None]] = {
    "noted": None,
    "accepted": Verb.ACKNOWLEDGE,
    "returned": Verb.RETURN,
    "arrived": Verb.ARRIVE,
    "resolved": Verb.RESOLVE,
}
"""Words of a receipt's `status`, and the move that follows where the case allows it."""


def receipt(asked: Asked) -> Incident:
    """Keep a receipt, and make the move it means if the case still allows it.

    Receipts come late, twice and out of order: one that says what is known already, or what has
    been overtaken, is kept as a move and changes nothing else.
    """
    status = asked.text("status")
    if status not in MEANS:
        known = ", ".join(MEANS)
        raise asked.refuse(Why.BAD_DETAIL, detail="status", value=status, known=known)
    incident = asked.move(outside=asked.text("number") or asked.incident.outside)
    verb = MEANS[status]
    if verb is None or not _open_to(incident, verb):
        return incident
    follows = replace(
        asked.request,
        id=f"{asked.cause}#{verb}",
        verb=verb,
        version=None,
        reason=asked.request.reason or status,
        details={"found": "", **asked.request.details},
    )
    try:
        return STEPS[verb](Asked(asked.work, incident, follows))
    except Refused:
        return incident


def _open_to(incident: Incident, verb: Verb) -> bool:
    return any(
        is_legal(incident.state, verb, to)
        for way in ways(verb, incident.state)
        for to in way.after or (incident.state,)
    )
