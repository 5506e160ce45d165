"""A compacted Kafka topic as a feed: the latest value of every key, then every change.

When a partition is read for the first time, keys whose value was replaced before are left out,
whether the broker has compacted them yet or not; what is left comes in the order of the log. From
then on every record is given. A tombstone (a key without a value) says that the key is withdrawn:
where the options name the fields of a withdrawal it is a record of the feed, else it is counted.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import orjson
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from pydantic import BaseModel, ConfigDict, Field

from connectors.sources import kafka
from connectors.sources.kafka import KafkaSource
from engine.ports import Batch, Record, SourceContext, SourceId

_LOOK_MS = 500


class Withdrawal(BaseModel):
    """What a tombstone is as a record of the feed.

    Attributes:
        key: The field that takes the record's key.
        field: The field that is true then.
        time: The field that takes the time at which the broker got it.
        format: How that field tells a time.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(min_length=1)
    field: str = Field(min_length=1)
    time: str = Field(min_length=1)
    format: Literal["iso8601", "epoch-ms", "epoch-s"] = "iso8601"


class Options(kafka.Options):
    """What may be declared about a compacted topic; the rest stands at the Kafka source.

    Attributes:
        withdrawal: What a tombstone becomes; without it tombstones are no records.

    """

    kind: Literal["topic"] = "topic"  # type: ignore[assignment]
    withdrawal: Withdrawal | None = None


def build(name: str, options: Options, context: SourceContext) -> "TopicSource":
    """A source that reads the declared topic."""
    return TopicSource(name, options, context)


class TopicSource(KafkaSource):
    """Reads a topic; the first time only what each key is at now."""

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` connects."""
        super().__init__(name, options, context)
        self._withdrawal = options.withdrawal
        self._fresh: list[TopicPartition] = []

    def log(self, partition: int) -> str:
        """Name of a partition in saved positions."""
        return f"topic/{self.name}/{partition}"

    async def open(self, resume: Mapping[str, int]) -> None:
        """Connect, and see which partitions were never read."""
        await super().open(resume)
        self._fresh = [place for place in self.places if self.log(place.partition) not in resume]

    async def batches(self) -> AsyncIterator[Batch]:
        """What the keys are at, then the changes."""
        async for batch in self._present():
            yield batch
        async for batch in super().batches():
            yield batch

    async def _present(self) -> AsyncIterator[Batch]:
        """Of the partitions that were never read, the last record of each key."""
        reader = self.reader
        assert reader is not None  # noqa: S101 - `open` comes first
        ends = await reader.end_offsets(self._fresh) if self._fresh else {}
        starts = await reader.beginning_offsets(self._fresh) if self._fresh else {}
        left = {place: end for place, end in ends.items() if end > starts[place]}
        others = [place for place in self.places if place not in left]
        if left and others:
            reader.pause(*others)
        held: dict[TopicPartition, dict[object, ConsumerRecord]] = {place: {} for place in left}
        while left:
            polled = await reader.getmany(*left, timeout_ms=_LOOK_MS)
            for place, records in polled.items():
                for one in records:
                    name = one.offset if one.key is None else one.key
                    held[place].pop(name, None)
                    held[place][name] = one
            for place in list(left):
                if await reader.position(place) >= left[place]:
                    del left[place]
                    reader.pause(place)
        paused = reader.paused()
        if paused:
            reader.resume(*paused)
        for place, found in held.items():
            records = self._records(list(found.values()))
            stream = SourceId(self.context.feed, self.context.partition + place.partition)
            for cut in range(0, len(records), self.options.batch):
                yield Batch(
                    self.log(place.partition), stream, records[cut : cut + self.options.batch]
                )

    def _records(self, found: Sequence[ConsumerRecord]) -> Sequence[Record]:
        """Values as they are, tombstones as withdrawals where these are declared."""
        taken: list[Record] = []
        for one in found:
            value = one.value
            if not value:
                self.context.count("tombstones", 1)
                value = self._withdrawn(one)
            if value is not None:
                taken.append(Record(one.offset, value, one.timestamp))
        return taken

    def _withdrawn(self, one: ConsumerRecord) -> bytes | None:
        declared = self._withdrawal
        if declared is None or one.key is None:
            return None
        at: object = one.timestamp
        if declared.format == "epoch-s":
            at = one.timestamp / 1000
        elif declared.format == "iso8601":
            at = datetime.fromtimestamp(one.timestamp / 1000, UTC).isoformat(
                timespec="milliseconds"
            )
        key = one.key.decode("utf-8", "replace")
        return orjson.dumps({declared.key: key, declared.field: True, declared.time: at})
