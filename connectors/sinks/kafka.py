"""Alerts as records of a Kafka topic: one record a delivery, keyed by its episode."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from pydantic import ConfigDict, Field

from connectors.notice import carried
from connectors.personal import ToSystems
from engine.errors import Permanent, Retryable
from engine.kafka.access import Access, open_way, servers
from engine.kafka.reach import knock_all, why_not
from engine.ports import SinkContext

_TIMEOUT, _BROKER = "timeout", "broker"
_REFUSED = {
    MessageSizeTooLargeError: "too-large",
    InvalidTopicError: "bad-topic",
    TopicAuthorizationFailedError: "not-allowed",
}


class Options(ToSystems, Access):
    """What may be declared about a Kafka sink; how to get in stands at `Access`.

    Attributes:
        bootstrap: `host:port` of the broker, several separated by commas.
        topic: Where the records go; it must exist, or the broker must make it.
        timeout_s: How long one delivery may take before it is tried again later.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["kafka"] = "kafka"
    bootstrap: str
    topic: str
    timeout_s: float = Field(default=30.0, gt=0, le=300)
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "KafkaSink":
    """A sink that writes to the declared topic."""
    return KafkaSink(name, options, Path(context.folder))


class _About(msgspec.Struct):
    """The part of a change, or of a document of the case desk, that its key is made of."""

    episode_id: str = ""
    incident: str = ""


class KafkaSink:
    """Writes deliveries with an idempotent producer and waits for every in-sync replica.

    Changes of one episode share a key, and so do the documents of one case: a reader gets them in
    order. The header `delivery-id`
    lets it drop a repeat, which only a crash between the broker's answer and our note of it makes.
    The connection is made at the first delivery: a broker that is away delays alerts, not us.
    """

    parallel = 64

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read certificates and passwords; nothing is connected yet.

        Raises:
            EnvironmentUnusable: one of their files cannot be used.

        """
        self.name = name
        self._options = options
        self._way = open_way(options, folder, options.lang)
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._key = msgspec.json.Decoder(_About).decode

    async def open(self) -> None:
        """Nothing: see the class."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Write one delivery; answers when the broker has it on all in-sync replicas."""
        del attempt
        about = self._key(body)
        key = (about.episode_id or about.incident).encode() or None
        try:
            producer = await self._connected()
            await asyncio.wait_for(
                producer.send_and_wait(
                    self._options.topic,
                    carried(body, self._options.personal),
                    key=key,
                    headers=[("delivery-id", delivery_id.encode())],
                ),
                self._options.timeout_s,
            )
        except (TimeoutError, KafkaTimeoutError) as error:
            raise Retryable(_TIMEOUT) from error
        except (KafkaError, OSError) as error:
            reason = _REFUSED.get(type(error))
            if reason is not None:
                raise Permanent(reason, str(error)) from error
            await self.close()  # a producer that failed once may never work again
            raise Retryable(_BROKER, await self._why(error)) from error

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)

    async def _why(self, error: Exception) -> str:
        """What the operator must know; the client only says that it did not get in."""
        if isinstance(error, KafkaConnectionError):
            refusal = why_not(await knock_all(self._options.bootstrap, self._way, self.name))
            if refusal is not None:
                return refusal.text(self._options.lang)
        return str(error)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=servers(self._options.bootstrap),
                    client_id=f"forewarn-{self.name}",
                    enable_idempotence=True,
                    acks="all",
                    **self._way.client(),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
