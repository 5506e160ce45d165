"""A change of an alert: the one value that leaves the core, and that every sink is handed.

An *episode* is one run of an alert from its start to its end. Its id and the id of each of its
changes are hashes of what they are about and of nothing else, so a replay makes the same ids.
"""

import hashlib
from enum import StrEnum
from typing import Any

import msgspec


class Transition(StrEnum):
    """What happened to the alert."""

    FIRED = "fired"
    RAISED = "raised"
    UPDATED = "updated"
    CLEARED = "cleared"
    RETRACTED = "retracted"
    VERIFIED = "verified"
    """After its end: what the rule's `verify` asks for has held, so the matter is proved over."""
    DROPPED = "dropped"
    """The rule was reset or taken out; nothing is known about whether its condition ended."""


ENDED = frozenset(
    {Transition.CLEARED, Transition.RETRACTED, Transition.DROPPED, Transition.VERIFIED}
)
"""After these an alert is over; what is proved over (`verified`) has ended before."""


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One transition of one episode of one rule about one key.

    Times are UTC milliseconds of event time. `delivery_id` identifies this transition (receivers
    drop a repeated one), `episode_id` only groups. Positions are WGS-84 degrees. `evidence` holds
    the values, events and look-ups that made the rule fire. What to check on site, the units in
    charge and the offences of the rule's playbook come with what fires and what climbs only; a
    receiver that has read them once knows them by the name of the playbook. `personal` names the
    fields, of events and look-ups in the evidence, whose values are personal data, and its kind:
    whoever shows the alert masks these values wherever they stand in it.
    """

    delivery_id: str
    episode_id: str
    rule: str
    rule_hash: str
    key: str
    transition: Transition
    ordinal: int
    at_ms: int
    since_ms: int
    severity: str
    status: str = "stable"
    title: dict[str, str] = {}
    summary: dict[str, str] = {}
    labels: dict[str, str] = {}
    place: str | None = None
    lon: float | None = None
    lat: float | None = None
    held_ms: int = 0
    evidence: dict[str, Any] = {}
    basis: list[dict[str, str]] = []
    playbook: str = ""
    check: list[dict[str, str]] = []
    units: list[str] = []
    offences: list[dict[str, str]] = []
    dispatch: str = ""
    owner: str = ""
    pack: str = ""
    version: int = 1
    personal: dict[str, str] = {}


def episode_id(rule: str, key: str, start_ms: int, part: str = "") -> str:
    """The identity of an episode: rule, key, start (and cycle), whatever the rule's version."""
    return _digest(rule, key, str(start_ms), part)


def delivery_id(episode: str, transition: str, ordinal: int) -> str:
    """The identity of one transition of an episode; receivers drop a repeated one."""
    return _digest(episode, transition, str(ordinal))


def _digest(*parts: str) -> str:
    """24 hex digits over length-prefixed parts, so that no two part lists share an input."""
    whole = b"".join(b"%d:%b" % (len(raw), raw) for raw in (part.encode() for part in parts))
    return hashlib.sha256(whole).hexdigest()[:24]
