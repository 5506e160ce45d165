"""MQTT: what a message carries, TLS, a broker that refuses in its acknowledgement or is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from certificates import make_certificates
from services import a_mosquitto
from sink_stage import a_body, declared

from engine.errors import EnvironmentUnusable, Retryable
from engine.ports import Sink

V5 = aiomqtt.ProtocolVersion.V5


@asynccontextmanager
async def heard(port: int) -> AsyncIterator[list[aiomqtt.Message]]:
    """Messages that a reader of everything gets."""
    messages: list[aiomqtt.Message] = []
    ready = asyncio.Event()

    async def listen() -> None:
        async with aiomqtt.Client("127.0.0.1", port, protocol=V5) as client:
            await client.subscribe("#", qos=1)
            ready.set()
            async for message in client.messages:
                messages.append(message)  # noqa: PERF401 - read while it goes on

    task = asyncio.create_task(listen())
    await ready.wait()
    try:
        yield messages
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(messages: list[Any], count: int) -> None:
    async with asyncio.timeout(10):
        while len(messages) < count:  # noqa: ASYNC110 - the list is another task's
            await asyncio.sleep(0.01)


def broker(folder: Path, port: int, **options: Any) -> Sink:
    return declared("mqtt", folder, host="127.0.0.1", port=port, timeout_s=2, **options)


async def test_a_message_carries_the_delivery_id_and_goes_where_its_rule_says(
    tmp_path: Path,
) -> None:
    with a_mosquitto(tmp_path / "m", "allow_anonymous true") as port:
        async with heard(port) as messages:
            sink = broker(tmp_path, port, topic="fw/{level}/{stage}/{rule}/{kind}")
            name, body = a_body(rule="a/b#c+d")
            await sink.send(name, body, 1)
            await until(messages, 1)
            await sink.close()
    (message,) = messages
    about: Any = message.properties
    assert str(message.topic) == "fw/yellow/fired/a_b_c_d/alert"
    assert (message.payload, message.qos, message.retain) == (body, 1, False)
    assert about.CorrelationData == name.encode()
    assert dict(about.UserProperty)["delivery-id"] == name
    assert about.ContentType == "application/json"


async def test_a_broker_that_comes_back_gets_what_was_not_taken(tmp_path: Path) -> None:
    with a_mosquitto(tmp_path / "one", "allow_anonymous true") as port:
        sink = broker(tmp_path, port)
        await sink.send(*a_body("a"), 1)
    with pytest.raises(Retryable, match="broker"):
        await sink.send(*a_body("b"), 1)
    with a_mosquitto(tmp_path / "two", "allow_anonymous true", port=port):
        async with heard(port) as messages:
            await sink.send(*a_body("b"), 2)
            await until(messages, 1)
    await sink.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho's, when TLS fails
async def test_tls_and_a_password_and_nobody_else_s_certificate(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    (tmp_path / "broker.pem").chmod(0o644)
    lines = ("allow_anonymous true", f"certfile {tmp_path / 'broker.pem'}",
             f"keyfile {tmp_path / 'broker.pem'}")  # fmt: skip
    with a_mosquitto(tmp_path / "m", *lines) as port:
        good = broker(tmp_path, port, tls=True, ca_file=made.ca.name)
        await good.send(*a_body(), 1)
        await good.close()
        other = broker(tmp_path, port, tls=True, ca_file=made.stranger.name)
        with pytest.raises(Retryable, match="certificate"):
            await other.send(*a_body(), 1)
        await other.close()


def test_a_certificate_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(EnvironmentUnusable, match="certificate"):
        broker(tmp_path, 1, tls=True, ca_file="ca.pem")
