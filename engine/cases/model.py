"""A case as it stands: its alerts, who has it, which clocks run, and every move that was made.

An alert is the machine's word that a rule holds; an *incident* is the matter that people deal with.
Times are UTC milliseconds of the desk's own clock, except `Member.since_ms` and `Member.at_ms`,
which are event time of the alert. Positions are WGS-84 degrees.
"""

import hashlib
from enum import StrEnum
from typing import Any

import msgspec


class State(StrEnum):
    """Where an incident stands between the alert and its close."""

    NEW = "new"
    DISPATCHED = "dispatched"
    ACKNOWLEDGED = "acknowledged"
    HANDLING = "handling"
    VERIFYING = "verifying"
    CLOSED = "closed"
    MERGED = "merged"


OPEN = frozenset({State.NEW, State.DISPATCHED, State.ACKNOWLEDGED, State.HANDLING, State.VERIFYING})
"""States in which somebody still owes something."""


class Verb(StrEnum):
    """What is done to an incident: by people, by the stream of alerts, or by a clock."""

    OPEN = "open"
    ATTACH = "attach"
    FOLLOW = "follow"
    """An alert of the incident changed: it was raised, updated, cleared or retracted."""
    DISPATCH = "dispatch"
    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    RETURN = "return"
    ARRIVE = "arrive"
    RESOLVE = "resolve"
    VERIFY = "verify"
    """The stream proved that the matter is over."""
    CALL_BACK = "call-back"
    CLOSE = "close"
    REOPEN = "reopen"
    ESCALATE = "escalate"
    LIFT = "lift"
    """The case goes a tier up: town to county, county to city."""
    MERGE = "merge"
    COMMENT = "comment"
    PAUSE = "pause"
    RESUME = "resume"
    EXTEND = "extend"
    WARN = "warn"
    OVERDUE = "overdue"
    REMIND = "remind"
    """Told again: an order that nobody signs, or a limit that has passed."""
    SUPERVISE = "supervise"
    CRITICISE = "criticise"
    """Named in the bulletin (通报)."""
    REFER = "refer"
    """An order went to an outside system; its answers come back as receipts."""
    RECEIPT = "receipt"


class Stage(StrEnum):
    """What a clock runs for."""

    DISPATCH = "dispatch"
    SIGN = "sign"
    ARRIVE = "arrive"
    RESOLVE = "resolve"
    VERIFY = "verify"
    """From the report to the verdict: in which the evidence comes, or somebody decides without."""
    CALL_BACK = "call-back"
    RETURN = "return"
    """In which an order may be given back as not ours; when it is over nothing is told."""


class Tier(StrEnum):
    """Which of the three command centres has the case."""

    CITY = "city"
    COUNTY = "county"
    TOWN = "town"

    @property
    def above(self) -> "Tier | None":
        """The tier that a case is lifted to; None above the city."""
        return {Tier.TOWN: Tier.COUNTY, Tier.COUNTY: Tier.CITY}.get(self)


class Verdict(StrEnum):
    """What the matter turned out to be; precision of a rule is counted from these."""

    TRUE = "true"
    FALSE = "false"
    DUPLICATE = "duplicate"
    ELSEWHERE = "elsewhere"
    """True, and handled by others."""


class Role(StrEnum):
    """What an account may do; a person may have several, each for areas and departments."""

    VIEWER = "viewer"
    HANDLER = "handler"
    ANALYST = "analyst"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
    SYSTEM = "system"
    """Not a person: the stream of alerts, a clock, an outside system."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is stored and shown: equal by content, never changed."""


class Actor(Value, frozen=True):
    """Who does something.

    Attributes:
        name: Account, or the part of the system (`stream`, `clock`, `gateway:<name>`).
        department: Department it acts for; empty for the system.
        area: Region code it acts for; empty means everywhere.
        address: Where the request came from; empty for the system.

    """

    name: str
    role: Role
    department: str = ""
    area: str = ""
    address: str = ""


STREAM = Actor(name="stream", role=Role.SYSTEM)
CLOCK = Actor(name="clock", role=Role.SYSTEM)


class Clock(Value, frozen=True):
    """One limit of one stage of an incident; a case that is reopened begins a new cycle.

    Attributes:
        due_ms: The first instant past the limit, as it stands after pauses and an extension;
            None while the calendar does not reach so far: it is counted again day by day.
        warn_ms: When the person in charge is told before due; None without a warning.
        left_ms: While paused: counted time that was left; the clock runs on from there.
        rung: How many steps of the ladder were taken since it was overdue.
        next_ms: When it must be looked at again; None when nothing more can come of it.

    """

    stage: Stage
    cycle: int
    started_ms: int
    due_ms: int | None
    warn_ms: int | None = None
    paused_ms: int | None = None
    left_ms: int | None = None
    extended: bool = False
    warned_ms: int | None = None
    overdue_ms: int | None = None
    met_ms: int | None = None
    rung: int = 0
    next_ms: int | None = None


class Member(Value, frozen=True):
    """One alert (episode) of an incident, as its newest transition left it."""

    episode: str
    rule: str
    pack: str
    key: str
    severity: str
    since_ms: int
    at_ms: int
    ordinal: int
    joined_ms: int
    ended: bool = False
    verified: bool = False
    """Whether the rule's own `verify` held after the end, or the alert was withdrawn."""
    dropped: bool = False
    """Whether the rule was taken out while the alert was open: nothing more will be told of it."""


class Terms(Value, frozen=True, kw_only=True):
    """What was agreed when the case was opened: it holds although declarations change later.

    Attributes:
        timing: Name of the limits; running clocks keep theirs.
        stream, receipt, call_back, quiet_ms: See `policy.Proof`.
        verdict: Given by the clock once every proof is there; empty: a person gives it.
        within_ms, recur_ms: See `policy.Grouping`.

    """

    timing: str = ""
    stream: bool = True
    receipt: bool = True
    call_back: bool = False
    quiet_ms: int = 0
    verdict: str = ""
    within_ms: int = 0
    recur_ms: int = 0
    repeat_ms: int = 0
    refer: str = ""
    sinks: tuple[str, ...] = ()


class Incident(Value, frozen=True):
    """The matter that somebody owns, from the alert to the verdict.

    Attributes:
        id: Hash of the episode that opened it; replays make the same.
        number: For people: day and serial, as `20260314-0042`.
        version: Counts its moves; a request that names another version is refused.
        group: What later alerts must share to join it.
        area: Region code (county 6 digits, town 9); empty when no position is known.
        lead, host, assisting: Departments: in charge (牵头), carrying out (主办), helping (协办).
        route: Which route of the tree decided.
        centre: Area code of the command centre that has it; empty when none covers the area.
        clocks: One for each stage that has begun, of this cycle.
        cycle: How often an order was made of it: once more at every return, change of
            department and reopening.
        ordered: Ordinal of the move that made the order in force; 0 before the first.
        repeated: How often the order in force was told again unasked.
        repeat_at_ms: When it is told again next, unless somebody signs.
        quiet_at_ms: When the stream will have proved the matter over, unless it goes on.
        mute: Why nothing was told of it yet (`silence:<id>`, ...); empty: it is told.
        mute_until_ms: When that is asked again.
        outside: Number of the order in an outside system, once it told one.
        dispatch: The `dispatch` that the rule of its first alert names.

    """

    id: str
    number: str
    state: State
    version: int
    group: str
    route: str
    tier: Tier
    severity: str
    opened_ms: int
    updated_ms: int
    area: str = ""
    lead: str = ""
    host: str = ""
    assisting: tuple[str, ...] = ()
    assignee: str = ""
    title: dict[str, str] = {}
    summary: dict[str, str] = {}
    labels: dict[str, str] = {}
    place: str = ""
    lon: float | None = None
    lat: float | None = None
    dispatch: str = ""
    centre: str = ""
    terms: Terms = Terms()
    members: tuple[Member, ...] = ()
    clocks: tuple[Clock, ...] = ()
    cycle: int = 1
    ordered: int = 0
    returned: int = 0
    reopened: int = 0
    escalated: int = 0
    repeated: int = 0
    repeat_at_ms: int | None = None
    quiet_at_ms: int | None = None
    mute: str = ""
    mute_until_ms: int | None = None
    paused: bool = False
    extended_ms: int | None = None
    dispatched_ms: int | None = None
    signed_ms: int | None = None
    arrived_ms: int | None = None
    resolved_ms: int | None = None
    verified_ms: int | None = None
    called_back_ms: int | None = None
    satisfied: bool | None = None
    solved: bool | None = None
    proposed: str = ""
    """The verdict that whoever resolved it proposes."""
    closed_ms: int | None = None
    verdict: Verdict | None = None
    merged_into: str = ""
    outside: str = ""
    playbook: str = ""
    check: list[dict[str, str]] = []
    units: list[str] = []
    offences: list[dict[str, str]] = []
    basis: list[dict[str, str]] = []

    @property
    def next_ms(self) -> int | None:
        """When it must be looked at although nobody asks; None when nothing can come of it."""
        times = [clock.next_ms for clock in self.clocks]
        times += [self.repeat_at_ms, self.quiet_at_ms, self.mute_until_ms]
        return min((time for time in times if time is not None), default=None)


class Move(Value, frozen=True):
    """One thing that was done to an incident; moves are kept for ever and never changed.

    Attributes:
        ordinal: Counts the moves of the incident from 1; equals its version after the move.
        cause: What asked for it, once and for all: a transition's delivery id, a request's or
            receipt's id, or the clock and rung. The same cause never moves an incident twice.
        details: What the verb needs: department, person, until, evidence, verdict, ...
        sets: Fields of the incident that it changed, as they are after it; of `members` only
            those that changed. Moves in order rebuild the incident, see `engine.cases.rebuild`.

    """

    incident: str
    ordinal: int
    verb: Verb
    actor: Actor
    at_ms: int
    before: State | None
    after: State
    reason: str = ""
    cause: str = ""
    details: dict[str, Any] = {}
    sets: dict[str, Any] = {}


class PaperKind(StrEnum):
    """What leaves the desk."""

    NOTICE = "notice"
    """A case has come to a command centre and has no order yet."""
    ORDER = "order"
    CHANGE = "change"
    """Something about an order already sent: another alert, another level, a new limit."""
    REMINDER = "reminder"
    SUPERVISION = "supervision"
    CANCEL = "cancel"
    CLOSED = "closed"
    DIGEST = "digest"


class Paper(Value, frozen=True):
    """One document for one sink; handing it over again under the same id does no harm.

    Attributes:
        id: Hash of incident, move and sink: the delivery id that receivers tell repeats by.
        group: What must stay in order on the way: the incident's id.
        document: What is sent, see `engine.cases.papers`.

    """

    id: str
    kind: PaperKind
    sink: str
    group: str
    at_ms: int
    document: dict[str, Any] = {}


def incident_id(episode: str) -> str:
    """The identity of the incident that an episode opened."""
    return _digest("incident", episode)


def paper_id(incident: str, ordinal: int, kind: str, sink: str) -> str:
    """The delivery id of the document that a move sends to a sink."""
    return _digest("paper", incident, str(ordinal), kind, sink)


def _digest(*parts: str) -> str:
    """24 hex digits over length-prefixed parts, so that no two part lists share an input."""
    whole = b"".join(b"%d:%b" % (len(raw), raw) for raw in (part.encode() for part in parts))
    return hashlib.sha256(whole).hexdigest()[:24]
