"""Reading back what a partition saved: its compacted log, in bulk, to the very end.

Only the last value of a key is held while reading, so what it takes in memory is the size of the
state and not of its log; how many partitions are read at the same time is bounded (`Kit`).

The log has one writer, and opening its ledger ended the last transaction, so the last committed
offset is final: what is read here is exactly what was saved.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from aiokafka import AIOKafkaConsumer, TopicPartition

from engine.edge import crashpoint
from engine.edge.streaming.bulk import read_bulk
from engine.edge.streaming.link import Link
from engine.ports import Write
from engine.state.rows import Groups

META = b""
"""The key of the partition's own record."""


def row_key(rule: str, key: str) -> bytes:
    """The key of a state row."""
    return f"{rule}\0{key}".encode()


def row_of(raw: bytes, value: bytes) -> Write:
    """The state row that `row_key` made `raw` for."""
    rule, _, key = raw.decode().partition("\0")
    return Write(rule, key, value)


class SavedRows(Sequence[Write]):
    """The rows of a partition as they were read, each made only when it is asked for.

    A list of them would be in memory a second time while the core takes them up.
    """

    def __init__(self, kept: Mapping[bytes, bytes]) -> None:
        self._kept = kept
        self._groups: Groups | None = None

    def by_rule(self) -> Groups:
        """The rows of each rule, made once."""
        if self._groups is None:
            self._groups = _by_rule(self._kept)
        return self._groups

    def __iter__(self) -> Iterator[Write]:
        return (row_of(raw, value) for raw, value in self._kept.items())

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, place: int) -> Write: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Write]: ...

    def __getitem__(self, place: int | slice) -> Write | Sequence[Write]:
        return list(self)[place]


def _by_rule(kept: Mapping[bytes, bytes]) -> Groups:
    """Raw rows by rule and key. Neighbours mostly share their rule, so it is found once."""
    groups: Groups = {}
    rows: dict[str, bytes] = {}
    start, length = b"", 0
    for raw, value in kept.items():
        if not length or raw[:length] != start:
            rule, zero, _ = raw.partition(b"\0")
            start, length = rule + zero, len(rule) + 1 if zero else 0
            rows = groups.setdefault(rule.decode(), {})
        rows[raw[length:].decode() if length else ""] = value
    return groups


async def read_back(link: Link, topic: str, partition: int) -> dict[bytes, bytes]:
    """The last value of every key of a compacted partition; forgotten keys are left out.

    Raises:
        KafkaError: the log could not be read, or reading made no progress for a minute.

    """
    crashpoint.passing("recovery-start")
    place = TopicPartition(topic, partition)
    reader = AIOKafkaConsumer(
        **link.client(), isolation_level="read_committed", enable_auto_commit=False
    )
    kept: dict[bytes, bytes] = {}

    def take(records: Iterable[Any]) -> None:
        for record in records:
            value = record.value
            if value is None:
                kept.pop(record.key, None)
            else:
                kept[record.key] = value
        crashpoint.passing("recovery-half")

    try:
        await reader.start()
        end = (await reader.end_offsets([place]))[place]
        start = (await reader.beginning_offsets([place]))[place]
        await read_bulk(reader, place, (start, end), take)
    finally:
        await reader.stop()
    return kept
