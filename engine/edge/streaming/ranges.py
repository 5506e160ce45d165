"""Looking at topics from outside: how far they go, a piece of one, who is in a group."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from engine.edge.streaming.link import Link
from engine.errors import EnvironmentUnusable
from engine.text import say

STALLED_S = 60.0
_GRACE_S, _LOOK_S = 3.0, 0.5
_EMPTY = frozenset({"Empty", "Dead", ""})


async def spans(
    link: Link, places: Iterable[TopicPartition]
) -> Mapping[TopicPartition, tuple[int, int]]:
    """For each partition the first offset there is and the end of what is committed."""
    wanted = list(places)
    if not wanted:
        return {}
    reader = _reader(link)
    await reader.start()
    try:
        ends = await reader.end_offsets(wanted)
        starts = await reader.beginning_offsets(wanted)
    finally:
        await reader.stop()
    return {place: (starts[place], ends[place]) for place in wanted}


async def piece(
    link: Link, place: TopicPartition, start: int, end: int
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """The committed records of a partition from `start` up to, but not with, `end`.

    Raises:
        KafkaError: some of them are gone, or reading made no progress for a minute.

    """
    reader = _reader(link)
    await reader.start()
    try:
        reader.assign([place])
        first = (await reader.beginning_offsets([place]))[place]
        if first > start:
            message = f"{place.topic}/{place.partition} begins at {first}, {start} is gone"
            raise KafkaError(message)
        reader.seek(place, start)
        loop = asyncio.get_running_loop()
        position, moved_at = start, loop.time()
        while position < end:
            for records in (await reader.getmany(place, timeout_ms=500)).values():
                yield [one for one in records if one.offset < end]
            now = await reader.position(place)
            if now != position:
                position, moved_at = now, loop.time()
            elif loop.time() - moved_at > STALLED_S:
                message = f"{place.topic}/{place.partition} stopped at {position} of {end}"
                raise KafkaError(message)
    finally:
        await reader.stop()


async def members(link: Link) -> int:
    """How many workers are in the group."""
    admin = link.admin()
    await admin.start()
    try:
        answers = await admin.describe_consumer_groups([link.app])
    finally:
        await admin.close()
    groups = [group for answer in answers for group in answer.groups]
    return sum(max(1, len(group[5])) for group in groups if group[2] not in _EMPTY)


async def nobody_works(link: Link, lang: str) -> None:
    """See that no worker is in the group; one that has just ended is a member for a session.

    Raises:
        EnvironmentUnusable: one is.

    """
    loop = asyncio.get_running_loop()
    until = loop.time() + link.session_s + _GRACE_S
    while (count := await members(link)) and loop.time() < until:  # noqa: ASYNC110 - Kafka tells of no end
        await asyncio.sleep(_LOOK_S)
    if count:
        raise EnvironmentUnusable(say("state-workers", lang, group=link.app, count=count))


async def cluster(link: Link) -> tuple[str, frozenset[str]]:
    """The id of the cluster, and the names of all its topics."""
    admin = link.admin()
    await admin.start()
    try:
        found = await admin.describe_cluster()
        return str(found.get("cluster_id") or ""), frozenset(await admin.list_topics())
    finally:
        await admin.close()


def _reader(link: Link) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **link.client(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        fetch_max_wait_ms=200,
    )
