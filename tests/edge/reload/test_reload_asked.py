"""`forewarn reload` over a folder that several processes share: each is asked, and answers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.edge.cli import main
from engine.edge.control import CONTROL, RELOAD, asked_here, read_controls
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.reload import Answer
from engine.edge.reload_door import Door
from engine.edge.server import OpsServer
from engine.edge.settings import read_settings
from engine.errors import Location, Problem

GONE = 2**22 + 7
"""No process has this number."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\n", "utf-8")
    return tmp_path


@asynccontextmanager
async def processes(folder: Path, *answers: Answer) -> AsyncIterator[None]:
    """As many processes of one folder as there are answers, the first one not among others."""
    configured, servers = read_settings(folder, {}), list[OpsServer]()
    try:
        with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
            for number, answer in enumerate(answers):
                server = OpsServer(Health(), Metrics(), "en")
                servers.append(server)
                await server.start("127.0.0.1", 0)
                if number:  # each file is named after its process: this one plays two of them
                    patch.setattr(os, "getpid", lambda number=number: PIDS[number])
                here = asked_here(configured, server.port, (RELOAD,), "en", among=number > 0)
                token = stack.enter_context(here)

                async def reload(_plan: bool, said: Answer = answer) -> Answer:
                    return said

                server.reload = Door(token, reload).post
            patch.undo()
            yield
    finally:
        for server in servers:
            await server.stop()


PIDS = (os.getpid(), os.getpid(), os.getppid())
FITS = Answer("live", "abc", added=["windy"], pause_ms=1.5)
MISFITS = Answer("refused", "abc", [Problem(Location("heat/windy.yaml"), "S130", {"space": "s"})])


async def asked(folder: Path, *words: str) -> int:
    return await asyncio.to_thread(main, ["reload", str(folder), "--lang", "en", *words])


async def test_every_process_is_asked_and_one_refusal_is_a_refusal(
    folder: Path, capsys: Any
) -> None:
    async with processes(folder, FITS, MISFITS, FITS):
        assert len(read_controls(folder / "data")) == 3
        assert await asked(folder) == 1
        told = capsys.readouterr().out
        assert told.count("process ") == 3
        assert told.count("windy.yaml:1:1: error S130") == 1
        assert await asked(folder, "--json") == 1
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert sorted(one["outcome"] for one in lines) == ["live", "live", "refused"]
        assert sorted(one["pid"] for one in lines) == sorted(PIDS)
    assert not list((folder / "data").iterdir()), "who ends takes its file along"


async def test_one_process_answers_as_ever(folder: Path, capsys: Any) -> None:
    async with processes(folder, FITS):
        assert await asked(folder) == 0
        assert "process" not in capsys.readouterr().out
        assert await asked(folder, "--json") == 0
        assert json.loads(capsys.readouterr().out)["outcome"] == "live"


async def test_who_was_killed_is_not_asked(folder: Path, capsys: Any) -> None:
    async with processes(folder, FITS):
        left = json.loads((folder / "data" / CONTROL).read_text("utf-8")) | {"pid": GONE}
        (folder / "data" / f"control-{GONE}.json").write_text(json.dumps(left), "utf-8")
        (folder / "data" / "control-1.json").write_text("{", "utf-8")
        assert await asked(folder) == 0
        assert capsys.readouterr().out.count("live") >= 1
    assert await asked(folder) == 4
