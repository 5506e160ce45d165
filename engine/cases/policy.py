"""What the desk's declarations say: departments, the tree of routes, limits, ladders, mutes.

`engine.cases.declared` makes these from YAML and nothing else does. Durations are milliseconds
unless they are a `Period` of law (working days, months), which a calendar counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.cases.model import Stage, Tier
from engine.errors import Location
from engine.model.period import Period
from engine.model.worktime import WorkTime
from engine.ruleset.spec import NOWHERE

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Department:
    """An office that can be in charge of a case.

    Attributes:
        sinks: Where its orders go.
        areas: Region codes it works in; empty means everywhere.
        person: What its duty desk is called; only shown.
        next: Department that an order it gives back goes to; empty: back to the dispatcher.

    """

    id: str
    title: Words
    sinks: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    person: str = ""
    next: str = ""
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Centre:
    """A command centre of one of the three tiers and the area it commands.

    Attributes:
        area: Region code; a county's begins with the city's, a town's with the county's.
        also: What else the area is called: older codes, short names; alerts may say these.
        above: Area of the centre that its cases are lifted to, where the codes do not tell.

    """

    area: str
    tier: Tier
    title: Words
    sinks: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    above: str = ""
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Match:
    """Which alerts a branch, a silence or an inhibition is about; empty parts match everything.

    Attributes:
        labels: Label to allowed values.
        rules: Rule ids; a `*` at the end stands for any rest.
        keys: Keys, likewise.
        areas: Region codes; a code also holds what lies below it.
        min_severity: Lowest level.
        dispatch: Names of the rules' own `dispatch`.
        hours: Only at these times; None at all times.

    """

    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    dispatch: tuple[str, ...] = ()
    min_severity: str = ""
    hours: WorkTime | None = None


class Together(StrEnum):
    """What makes two alerts one matter."""

    ENTITY = "entity"
    """The same key (vehicle, site, enterprise), whatever the rule."""
    PLACE = "place"
    """Positions within `radius_m` of the incident's first."""
    RULE = "rule"
    AREA = "area"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Grouping:
    """When an alert joins an incident that is open instead of opening its own.

    Attributes:
        by: All of these must agree.
        within_ms: An incident takes new alerts for so long after its last; 0: as long as open.
        recur_ms: An alert that agrees so soon after the close reopens the incident.

    """

    by: tuple[Together, ...] = (Together.ENTITY, Together.RULE)
    labels: tuple[str, ...] = ()
    radius_m: float = 0.0
    within_ms: int = 0
    recur_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a stage may take.

    Attributes:
        period: Counted from the stage's start. Exact durations count the hours of `hours`.
        hours: Which time counts; None: all of it.
        warn: How long before due the person in charge is told; None: not.
        extend: The longest single extension; None: cannot be extended. It is given once.
        pausable: Whether a pause stops the clock.

    """

    period: Period
    hours: WorkTime | None = None
    warn: Period | None = None
    extend: Period | None = None
    pausable: bool = True


class Step(StrEnum):
    """What a rung of the ladder does."""

    REMIND = "remind"
    SUPERVISE = "supervise"
    """A supervision order (督办) to the department in charge."""
    LIFT = "lift"
    """The case goes a tier up."""
    CRITICISE = "criticise"
    """Named in the bulletin (通报)."""
    REASSIGN = "reassign"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: so long after the limit has passed, this is done.

    Attributes:
        after: Counted from due; zero: at once.
        sinks: Who hears of it besides the department in charge.

    """

    after: Period
    do: Step
    sinks: tuple[str, ...] = ()
    to: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """The limits of every stage, and what happens when one passes."""

    name: str
    limits: Mapping[Stage, Limit] = field(default_factory=dict)
    ladder: Mapping[Stage, tuple[Rung, ...]] = field(default_factory=dict)
    source: str = ""
    """Where the limits stand: rule, standard, or who proposes them."""
    status: str = ""
    """`verified` against the official text, `unverified`, or `proposed` where no text says it."""
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Proof:
    """What must be there before a case may close.

    Attributes:
        stream: The alert must have ended and stayed ended for `quiet_ms`.
        receipt: Somebody must have reported what was found and done.
        call_back: The person who complained must have been asked.
        verdict: Given by the clock as soon as every proof is there, unless whoever resolved it
            proposed another; empty: a person gives it.

    """

    stream: bool = True
    receipt: bool = True
    call_back: bool = False
    quiet_ms: int = 600_000
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of the routing tree; what it leaves open its parent says.

    The first child that matches decides, or several where they say `go_on`. None and empty values
    are taken from the parent; the root has them all.

    Attributes:
        tier: Which centre gets it first; the centre is found by the alert's area.
        dispatch: Whether the order goes out at once, or waits for a dispatcher.
        lift_from: Severity from which the case starts a tier higher.
        repeat_ms: How often an order that is not acknowledged is told again; 0: never.
        refer: The sink that leads to an outside order system.

    """

    name: str
    match: Match = field(default_factory=Match)
    lead: str | None = None
    host: str | None = None
    assisting: tuple[str, ...] | None = None
    tier: Tier | None = None
    timing: str | None = None
    grouping: Grouping | None = None
    proof: Proof | None = None
    dispatch: bool | None = None
    lift_from: str | None = None
    repeat_ms: int | None = None
    refer: str | None = None
    sinks: tuple[str, ...] | None = None
    go_on: bool = False
    children: tuple["Branch", ...] = ()
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of one kind is open, alerts of another with the same labels are not told."""

    name: str
    source: Match
    target: Match
    equal: tuple[str, ...] = ()
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A declared time in which alerts that match are kept and not told."""

    name: str
    match: Match
    from_ms: int | None = None
    until_ms: int | None = None
    hours: WorkTime | None = None
    reason: str = ""
    at: Location = NOWHERE


@dataclass(frozen=True, slots=True)
class Storm:
    """When single papers become one digest: more than `over` to a sink within `within_ms`.

    Attributes:
        every_ms: How long after the first paper that waits its digest goes out.
        singly_from: Level from which a paper goes out by itself whatever happens; empty: none.
        sinks: Sinks that people read; papers to others are never gathered. Empty: all.

    """

    over: int = 60
    within_ms: int = 60_000
    every_ms: int = 300_000
    singly_from: str = "red"
    sinks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that is declared about the desk."""

    departments: Mapping[str, Department] = field(default_factory=dict)
    centres: Mapping[str, Centre] = field(default_factory=dict)
    """By area code."""
    root: Branch = field(default_factory=lambda: Branch("root"))
    timings: Mapping[str, Timing] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    storm: Storm = field(default_factory=Storm)
    reopen_lifts: int = 2
    """A case that is reopened so often goes a tier up; 0: never."""
    merge_reasons: tuple[str, ...] = ()
