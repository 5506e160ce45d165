"""A daemon with a desk, killed at every place on the way from an alert to an order and back."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from desk_city import a_day, make_city
from desk_way import DESK, SENDING, TRANSITION
from receiver import Receiver, receiver

from engine.edge.crashpoint import VARIABLE

ROOT = Path(__file__).parents[3]
ONCE = {"desk-read", "desk-position-kept", "desk-audited", "alert-row-inserted", *SENDING}
"""Met once a look, and everything may come in one look."""
CARS = 3


async def run(folder: Path, crash: str = "") -> int:
    """A daemon over a folder, to its end or its death; answers how it went."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: crash}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine", "run", str(folder), "--once", cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        _, words = await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), words.decode()[-2000:]
    return process.returncode or 0


def kept(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a run left behind, but for its hours."""
    tables = {
        "incidents": "SELECT id, state, version, area, lead FROM incidents ORDER BY 1",
        "moves": "SELECT incident, ordinal, verb, cause, before, after FROM moves ORDER BY 1, 2",
        "outbox": "SELECT delivery_id, sink, phase FROM outbox ORDER BY 1, 2",
        "transitions": "SELECT delivery_id, quiet FROM transitions ORDER BY 1",
        "members": "SELECT episode, incident, ended FROM members ORDER BY 1",
        "positions": "SELECT log, next FROM positions",
        "audit": "SELECT seq, action, object FROM audit ORDER BY 1",
    }
    with closing(sqlite3.connect(folder / "data/desk.db")) as link:
        return {name: link.execute(query).fetchall() for name, query in tables.items()}


def told(peer: Receiver) -> dict[str, str]:
    """What an idempotent receiver has: of each delivery its first copy, without hours."""
    found: dict[str, str] = {}
    for headers, body in peer.got:
        document = json.loads(body)
        words = json.dumps([document["document"], document["incident"], document["alerts_total"]])
        assert found.setdefault(headers["webhook-id"], words) == words
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], dict[str, str]]:
    """What a daemon that nobody disturbs leaves behind, and what it told."""
    folder = tmp_path_factory.mktemp("whole")

    async def once() -> dict[str, str]:
        async with receiver() as peer:
            make_city(folder, peer.url, a_day(CARS))
            assert await run(folder) == 0
            return told(peer)

    said = asyncio.run(once())
    assert len(said) >= CARS
    return dict(kept(folder)), said


@pytest.mark.parametrize("place", [*TRANSITION, *DESK, *SENDING])
async def test_a_kill_anywhere_loses_and_doubles_nothing(
    tmp_path: Path, whole: tuple[dict[str, object], dict[str, str]], place: str
) -> None:
    async with receiver() as peer:
        make_city(tmp_path, peer.url, a_day(CARS))
        if place == "request-sent":
            peer.mood = "hang"
        assert await run(tmp_path, f"{place}:{1 if place in ONCE else 2}") == -signal.SIGKILL
        peer.mood = "takes"
        assert await run(tmp_path) == 0
    assert kept(tmp_path) == whole[0]
    assert told(peer) == whole[1]
