"""Every kind of sink with a peer of its own, for the tests that all of them must pass."""

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from daemon_stage import change
from receiver import receiver
from robot_peer import CREDENTIALS, FINAL, SECRET, TOKEN, robot_peer

from connectors import SINKS, module_of
from connectors.sinks.console import ConsoleSink
from connectors.sinks.console import Options as ConsoleOptions
from engine.ports import Sink, SinkContext

CANARY = "canary"
"""Part of every secret that a stage gives to its sink."""


@dataclass(slots=True)
class Stage:
    """A sink's peer.

    Attributes:
        make: A new sink that speaks to the peer.
        got: Delivery ids that the peer has, in order, repeats included.
        refuse: Let the peer refuse from now on: `later` or `final`; "" to take again. None where
            there is no peer that could.

    """

    make: Callable[[], Sink]
    got: Callable[[], list[str]]
    refuse: Callable[[str], None] | None = None
    lasting: list[Any] = field(default_factory=list)


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


def declared(kind: str, folder: Path, **options: Any) -> Sink:
    """A sink of a kind, made as settings make it."""
    module = module_of(SINKS[kind])
    made: Sink = module.build(
        "a", module.Options.model_validate({"kind": kind, **options}), SinkContext(str(folder))
    )
    return made


@asynccontextmanager
async def a_jsonl(folder: Path) -> AsyncIterator[Stage]:
    def got() -> list[str]:
        lines = map(json.loads, (folder / "a.jsonl").read_text("utf-8").splitlines())
        return [line["delivery_id"] for line in lines if line]

    yield Stage(lambda: declared("jsonl", folder, path="a.jsonl"), got)


@asynccontextmanager
async def a_console(folder: Path) -> AsyncIterator[Stage]:
    del folder
    out = io.StringIO()

    def make() -> Sink:
        return ConsoleSink("a", ConsoleOptions(full=True), lambda: out)

    def got() -> list[str]:
        return [DELIVERY] if "Abnormal dwell" in out.getvalue() else []

    yield Stage(make, got)


@asynccontextmanager
async def a_webhook(folder: Path) -> AsyncIterator[Stage]:
    async with receiver() as peer:

        def refuse(how: str) -> None:
            peer.mood = {"later": "status:503", "final": "status:410", "": "takes"}[how]

        def make() -> Sink:
            return declared("webhook", folder, url=peer.url, token=f"{CANARY}-webhook-token")

        def got() -> list[str]:
            return [headers["webhook-id"] for headers, _ in peer.got] if not peer.mood[5:] else []

        yield Stage(make, got, refuse)


def robot_stage(kind: str) -> Any:
    """The stage of one kind of robot."""

    @asynccontextmanager
    async def a_robot(folder: Path) -> AsyncIterator[Stage]:
        async with robot_peer(kind) as peer:

            def refuse(how: str) -> None:
                found = {"later": CREDENTIALS[kind], "final": FINAL[kind], "": 0}
                peer.always = found[how]

            def make() -> Sink:
                return declared(kind, folder, url=peer.url, token=TOKEN, secret=SECRET)

            def got() -> list[str]:
                return [DELIVERY if DELIVERY.startswith(one) else one for one in peer.ids]

            yield Stage(make, got, refuse)

    return a_robot


DELIVERY, BODY = a_body()
STAGES: dict[str, Any] = {
    "jsonl": a_jsonl,
    "console": a_console,
    "webhook": a_webhook,
    **{kind: robot_stage(kind) for kind in ("dingtalk", "wecom", "feishu")},
}
