"""From the alerts topic into the store: each transition once, with how far the topic was read.

Position, alerts and outbox rows are one transaction of the store, which drops a delivery id that
it knows. The group's offset is only kept so that another dispatcher could go on from there.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord

from engine.edge import crashpoint
from engine.edge.store import Store
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import Names
from engine.edge.streaming.topics import ensure_alerts
from engine.model.change import Change
from engine.ports import Position, Trouble

log = structlog.get_logger("dispatcher")

READER = "dispatcher"
POLL_MS = 500
MOST = 500
RETRY_S = 2.0

_decode = msgspec.json.Decoder(Change).decode


async def run_dispatcher(link: Link, store: Store, lang: str = "en") -> None:
    """Read alerts into the store until cancelled; waits for a broker that is away.

    Raises:
        EnvironmentUnusable: no broker lets us in, or, if we are not to wait for it, none answers
            at the start.

    """
    await wait_for_broker(link, lang)
    while True:
        try:
            await _dispatch(link, store)
        except (KafkaError, OSError) as reason:
            log.warning("dispatcher-retries", reason=repr(reason))
            await asyncio.sleep(RETRY_S)
            await wait_for_broker(link, lang, wait=True)


async def _dispatch(link: Link, store: Store) -> None:
    topic = Names(link.prefix, link.app).alerts
    await ensure_alerts(link)
    reader = AIOKafkaConsumer(
        **link.client(),
        group_id=f"{link.app}.dispatch",
        group_instance_id=f"{link.instance}.dispatch" if link.instance else None,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(link.session_s * 1000),
        heartbeat_interval_ms=int(link.heartbeat_s * 1000),
    )
    await reader.start()
    try:
        reader.subscribe([topic], listener=_FromStore(reader, store))
        while True:
            polled = await reader.getmany(timeout_ms=POLL_MS, max_records=MOST)
            if polled:
                crashpoint.passing("after-fetch")
                changes, troubles = read_changes([one for some in polled.values() for one in some])
                after = {place: some[-1].offset + 1 for place, some in polled.items()}
                positions = {_log(place): Position(end, end, 0) for place, end in after.items()}
                await store.accept(changes, positions, READER, troubles)
                crashpoint.passing("after-commit")
                with contextlib.suppress(CommitFailedError, IllegalStateError):
                    await reader.commit(after)
    finally:
        await reader.stop()


def read_changes(records: Sequence[ConsumerRecord]) -> tuple[list[Change], list[Trouble]]:
    """The transitions in these records; one that is not ours is told of and left out."""
    changes: list[Change] = []
    troubles: list[Trouble] = []
    for record in records:
        try:
            changes.append(_decode(record.value or b""))
        except msgspec.DecodeError as error:
            where = f"{record.topic}/{record.partition}@{record.offset}: {error}"
            troubles.append(Trouble("alert-unreadable", "", where, record.timestamp))
    return changes, troubles


class _FromStore(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Goes on where the store says, or where another dispatcher stopped if that is later."""

    def __init__(self, reader: AIOKafkaConsumer, store: Store) -> None:
        self._reader = reader
        self._store = store

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing is held between polls."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Seek."""
        crashpoint.passing("partitions-assigned")
        stored = await self._store.positions(READER)
        for place in assigned:
            known = stored.get(_log(place))
            committed = await self._reader.committed(place) or 0
            start = max(committed, known.frontier if known else 0)
            if start:
                self._reader.seek(place, start)


def _log(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
