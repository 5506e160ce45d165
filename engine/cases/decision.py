"""What routing and muting answer about one alert: complete values, with the reasons for them.

Routing walks the tree of routes and makes a `Decision`; muting says whether an alert is to be told
at all. The desk is handed both as functions (they know regions and sites, which it does not) and
never looks at the tree itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engine.cases.book import Book
from engine.cases.model import Tier
from engine.cases.policy import Grouping, Policy, Proof, Timing
from engine.model.change import Change
from engine.text import say


@dataclass(frozen=True, slots=True)
class Reason:
    """One step on the way to a decision, as a sentence of the catalogue and the words in it.

    Attributes:
        name: Id of the sentence.
        taken: Whether this step is part of what was decided, or a branch that did not match.

    """

    name: str
    found: Mapping[str, str] = field(default_factory=dict)
    taken: bool = True

    def said(self, lang: str) -> str:
        """The sentence in one language."""
        return say(self.name, lang, **self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where an alert goes and on which terms; nothing is left to be inherited.

    Attributes:
        route: Path of the branch that decided, names joined by `/`.
        lead: Department in charge; empty: a dispatcher chooses it.
        area: Region code of the matter, as exact as known; empty without a position.
        centre: Area code of the centre that has it; empty when no centre covers the area.
        tier: Tier of that centre, already lifted where the severity asks for it.
        dispatch: Whether the order goes out at once. Without a lead it waits in any case.
        repeat_ms: How often an order that is not acknowledged is told again; 0: never.
        refer: Sink that leads to an outside order system; empty: none.
        sinks: Who hears of it besides departments and centre.
        why: Every step that led here, in order.

    """

    route: str
    tier: Tier
    timing: Timing
    grouping: Grouping
    proof: Proof
    lead: str = ""
    host: str = ""
    assisting: tuple[str, ...] = ()
    area: str = ""
    centre: str = ""
    dispatch: bool = True
    repeat_ms: int = 0
    refer: str = ""
    sinks: tuple[str, ...] = ()
    why: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Mute:
    """Why an alert is kept and not told.

    Attributes:
        why: Bounded first word and a name: `silence:<id>`, `maintenance:<name>`,
            `inhibition:<name>`.
        until_ms: When to ask again; None where that is not known (an inhibition).

    """

    why: str
    until_ms: int | None = None


class Decide(Protocol):
    """Routing, bound to the regions it looks positions up in; see `engine.cases.routing`."""

    def __call__(self, policy: Policy, alert: Change, now_ms: int) -> Decision:
        """Where an alert goes at this instant."""


class Quiet(Protocol):
    """Muting, see `engine.cases.mute`."""

    def __call__(
        self, policy: Policy, book: Book, alert: Change, area: str, now_ms: int
    ) -> Mute | None:
        """Why nothing is to be told of an alert at this instant; None: it is told."""
