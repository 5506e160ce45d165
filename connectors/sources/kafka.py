"""Records from a Kafka topic, for a daemon that keeps its own reading positions.

Each partition of the topic is one ordered stream and one log. Nothing is committed to Kafka: the
daemon's store knows how far each log was handled, in the transaction of what it caused.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from pydantic import ConfigDict, Field

from engine.errors import EnvironmentUnusable
from engine.kafka.access import Access, Way, open_way, servers
from engine.kafka.reach import knock_all, why_not
from engine.ports import Batch, Record, SourceContext, SourceId
from engine.text import say

_LOOK_MS = 500
_RETRY_S = 1.0


class Options(Access):
    """What may be declared about a Kafka source; how to get in stands at `Access`.

    Attributes:
        bootstrap: `host:port` of the broker, several separated by commas.
        topic: The topic to read; all its partitions are.
        wait_s: How long a broker or topic that is not there yet is waited for at the start.
        batch: Most records handed over at once.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["kafka"] = "kafka"
    feed: str
    bootstrap: str
    topic: str
    wait_s: float = Field(default=60.0, ge=0)
    batch: int = Field(default=4000, ge=1, le=100_000)
    lang: str = "en"


def build(name: str, options: Options, context: SourceContext) -> "KafkaSource":
    """A source that reads the declared topic."""
    return KafkaSource(name, options, context)


class KafkaSource:
    """Reads every partition of a topic, only committed records, from where it was told."""

    live = True

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` connects."""
        self.name = name
        self.options = options
        self.context = context
        self._way = Way()
        self.reader: AIOKafkaConsumer | None = None
        self.places: list[TopicPartition] = []
        self._closed = False

    @property
    def ids(self) -> Sequence[SourceId]:
        """One stream a partition, numbered from the number that the driver gave."""
        first = self.context.partition
        return [SourceId(self.context.feed, first + place.partition) for place in self.places]

    @property
    def logs(self) -> Sequence[str]:
        """The log of each partition, in the order of `ids`."""
        return [self.log(place.partition) for place in self.places]

    def log(self, partition: int) -> str:
        """Name of a partition in saved positions."""
        return f"kafka/{self.name}/{partition}"

    async def open(self, resume: Mapping[str, int]) -> None:
        """Find the partitions, connect, and go to the offsets that were named."""
        self._way = open_way(self.options, Path(self.context.folder), self.options.lang)
        self.places = await self._find()
        reader = self.reader = AIOKafkaConsumer(
            **self._client(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await reader.start()
        reader.assign(self.places)
        first = await reader.beginning_offsets(self.places)
        for place in self.places:
            start = max(resume.get(self.log(place.partition), 0), first[place])
            reader.seek(place, start)

    async def batches(self) -> AsyncIterator[Batch]:
        """Records as they come, the partitions in turn."""
        assert self.reader is not None  # noqa: S101 - `open` comes first
        while not self._closed:
            try:
                polled = await self.reader.getmany(
                    timeout_ms=_LOOK_MS, max_records=self.options.batch
                )
            except KafkaError as error:
                if self._closed or not getattr(error, "retriable", False):
                    raise
                await asyncio.sleep(_RETRY_S)
                continue
            for place, records in polled.items():
                source = SourceId(self.context.feed, self.context.partition + place.partition)
                if taken := self._records(records):
                    yield Batch(self.log(place.partition), source, taken)

    def _records(self, found: Sequence[ConsumerRecord]) -> Sequence[Record]:
        """What the log's records are to the feed."""
        return [Record(one.offset, one.value or b"", one.timestamp) for one in found]

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        self._closed = True
        reader, self.reader = self.reader, None
        if reader is not None:
            with suppress(KafkaError, OSError):
                await reader.stop()

    def _client(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": servers(self.options.bootstrap),
            "client_id": f"forewarn-{self.name}",
            **self._way.client(),
        }

    async def _find(self) -> list[TopicPartition]:
        """The partitions of the topic, once broker and topic are there."""
        topic, lang = self.options.topic, self.options.lang
        loop = asyncio.get_running_loop()
        until = loop.time() + self.options.wait_s
        while True:
            refusal = why_not(await knock_all(self.options.bootstrap, self._way, self.name))
            if refusal is not None and (refusal.final or loop.time() >= until):
                raise self._unusable(refusal.text(lang))
            admin = AIOKafkaAdminClient(**self._client())
            try:
                await admin.start()
                why = say("kafka-no-topic", lang, topic=topic)
                if topic in await admin.list_topics():
                    (found,) = await admin.describe_topics([topic])
                    numbers = sorted(one["partition"] for one in found["partitions"])
                    return [TopicPartition(topic, number) for number in numbers]
            except (KafkaError, OSError) as error:
                why = str(error)
            finally:
                await admin.close()
            if loop.time() >= until:
                raise self._unusable(why)
            await asyncio.sleep(_RETRY_S)

    def _unusable(self, why: str) -> EnvironmentUnusable:
        text = say("kafka-unusable", self.options.lang, name=self.name, why=why)
        return EnvironmentUnusable(text)
