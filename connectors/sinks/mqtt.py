"""Alerts as MQTT messages (version 5, QoS 1), with the delivery id as correlation data."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, SecretStr

from connectors.extras import needed
from connectors.notice import carried, opened, read
from connectors.personal import ToSystems
from connectors.tls import Trust, trusting
from engine.errors import Permanent, Retryable
from engine.ports import SinkContext
from engine.secret_files import read_secret

if TYPE_CHECKING:
    from aiomqtt import Client

EXTRA = ("mqtt", "aiomqtt")
_BROKER, _REFUSED, _LARGE, _ALLOWED = "broker", "refused", "too-large", "not-allowed"
_FINAL = {0x90: "bad-topic", 0x95: _LARGE, 0x99: _REFUSED}
"""Answers of a broker that the same message will get again."""
_FAILED = 0x80
_SHUT = str.maketrans(dict.fromkeys("+#/\x00", "_"))


class Options(ToSystems, Trust):
    """What may be declared about an MQTT broker; certificates stand at `Trust`.

    Attributes:
        host: The broker; `port` is 8883 with TLS and 1883 without, when left out.
        topic: Where messages go; `{rule}`, `{level}`, `{stage}`, `{kind}` are filled in.
        tls: Whether to speak TLS.
        username: Who we are; `password` or `password_file` proves it.
        client_id: Our name at the broker; when left out, one of its own a connection.
        timeout_s: How long connecting, or one message, may take.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["mqtt"] = "mqtt"
    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535)
    topic: str = Field(default="forewarn/alerts", pattern=r"^[^+#\x00]{1,500}$")
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    client_id: str | None = None
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    lang: str = "en"


def build(name: str, options: Options, context: SinkContext) -> "MqttSink":
    """A sink that publishes to the declared topic."""
    return MqttSink(name, options, Path(context.folder))


class MqttSink:
    """Publishes deliveries; each is taken when the broker has acknowledged it.

    Messages go one after the other, so the broker's answer is known to belong to this one: it may
    acknowledge and refuse in the same breath. The connection is made at the first delivery.
    """

    parallel = 1

    def __init__(self, name: str, options: Options, folder: Path) -> None:
        """Read the password and the certificates; nothing is connected yet.

        Raises:
            EnvironmentUnusable: the extra is missing, or a file cannot be used.

        """
        with needed(name, EXTRA[0], options.lang):
            import aiomqtt  # noqa: F401, PLC0415 - an extra
        self.name = name
        self._options = options
        password = read_secret(options.password, options.password_file, folder, options.lang)
        self._password = None if password is None else SecretStr(password)
        self._tls = trusting(name, options, folder, options.lang) if options.tls else None
        self._client: Client | None = None
        self._answers: list[int] = []
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Nothing: see the class."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        """Publish one delivery; returns when the broker has it."""
        del attempt
        import aiomqtt  # noqa: PLC0415
        from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
        from paho.mqtt.properties import Properties  # noqa: PLC0415

        notice = read(body, "en", delivery_id)
        words = {
            "rule": _rule(body), "level": notice.level, "stage": notice.stage,
            "kind": notice.document,
        }  # fmt: skip
        topic = self._options.topic
        for word, value in words.items():
            topic = topic.replace(f"{{{word}}}", value.translate(_SHUT) or "_")
        about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        about.CorrelationData = delivery_id.encode()
        about.ContentType = "application/json"
        about.UserProperty = [("delivery-id", delivery_id), ("reference", notice.reference)]
        payload = carried(body, self._options.personal)
        async with self._turn:
            try:
                client = await self._connected()
                self._answers.clear()
                await client.publish(topic, payload, qos=1, properties=about)
                answer = self._answers[-1] if self._answers else 0
            except (aiomqtt.MqttError, OSError, ValueError, TimeoutError) as error:
                await self._leave()
                raise Retryable(_BROKER, self._said(error)) from None
            except asyncio.CancelledError:
                await self._leave()
                raise
        if answer in _FINAL:
            raise Permanent(_FINAL[answer], f"reason 0x{answer:02x}")
        if answer >= _FAILED:
            raise Retryable(_ALLOWED, f"reason 0x{answer:02x}")

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        async with self._turn:
            await self._leave()

    async def _connected(self) -> "Client":
        if self._client is None:
            options = self._options
            client = _listening(
                self._answers,
                hostname=options.host,
                port=options.port or (8883 if options.tls else 1883),
                username=options.username,
                password=None if self._password is None else self._password.get_secret_value(),
                identifier=options.client_id,
                tls_context=self._tls,
                timeout=options.timeout_s,
                keepalive=15,
            )
            await client.__aenter__()
            self._client = client
        return self._client

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it is given up whatever it says
                await client.__aexit__(None, None, None)
            _heard(client)

    def _said(self, error: Exception) -> str:
        text = f"{type(error).__name__}: {error}"
        if self._password is not None:
            text = text.replace(self._password.get_secret_value(), "***")
        return text[:500]


def _listening(answers: list[int], **words: Any) -> "Client":
    """A client that notes how the broker answered each message; the library's own does not."""
    import aiomqtt  # noqa: PLC0415

    class Listening(aiomqtt.Client):
        def _on_publish(
            self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any
        ) -> None:
            answers.append(int(reason_code.value))
            super()._on_publish(client, userdata, mid, reason_code, properties)

    return Listening(protocol=aiomqtt.ProtocolVersion.V5, **words)


def _heard(client: Any) -> None:
    """Take note of why a connection ended; unheard, the event loop logs it as an error of ours."""
    gone: asyncio.Future[None] = client._disconnected  # noqa: SLF001 - it has no other way
    if gone.done() and not gone.cancelled():
        gone.exception()


def _rule(body: bytes) -> str:
    found = opened(body, "full").get("rule")
    return found if isinstance(found, str) else ""
