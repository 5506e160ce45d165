"""What passes between the core and the drivers that run it: records in, outcomes out.

A driver (replay, rule tests, the embedded daemon, a Faust worker) owns the world: it reads
records, keeps what must survive, and delivers. The core only ever sees these values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from engine.model.change import Change


class SourceId(NamedTuple):
    """One ordered stream of records of a feed: a file, an inbox, a topic partition."""

    feed: str
    partition: int = 0


class Record(NamedTuple):
    """The bytes as they arrived, with their place in the log they came from.

    Attributes:
        offset: Grows within the log; gaps are allowed.
        value: The raw bytes.
        arrived_ms: When the log took it (UTC ms), if known; only used to refuse far-future times.
        before_ms: For routed records, the origin's watermark before this record; else None.

    """

    offset: int
    value: bytes
    arrived_ms: int | None = None
    before_ms: int | None = None


class Rejected(NamedTuple):
    """A record that could not become an event. `reason` is one of a bounded list."""

    source: SourceId
    offset: int
    reason: str
    detail: str
    value: bytes


class Trouble(NamedTuple):
    """Something an operator must hear about: a quarantined rule, a budget that ran over."""

    kind: str
    rule: str
    detail: str
    at_ms: int


class Write(NamedTuple):
    """A state row that changed; `value` None means the key is forgotten."""

    rule: str
    key: str
    value: bytes | None


class Position(NamedTuple):
    """How far a log was read: everything below `committed` need never be read again.

    `frontier` is the offset after the last record read; between the two lie records that still
    wait in the reorder buffer. `before_ms` is the source's watermark as it stood before the
    record at `committed`.
    """

    committed: int
    frontier: int
    before_ms: int


@dataclass(slots=True)
class Outcome:
    """Everything that must leave, or be saved, because of one batch. Apply it all or none of it.

    Attributes:
        changes: Alert transitions, in the order they happened.
        rejected: Records for the dead letter.
        late: (source, offset, raw or None) of events behind the watermark, for rules with `side`.
        writes: State rows that changed, at most one a (rule, key).
        meta: The partition's own record: positions, watermarks, hygiene, quarantine.
        positions: For each log, how far it was read.
        troubles: What an operator must hear about.
        counts: Counters by (name, label), to be added to the metrics.
        watermark_ms: Event time up to which this partition is complete.

    """

    changes: list[Change] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    late: list[Rejected] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    meta: bytes = b""
    positions: dict[str, Position] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    watermark_ms: int = 0


class Core(Protocol):
    """One partition of one key space, as drivers see it (`engine/pipeline.py` has the real one)."""

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        """Take up saved state; answers from where each log must be read again."""

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        """Decode records and put them into the reorder buffer; nothing fires yet."""

    def mark(self, source: SourceId, watermark_ms: int) -> None:
        """Note that no record of this source older than `watermark_ms` will follow."""

    def idle(self, source: SourceId) -> None:
        """Note (from the tick log) that this source is quiet and holds nothing back."""

    def tick(self, elapsed_ms: int) -> None:
        """Note (from the tick log) that all sources were quiet for this long."""

    def advance(self, until_ms: int | None = None) -> Outcome:
        """Release what the watermark passed, run the rules, and answer what must leave."""


class Sink(Protocol):
    """An outside system that takes alerts. One file in `connectors/sinks` each.

    `send` returns when the peer has accepted; it raises `Retryable` or `Permanent` otherwise.
    A sink must be given the same `delivery_id` again without harm.
    """

    name: str

    async def open(self) -> None:
        """Make ready; called once before the first `send`."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Hand one encoded `Change` to the peer."""

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""


Settings = Mapping[str, Any]
"""The declared settings of one connector, already checked against its own schema."""
