"""Alerts as records of a Kafka topic: one record a delivery, keyed by its episode."""

import asyncio
import ssl
from contextlib import suppress
from typing import Literal

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from pydantic import BaseModel, ConfigDict, Field

from engine.errors import Permanent, Retryable
from engine.ports import SinkContext

_TIMEOUT, _BROKER = "timeout", "broker"
_REFUSED = {
    MessageSizeTooLargeError: "too-large",
    InvalidTopicError: "bad-topic",
    TopicAuthorizationFailedError: "not-allowed",
}


class Options(BaseModel):
    """What may be declared about a Kafka sink.

    Attributes:
        bootstrap: `host:port` of the broker, several separated by commas.
        topic: Where the records go; it must exist, or the broker must make it.
        ca_file: Certificate authority of a TLS broker; without it the connection is plain.
        timeout_s: How long one delivery may take before it is tried again later.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["kafka"] = "kafka"
    bootstrap: str
    topic: str
    ca_file: str | None = None
    timeout_s: float = Field(default=30.0, gt=0, le=300)
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "KafkaSink":
    """A sink that writes to the declared topic."""
    del context
    return KafkaSink(name, options)


class _About(msgspec.Struct):
    """The part of a change that its key is made of."""

    episode_id: str = ""


class KafkaSink:
    """Writes deliveries with an idempotent producer and waits for every in-sync replica.

    Changes of one episode share a key, so a reader gets them in order. The header `delivery-id`
    lets it drop a repeat, which only a crash between the broker's answer and our note of it makes.
    The connection is made at the first delivery: a broker that is away delays alerts, not us.
    """

    parallel = 64

    def __init__(self, name: str, options: Options) -> None:
        """Prepare; nothing is connected yet."""
        self.name = name
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._key = msgspec.json.Decoder(_About).decode

    async def open(self) -> None:
        """Nothing: see the class."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Write one delivery; answers when the broker has it on all in-sync replicas."""
        del attempt
        try:
            producer = await self._connected()
            await asyncio.wait_for(
                producer.send_and_wait(
                    self._options.topic,
                    body,
                    key=self._key(body).episode_id.encode() or None,
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
            raise Retryable(_BROKER, str(error)) from error

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                ca_file = self._options.ca_file
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._options.bootstrap.split(","),
                    client_id=f"forewarn-{self.name}",
                    enable_idempotence=True,
                    acks="all",
                    security_protocol="SSL" if ca_file else "PLAINTEXT",
                    ssl_context=ssl.create_default_context(cafile=ca_file) if ca_file else None,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
