"""What passes between the core and the drivers that run it: records in, outcomes out.

A driver (replay, rule tests, the embedded daemon, a Faust worker) owns the world: it reads
records, keeps what must survive, and delivers. The core only ever sees these values.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from engine.model.change import Change
from engine.model.progress import Note


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


class Sent(NamedTuple):
    """An event that one key space hands to another: a record of a derived feed.

    Attributes:
        space: The key space that reads it.
        feed: The derived feed, such as `alerts`.
        key: Its key there; decides the partition.
        at_ms: Its event time: never before the sender's watermark, never going back.
        value: The record.

    """

    space: str
    feed: str
    key: str
    at_ms: int
    value: bytes


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
        sent: What other key spaces must read, in order of event time.
        notes: Near misses and faults, for those who ask why nothing fired; nothing depends on them.

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
    sent: list[Sent] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


class Core(Protocol):
    """One partition of one key space, as drivers see it (`engine/pipeline.py` has the real one)."""

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        """Take up saved state; answers from where each log must be read again."""

    def announce(self, source: SourceId) -> None:
        """Let a source hold the watermark back until it speaks, rests or is finished.

        Call it for every source before the first `advance`; an unknown source gates nothing.
        """

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        """Take records, to be decoded and put into the reorder buffer; nothing fires yet."""

    def mark(self, source: SourceId, watermark_ms: int) -> None:
        """Note that no record of this source older than `watermark_ms` will follow."""

    def idle(self, source: SourceId) -> None:
        """Note (from the tick log) that this source is quiet and holds nothing back."""

    def tick(self, elapsed_ms: int) -> None:
        """Note (from the tick log) that all sources were quiet for this long."""

    def advance(self, until_ms: int | None = None) -> Outcome:
        """Release what the watermark passed, run the rules, and answer what must leave."""


class Batch(NamedTuple):
    """Records of one source that follow each other in one log; offsets grow."""

    log: str
    source: SourceId
    records: Sequence[Record]


class Source(Protocol):
    """An outside system that records come from. One file in `connectors/sources` each.

    The driver calls `open` once, takes batches one at a time and calls `close`; it asks for the
    next batch only when there is room, so a slow core slows the source and never fills memory.

    Attributes:
        name: Its name in the settings.

    """

    name: str

    @property
    def live(self) -> bool:
        """Whether it goes on for ever; a finite one (a recording) ends its batches."""

    async def open(self, resume: Mapping[str, int]) -> None:
        """Make ready to give, of each log, every record at or after the offset named for it.

        A log that is not named is given from its start. The offset need not be one of a record.
        """

    @property
    def ids(self) -> Sequence[SourceId]:
        """The ordered streams it gives; known once it is open."""

    @property
    def logs(self) -> Sequence[str]:
        """The log of each stream, in the order of `ids`."""

    def batches(self) -> AsyncIterator[Batch]:
        """The records, in the order of each log."""

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""


class InboxRow(NamedTuple):
    """A record that was handed to us and is kept safe until every rule has seen it."""

    offset: int
    value: bytes
    arrived_ms: int


class Journal(Protocol):
    """What a source may keep in the driver's store."""

    async def order_files(self, source: str, names: Sequence[str]) -> Sequence[str]:
        """All names ever given for this source in the order they were first seen; durable."""

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        """Keep records; answers when they would survive a power cut.

        A mark (source, how far it came) is kept together with them, or not at all.

        Raises:
            NotKept: none of them is kept, because the disk is full or in trouble.

        """

    async def mark(self, source: str) -> str | None:
        """How far a source came that keeps what it reads in the inbox; None if it never said."""

    async def inbox_read(self, feed: str, start: int, limit: int) -> Sequence[InboxRow]:
        """Kept records at or after an offset; waits for none."""

    async def inbox_depth(self, feed: str, start: int = 0) -> int:
        """How many records are kept at or after an offset."""

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        """Put (reason, detail, raw) of records that were handed to us into the dead letter."""


def _uncounted(what: str, count: int) -> None:
    del what, count


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the driver tells a source about the feed it fills.

    Attributes:
        feed: Name of the feed; `format` is its declared format (`json`, `csv`).
        partition: Number of this source's first stream; further streams count up from it.
        folder: Relative paths start here.
        time_of: Event time (UTC ms) of a raw record or of a heartbeat, or None if it has none.
        reason: Why a raw record cannot become an event, as (reason, detail), or None if it can.
        columns: Names of a CSV record's columns, in the order in which the decoder expects them.
        count: Adds to a figure of this source; its name is one of a short list.

    """

    feed: str
    format: str
    partition: int
    folder: str
    time_of: Callable[[bytes], int | None]
    reason: Callable[[bytes], tuple[str, str] | None]
    journal: Journal
    columns: tuple[str, ...] = ()
    count: Callable[[str, int], None] = _uncounted


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What the driver tells a sink: the folder that relative paths start from."""

    folder: str


class Sink(Protocol):
    """An outside system that takes alerts. One file in `connectors/sinks` each.

    `send` returns when the peer has accepted; it raises `Retryable` or `Permanent` otherwise.
    A sink must be given the same `delivery_id` again without harm.

    Attributes:
        name: Its name in the settings.
        parallel: How many deliveries it may be handed at once.

    """

    name: str
    parallel: int

    async def open(self) -> None:
        """Make ready, before the first `send`; asked again where it failed after a while."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Hand one encoded `Change` to the peer."""

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""


class Due(NamedTuple):
    """A delivery whose turn has come.

    Attributes:
        id: Its row in the outbox; of one group, the smaller one is told first.
        delivery_id: What the peer drops a repeat by.
        group: What must reach a sink in its order: an episode, an incident.
        attempts: Tries that were made already.
        stored_ms: When it was queued (wall clock, UTC ms).
        body: What is sent.

    """

    id: int
    delivery_id: str
    group: str
    attempts: int
    stored_ms: int
    body: bytes


class Backlog(NamedTuple):
    """What a sink still has to be told: how many, since when, and how many were given up."""

    waiting: int
    oldest_ms: int | None
    dead: int


class Outbox(Protocol):
    """Deliveries that must not be lost, as a sender sees them; some store keeps them.

    An answer means that it is on disk. What raises is asked again, however long it takes: a store
    may be away, but nothing that was queued in it may go.
    """

    async def claim(self, sink: str, limit: int) -> Sequence[Due]:
        """Deliveries of a sink that are due now: of each group only the first that waits.

        Nothing is marked by it: what is not noted as `sent`, `retry` or `give_up` is due again,
        after a crash as well as at the next claim. The sender passes over what it has in hand.
        """

    async def next_due_ms(self, sink: str) -> int | None:
        """When the next delivery of a sink is due (wall clock); None when nothing waits."""

    async def sent(self, row: int) -> None:
        """Note that the peer took a delivery; the next of its group is due."""

    async def retry(self, row: int, wait_s: float, reason: str, detail: str) -> None:
        """Note that a delivery failed for now; it and its group are due again after `wait_s`."""

    async def give_up(self, row: int, reason: str, detail: str) -> None:
        """Move a delivery to the dead letter of its sink; the next of its group is due."""

    async def clamp(self, within_s: float) -> None:
        """Bring every due time within `within_s` from now, in case the wall clock was set back."""

    async def backlog(self, sink: str) -> Backlog:
        """How far a sink is behind."""

    def now_ms(self) -> int:
        """The outbox's wall clock (UTC ms)."""


Settings = Mapping[str, Any]
"""The declared settings of one connector, already checked against its own schema."""
