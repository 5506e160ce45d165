"""Every sink that has a network, behind a front that misbehaves: for the test and for the proof."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from mail_peer import mail_peer
from mishaps import MISHAPS, NAME, Front, a_front, http
from psycopg import sql
from receiver import receiver
from robot_peer import SECRET, TOKEN, robot_peer
from services import a_mosquitto, shared_postgres
from sink_stage import CAP, a_change, aliyun, declared, heard_ids, http_gateway
from sms_peer import sms_peer

from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.edge.store.outbox_hand import Deed
from engine.edge.store.outbox_look import Chosen
from engine.model.change import Change
from engine.ports import Sink

DEAD = Chosen(sink="victim", phases=("dead",))
AGAIN = Deed(does="retry", chosen=DEAD, who="t", why="it is mended")
QUICK_S = 0.4
"""How long a sink waits here for an answer."""


@dataclass(slots=True)
class Stage:
    """A sink behind a front, and what its peer has."""

    front: Front
    make: Callable[[bool], Sink]
    got: Callable[[], list[str]]


def said(**answer: object) -> bytes:
    return http("200 OK", json.dumps(answer).encode())


HTTP_WORDS = {
    "webhook": {"error-body": said(ok="later")},
    "dingtalk": {"error-body": said(errcode=-1, errmsg="busy")},
    "wecom": {"error-body": said(errcode=-1, errmsg="busy")},
    "feishu": {"error-body": said(code=19021, msg="sign match fail")},
    "sms-http": {"error-body": said(code="wait")},
    "sms-aliyun": {"error-body": said(Code="isp.SYSTEM_ERROR")},
    "cap-url": {"error-body": http("503 Service Unavailable", b"<fault/>")},
}


@asynccontextmanager
async def http_stage(kind: str, folder: Path) -> AsyncIterator[Stage]:
    """A sink that speaks HTTP, its peer, and the front between them."""
    async with AsyncExitStack() as stack:
        if kind in {"webhook", "cap-url"}:
            peer: Any = await stack.enter_async_context(receiver())
            peer.says = '{"ok": "yes"}'
            header = "webhook-id" if kind == "webhook" else "Idempotency-Key"
        elif kind.startswith("sms"):
            peer = await stack.enter_async_context(sms_peer())
        else:
            peer = await stack.enter_async_context(robot_peer(kind))
        target = urlsplit(peer.url).port
        assert target is not None
        front = await stack.enter_async_context(a_front(target, words=HTTP_WORDS[kind]))

        def make(secure: bool) -> Sink:
            path = "" if kind.startswith("sms") else "robot"
            url = f"{'https' if secure else 'http'}://{NAME}:{front.port}/{path}"
            reach: dict[str, Any] = {"timeout_s": QUICK_S}
            if secure:
                reach["ca_file"] = "ca.pem"
            match kind:
                case "webhook":
                    success = {"field": "ok", "equals": ["yes"], "later": ["later"]}
                    return declared(kind, folder, url=url, success=success, **reach)
                case "cap-url":
                    return declared("cap", folder, url=url, **CAP, **reach)
                case "sms-http" | "sms-aliyun":
                    gateway = http_gateway(url) if kind == "sms-http" else aliyun(url)
                    budget = {"minute": 500, "hour": 500, "day": 500}
                    values = {"level": "level", "what": "title", "at": "place"}
                    return declared(
                        "sms", folder, gateway={**gateway, **reach}, numbers=["13800000001"],
                        values=values, budget=budget,
                    )  # fmt: skip
            limits = {"per_minute": 20 if kind != "feishu" else 100}
            return declared(kind, folder, url=url, token=TOKEN, secret=SECRET, **limits, **reach)

        def got() -> list[str]:
            if kind in {"webhook", "cap-url"}:
                return [headers[header] for headers, _ in peer.got]
            return list(peer.ids)

        yield Stage(front, make, got)


@asynccontextmanager
async def mail_stage(folder: Path) -> AsyncIterator[Stage]:
    """Mail: canned words are greetings, or what is said to the first command."""
    busy = b"421 busy\r\n"
    words = {
        "500": b"554 no service\r\n", "429": busy, "error-body": b"220 hi\r\n451 error\r\n",
        "redirect": b"221 try mail.elsewhere.example\r\n", "huge": b"220-", "drip": b"220-x" * 99,
        "malformed": b"\x00\xff no protocol\r\n",
    }  # fmt: skip
    async with mail_peer() as peer, a_front(peer.port, words=words, speaks_first=True) as front:

        def make(secure: bool) -> Sink:
            security: dict[str, Any] = {"security": "tls" if secure else "none"}
            if secure:
                security["ca_file"] = "ca.pem"
            return declared(
                "mail", folder, host=NAME, port=front.port, sender="fw@city.example",
                to=["one@city.example"], timeout_s=QUICK_S, **security,
            )  # fmt: skip

        yield Stage(front, make, lambda: peer.ids)


@asynccontextmanager
async def mqtt_stage(folder: Path) -> AsyncIterator[Stage]:
    """MQTT: what it has no words for is left out of the table."""
    with a_mosquitto(folder / "mosquitto", "allow_anonymous true") as port:
        words = {"drip": b"\x20" * 99, "huge": b"\x30\xff\xff\xff\x7f", "malformed": b"\x00" * 9}
        async with heard_ids(port) as ids, a_front(port, words=words) as front:

            def make(secure: bool) -> Sink:
                tls: dict[str, Any] = {"tls": True, "ca_file": "ca.pem"} if secure else {}
                return declared(
                    "mqtt", folder, host=NAME, port=front.port, timeout_s=QUICK_S, **tls
                )  # fmt: skip

            yield Stage(front, make, lambda: ids)


@asynccontextmanager
async def sql_stage(folder: Path) -> AsyncIterator[Stage]:
    """PostgreSQL, by its address: names are looked up by its own library."""
    url = shared_postgres()
    target = urlsplit(url).port
    assert target is not None
    table = f"mishap_{folder.name}".replace("-", "_").lower()[:60]
    words = {"drip": b"E" * 99, "huge": b"E\xff\xff\xff\xff", "malformed": b"\x00\x01 nothing"}
    async with a_front(target, words=words) as front:

        def make(secure: bool) -> Sink:
            del secure
            own = url.replace(f":{target}/", f":{front.port}/")
            return declared("sql", folder, url=own, table=table, timeout_s=1)

        def got() -> list[str]:
            with psycopg.connect(url) as link:
                # By transaction: where a row lies says nothing of when, with several connections.
                query = sql.SQL("SELECT delivery_id FROM {} ORDER BY xmin::text::bigint")
                return [row[0] for row in link.execute(query.format(sql.Identifier(table)))]

        yield Stage(front, make, got)


@asynccontextmanager
async def stage_of(kind: str, folder: Path) -> AsyncIterator[Stage]:
    made = {"mail": mail_stage, "mqtt": mqtt_stage, "sql-postgresql": sql_stage}
    async with made[kind](folder) if kind in made else http_stage(kind, folder) as stage:
        yield stage


_BYTES = ("hang", "reset", "drip", "huge", "malformed", "closed")
TABLE = [
    *((kind, mishap) for kind in HTTP_WORDS for mishap in MISHAPS),
    *(("mail", mishap) for mishap in MISHAPS),
    *(("mqtt", mishap) for mishap in (*_BYTES, "wrong-tls", "dns")),
    *(("sql-postgresql", mishap) for mishap in _BYTES),
]
"""What a protocol without statuses has no form of (500, 429, redirect...) is not in it."""


def context_of(file: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(file)
    return made


def story() -> list[Change]:
    """Three transitions of each of three episodes."""
    return [a_change(key, ordinal) for ordinal in range(3) for key in ("a", "b", "c")]


async def until(holds: Callable[[], Any], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - other tasks' doings
            await asyncio.sleep(0.01)


async def drained(senders: Senders, store: Store, within_s: float = 30.0) -> None:
    """Wait until nothing waits; what a peer refused for good is sent anew, as operators do."""
    async with asyncio.timeout(within_s):
        while True:
            await store.by_hand(AGAIN, {})
            senders.wake()
            if not await senders.drained(5.0, asyncio.Event()):
                break
        assert (await store.backlog("victim")).dead == 0


def whole(name: str, changes: list[Change]) -> str:
    """A delivery id of which a message shows the beginning."""
    return next(one.delivery_id for one in changes if one.delivery_id.startswith(name))
