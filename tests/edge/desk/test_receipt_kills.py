"""A desk killed at every step of taking an outside system's receipt, which is then sent again."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from desk_city import a_day, make_city
from desk_way import DESK, RECEIPT, SENDING, TRANSITION, WAY
from receiver import Receiver, receiver
from services import free_port
from standardwebhooks import Webhook

from engine.edge.crashpoint import POINTS
from engine.edge.daemon import run_async
from engine.edge.desk.opening import open_ledger, open_store
from engine.edge.files import read_project
from engine.edge.settings import read_settings
from engine.ruleset.load import load_project

ROOT = Path(__file__).parents[3]
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
SAID = {"status": "resolved", "number": "HL-7", "found": "the car has left", "person": "Wang"}
TWICE = {"desk-move-kept"}
"""Met once for the receipt and once for the move that it means: killed between the two."""


def send_out(folder: Path, url: str, port: int) -> None:
    """The settings: orders go to the outside system as well, which may answer on a port."""
    make_city(folder, url, a_day(2), lease_s=3600)
    routes = folder / "desk/routes.yaml"
    said = routes.read_text("utf-8")
    if "refer" not in said:
        routes.write_text(f"{said.rstrip()}\n  refer: hotline\n", "utf-8")
    settings = json.loads((folder / "forewarn.yaml").read_text("utf-8"))
    settings["sinks"]["hotline"] = {"kind": "webhook", "url": f"{url}/hotline"}
    settings["api"] = {"port": port, "systems": {"hotline": {"secret": KEY}}}
    (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose alerts became cases, and whose orders the outside system has."""
    folder = tmp_path_factory.mktemp("ordered")

    async def once() -> None:
        async with receiver() as peer:
            send_out(folder, peer.url, -1)
            configured = read_settings(folder, {})
            project = load_project(read_project(configured.packs)).project
            assert project is not None
            assert await run_async(configured, project, once=True) == 0
            told = [json.loads(body)["document"] for _, body in peer.got]
            there = [one for one, path in zip(told, peer.paths, strict=True) if path == "/hotline"]
            assert there.count("order") == len(rows(folder, "SELECT 1 FROM incidents")) == 2

    asyncio.run(once())
    return folder


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "data/desk.db")) as link:
        return link.execute(query).fetchall()


def kept(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What there is of cases, receipts, papers and audit, but for its hours."""
    queries = {
        "incidents": "SELECT id, state, version FROM incidents ORDER BY 1",
        "moves": "SELECT incident, ordinal, verb, cause, before, after FROM moves ORDER BY 1, 2",
        "receipts": "SELECT source, id, incident, outcome FROM receipts ORDER BY 1, 2",
        "outbox": "SELECT delivery_id, sink, phase FROM outbox ORDER BY 1, 2",
        "audit": "SELECT seq, actor, action, object FROM audit ORDER BY 1",
    }
    return {name: rows(folder, query) for name, query in queries.items()}


def first_case(folder: Path) -> str:
    ((number,),) = rows(folder, "SELECT number FROM incidents ORDER BY number LIMIT 1")
    return str(number)


async def tell(port: int, number: str, message: str = "m-1") -> str:
    """The outside system's receipt, signed anew; answers its outcome, nothing if there is none."""
    body = json.dumps({"order": number, **SAID})
    moment = datetime.now(UTC)
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(KEY).sign(message, moment, body),
    }
    url = f"http://127.0.0.1:{port}/api/v1/receipts/hotline"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["outcome"])
    except aiohttp.ClientError:
        return ""


@asynccontextmanager
async def a_desk(folder: Path, place: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """A desk as a process, once it leads and is at rest."""
    with closing(sqlite3.connect(folder / "data/desk.db")) as link, link:
        link.execute("UPDATE leases SET until_ms = 0")  # the term of the one before is over
    process = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "tests/support/receipt_desk.py", folder, *([place] if place else []),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            said = b""
            while b"ready" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await process.stdout.read()
            await process.wait()


async def settled(folder: Path) -> None:
    """Every paper has arrived."""
    end = time.monotonic() + 60
    while rows(folder, "SELECT 1 FROM outbox WHERE phase = 'waiting' LIMIT 1"):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def copied(ordered: Path, folder: Path, url: str) -> int:
    """The folder once more, with another receiver; answers the port that receipts are taken on."""
    shutil.copytree(ordered, folder, dirs_exist_ok=True)
    port = free_port()
    send_out(folder, url, port)
    return port


def first_copies(peer: Receiver) -> dict[str, str]:
    """What an idempotent receiver has."""
    found: dict[str, str] = {}
    for headers, body in peer.got:
        document = json.loads(body)
        words = json.dumps([document["document"], document["why"], document["incident"]])
        assert found.setdefault(headers["webhook-id"], words) == words
    return found


@pytest.fixture(scope="module")
def whole(
    ordered: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, object], dict[str, str]]:
    """What is left where nobody disturbs, and what was told."""
    folder = tmp_path_factory.mktemp("undisturbed")

    async def once() -> dict[str, str]:
        async with receiver() as peer:
            port = copied(ordered, folder, peer.url)
            async with a_desk(folder):
                assert await tell(port, first_case(folder)) == "accepted"
                assert await tell(port, first_case(folder)) == "repeated"
                await settled(folder)
            return first_copies(peer)

    said = asyncio.run(once())
    return dict(kept(folder)), said


@pytest.mark.parametrize("place", dict.fromkeys(RECEIPT))
async def test_a_kill_at_any_step_of_a_receipt_loses_and_doubles_nothing(
    tmp_path: Path,
    ordered: Path,
    whole: tuple[dict[str, object], dict[str, str]],
    place: str,
) -> None:
    async with receiver() as peer:
        port = copied(ordered, tmp_path, peer.url)
        number = first_case(tmp_path)
        times = 2 if place in TWICE else 1
        async with a_desk(tmp_path, f"{place}:{times}") as process:
            assert await tell(port, number) == ""
            async with asyncio.timeout(30):
                assert await process.wait() == -signal.SIGKILL
        async with a_desk(tmp_path):
            again = await tell(port, number)
            on_disk = place in {"desk-committed", "receipt-taken"}
            assert again == ("repeated" if on_disk else "accepted")
            assert await tell(port, number) == "repeated"
            await settled(tmp_path)
    assert kept(tmp_path) == whole[0]
    assert first_copies(peer) == whole[1]
    causes = [
        cause for (cause,) in rows(tmp_path, "SELECT cause FROM moves WHERE verb = 'receipt'")
    ]
    assert len(causes) == 1
    configured = read_settings(tmp_path, {})
    store = open_store(configured, "en")
    try:
        count, breaks = store.read_now(open_ledger(configured, "en").verify)
    finally:
        await store.close()
    assert count > 0
    assert breaks == []


def test_what_the_outside_system_said_is_what_the_case_became(
    whole: tuple[dict[str, list[tuple[object, ...]]], dict[str, str]],
) -> None:
    kept_rows, told = whole
    states = sorted(str(state) for _, state, _ in kept_rows["incidents"])
    assert states == ["dispatched", "verifying"]
    assert [row[0] for row in kept_rows["receipts"]] == ["hotline"]
    assert any('"resolved"' in words for words in told.values())


ROW = re.compile(r"^\| (\w+) \| `([a-z-]+)` \| (.+?) \|$", re.MULTILINE)
PAGE = (ROOT / "docs/desk-operations.md").read_text("utf-8")


def test_the_page_for_operators_has_the_whole_way_in_its_order() -> None:
    section = PAGE.partition("## Killed at every step")[2].partition("\n## ")[0]
    told: dict[str, list[tuple[str, str]]] = {}
    for part, place, says in ROW.findall(section):
        told.setdefault(part, []).append((place, says))
    assert {part: tuple(place for place, _ in some) for part, some in told.items()} == WAY
    assert {(place, POINTS[place]) for some in told.values() for place, _ in some} == {
        one for some in told.values() for one in some
    }


def test_every_place_of_the_desk_and_of_receipts_lies_on_the_way() -> None:
    named = {name for name in POINTS if name.startswith(("desk-", "receipt-"))}
    assert named <= {*TRANSITION, *DESK, *SENDING, *RECEIPT}
