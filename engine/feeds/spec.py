"""The declaration of a feed: where its records come from, what they hold, by which clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.errors import Location

NOWHERE = Location("")


class FieldType(StrEnum):
    """What a field holds once it is decoded."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOL = "bool"
    TIME = "time"
    PLATE = "plate"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One declared field.

    Attributes:
        name: Name in rules; an identifier.
        type: What it holds.
        wire: Name in the record, when that is not an identifier; else the same as `name`.
        unit: Unit of a number as written (`km/h`, `m`, `ug/m3`, `CNY`), or None for a bare number.
        optional: May be missing or null.
        pii: Kind of personal data, or None.
        low: Smallest allowed number, in the field's own unit.
        high: Largest allowed number.
        values: The allowed texts, or empty for any.
        format: For `time`: `iso8601`, `epoch-ms`, `epoch-s` or a strptime pattern.
        zone: For `time`: the zone of clock readings without offset.
        max_length: Longest allowed text in characters.
        implied: Nobody declared it; a feed with positions has an `accuracy` all the same.

    """

    name: str
    type: FieldType
    wire: str = ""
    unit: str | None = None
    optional: bool = False
    pii: str | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    format: str = "iso8601"
    zone: str = "Asia/Shanghai"
    max_length: int = 4096
    implied: bool = False


@dataclass(frozen=True, slots=True)
class TimeSpec:
    """Which field carries the event time, and how it is written.

    `format` is `iso8601`, `epoch-ms`, `epoch-s` or a strptime pattern; `zone` is the IANA zone of
    readings without an offset. Guessing is an error, so both are declared.
    """

    field: str
    format: str
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class PositionSpec:
    """Which fields carry the position, and in which datum: wgs84, cgcs2000, gcj02 or bd09."""

    lon: str
    lat: str
    datum: str


@dataclass(frozen=True, slots=True)
class HygieneSpec:
    """Which positions are not believed.

    Attributes:
        max_jump_mps: A fix that needs more than this speed (m/s) from the last good one is dropped.
        stuck_ms: A position that never changes for longer than this is reported as stuck.
        drop: Of `not-located`, `null-island`, `duplicate`.
        located: Name of the boolean field that says the receiver had a fix, or empty.

    """

    max_jump_mps: float | None = None
    stuck_ms: int | None = None
    drop: frozenset[str] = frozenset()
    located: str = ""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """A named input: its format, key, clock, position, fields and cleaning.

    Attributes:
        key: Fields that make up the key by which the feed's topic is partitioned.
        id: Fields that make up the event id; empty means the content is the id.
        lateness_ms: How far behind the newest event a record may come and still count.
        idle_after_ms: A live source silent for this long no longer holds the watermark back.
        ahead_ms: A record whose event time is further than this after its arrival is rejected.
        null_texts: Of a CSV feed: texts that mean null in optional fields.
        purpose: Why the data may be used; a rule joins only feeds that share a purpose.

    """

    name: str
    topic: str
    format: str
    key: tuple[str, ...]
    time: TimeSpec
    fields: Mapping[str, FieldSpec]
    title: Mapping[str, str] = field(default_factory=dict)
    id: tuple[str, ...] = ()
    lateness_ms: int = 0
    idle_after_ms: int = 300_000
    ahead_ms: int = 3_600_000
    position: PositionSpec | None = None
    hygiene: HygieneSpec = HygieneSpec()
    purpose: frozenset[str] = frozenset()
    at: Location = NOWHERE
    null_texts: frozenset[str] = frozenset({""})
