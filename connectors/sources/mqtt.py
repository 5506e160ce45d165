"""Records from an MQTT broker (version 5, QoS 1): acknowledged when they are kept.

Our session outlives us at the broker: what arrives while the daemon is away waits there, and what
was not acknowledged is sent again. A record may so come twice; the feed's event id drops it. While
the disk refuses nothing is acknowledged, and the broker sends no more than `inflight` messages.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field, SecretStr

from connectors.sources.inbox import InboxSource
from connectors.tls import Trust, trusting
from engine.errors import NotKept
from engine.ports import SourceContext
from engine.secret_files import read_secret

if TYPE_CHECKING:
    from aiomqtt import Client, Message

EXTRA = ("mqtt", "aiomqtt")
INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_DISK_S = 1.0
_REFUSED = 0x80

Topic = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]


class Options(Trust):
    """What may be declared about an MQTT source; certificates stand at `Trust`.

    Attributes:
        host: The broker; `port` is 8883 with TLS and 1883 without, when left out.
        topics: What is subscribed to; `+` and `#` as in MQTT.
        topic_fields: Fields that a record gets from its topic: the number of the level, from 1.
        tls: Whether to speak TLS.
        username: Who we are; `password` or `password_file` proves it.
        client_id: Our name at the broker; two daemons must not share one.
        session_s: How long the broker keeps our session while we are away.
        inflight: Messages that may be under way unacknowledged.
        retained: Whether the last values that the broker keeps are records too.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mqtt"] = "mqtt"
    feed: str
    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535)
    topics: tuple[Topic, ...] = Field(min_length=1)
    topic_fields: dict[str, Annotated[int, Field(ge=1, le=100)]] = Field(default_factory=dict)
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    client_id: str | None = None
    session_s: int = Field(default=7 * 86_400, ge=0, le=0xFFFFFFFF)
    inflight: int = Field(default=1000, ge=1, le=65_535)
    retained: bool = True
    inbox_limit: int = Field(default=200_000, ge=1)
    batch: int = Field(default=4000, ge=1, le=100_000)
    lang: str = "en"


def build(name: str, options: Options, context: SourceContext) -> "MqttSource":
    """A source that subscribes to the declared topics."""
    return MqttSource(name, options, context)


class MqttSource(InboxSource):
    """Subscribes, keeps what comes, acknowledges it; calls again whenever the line breaks."""

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` reads the password and the certificates and begins to call."""
        super().__init__(name, context, batch=options.batch, limit=options.inbox_limit)
        self._options = options
        self._task: asyncio.Task[None] | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        """Begin to call; a broker that is away is called again and again.

        Raises:
            EnvironmentUnusable: a file cannot be used.

        """
        await super().open(resume)
        words = await asyncio.to_thread(self._words)
        self._task = asyncio.create_task(self._subscribe(words), name=f"mqtt-{self.name}")

    async def close(self) -> None:
        """Leave the broker; what is not acknowledged is sent again. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await super().close()

    def _words(self) -> dict[str, Any]:
        options, folder = self._options, Path(self.context.folder)
        secret = read_secret(options.password, options.password_file, folder, options.lang)
        return {
            "hostname": options.host,
            "port": options.port or (8883 if options.tls else 1883),
            "username": options.username,
            "password": secret,
            "identifier": options.client_id or f"forewarn-{self.name}",
            "tls_context": trusting(self.name, options, folder, options.lang)
            if options.tls
            else None,
            "keepalive": 30,
            "clean_start": False,
        }

    async def _subscribe(self, words: Mapping[str, Any]) -> None:
        """Listen for ever."""
        import aiomqtt  # noqa: PLC0415 - an extra

        failed = 0
        while True:
            try:
                async with _client(words, self._options) as client:
                    self.context.count("connected", 1)
                    await self._ask(client)
                    failed = 0
                    await self._listen(client)
            except (aiomqtt.MqttError, OSError, ValueError):
                self.context.count("disconnected", 1)
            await asyncio.sleep(_AGAIN_S[min(failed, len(_AGAIN_S) - 1)])
            failed += 1

    async def _ask(self, client: "Client") -> None:
        """Subscribe to every topic; one that the broker does not give is counted."""
        answers = await client.subscribe([(topic, 1) for topic in self._options.topics])
        refused = sum((one if isinstance(one, int) else one.value) >= _REFUSED for one in answers)
        if refused:
            self.context.count("not-allowed", refused)

    async def _listen(self, client: "Client") -> None:
        """Keep what is there, all of it at once, then acknowledge it."""
        messages = client.messages
        while True:
            if self.full:
                await self.room()
            some = [await anext(messages)]
            while len(messages) and len(some) < self._options.inflight:
                some.append(await anext(messages))
            good, bad = self._read(some)
            while True:
                try:
                    await self.keep(good, bad)
                    break
                except NotKept:
                    self.context.count("not-kept", len(some))
                    await asyncio.sleep(_DISK_S)
            for message in some:
                _acknowledge(client, message)
            self.context.count("messages", len(some))

    def _read(
        self, messages: "Sequence[Message]"
    ) -> tuple[list[bytes], list[tuple[str, str, bytes]]]:
        """The records of messages, and those that are none."""
        values: list[bytes] = []
        bad: list[tuple[str, str, bytes]] = []
        for message in messages:
            if message.retain and not self._options.retained:
                continue
            payload = bytes(message.payload)
            value = self._named(payload, str(message.topic))
            if value is None:
                bad.append(("bad-json", str(message.topic)[:200], payload))
            else:
                values.append(value)
        good, refused = self.sift(values)
        return good, [*bad, *refused]

    def _named(self, payload: bytes, topic: str) -> bytes | None:
        """The record with the fields of its topic; None where it cannot have any."""
        if not self._options.topic_fields:
            return payload
        try:
            record = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(record, dict):
            return None
        levels = topic.split("/")
        for name, level in self._options.topic_fields.items():
            if level <= len(levels):
                record[name] = levels[level - 1]
        return orjson.dumps(record)


def _client(words: Mapping[str, Any], options: Options) -> "Client":
    """A client that acknowledges nothing by itself and whose session is kept."""
    import aiomqtt  # noqa: PLC0415
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    about = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    about.SessionExpiryInterval = options.session_s
    about.ReceiveMaximum = options.inflight
    client = aiomqtt.Client(protocol=aiomqtt.ProtocolVersion.V5, properties=about, **words)
    client._client.manual_ack_set(on=True)  # noqa: SLF001 - the library has no door to it
    return client


def _acknowledge(client: "Client", message: "Message") -> None:
    if message.qos:
        client._client.ack(message.mid, message.qos)  # noqa: SLF001 - as above
