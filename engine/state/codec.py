"""Saved state as versioned bytes: what a rule remembers about a key, and how far a partition is.

A row names the hash of the rule that wrote it. A rule that was edited reads old rows only if its
`on_change` says so; otherwise the program refuses to start and prints the plan.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from engine.errors import StateError
from engine.ports import Position, Write
from engine.ruleset.spec import RuleSpec

ROW_VERSION = 1
META_VERSION = 1
CLEANING = "~hygiene/"
"""Rows whose rule starts with this belong to a feed's cleaning, not to a rule."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Meta(msgspec.Struct, array_like=True):
    """The partition's own record.

    Attributes:
        watermark: Event time (ms) up to which this partition is complete.
        sources: Watermark of each source, by `feed/partition`.
        positions: For each log: committed, frontier, watermark before the committed record.
        origins: For each log that holds one source only, that source.
        idle: Sources that were quiet and hold nothing back.
        seen: Ids inside the lateness, for feeds whose id lacks the time: feed, key, id, time.
        troubled: For each rule: times of its recent errors, and since when it is quarantined.
        fired: For each rule with a budget: hour and alerts in it.

    """

    version: int = META_VERSION
    watermark: int = 0
    sources: dict[str, int] = {}
    positions: dict[str, Position] = {}
    origins: dict[str, str] = {}
    idle: list[str] = []
    seen: list[tuple[str, str, str, int]] = []
    troubled: dict[str, tuple[list[int], int | None]] = {}
    fired: dict[str, tuple[int, int]] = {}


def pack_row(rule_hash: str, payload: Any) -> bytes:
    """One state row as bytes."""
    return _encode((ROW_VERSION, rule_hash, payload))


def unpack_row(value: bytes) -> tuple[str, Any]:
    """The rule hash and the payload of a row.

    Raises:
        StateError: A later version of this program wrote it.

    """
    version, rule_hash, payload = _decode(value)
    if version != ROW_VERSION:
        message = f"state row has version {version}, this build reads {ROW_VERSION}"
        raise StateError(message)
    return rule_hash, payload


def pack_meta(meta: Meta) -> bytes:
    """The partition's record as bytes."""
    return _encode(meta)


def unpack_meta(value: bytes) -> Meta:
    """The partition's record.

    Raises:
        StateError: A later version of this program wrote it.

    """
    meta = msgspec.msgpack.decode(value, type=Meta)
    if meta.version != META_VERSION:
        message = f"partition record has version {meta.version}, this build reads {META_VERSION}"
        raise StateError(message)
    return meta


class Fate(StrEnum):
    """What becomes of the saved state of one rule."""

    FITS = "fits"
    KEEP = "keep"
    MIGRATE = "migrate"
    RESET = "reset"
    REFUSED = "refused"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of saved state, rule by rule, before anything is read."""

    fates: Mapping[str, tuple[Fate, str]]
    """For each rule with saved rows: its fate and the hash that wrote them."""

    @property
    def refused(self) -> tuple[str, ...]:
        """Rules whose edit does not say what to do with their state."""
        return tuple(rule for rule, (fate, _) in self.fates.items() if fate is Fate.REFUSED)


def plan_state(rules: Mapping[str, RuleSpec], rows: Iterable[Write]) -> Plan:
    """Decide, for every rule with saved rows, whether its state is kept, reset or refused.

    A rule that no longer exists leaves orphans, which are dropped: taking a rule out is itself
    the word. An edited rule must name the old hash in `on_change`.
    """
    fates: dict[str, tuple[Fate, str]] = {}
    for row in rows:
        if row.value is None or row.rule.startswith(CLEANING):
            continue
        old, _ = unpack_row(row.value)
        spec = rules.get(row.rule)
        if spec is None:
            fate = Fate.ORPHAN
        elif spec.hash == old:
            fate = Fate.FITS
        elif spec.on_change is not None and spec.on_change.from_hash in {old, old[:6]}:
            fate = Fate(spec.on_change.do)
        else:
            fate = Fate.REFUSED
        known = fates.get(row.rule)
        if known is None or fate is Fate.REFUSED or known[0] is Fate.FITS:
            fates[row.rule] = (fate, old)
    return Plan(fates)
