"""A compacted topic as rows of a table: read to its end, the last value of each key counts."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from engine.edge.reference.rows import MOST_ROWS, as_answer

_ASK_S = 60.0
_POLL_MS = 500


def ask_topic(topic: str, client: Mapping[str, Any]) -> bytes:
    """The rows that a topic holds now, as packs hold them; runs a loop of its own.

    A value is a JSON object with the columns; a record without a value takes its key's row away.
    Only committed records count.

    Raises:
        ValueError: The broker does not answer, the topic is not there, or a value is no row.

    """
    try:
        return asyncio.run(asyncio.wait_for(_read(topic, client), _ASK_S))
    except (KafkaError, TimeoutError, OSError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


async def _read(topic: str, client: Mapping[str, Any]) -> bytes:
    places = await partitions_of(topic, client)
    reader = AIOKafkaConsumer(
        **client,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await reader.start()
    try:
        reader.assign(places)
        ends = await reader.end_offsets(places)
        starts = await reader.beginning_offsets(places)
        for place in places:
            reader.seek(place, starts[place])
        rows: dict[bytes, bytes] = {}
        going = {place for place in places if starts[place] < ends[place]}
        while going:
            polled = await reader.getmany(*going, timeout_ms=_POLL_MS)
            for records in polled.values():
                for record in records:
                    if record.value is None:
                        rows.pop(record.key or b"", None)
                    else:
                        rows[record.key or b""] = record.value
            if len(rows) > MOST_ROWS:
                message = f"> {MOST_ROWS}"
                raise ValueError(message)
            going = {place for place in going if await reader.position(place) < ends[place]}
        return _answer(rows)
    finally:
        await reader.stop()


async def partitions_of(topic: str, client: Mapping[str, Any]) -> list[TopicPartition]:
    """All partitions of a topic."""
    admin = AIOKafkaAdminClient(**client)
    try:
        await admin.start()
        if topic not in await admin.list_topics():
            raise ValueError(topic)
        (found,) = await admin.describe_topics([topic])
        return [TopicPartition(topic, one["partition"]) for one in found["partitions"]]
    finally:
        await admin.close()


def _answer(rows: Mapping[bytes, bytes]) -> bytes:
    """The rows with the columns that any of them has."""
    read: list[dict[str, Any]] = []
    for key, value in rows.items():
        row = orjson.loads(value)
        if isinstance(row, dict):
            read.append(row)
            continue
        message = key.decode("utf-8", "replace")[:100]
        raise ValueError(message)
    columns = sorted({name for row in read for name in row})
    return as_answer(columns, ([row.get(name) for name in columns] for row in read))
