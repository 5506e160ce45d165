"""From the alerts topic into the store: each transition once, with how far the topic was read.

Position, alerts and outbox rows are one transaction of the store, which drops a delivery id that
it knows. The group's offset is only kept so that another dispatcher could go on from there.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord

from engine.edge import crashpoint
from engine.edge.store import Store, may_pass
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.names import Names
from engine.edge.streaming.topics import ensure_alerts
from engine.errors import EnvironmentUnusable
from engine.model.change import Change
from engine.ports import Position, Trouble
from engine.text import say

log = structlog.get_logger("dispatcher")

READER = "dispatcher"
POLL_MS = 500
MOST = 500
RETRY_S = 2.0
DISK_WAIT_S = (0.5, 1.0, 2.0, 5.0)
"""How long to wait before a write is tried again that a full disk refused; the last one stays."""

_decode = msgspec.json.Decoder(Change).decode


def _tell_nobody(why: str) -> None:
    """Nobody wants to hear why the disk refuses."""


async def run_dispatcher(
    link: Link, store: Store, lang: str = "en", blocked: Callable[[str], None] = _tell_nobody
) -> None:
    """Read alerts into the store until cancelled; waits for a broker that is away, or a full disk.

    Args:
        link: How to reach Kafka.
        store: Where alerts and what must be delivered are kept.
        lang: Language of the sentences in errors.
        blocked: Told why the disk refuses writes, and nothing when it takes them again.

    Raises:
        EnvironmentUnusable: no broker lets us in, or, if we are not to wait for it, none answers
            at the start; or the store is damaged.

    """
    await wait_for_broker(link, lang)
    keeper = Keeper(store, lang, blocked)
    while True:
        try:
            await _dispatch(link, keeper)
        except (KafkaError, OSError) as reason:
            log.warning("dispatcher-retries", reason=repr(reason))
            await asyncio.sleep(RETRY_S)
            await wait_for_broker(link, lang, wait=True)


class Keeper:
    """Puts what was read into the store. A full disk is waited for, and nothing goes on meanwhile.

    A wait of minutes costs the membership of the group; reading goes on where the store is.
    """

    def __init__(self, store: Store, lang: str, blocked: Callable[[str], None]) -> None:
        self.store = store
        self._lang = lang
        self._blocked = blocked

    async def keep(
        self,
        changes: Sequence[Change],
        positions: Mapping[str, Position],
        troubles: Sequence[Trouble],
    ) -> None:
        """Answer when it is on disk.

        Raises:
            EnvironmentUnusable: the store cannot be written, and waiting would not help.

        """
        tries = 0
        while True:
            try:
                await self.store.accept(changes, positions, READER, troubles)
            except sqlite3.Error as error:
                if not may_pass(error):
                    found = {"path": self.store.path, "why": str(error)}
                    raise EnvironmentUnusable(say("store-unusable", self._lang, **found)) from error
                wait_s = DISK_WAIT_S[min(tries, len(DISK_WAIT_S) - 1)]
                tries += 1
                self._blocked(str(error))
                log.warning("store-blocked", error=str(error), wait_s=wait_s)
                await asyncio.sleep(wait_s)
            else:
                if tries:
                    self._blocked("")
                    log.warning("store-unblocked", tries=tries)  # a full disk took no line before
                return


async def _dispatch(link: Link, keeper: Keeper) -> None:
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
        reader.subscribe([topic], listener=_FromStore(reader, keeper.store))
        while True:
            polled = await reader.getmany(timeout_ms=POLL_MS, max_records=MOST)
            if polled:
                crashpoint.passing("after-fetch")
                changes, troubles = read_changes([one for some in polled.values() for one in some])
                after = {place: some[-1].offset + 1 for place, some in polled.items()}
                positions = {_log(place): Position(end, end, 0) for place, end in after.items()}
                await keeper.keep(changes, positions, troubles)
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
