"""What the desk asks of whoever keeps the cases, and what it hands back to be kept.

The desk decides and does nothing: it is given a `Book` to look things up in and answers `Acts`.
The keeper calls it inside one transaction and stores the acts in that same transaction, so that a
crash leaves all of them or none, and the same cause again finds them already there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from engine.cases.model import Actor, Incident, Move, Paper, Value, Verb
from engine.cases.policy import Match


class Silence(Value, frozen=True):
    """Alerts that match are kept and not told until it ends; somebody asked, with a reason."""

    id: str
    match: Match
    from_ms: int
    until_ms: int
    actor: Actor
    reason: str
    ended_ms: int | None = None


class Request(Value, frozen=True):
    """What a person, or an outside system, asks to be done to an incident.

    Attributes:
        id: Chosen by the asker; asked again under the same id it is answered and not done again.
        version: The version the asker saw; None where it does not matter.

    """

    id: str
    incident: str
    verb: Verb
    actor: Actor
    reason: str = ""
    version: int | None = None
    details: dict[str, object] = msgspec.field(default_factory=dict)


class Book(Protocol):
    """Cases as they stand, read inside the keeper's transaction."""

    def incident(self, id: str) -> Incident | None:  # noqa: A002
        """An incident by its id."""

    def of_episode(self, episode: str) -> Incident | None:
        """The incident that an alert belongs to, through merges."""

    def open_in(self, group: str) -> Incident | None:
        """The open incident of a group whose last alert is the newest."""

    def open_near(self, group: str, lon: float, lat: float, radius_m: float) -> Incident | None:
        """Likewise, of those whose first position lies within a radius."""

    def closed_in(self, group: str, since_ms: int) -> Incident | None:
        """The incident of a group that was closed last, at or after an instant."""

    def told(self, cause: str) -> Move | None:
        """The move that a cause has made already."""

    def silences(self, at_ms: int) -> Sequence[Silence]:
        """Silences in force."""

    def open_alerts(self, match: Match) -> Sequence[Incident]:
        """Open incidents with an alert that may match; who asks looks at each of them again."""

    def next_number(self, day: str) -> int:
        """The next serial number of a day, from 1."""

    def sent_since(self, sink: str, since_ms: int) -> int:
        """How many single papers went to a sink since an instant: what a storm is told by."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What is to be kept and sent: all of it, or nothing.

    Attributes:
        incidents: As they stand now, each once.
        moves: In the order they were made; each has its incident's new version as ordinal.
        papers: What goes out.
        quiet: Why nothing is told of an alert that was taken (silence, inhibition, ...), or empty.
        known: The move that this cause has made before: nothing is to be kept or sent.

    """

    incidents: Sequence[Incident] = ()
    moves: Sequence[Move] = ()
    papers: Sequence[Paper] = ()
    quiet: str = ""
    known: Move | None = None
