"""A partition read in bulk: the broker's batches go by, and no object is made beside the record.

aiokafka's own polls make an object of eleven fields of every record, which takes longer than all
the rest of reading. Here only that is left out: checksums, ended transactions and compacted
batches are still aiokafka's work. The next request is on its way while an answer is worked on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

STALLED_S = 60.0
FETCH_BYTES = 4 * 1024 * 1024
"""Small enough that an answer does not stay long in memory, large enough that few are needed."""
WAIT_MS = 200
RETRY_S = 0.2
_WITH_REPLICA = 11
"""From this version on an answer names, before its records, the replica to be read from."""

Take = Callable[[Iterable[Any]], object]
"""What is done with the committed records of one answer; each has `key` and `value`."""


class _Bare(PartitionRecords):  # type: ignore[misc]
    """The committed records of an answer, each as it was read."""

    def _consumer_record(self, _place: TopicPartition, record: Any) -> Any:
        return record


class _Answer(NamedTuple):
    """What the broker answered: its batches, and which transactions in them came to nothing."""

    batches: bytes
    aborted: Any
    start: int

    def following(self) -> int:
        """The offset behind the last whole batch; known before any record is read."""
        batches, last = MemoryRecords(self.batches), None
        while batches.has_next():
            last = batches.next_batch()
        return self.start if last is None else max(self.start, int(last.next_offset))

    def records(self, place: TopicPartition) -> Iterable[Any]:
        """The committed records.

        Raises:
            CorruptRecordException: a checksum does not fit.

        """
        batches = MemoryRecords(self.batches)
        plain = (None, None)  # no decoding of keys and values
        bare = _Bare(place, batches, self.aborted, self.start, *plain, True, READ_COMMITTED)
        records: Iterable[Any] = bare._records_iterator  # noqa: SLF001 - saves a call a record
        return records


async def read_bulk(
    reader: AIOKafkaConsumer, place: TopicPartition, span: tuple[int, int], take: Take
) -> None:
    """Hand over every committed record of a partition from one offset to before another.

    Args:
        reader: A consumer that was started; neither its assignment nor its positions are used.
        place: The partition.
        span: First offset, and the one behind the last.
        take: Called with the records of each answer.

    Raises:
        KafkaError: the broker refuses for good, or there was no progress for a minute.

    """
    position, end = span
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    asked: asyncio.Task[_Answer | None] | None = None
    try:
        while position < end:
            answer = await (asked or _ask(reader, place, position))
            asked = None
            following = position if answer is None else answer.following()
            if answer is None or following == position:
                if loop.time() - moved_at > STALLED_S:
                    message = f"reading {place} stopped at {position} of {end}"
                    raise KafkaError(message)
                continue
            if following < end:
                asked = loop.create_task(_ask(reader, place, following))
                await asyncio.sleep(0)  # lets it leave before the work begins
            take(answer.records(place))
            position, moved_at = following, loop.time()
    finally:
        if asked is not None:
            asked.cancel()
            with contextlib.suppress(asyncio.CancelledError, KafkaError):
                await asked


async def _ask(reader: AIOKafkaConsumer, place: TopicPartition, offset: int) -> _Answer | None:
    """One fetch from the partition's leader; None if it has to be tried again."""
    client = reader._client  # noqa: SLF001 - the consumer offers no way to its connections
    try:
        leader = client.cluster.leader_for_partition(place)
        if leader is None or leader < 0:
            await client.add_topic(place.topic)
            await client.force_metadata_update()
            leader = client.cluster.leader_for_partition(place)
        asked = [(place.topic, [(place.partition, offset, FETCH_BYTES)])]
        request = FetchRequest(WAIT_MS, 1, FETCH_BYTES, READ_COMMITTED, asked)
        response = await client.send(leader, request)
        ((_, ((_, code, _, *rest),)),) = response.topics
        refusal = for_code(code)
        if code:
            raise refusal(str(place))
    except KafkaError as reason:
        if not reason.retriable:
            raise
        if reason.invalid_metadata:
            client.force_metadata_update()
        await asyncio.sleep(RETRY_S)
        return None
    aborted = rest[-3 if response.API_VERSION >= _WITH_REPLICA else -2]
    return _Answer(rest[-1], aborted, offset)
