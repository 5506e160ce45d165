"""The funnel of a rule for a key: which records were seen, which admitted, how far it then came."""

from typing import Any

import msgspec

from engine.model.progress import Note, Progress, Step, nearest

SEEN, WHERE, FIRED = "seen", "where", "fired"
"""Stages that every rule has; between the last two lie those of its operator and of its alert."""


class Part(msgspec.Struct, frozen=True):
    """A part of a condition as it is written, its answer for one event, and the values behind it.

    The answer is None where a value is missing: then it is unknown, and does not fire.
    """

    text: str
    value: Any = None
    values: list[tuple[str, Any]] = []


class Intake(msgspec.Struct, omit_defaults=True):
    """What was seen of one feed.

    Attributes:
        records: Records of the key; `all_records` of all keys.
        admitted: Those that met the rule's `where`, or all where it has none.
        unknown: Those of which `where` could not be told, because a value was missing.
        missing: For each field that a condition reads, the records of the key without it.
        rejected: Records that were no events, by reason; of any key.
        last_ms: Event time of the key's newest record.
        last: The newest record's `where`, part by part; `last_admitted` whether it was wanted.
        asked: The same of the conditions of the rule's operator.

    """

    feed: str
    all_records: int = 0
    records: int = 0
    admitted: int = 0
    unknown: int = 0
    missing: dict[str, int] = {}
    rejected: dict[str, int] = {}
    last_ms: int | None = None
    last_admitted: bool = False
    last: list[Part] = []
    asked: list[Part] = []
    has_where: bool = False


class Told(msgspec.Struct, frozen=True):
    """A transition of an alert of the key."""

    transition: str
    at_ms: int
    severity: str
    episode_id: str
    summary: dict[str, str] = {}


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the proof of one alert came that what it is about is over.

    Attributes:
        episode_id: Which alert.
        since_ms: When it began.
        given_up: Whether it is waited for no longer.
        steps: What must be so before it is told, each with its figures.
        last: The condition part by part, for the newest event of which it could be asked.
        broke: The same of the event that broke it off last, if one did.

    """

    episode_id: str
    since_ms: int
    given_up: bool = False
    steps: tuple[Step, ...] = ()
    last: list[Part] = []
    broke: list[Part] = []


class Funnel(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Everything that answers why a rule fired, or did not, for one key at one instant.

    Attributes:
        at_ms: Event time at which it is asked; everything up to it counts.
        keys: Keys of the rule that were seen, where none was asked for or the one is unknown.
        tries: How far the key is at that instant.
        fired: What became of its alerts, newest last.
        misses: How near it came before, newest last.
        verify: The rule's `verify` as it is written; empty where it has none.
        proofs: How far the proofs came that alerts are over, of those that have not been given.

    """

    rule: str
    key: str
    at_ms: int
    title: dict[str, str] = {}
    rule_hash: str = ""
    operator: str = ""
    status: str = "stable"
    zone: str = "Asia/Shanghai"
    intakes: list[Intake] = []
    tries: list[Progress] = []
    fired: list[Told] = []
    misses: list[Note] = []
    verify: str = ""
    proofs: list[Proof] = []

    @property
    def best(self) -> Progress | None:
        """The try that is nearest to firing."""
        return nearest(self.tries)

    @property
    def unmet(self) -> Step | None:
        """What is missing first."""
        return None if self.best is None else self.best.unmet

    @property
    def stops_at(self) -> str:
        """The stage at which it stops: `seen`, `where`, a step's name, or `fired`."""
        unmet = self.unmet
        if self.best is not None and unmet is None:
            return FIRED
        if self.intakes and not any(one.records for one in self.intakes):
            # Of a roster's key nothing need ever be seen.
            return SEEN if unmet is None or not _counts_unseen(self.best) else unmet.name
        if self.intakes and not any(one.admitted for one in self.intakes):
            return WHERE if unmet is None or not _counts_unseen(self.best) else unmet.name
        return "" if unmet is None else unmet.name


def data_of(funnel: Funnel) -> dict[str, Any]:
    """An answer as plain values, for programs."""
    plain: dict[str, Any] = msgspec.to_builtins(funnel)
    return {**plain, "stops_at": funnel.stops_at}


def _counts_unseen(best: Progress | None) -> bool:
    """Whether the operator itself counts something though no record was admitted."""
    return best is not None and bool(best.steps) and best.steps[0].met is True
