"""`forewarn outbox`: what it says and never shows, what it does with and without a daemon."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import FAST, MoodySink, change

from engine.edge.cli import main, outbox_verbs
from engine.edge.control import CONTROL, OUTBOX, RELOAD, asked_here
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.outbox_door import OutboxDoor
from engine.edge.server import OpsServer
from engine.edge.settings import read_settings
from engine.edge.store import Store
from engine.model.change import Change
from engine.text import LANGUAGES

GOLDEN = Path(__file__).parent / "golden"
BEGUN_MS = 1_772_323_200_000
NOW_MS = BEGUN_MS + 3_720_000
PERSONAL = ("苏F12345", "张三丰", "13812345678", "长江路 8 号")
AS = ["--as", "duty"]


def told(key: str, ordinal: int, rule: str = "long-stay") -> Change:
    """A transition that says much about a person."""
    return change(
        key, ordinal, BEGUN_MS, rule=rule, place="长江路 8 号",
        summary={"en": f"{key}, 张三丰, 13812345678", "zh": f"{key}，张三丰，13812345678"},
        evidence={"driver": "张三丰", "phone": 13812345678, "lon": 120.891234, "n": 3},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with settings and an empty data folder, as the folder we are in."""
    for name in ("FOREWARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\nmetrics: {port: 0}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outbox_verbs, "_now_ms", lambda: NOW_MS)
    return tmp_path


async def fill(folder: Path, *dead: int) -> None:
    """Two sinks, two alerts: given up, waiting for a try, behind it, sent."""
    store = Store(folder / "data", lambda _change: ("duty-desk", "orders"), now_ms=lambda: BEGUN_MS)
    try:
        await store.accept([told("苏F12345", 0), told("苏F12345", 1), told("苏F67890", 0, "r")], {})
        await store.give_up(1, "http-400", "no order for 苏F12345 of 张三丰 (13812345678)")
        await store.retry(2, 3900.0, "http-503", "")
        await store.sent(5)
        await store.sent(6)
        for row in dead:
            await store.give_up(row, "http-400", "")
    finally:
        await store.close()


def said(capsys: Any, *words: str) -> tuple[int, str, str]:
    code = main(["outbox", *words])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_shift_reads_so(lang: str, folder: Path, capsys: Any) -> None:
    """A whole shift at the outbox, in both languages."""
    asyncio.run(fill(folder))
    lines = []
    for line in (
        "ls", "ls --sink orders --phase waiting", "ls --rule r", "ls --older 2h", "show 1",
        "retry 1", "retry --reason mended", "retry 1 99 --reason mended --plan",
        "retry --sink duty-desk --reason mended", "show 1", "ls --sink duty-desk",
        "drop --sink orders --reason tested", "drop 2 --reason tested",
        "drop --sink duty-desk --phase waiting --reason tested", "drop 3 5 --reason tested",
        "retry 2 4 --reason wrongly", "ls", "trail", "trail 2 4", "empty", "ls --phase late",
        "ls --older long", "show",
    ):  # fmt: skip
        words = line.split()
        code, out, err = said(capsys, *words, *AS, "--lang", lang)
        lines += [f"$ forewarn outbox {line}", out + err, f"exit {code}", ""]
    text = "\n".join(lines)
    path = GOLDEN / f"outbox.{lang}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
    assert [word for word in PERSONAL if word in text] == []


@pytest.mark.parametrize("words", [["ls", "--phase", "dead"], ["show", "1"], ["trail"]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_about_a_person_is_shown(
    words: list[str], form: list[str], folder: Path, capsys: Any
) -> None:
    asyncio.run(fill(folder))
    code, out, err = said(capsys, *words, *form)
    assert code == 0
    assert [word for word in PERSONAL if word in out + err] == []


def test_whoever_reads_the_whole_of_it_says_why_and_is_remembered(
    folder: Path, capsys: Any
) -> None:
    asyncio.run(fill(folder))
    assert said(capsys, "show", "1", "--unmasked")[0] == 64
    code, out, _ = said(capsys, "show", "1", "--unmasked", "--reason", "complaint 7", *AS)
    assert code == 0
    assert [word for word in PERSONAL if word not in out] == []
    (entry,) = json.loads(said(capsys, "trail", "--json")[1])
    assert (entry["who"], entry["did"], entry["why"]) == ("duty", "read", "complaint 7")


def test_programs_get_all_of_it_as_json(folder: Path, capsys: Any) -> None:
    asyncio.run(fill(folder))
    found = json.loads(said(capsys, "ls", "--limit", "2", "--json")[1])
    assert found["counts"] == {"duty-desk": {"dead": 1, "waiting": 1}, "orders": {"waiting": 2}}
    assert (len(found["deliveries"]), found["more"]) == (2, 2)
    (one,) = json.loads(said(capsys, "show", "1", "--json")[1])
    assert (one["phase"], one["reason"], one["tries"]) == ("dead", "http-400", 1)
    assert one["body"]["evidence"] == {
        "driver": "张**", "phone": "13*******78", "lon": 120.89, "n": 3
    }  # fmt: skip
    done = json.loads(said(capsys, "drop", "3", "--reason", "x", "--json")[1])
    assert [one["outcome"] for one in done["done"]] == ["done"]


@asynccontextmanager
async def running(folder: Path, sink: MoodySink, *does: str) -> AsyncIterator[Store]:
    """What of a daemon the outbox needs: store, senders, port."""
    configured = read_settings(folder, {})
    store = Store(folder / "data", lambda _change: (sink.name,))
    senders = Senders([sink], store, FAST, Metrics())
    server = OpsServer(Health(), Metrics(), "en")
    await server.start("127.0.0.1", 0)
    try:
        with asked_here(configured, server.port, does, "en") as token:
            server.outbox = OutboxDoor(token, store, senders).post
            await senders.start()
            yield store
            await senders.stop(0.5)
    finally:
        await server.stop()
        await store.close()


async def until_empty(store: Store) -> None:
    """Wait until everything for the duty desk is sent."""
    for _ in range(500):
        if not (await store.backlog("duty-desk")).waiting:
            return
        await asyncio.sleep(0.01)
    pytest.fail("deliveries still wait")


async def typed(*words: str) -> int:
    """The verb in another thread, as from another terminal."""
    return await asyncio.to_thread(main, ["outbox", *words])


async def test_a_running_daemon_is_asked_and_sends_at_once(folder: Path, capsys: Any) -> None:
    await fill(folder, 3)
    sink = MoodySink("duty-desk")
    async with running(folder, sink, OUTBOX) as store:
        assert await typed("ls") == 0
        assert await typed("retry", "1", "3", "--reason", "mended", *AS) == 0
        await until_empty(store)
        assert await typed("retry", "1", "--reason", "again") == 1
    assert sink.taken == [told("苏F12345", n).delivery_id for n in (0, 1)]
    assert "2 will be sent again." in capsys.readouterr().out


async def test_what_the_daemon_sends_just_now_is_left_alone(folder: Path, capsys: Any) -> None:
    sink = MoodySink("duty-desk")
    sink.stuck = asyncio.Event()
    async with running(folder, sink, OUTBOX) as store:
        await store.accept([told("苏F12345", 0)], {})
        await asyncio.sleep(0.1)
        assert await typed("drop", "1", "--reason", "storm") == 1
        sink.stuck.set()
        await until_empty(store)
    assert sink.taken == [told("苏F12345", 0).delivery_id]
    assert "1 being sent just now" in capsys.readouterr().out


async def test_a_daemon_that_cannot_be_asked_says_so(folder: Path, capsys: Any) -> None:
    await fill(folder)
    async with running(folder, MoodySink("duty-desk"), RELOAD):
        assert await typed("drop", "1", "--reason", "x") == 4
    assert "opens no port to be asked on" in capsys.readouterr().err


async def test_a_wrong_token_changes_nothing(folder: Path, capsys: Any) -> None:
    await fill(folder)
    async with running(folder, MoodySink("orders"), OUTBOX) as store:
        control = folder / "data" / CONTROL
        control.write_text(control.read_text().replace('"token":"', '"token":"x'))
        assert await typed("drop", "1", "--reason", "x") == 4
        assert (await store.backlog("duty-desk")).dead == 1
    assert "HTTP 401" in capsys.readouterr().err


async def test_a_daemon_that_was_killed_is_not_waited_for(folder: Path) -> None:
    await fill(folder)
    gone = {"host": "127.0.0.1", "port": 9, "token": "t", "pid": 1, "does": ["outbox"]}
    (folder / "data" / CONTROL).write_text(json.dumps(gone))
    assert await typed("drop", "1", "--reason", "x") == 0


def test_where_no_daemon_has_worked_there_is_no_outbox(folder: Path, capsys: Any) -> None:
    for words in (["ls"], ["show", "1"], ["retry", "1", "--reason", "x"], ["trail"]):
        assert said(capsys, *words)[0] == 4
    assert not (folder / "data").exists()
