"""Records that are taken a batch at a time are those that aiokafka gives one by one."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from engine.edge.streaming.light import Light, Routed
from engine.ports import Record

PLACE = TopicPartition("gps", 0)
HEADERS = [("from", b"here")]


def batch(first: int, offsets: list[int], producer: int | None = None) -> bytes:
    """One batch of the log: records at these offsets behind its first one."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=producer is not None,
        producer_id=-1 if producer is None else producer, producer_epoch=0 if producer else -1,
        base_sequence=0 if producer else -1, batch_size=1 << 20,
    )  # fmt: skip
    for at in offsets:
        value = None if at % 7 == 3 else f"v{first + at}".encode()
        builder.append(at, timestamp=1000 + at, key=b"k", value=value, headers=HEADERS)
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8, "big")  # the broker sets it; no checksum covers it
    return bytes(built)


LOG = b"".join((
    batch(0, [0, 1, 2, 3, 4]),
    batch(5, [0, 1, 2], producer=9),
    batch(8, [0, 2, 5]),  # compacted
    batch(14, [0]),
    batch(15, [*range(20)]),
))  # fmt: skip
ABORTED = [(9, 5)]


class Assignment:
    """Believes every position it is told."""

    active = True

    def __init__(self, position: int) -> None:
        self.position, self.paused = position, False

    def state_value(self, _place: Any) -> "Assignment":
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def polls(read: Any, start: int, most: int | None, aborted: Any) -> Iterator[tuple[list[Any], int]]:
    """What each poll brings, and the position after it."""
    records = fetcher.PartitionRecords(
        PLACE, MemoryRecords(LOG), aborted, start, None, read, True, READ_COMMITTED
    )
    there = Assignment(start)
    result = fetcher.FetchResult(PLACE, assignment=there, partition_records=records, backoff=0)
    while result.has_more():
        yield result.getall(most), there.position


@pytest.mark.parametrize("aborted", [[], ABORTED], ids=["all", "one-batch-was-given-up"])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 20, 100, None])
@pytest.mark.parametrize("start", [0, 3, 6, 9, 12, 14, 30])
def test_a_poll_brings_what_aiokafka_brings(start: int, most: int | None, aborted: Any) -> None:
    plain = [*polls(None, start, most, aborted)]
    light = [*polls(Light(frozenset()), start, most, aborted)]
    wanted = [
        [Record(one.offset, one.value or b"", one.timestamp, None) for one in some]
        for some, _ in plain
    ]
    assert [some for some, _ in light] == wanted
    assert [type(one) for some, _ in light for one in some] == [Record] * sum(map(len, wanted))
    assert light[-1][1] == plain[-1][1]
    for some, position in light:
        assert not some or position > some[-1].offset


def test_records_of_routed_topics_have_their_headers() -> None:
    plain = [one for some, _ in polls(None, 0, 4, []) for one in some]
    light = [one for some, _ in polls(Light(frozenset({"gps"})), 0, 4, []) for one in some]
    seen = [Routed(one.offset, one.value, tuple(one.headers)) for one in light]
    assert seen == [Routed(one.offset, one.value or b"", one.headers) for one in plain]
    assert seen[0].headers
