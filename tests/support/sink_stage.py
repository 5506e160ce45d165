"""Every kind of sink with a peer of its own, for the tests that all of them must pass."""

import asyncio
import io
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import psycopg
from daemon_stage import change
from mail_peer import mail_peer
from psycopg import sql
from receiver import Receiver, receiver
from robot_peer import CREDENTIALS, FINAL, SECRET, TOKEN, robot_peer
from services import a_mosquitto, hash_of, shared_postgres
from sms_peer import SECRET as SMS_SECRET
from sms_peer import sms_peer

from connectors import SINKS, module_of
from connectors.sinks.console import ConsoleSink
from connectors.sinks.console import Options as ConsoleOptions
from engine.model.change import Change
from engine.ports import Sink, SinkContext

CANARY = "canary"
"""Part of every secret that a stage gives to its sink."""


MQTT_PASSWORD = f"{CANARY}-mqtt"
MQTT_HASH = hash_of(MQTT_PASSWORD)


async def _at_once() -> None:
    """It shows at once."""


@dataclass(slots=True)
class Stage:
    """A sink's peer.

    Attributes:
        make: A new sink that speaks to the peer; more of its options may be said.
        got: Delivery ids that the peer has, in order, repeats included.
        words: Everything the peer has, as text.
        refuse: Let the peer refuse from now on: `later` or `final`; "" to take again. None where
            there is no peer that could; `ways` are those it has.
        settle: Waits until what was taken shows in `got`.

    """

    make: Callable[..., Sink]
    got: Callable[[], list[str]]
    words: Callable[[], str]
    refuse: Callable[[str], None] | None = None
    ways: tuple[str, ...] = ("later", "final")
    settle: Callable[[], Awaitable[None]] = _at_once


def a_body(key: str = "苏F12345-yellow", ordinal: int = 0, **words: Any) -> tuple[str, bytes]:
    """A delivery id and the body of a change about a vehicle."""
    told: dict[str, Any] = {
        "title": {"zh": "车辆异常驻留", "en": "Abnormal dwell"},
        "summary": {"zh": f"{key} 停留 30 分钟", "en": f"{key} has stayed 30 min"},
        "at_ms": 1_772_414_700_000,
        "since_ms": 1_772_412_900_000,
        "place": "演示1县2镇 (120.88334, 31.98564)",
        "lon": 120.88334,
        "lat": 31.98564,
        "evidence": {"events": [{"feed": "gps", "fields": {"vehicle": key}}]},
    }
    one = change(key, ordinal, **{**told, **words})
    return one.delivery_id, msgspec.json.encode(one)


def a_change(key: str, ordinal: int = 0) -> Change:
    """A change with the words of `a_body`."""
    return msgspec.json.decode(a_body(key, ordinal)[1], type=Change)


def declared(kind: str, at: Path, /, **options: Any) -> Sink:
    """A sink of a kind, made as settings make it."""
    module = module_of(SINKS[kind])
    made: Sink = module.build(
        "a", module.Options.model_validate({"kind": kind, **options}), SinkContext(str(at))
    )
    return made


@asynccontextmanager
async def a_jsonl(folder: Path) -> AsyncIterator[Stage]:
    def words() -> str:
        return (folder / "a.jsonl").read_text("utf-8")

    def got() -> list[str]:
        return [line["delivery_id"] for line in map(json.loads, words().splitlines()) if line]

    yield Stage(lambda **more: declared("jsonl", folder, path="a.jsonl", **more), got, words)


@asynccontextmanager
async def a_console(folder: Path) -> AsyncIterator[Stage]:
    del folder
    out = io.StringIO()

    def make(**more: Any) -> Sink:
        return ConsoleSink("a", ConsoleOptions(full=True, **more), lambda: out)

    def got() -> list[str]:
        return [DELIVERY] if "Abnormal dwell" in out.getvalue() else []

    yield Stage(make, got, out.getvalue)


@asynccontextmanager
async def a_webhook(folder: Path) -> AsyncIterator[Stage]:
    async with receiver() as peer:

        def refuse(how: str) -> None:
            peer.mood = {"later": "status:503", "final": "status:410", "": "takes"}[how]

        def make(**more: Any) -> Sink:
            token = f"{CANARY}-webhook-token"
            return declared("webhook", folder, url=peer.url, token=token, **more)

        def got() -> list[str]:
            return [headers["webhook-id"] for headers, _ in peer.got] if not peer.mood[5:] else []

        yield Stage(make, got, lambda: bodies(peer), refuse)


def bodies(peer: Receiver) -> str:
    """What a receiver was sent."""
    return "\n".join(body.decode() for _, body in peer.got)


def robot_stage(kind: str) -> Any:
    """The stage of one kind of robot."""

    @asynccontextmanager
    async def a_robot(folder: Path) -> AsyncIterator[Stage]:
        async with robot_peer(kind) as peer:

            def refuse(how: str) -> None:
                found = {"later": CREDENTIALS[kind], "final": FINAL[kind], "": 0}
                peer.always = found[how]

            def make(**more: Any) -> Sink:
                return declared(kind, folder, url=peer.url, token=TOKEN, secret=SECRET, **more)

            def got() -> list[str]:
                return [DELIVERY if DELIVERY.startswith(one) else one for one in peer.ids]

            yield Stage(make, got, lambda: "\n".join(peer.messages), refuse)

    return a_robot


@asynccontextmanager
async def a_sqlite(folder: Path) -> AsyncIterator[Stage]:
    def rows() -> list[Any]:
        link = sqlite3.connect(folder / "a.db")
        found = link.execute("SELECT * FROM forewarn_deliveries ORDER BY rowid").fetchall()
        link.close()
        return found

    yield Stage(
        lambda **more: declared("sql", folder, url="sqlite:///a.db", **more),
        lambda: [row[0] for row in rows()], lambda: str(rows()),
    )  # fmt: skip


@asynccontextmanager
async def a_postgresql(folder: Path) -> AsyncIterator[Stage]:
    url, table = shared_postgres(), f"t{uuid.uuid4().hex}"

    def rows() -> list[Any]:
        with psycopg.connect(url) as link:
            asked = sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
            return link.execute(asked).fetchall()

    def make(**more: Any) -> Sink:
        password = f"{CANARY}-sql-password"
        return declared("sql", folder, url=url, table=table, password=password, **more)

    yield Stage(make, lambda: [row[0] for row in rows()], lambda: str(rows()))


@asynccontextmanager
async def an_mqtt(folder: Path) -> AsyncIterator[Stage]:
    acl = folder / "acl"
    acl.write_text("user us\ntopic readwrite fine/#\n")
    passwords = folder / "passwords"
    passwords.write_text(f"us:{MQTT_HASH}\n")
    for file in (acl, passwords):
        file.chmod(0o600)
    lines = (f"acl_file {acl}", f"password_file {passwords}")
    with a_mosquitto(folder / "mqtt", *lines) as port:
        topics = {"": "fine/alerts", "later": "closed/alerts"}
        topic = ""

        def refuse(how: str) -> None:
            nonlocal topic
            topic = how

        def make(**more: Any) -> Sink:
            return declared(
                "mqtt", folder, host="127.0.0.1", port=port, topic=topics[topic],
                username="us", password=MQTT_PASSWORD, **more,
            )  # fmt: skip

        said: list[str] = []
        async with heard_ids(port, said, username="us", password=MQTT_PASSWORD) as seen:
            settle = lambda: asyncio.sleep(0.1)  # noqa: E731 - as short as it can be
            words = lambda: "\n".join(said)  # noqa: E731
            yield Stage(make, lambda: seen, words, refuse, ways=("later",), settle=settle)


@asynccontextmanager
async def heard_ids(
    port: int, said: list[str] | None = None, **login: str
) -> AsyncIterator[list[str]]:
    """Delivery ids that a reader of all topics gets, in order; bodies are put into `said`."""
    seen: list[str] = []
    ready = asyncio.Event()
    listening = asyncio.create_task(_listen(port, seen, said, ready, login))
    await ready.wait()
    try:
        yield seen
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(
    port: int, seen: list[str], said: list[str] | None, ready: asyncio.Event, login: dict[str, str]
) -> None:
    version = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client("127.0.0.1", port, protocol=version, **login) as client:  # type: ignore[arg-type]
        await client.subscribe("+/alerts", qos=1)
        ready.set()
        async for message in client.messages:
            about: Any = message.properties
            seen.append(about.CorrelationData.decode())
            if said is not None and isinstance(message.payload, bytes):
                said.append(message.payload.decode())


@asynccontextmanager
async def a_mail(folder: Path) -> AsyncIterator[Stage]:
    async with mail_peer() as peer:

        def refuse(how: str) -> None:
            answers = {"later": "451 try later", "final": "554 no", "": "250 taken"}
            peer.answer = answers[how]

        def make(**more: Any) -> Sink:
            return declared(
                "mail", folder, host="127.0.0.1", port=peer.port, security="none",
                sender="alerts@city.example", to=["one@city.example", "two@city.example"],
                password=f"{CANARY}-mail-password", **more,
            )  # fmt: skip

        def words() -> str:
            parts = [part for one in peer.messages for part in one.walk()]
            said = [part.get_content() for part in parts if not part.is_multipart()]
            return "\n".join([*said, *(str(one["Subject"]) for one in peer.messages)])

        yield Stage(make, lambda: peer.ids, words, refuse)


def sms_stage(provider: str) -> Any:
    """The stage of short messages through one provider."""

    @asynccontextmanager
    async def an_sms(folder: Path) -> AsyncIterator[Stage]:
        async with sms_peer() as peer:
            codes = {
                "http": {"later": "wait", "final": "bad-number", "": "OK"},
                "aliyun": {
                    "later": "isv.BUSINESS_LIMIT_CONTROL",
                    "final": "isv.MOBILE_NUMBER_ILLEGAL",
                    "": "OK",
                },
            }[provider]

            def refuse(how: str) -> None:
                peer.code = codes[how]

            def make(**more: Any) -> Sink:
                gateway = http_gateway(peer.url) if provider == "http" else aliyun(peer.url)
                values = {"level": "level", "what": "title", "at": "place"}
                return declared(
                    "sms", folder, gateway=gateway, numbers=["13800000000"], values=values,
                    budget={"minute": 99, "hour": 99, "day": 99}, **more,
                )  # fmt: skip

            yield Stage(make, lambda: peer.ids, lambda: str(peer.got), refuse)

    return an_sms


def http_gateway(url: str) -> dict[str, Any]:
    """A gateway with a form of its own."""
    return {
        "provider": "http", "url": url, "secret": SMS_SECRET,
        "fields": {"mobile": "{number}", "key": "{secret}", "id": "{id}",
                   "param": '{"level": "{level}", "what": "{what}", "at": "{at}"}'},
        "success": {"field": "code", "equals": ["OK"], "later": ["wait"], "message": "msg"},
    }  # fmt: skip


def aliyun(url: str) -> dict[str, Any]:
    """Alibaba Cloud's gateway, or what stands for it here."""
    return {
        "provider": "aliyun", "endpoint": url, "access_key_id": "LTAI-key",
        "secret": SMS_SECRET, "sign_name": "市域指挥", "template": "SMS_1",
    }  # fmt: skip


CAP = {"sender": "forewarn.city.example", "sender_name": "市域治理现代化指挥中心"}


@asynccontextmanager
async def a_cap_folder(folder: Path) -> AsyncIterator[Stage]:
    def got() -> list[str]:
        files = sorted((folder / "cap").glob("*.xml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.stem.removeprefix("forewarn-") for path in files]

    def words() -> str:
        return "\n".join(file.read_text("utf-8") for file in (folder / "cap").glob("*.xml"))

    yield Stage(lambda **more: declared("cap", folder, folder="cap", **CAP, **more), got, words)


@asynccontextmanager
async def a_cap_url(folder: Path) -> AsyncIterator[Stage]:
    async with receiver() as peer:

        def refuse(how: str) -> None:
            peer.mood = {"later": "status:503", "final": "status:410", "": "takes"}[how]

        def make(**more: Any) -> Sink:
            token = f"{CANARY}-cap-token"
            return declared("cap", folder, url=peer.url, token=token, **CAP, **more)

        def got() -> list[str]:
            return [headers["Idempotency-Key"] for headers, _ in peer.got]

        yield Stage(make, got, lambda: bodies(peer), refuse)


DELIVERY, BODY = a_body()
STAGES: dict[str, Any] = {
    "jsonl": a_jsonl,
    "console": a_console,
    "webhook": a_webhook,
    **{kind: robot_stage(kind) for kind in ("dingtalk", "wecom", "feishu")},
    "sql-sqlite": a_sqlite,
    "sql-postgresql": a_postgresql,
    "mqtt": an_mqtt,
    "mail": a_mail,
    "sms-http": sms_stage("http"),
    "sms-aliyun": sms_stage("aliyun"),
    "cap-folder": a_cap_folder,
    "cap-url": a_cap_url,
}
REFUSING = sorted(set(STAGES) - {"jsonl", "console", "sql-sqlite", "sql-postgresql", "cap-folder"})
"""Kinds with a peer that can refuse one delivery."""
