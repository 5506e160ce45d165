"""What is asked of the desk's lists and what they answer: plain values, without a database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engine.cases.model import Incident, Move
from engine.model.change import Change

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see: empty parts mean everything.

    Attributes:
        areas: Region codes; a code also holds what lies below it.
        departments: Whoever is in charge of a case, carries it out or helps.

    """

    areas: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and where the next ones begin; None at the end."""

    rows: Sequence[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentsAsked:
    """Which cases are wanted; empty parts want all.

    Attributes:
        text: Pieces of words that must all be found in number, place, keys, title, departments.
        due_before_ms: Only those a clock of which must be looked at before.
        order: `opened` or `updated`, newest first; `due`, soonest first.

    """

    text: str = ""
    states: tuple[str, ...] = ()
    is_open: bool | None = None
    tiers: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    assignee: str = ""
    min_severity: str = ""
    verdicts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    opened_from_ms: int | None = None
    opened_until_ms: int | None = None
    due_before_ms: int | None = None
    order: str = "opened"


@dataclass(frozen=True, slots=True)
class AlertsAsked:
    """Which alerts are wanted; empty parts want all."""

    text: str = ""
    rules: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    is_open: bool | None = None
    min_severity: str = ""
    incident: str = ""
    since_from_ms: int | None = None
    since_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as its newest transition left it.

    Attributes:
        quiet: Why nothing was told of it; empty: it was.
        change: The newest transition, whole.

    """

    seq: int
    incident: str
    is_open: bool
    taken_ms: int
    quiet: str
    change: Change


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A paper on its way, or that has arrived."""

    id: int
    delivery_id: str
    sink: str
    kind: str
    phase: str
    attempts: int
    made_ms: int
    due_ms: int
    done_ms: int | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """What an outside system told about a case."""

    source: str
    id: str
    outcome: str
    at_ms: int
    received_ms: int
    body: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One case with everything that belongs to it."""

    incident: Incident
    moves: Sequence[Move] = field(default_factory=list)
    alerts: Sequence[AlertRow] = field(default_factory=list)
    papers: Sequence[PaperRow] = field(default_factory=list)
    receipts: Sequence[ReceiptRow] = field(default_factory=list)
