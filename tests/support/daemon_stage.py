"""What daemon tests need: a core without rules, sources and sinks with moods, a store."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.dispatch.retry import RetryPolicy
from engine.edge.embedded import Embedded, Work
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Route, Store
from engine.errors import DeliveryError
from engine.model.change import Change, Transition, delivery_id, episode_id
from engine.ports import Batch, Outcome, Position, Record, SourceId, Write

FAST = RetryPolicy(first_s=0.01, most_s=0.05, give_up_s=60)


def change(key: str, ordinal: int = 0, at_ms: int = 0, **words: Any) -> Change:
    """The n-th transition of the one episode of a key."""
    episode = episode_id("r", key, 0)
    transition = [Transition.FIRED, Transition.RAISED, Transition.CLEARED][min(ordinal, 2)]
    plain: dict[str, Any] = {
        "delivery_id": delivery_id(episode, transition, ordinal), "episode_id": episode,
        "rule": "r", "rule_hash": "h", "key": key, "transition": transition,
        "ordinal": ordinal, "at_ms": at_ms, "since_ms": 0, "severity": "yellow",
    }  # fmt: skip
    return Change(**{**plain, **words})


class EchoCore:
    """A core with one rule: every record `{"k":..,"t":..}` is a change of its key, and counted.

    It restores exactly: what lies below its frontier is not counted again.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.read: dict[str, int] = {}
        self.waiting: list[tuple[str, int]] = []
        self.calls: list[tuple[object, ...]] = []
        self.until: int | None = None

    def restore(self, meta: bytes | None, rows: Sequence[Write]) -> Mapping[str, Position]:
        self.read = {} if meta is None else json.loads(meta)
        self.counts = {row.key: int(row.value) for row in rows if row.value is not None}
        return {log: Position(at, at, 0) for log, at in self.read.items()}

    def announce(self, source: SourceId) -> None:
        self.calls.append(("announce", source))

    def ingest(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        del source
        for record in records:
            if record.offset >= self.read.get(log, 0):
                event = json.loads(record.value)
                self.waiting.append((event["k"], event["t"]))
                self.read[log] = record.offset + 1

    def mark(self, source: SourceId, watermark_ms: int) -> None:
        self.calls.append(("mark", source, watermark_ms))

    def idle(self, source: SourceId) -> None:
        self.calls.append(("idle", source))

    def tick(self, elapsed_ms: int) -> None:
        self.calls.append(("tick", elapsed_ms))

    def advance(self, until_ms: int | None = None) -> Outcome:
        self.until = until_ms if until_ms is not None else self.until
        outcome = Outcome(meta=json.dumps(self.read).encode())
        for key, at_ms in self.waiting:
            self.counts[key] = self.counts.get(key, -1) + 1
            outcome.changes.append(change(key, self.counts[key], at_ms))
        touched = dict.fromkeys(key for key, _ in self.waiting)
        outcome.writes = [Write("~hygiene/t", key, b"%d" % self.counts[key]) for key in touched]
        outcome.positions = {log: Position(at, at, 0) for log, at in self.read.items()}
        self.waiting.clear()
        return outcome


class ListSource:
    """A source of given records; a live one waits at its end until it is closed."""

    def __init__(
        self, name: str, records: Sequence[tuple[str, int]], *, live: bool = False, batch: int = 2
    ) -> None:
        self.name, self.live, self.records = name, live, list(records)
        self.batch, self.opened, self.closed = batch, -1, asyncio.Event()

    @property
    def ids(self) -> Sequence[SourceId]:
        return (SourceId(f"feed-{self.name}", 0),)

    @property
    def logs(self) -> Sequence[str]:
        return (self.name,)

    async def open(self, resume: Mapping[str, int]) -> None:
        self.opened = resume.get(self.name, 0)

    async def batches(self) -> AsyncIterator[Batch]:
        for start in range(self.opened, len(self.records), self.batch):
            part = self.records[start : start + self.batch]
            values = [json.dumps({"k": key, "t": at}).encode() for key, at in part]
            records = [Record(start + n, value) for n, value in enumerate(values)]
            yield Batch(self.name, self.ids[0], records)
        if self.live:
            await self.closed.wait()

    async def close(self) -> None:
        self.closed.set()


class MoodySink:
    """Takes deliveries, or raises the next of the given errors first."""

    def __init__(self, name: str = "s", parallel: int = 2) -> None:
        self.name, self.parallel = name, parallel
        self.taken: list[str] = []
        self.errors: list[DeliveryError | Exception] = []
        self.stuck: asyncio.Event | None = None
        self.opened = self.closed = 0

    async def open(self) -> None:
        self.opened += 1

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        del body, attempt
        if self.stuck is not None:
            await self.stuck.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(delivery_id)

    async def close(self) -> None:
        self.closed += 1


def to(*sinks: str) -> Route:
    """Every change goes to these sinks."""
    return lambda _change: sinks


@asynccontextmanager
async def a_store(folder: Path, *sinks: str, **options: object) -> AsyncIterator[Store]:
    """An open store whose changes all go to these sinks."""
    store = Store(folder, to(*sinks), **options)  # type: ignore[arg-type]
    try:
        yield store
    finally:
        await store.close()


def time_of(value: bytes) -> int | None:
    """Event time of a test record."""
    found: int = json.loads(value)["t"]
    return found


def daemon(
    store: Store, core: EchoCore, sources: Sequence[ListSource], sink: MoodySink
) -> Embedded:
    """A daemon over an echo core and these sources."""
    feeds = [source.ids[0].feed for source in sources]
    work = Work(
        spaces={"k": core}, feeds={"k": feeds}, rules={},
        time_of=dict.fromkeys(feeds, time_of), idle_after_s=dict.fromkeys(feeds, 0.05),
        sources=sources, source_feeds={source.name: source.ids[0].feed for source in sources},
    )  # fmt: skip
    metrics = Metrics()
    return Embedded(work, store, Senders([sink], store, FAST, metrics), metrics, Health())
