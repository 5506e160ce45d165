"""Saved state as versioned bytes: what a rule remembers about a key, and how far a partition is.

A row names the hash of the rule that wrote it. A rule that was edited reads old rows only if its
`on_change` says so; otherwise the program refuses to start and prints the plan.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

import msgspec

from engine.errors import StateError
from engine.ports import Position, Write
from engine.ruleset.spec import RuleSpec
from engine.state.rows import by_rule

ROW_VERSION = 1
MOVED_VERSION = 2
"""A row that came from a partition that was further on: it says up to when it is complete."""
META_VERSION = 1
OWN = "~"
"""Rows whose rule starts with this are our own, not those of a rule."""
CLEANING = "~hygiene/"
"""Rows whose rule starts with this belong to a feed's cleaning, not to a rule."""
WAITING = "~waiting"
"""Rows of this rule are records that waited for their turn when the state was moved."""
REMEMBERED = 16
"""So many earlier rule sets of a partition are known again."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_USUAL = b"\x93\x01\xac"
"""How a row of version 1 begins whose rule hash has 12 digits: a list of 3, 1, a text of 12."""
_HEAD = slice(0, len(_USUAL) + 12)


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
        rulesets: Fingerprints of the rule sets that worked on this partition, the newest last.

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
    rulesets: list[str] = []


def pack_row(rule_hash: str, payload: Any, floor: int | None = None) -> bytes:
    """One state row as bytes; `floor` is up to when it is complete, if its partition is not."""
    if floor is None:
        return _encode((ROW_VERSION, rule_hash, payload))
    return _encode((MOVED_VERSION, rule_hash, payload, floor))


def unpack_row(value: bytes) -> tuple[str, Any]:
    """The rule hash and the payload of a row.

    Raises:
        StateError: A later version of this program wrote it.

    """
    rule_hash, payload, _ = unpack_moved(value)
    return rule_hash, payload


def written_by(value: bytes) -> str:
    """The rule hash of a row, without reading the rest of it where that can be done."""
    if value[:3] == _USUAL:
        return value[3:15].decode()
    return unpack_moved(value)[0]


def versions(values: Collection[bytes]) -> Counter[str]:
    """How many of these rows each version of their rule wrote, by its hash."""
    counts: Counter[str] = Counter()
    # Counted by their first bytes, which costs a tenth of asking each row.
    for head, count in Counter(map(itemgetter(_HEAD), values)).items():
        if head[:3] == _USUAL:
            counts[head[3:].decode()] += count
        else:
            unusual = (value for value in values if value[_HEAD] == head)
            counts.update(map(written_by, unusual))
    return counts


def read_usual(stamp: str) -> Callable[[bytes], Any]:
    """The function that reads the payload of a row which this version of a rule wrote.

    It answers None for a row of another version, or one that was moved, and raises `DecodeError`
    for damaged bytes.
    """
    usual = _USUAL + stamp.encode()

    def read(value: bytes) -> Any:
        return _decode(value)[2] if value[_HEAD] == usual else None

    return read


def unpack_moved(value: bytes) -> tuple[str, Any, int | None]:
    """The rule hash, the payload, and up to when the row is complete if that differs.

    Raises:
        StateError: A later version of this program wrote it.

    """
    version, *rest = _decode(value)
    if version == ROW_VERSION:
        return rest[0], rest[1], None
    if version == MOVED_VERSION:
        return rest[0], rest[1], rest[2]
    message = f"state row has version {version}, this build reads up to {MOVED_VERSION}"
    raise StateError(message)


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


def fate_of(rule: RuleSpec | None, old: str) -> Fate:
    """What becomes of a row that version `old` of a rule wrote; no rule: it was taken out."""
    if rule is None:
        return Fate.ORPHAN
    if rule.hash == old:
        return Fate.FITS
    word = rule.on_change
    if word is None or word.from_hash not in {old, old[:6]}:
        return Fate.REFUSED
    return Fate(word.do)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of saved state, version by version of each rule, before anything is read."""

    counts: Mapping[tuple[str, str], int]
    """Rows by (rule, hash of the version that wrote them)."""
    fates: Mapping[tuple[str, str], Fate]

    @property
    def refused(self) -> tuple[str, ...]:
        """Rules whose edit does not say what to do with their state."""
        return tuple(
            sorted({rule for (rule, _), fate in self.fates.items() if fate is Fate.REFUSED})
        )


def plan_state(rules: Mapping[str, RuleSpec], rows: Iterable[Write]) -> Plan:
    """Decide, for every version of a rule that saved rows, what becomes of them.

    A rule that no longer exists leaves orphans, which are forgotten: taking a rule out is itself
    the word. An edited rule must name the old hash in `on_change`.
    """
    counts = {
        (rule, version): count
        for rule, group in by_rule(rows).items()
        if not rule.startswith(OWN)
        for version, count in versions(group.values()).items()
    }
    fates = {(rule, old): fate_of(rules.get(rule), old) for rule, old in counts}
    return Plan(counts, fates)
