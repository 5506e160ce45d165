"""The one writer of a partition: what it writes in one commit appears whole or not at all.

Opening a ledger fences every earlier writer of the same name and ends its open transaction, so a
worker that was paused for too long can never add anything to what its successor does.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer import sender

from engine.edge import crashpoint
from engine.edge.streaming.link import Link

BATCH_BYTES = 512 * 1024
LARGEST_BYTES = 8 * 1024 * 1024
STOP_S = 5.0
OPEN_S = 60.0
TRANSACTION_S = 60.0
GAP_S = 0.002
"""How soon to ask again whether the broker has closed the transaction before.

aiokafka waits for 20 ms, which is most of the time that a small batch takes (decision 34).
"""
sender.BACKOFF_OVERRIDE = GAP_S

Headers = Sequence[tuple[str, bytes]]


class Line(NamedTuple):
    """One record to write; a value of None forgets the key in a compacted topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(slots=True)
class Parcel:
    """Lines for one partition of one topic, in order."""

    topic: str
    partition: int
    lines: list[Line] = field(default_factory=list)


class Ledger:
    """A transactional producer that takes whole batches, one after the other."""

    def __init__(self, link: Link, name: str) -> None:
        self.name = name
        self._link = link
        self._producer: AIOKafkaProducer | None = None
        self._under_way: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Fence earlier writers of this name; their open transaction is ended.

        Raises:
            KafkaError, TimeoutError: it did not work, or took too long; may be tried again.

        """
        producer = AIOKafkaProducer(
            **self._link.client(),
            transactional_id=self.name,
            transaction_timeout_ms=int(TRANSACTION_S * 1000),
            enable_idempotence=True,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_BYTES,
        )
        self._producer = producer
        async with asyncio.timeout(OPEN_S):  # a producer waits for its coordinator without end
            await producer.start()

    async def begin(self, parcels: Iterable[Parcel], saved: Callable[[float], None]) -> None:
        """Begin to write all parcels in one transaction; waits for the one before.

        Args:
            parcels: What to write.
            saved: Told how many seconds it took, once readers may see it.

        Raises:
            ProducerFenced, KafkaError: as `settle`, for the transaction before.

        """
        await self.settle()
        self._under_way = asyncio.get_running_loop().create_task(self._write(parcels, saved))

    async def settle(self) -> None:
        """Return when nothing is under way any more.

        Raises:
            ProducerFenced: another worker has this partition now.
            KafkaError: whether it was written is unknown; reopen and read back.

        """
        if self._under_way is not None:
            await self._under_way
            self._under_way = None

    async def notice(self) -> None:
        """Raise what a transaction raised that has ended meanwhile; waits for none."""
        if self._under_way is not None and self._under_way.done():
            await self.settle()

    async def _write(self, parcels: Iterable[Parcel], saved: Callable[[float], None]) -> None:
        begun = time.monotonic()
        await self.commit(parcels)
        saved(time.monotonic() - begun)

    async def commit(self, parcels: Iterable[Parcel]) -> None:
        """Write all parcels in one transaction; returns when readers may see them.

        Raises:
            ProducerFenced, KafkaError: as `settle`.

        """
        producer = self._producer
        assert producer is not None, "open first"  # noqa: S101 - a slip of ours, not of the world
        await producer.begin_transaction()
        waiting: list[asyncio.Future[object]] = []
        try:
            for parcel in parcels:
                if waiting:
                    crashpoint.passing("effect-sent")
                waiting += await _send(producer, parcel)
            crashpoint.passing("state-sent")
            for answer in asyncio.as_completed(waiting):
                await answer
        except BaseException:
            for future in waiting:
                if not future.cancel() and not future.cancelled():
                    future.exception()  # the same reason, told once
            raise
        crashpoint.passing("before-commit")
        await producer.commit_transaction()
        crashpoint.passing("after-commit")

    async def close(self) -> None:
        """Stop; an open transaction is left to be ended by the next writer. Safe to call twice."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(producer.stop(), STOP_S)


async def _send(producer: AIOKafkaProducer, parcel: Parcel) -> list[asyncio.Future[object]]:
    """Hand over one parcel in as few requests as its size allows; answers what to wait for."""
    sent: list[asyncio.Future[object]] = []
    batch = producer.create_batch()
    for line in parcel.lines:
        taken = batch.append(
            key=line.key, value=line.value, timestamp=None, headers=list(line.headers)
        )
        if taken is None:
            batch.close()
            sent.append(await producer.send_batch(batch, parcel.topic, partition=parcel.partition))
            batch = producer.create_batch()
            batch.append(key=line.key, value=line.value, timestamp=None, headers=list(line.headers))
    if batch.record_count():
        batch.close()
        sent.append(await producer.send_batch(batch, parcel.topic, partition=parcel.partition))
    return sent
