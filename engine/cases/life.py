"""The life of a case as one table: which move is legal where, who may make it, what it needs.

NEW -> DISPATCHED -> ACKNOWLEDGED -> HANDLING -> VERIFYING -> CLOSED
 ^ return |  ^ reopen, another department            | reopen    |
 `--------'  `---------------------------------------+-----------'      (any open) -> MERGED
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from engine.cases.areas import covers
from engine.cases.model import OPEN, Actor, Incident, Role, State, Verb
from engine.cases.refused import Refused, Why

_NEW, _SENT, _SIGNED, _AT_IT, _PROVING = (
    State.NEW,
    State.DISPATCHED,
    State.ACKNOWLEDGED,
    State.HANDLING,
    State.VERIFYING,
)
_OUT = frozenset({_SENT, _SIGNED, _AT_IT})
"""States in which a department has the order and owes the work."""
_LIVE = OPEN | {State.CLOSED}

_SYSTEM = frozenset({Role.SYSTEM})
_DESK = frozenset({Role.OPERATOR, Role.APPROVER, Role.SYSTEM})
"""The command centre: duty desk and its leader, and the desk's own clocks."""
_WORK = frozenset({Role.HANDLER, Role.OPERATOR, Role.SYSTEM})
"""The department that has the order, or the duty desk on its behalf."""
_LEADER = frozenset({Role.APPROVER})
_ALL_HANDS = frozenset({Role.HANDLER, Role.ANALYST, Role.OPERATOR, Role.APPROVER, Role.SYSTEM})


@dataclass(frozen=True, slots=True)
class Way:
    """One legal move.

    Attributes:
        before: States it may start from; None is before the case exists.
        after: States it may lead to; empty: the state stays as it is.
        who: Roles that may make it.
        needs: Details it cannot do without.
        reason: Whether it needs a reason.
        given: This way is meant when the request has that detail; empty: otherwise.

    """

    verb: Verb
    before: Collection[State | None]
    after: tuple[State, ...]
    who: frozenset[Role]
    needs: tuple[str, ...] = ()
    reason: bool = False
    given: str = ""


LIFE: Final[tuple[Way, ...]] = (
    Way(Verb.OPEN, {None}, (_NEW,), _SYSTEM),
    Way(Verb.ATTACH, _LIVE, (), _SYSTEM),
    Way(Verb.FOLLOW, _LIVE, (), _SYSTEM),
    Way(Verb.DISPATCH, {_NEW}, (_SENT,), _DESK),
    Way(Verb.ACKNOWLEDGE, {_SENT}, (_SIGNED,), _WORK),
    Way(Verb.ASSIGN, _OUT | {_NEW}, (_SENT,), _DESK, ("department",), True, "department"),
    Way(Verb.ASSIGN, _OUT, (), _WORK | _LEADER, ("person",)),
    Way(Verb.RETURN, _OUT, (_NEW, _SENT), _WORK, reason=True),
    Way(Verb.ARRIVE, {_SENT, _SIGNED}, (_AT_IT,), _WORK),
    Way(Verb.RESOLVE, _OUT, (_PROVING,), _WORK, ("found",)),
    Way(Verb.VERIFY, OPEN, (), _SYSTEM),
    Way(Verb.CALL_BACK, {_PROVING, State.CLOSED}, (), _DESK, ("satisfied", "solved")),
    Way(Verb.CLOSE, OPEN, (State.CLOSED,), _DESK, ("verdict",)),
    Way(Verb.REOPEN, {_PROVING, State.CLOSED}, (_SENT, _NEW), _DESK, reason=True),
    Way(Verb.ESCALATE, OPEN, (), _DESK | {Role.HANDLER}, reason=True),
    Way(Verb.LIFT, OPEN, (), _DESK, reason=True),
    Way(Verb.MERGE, OPEN, (State.MERGED,), _DESK, ("into",), True),
    Way(Verb.COMMENT, frozenset(State), (), _ALL_HANDS, reason=True),
    Way(Verb.PAUSE, OPEN - {_PROVING}, (), _DESK, reason=True),
    Way(Verb.RESUME, OPEN - {_PROVING}, (), _DESK),
    Way(Verb.EXTEND, _OUT | {_PROVING}, (), _LEADER, ("stage",), True),
    Way(Verb.WARN, _LIVE, (), _SYSTEM),
    Way(Verb.OVERDUE, _LIVE, (), _SYSTEM),
    Way(Verb.REMIND, _LIVE, (), _DESK),
    Way(Verb.SUPERVISE, _LIVE, (), _DESK, reason=True),
    Way(Verb.CRITICISE, _LIVE, (), _LEADER | _SYSTEM, reason=True),
    Way(Verb.REFER, _OUT | {_NEW}, (), _DESK, ("sink",)),
    Way(Verb.RECEIPT, frozenset(State), (), _SYSTEM, ("status",)),
)

ASKED: Final = frozenset(
    {way.verb for way in LIFE if way.who != _SYSTEM} | {Verb.RECEIPT, Verb.COMMENT}
)
"""Verbs that a request may have; the others belong to the stream and the clocks."""


def ways(verb: Verb, before: State | None) -> tuple[Way, ...]:
    """The ways a verb may be taken from a state."""
    return tuple(way for way in LIFE if way.verb is verb and before in way.before)


def is_legal(before: State | None, verb: Verb, after: State) -> bool:
    """Whether a move from one state to another is in the table."""
    return any(
        after in way.after or (not way.after and after is before) for way in ways(verb, before)
    )


def allowed(incident: Incident, actor: Actor) -> tuple[Verb, ...]:
    """What an account may ask for now, in the order of the table."""
    if _stranger(incident, actor) is not None:
        return ()
    found = [
        way.verb
        for way in LIFE
        if way.verb in ASKED and incident.state in way.before and actor.role in way.who
    ]
    return tuple(dict.fromkeys(found))


def way_for(
    incident: Incident, verb: Verb, actor: Actor, details: Collection[str], reason: str
) -> Way:
    """The way that a request means.

    Raises:
        Refused: The move is not legal here, not for this account, or lacks something.

    """
    could = allowed(incident, actor)
    if (stranger := _stranger(incident, actor)) is not None:
        raise Refused(stranger, incident, could)
    if verb not in ASKED:
        raise Refused(Why.NOT_ASKED, incident, could, verb=verb)
    if incident.state is State.MERGED and verb not in {Verb.COMMENT, Verb.RECEIPT}:
        raise Refused(Why.MERGED, incident, could, into=incident.merged_into)
    open_ways = ways(verb, incident.state)
    if not open_ways:
        raise Refused(Why.STATE, incident, could, verb=verb, state=incident.state)
    meant = [way for way in open_ways if way.given and way.given in details]
    meant = meant or [way for way in open_ways if not way.given] or list(open_ways)
    way = meant[0]
    if actor.role not in way.who:
        raise Refused(Why.ROLE, incident, could, verb=verb, role=actor.role)
    for name in way.needs:
        if name not in details:
            raise Refused(Why.DETAIL, incident, could, verb=verb, detail=name)
    if way.reason and not reason.strip():
        raise Refused(Why.REASON, incident, could, verb=verb)
    return way


def _stranger(incident: Incident, actor: Actor) -> Why | None:
    """Why a case is none of an account's business; None if it is."""
    if actor.role is Role.SYSTEM:
        return None
    if actor.role is Role.HANDLER and actor.department:
        ours = {incident.lead, incident.host, *incident.assisting}
        if actor.department not in ours:
            return Why.DEPARTMENT
    if actor.area and not covers(actor.area, incident.area):
        return Why.AREA
    return None
