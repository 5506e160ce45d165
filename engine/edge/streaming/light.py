"""Records as the rules take them, made straight from what the broker sent, a batch in one go.

aiokafka makes an object of eleven fields of every record and hands them on one by one; we read
three. Those objects, their copies into a `Record` and the steps between were a fifth of all the
work on a record.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple, cast

from aiokafka.consumer import fetcher

from engine.ports import Record

Headers = Sequence[tuple[str, bytes]]


class Routed(NamedTuple):
    """A record of a routed topic: what it is and where it came from stand in its first header."""

    offset: int
    value: bytes
    headers: Headers


Fresh = Record | Routed
"""One record of a poll; which of the two, its topic says."""

Maker = Callable[[Any], list[Fresh]]
"""Makes records of a batch as aiokafka unpacked it."""


class Light:
    """Given to a consumer in place of a reader of values: it takes records as they are needed.

    Args:
        routed: Topics whose records carry a header that is read.

    """

    def __init__(self, routed: frozenset[str]) -> None:
        self._routed = routed

    def maker(self, topic: str) -> Maker:
        """What makes the records of a batch of this topic."""
        return _routed if topic in self._routed else _records

    def __call__(self, value: bytes | None) -> bytes | None:
        """Read a value where records are made in the usual way."""
        return value


def _records(batch: Any, new: Any = tuple.__new__, kind: Any = Record) -> list[Fresh]:
    return [new(kind, (one.offset, one.value or b"", one.timestamp, None)) for one in batch]


def _routed(batch: Any) -> list[Fresh]:
    return [Routed(one.offset, one.value or b"", one.headers) for one in batch]


class _Lot:
    """All records of a batch, where aiokafka looks for one: its offset is the last one's."""

    __slots__ = ("offset", "records")

    def __init__(self, records: list[Fresh]) -> None:
        self.offset = records[-1].offset
        self.records = records


class _Batch:
    """A batch that gives all of its records at once; in all else it is aiokafka's."""

    __slots__ = ("_batch", "_make")

    def __init__(self, batch: Any, make: Maker) -> None:
        self._batch, self._make = batch, make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[_Lot]:
        if records := self._make(self._batch):
            yield _Lot(records)


class _Batches:
    """The batches that a fetch brought."""

    __slots__ = ("_make", "_sent", "has_next")

    def __init__(self, sent: Any, make: Maker) -> None:
        self._sent, self._make, self.has_next = sent, make, sent.has_next

    def next_batch(self) -> _Batch:
        """The next of them."""
        return _Batch(self._sent.next_batch(), self._make)


class _LightRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types here
    """What a fetch brought of one partition; other consumers than ours see no difference.

    Attributes:
        over: Nothing is left; None for other consumers.

    """

    def __init__(self, tp: Any, records: Any, *args: Any) -> None:
        super().__init__(tp, records, *args)
        self._rest: list[Fresh] = []
        self.over: bool | None = None
        if isinstance(self._value_deserializer, Light):
            self.over = False
            self._records = _Batches(records, self._value_deserializer.maker(tp.topic))
            self._consumer_record = self._unread

    def _unread(self, _place: Any, lot: _Lot) -> list[Fresh]:
        """The records of a batch from the offset that was asked for."""
        records, first = lot.records, self.next_fetch_offset
        if records[0].offset >= first:
            return records
        return [one for one in records if one.offset >= first]

    def take(self, most: float) -> list[Fresh]:
        """At most so many records; `next_fetch_offset` is that of the first one left."""
        taken, self._rest = self._rest, []
        while len(taken) < most:
            lot = next(self._records_iterator, None)
            if lot is None:
                self.over = True
                return taken
            if taken:
                taken += lot
            else:
                taken = lot
        if len(taken) > most:
            taken, self._rest = taken[: int(most)], taken[int(most) :]
        if taken:
            self.next_fetch_offset = taken[-1].offset + 1
        return taken


class _LightResult(fetcher.FetchResult):  # type: ignore[misc]
    """A fetch that waits to be taken."""

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Take at most so many records."""
        records: Any = self._partition_records  # type: ignore[has-type]
        if records is None or records.over is None:
            return cast("list[Any]", super().getall(max_records))
        if not self.check_assignment(self._topic_partition):
            return []
        taken = records.take(inf if max_records is None else max_records)
        self._update_position()
        if records.over:
            self._partition_records = None
        return cast("list[Any]", taken)


fetcher.PartitionRecords = _LightRecords
fetcher.FetchResult = _LightResult
