"""What people read of `forewarn alert`, `case` and `token`: golden texts in both languages."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from api_stage import PLATE, Stage, change, staged

from engine.cases.model import Role
from engine.edge.api.serve import served
from engine.edge.api_settings import ApiSettings
from engine.edge.cli.entry import main
from engine.edge.cli.exits import Exit

GOLDEN = Path(__file__).parent / "golden"
NOW_MS = 1_767_600_000_000
EPISODE = change("hazmat-stay", PLATE, "320612").episode_id
CASE = "20260105-0001"

STORY: dict[str, tuple[Role, list[str], int]] = {
    "alerts": (Role.HANDLER, ["alert", "ls"], 0),
    "alerts-masked": (Role.VIEWER, ["alert", "ls", "--rule", "hazmat-stay"], 0),
    "alert": (Role.HANDLER, ["alert", "show", EPISODE], 0),
    "cases": (Role.VIEWER, ["case", "ls", "--limit", "1"], 0),
    "ack-by-alert": (Role.HANDLER, ["alert", "ack", EPISODE, "--person", "li"], 0),
    "ack-twice": (Role.HANDLER, ["alert", "ack", CASE], 1),
    "case": (Role.VIEWER, ["case", "show", CASE], 0),
    "not-this-role": (Role.VIEWER, ["alert", "close", CASE, "--verdict", "true"], 1),
    "field-missing": (Role.HANDLER, ["case", "resolve", CASE], 1),
    "changed": (Role.HANDLER, ["case", "comment", CASE, "-m", "x", "--seen", "1"], 1),
    "resolve": (Role.HANDLER, ["case", "resolve", CASE, "--found", "closed the valve"], 0),
    "close-early": (Role.OPERATOR, ["alert", "close", CASE, "--verdict", "true"], 1),
    "close": (Role.OPERATOR, ["alert", "close", CASE, "--verdict", "false", "-m", "test"], 0),
    "reopen": (Role.OPERATOR, ["alert", "reopen", CASE, "-m", "it is back"], 0),
    "merge-nothing": (Role.OPERATOR, ["case", "merge", CASE, "--into", "x", "-m", "same"], 1),
    "silence": (Role.OPERATOR, ["alert", "silence", "--rule", "hazmat-*", "--for", "2h", "-m",
                                "works", "--request", "s-1"], 0),
    "unknown": (Role.HANDLER, ["alert", "ack", "nothing"], 64),
    "no-id": (Role.HANDLER, ["alert", "ack"], 64),
    "no-action": (Role.HANDLER, ["alert", "dance"], 64),
    "no-reason": (Role.OPERATOR, ["alert", "silence", "--rule", "x"], 64),
    "none-left": (Role.VIEWER, ["case", "ls", "--find", "nothing of this"], 0),
}  # fmt: skip


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[tuple[Stage, str]]:
    """A desk whose clock stands still, on a port of its own."""
    async with (
        staged(folder, now_ms=lambda: NOW_MS) as stage,
        served(stage.services, ApiSettings(port=0), folder) as port,
    ):
        yield stage, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_story_as_people_read_it(tmp_path, capsys, monkeypatch, lang):
    told = {}
    async with desk(tmp_path) as (stage, url):
        monkeypatch.setenv("FOREWARN_API_URL", url)
        capsys.readouterr()
        for name, (role, words, code) in STORY.items():
            monkeypatch.setenv("FOREWARN_API_TOKEN", await stage.token(role))
            found = await asyncio.to_thread(main, [*words, "--lang", lang])
            out, err = capsys.readouterr()
            if name == "silence":  # its id is made from the token's, which is random
                out = re.sub(r"[0-9a-f]{24}", "<id>", out)
            told[name] = f"$ forewarn {' '.join(words)}\n{out}{err}"
            assert found == code, told[name]
    monkeypatch.undo()
    GOLDEN.mkdir(exist_ok=True)
    for name, text in told.items():
        file = GOLDEN / f"{name}.{lang}.txt"
        if os.environ.get("GOLDEN") == "write":
            file.write_text(text, "utf-8")
        assert text == file.read_text("utf-8"), name


async def test_programs_get_json_and_nothing_else(tmp_path, capsys, monkeypatch):
    async with desk(tmp_path) as (stage, url):
        monkeypatch.setenv("FOREWARN_API_TOKEN", await stage.token(Role.HANDLER))
        capsys.readouterr()
        for words in (["case", "ls"], ["alert", "ls"], ["case", "show", CASE],
                      ["alert", "ack", CASE], ["case", "call-back", CASE]):  # fmt: skip
            await asyncio.to_thread(main, [*words, "--json", "--api", url])
            assert json.loads(capsys.readouterr().out)
    monkeypatch.undo()


async def test_a_token_of_nobody_and_a_desk_that_is_not_there(tmp_path, capsys, monkeypatch):
    async with desk(tmp_path) as (_, url):
        for name in ("FOREWARN_API_TOKEN", "FOREWARN_API_TOKEN_FILE", "FOREWARN_API_URL"):
            monkeypatch.delenv(name, raising=False)
        words = ["case", "ls", "--lang", "en", "--api"]
        assert await asyncio.to_thread(main, [*words, url]) == Exit.ENVIRONMENT
        assert "FOREWARN_API_TOKEN_FILE" in capsys.readouterr().err
        monkeypatch.setenv("FOREWARN_API_TOKEN", "fwt_nobody_nothing")
        for place, said in (
            (url, "not one of this installation"),
            ("http://127.0.0.1:9", "no desk answers"),
            ("http://example.com", "use https"),
            ("ftp://127.0.0.1", "not the address of an API"),
        ):
            assert await asyncio.to_thread(main, [*words, place]) == Exit.ENVIRONMENT
            assert said in capsys.readouterr().err
    monkeypatch.undo()


def test_tokens_are_given_listed_and_taken_back_beside_the_desk(tmp_path, capsys):
    (tmp_path / "forewarn.yaml").write_text("desk: {}\n", "utf-8")
    folder = ["--folder", str(tmp_path), "--lang", "en"]
    file = tmp_path / "patrol.token"
    add = ["token", "add", "patrol", "--role", "handler", "--area", "320612", *folder]
    assert main([*add, "--out", str(file)]) == 0
    out, err = capsys.readouterr()
    token = file.read_text("utf-8").strip()
    assert (out, token.startswith("fwt_"), file.stat().st_mode & 0o777) == ("", True, 0o600)
    assert "patrol" in err
    assert main([*add, "--out", str(file)]) == Exit.ENVIRONMENT
    capsys.readouterr()
    assert main(["token", "ls", *folder]) == 0
    listed = capsys.readouterr().out
    assert "320612" in listed
    assert token.split("_", 2)[2] not in listed
    assert main(["token", "revoke", "patrol", *folder]) == 0
    assert main(["token", "revoke", "patrol", *folder]) == Exit.FAILED
    capsys.readouterr()
    assert main(["token", "ls", "--json", *folder]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}
    for words in (
        ["token", "add", "x"],
        ["token", "add", "x", "--role", "king"],
        ["token", "ls", "x"],
        ["token", "add", "x", "--role", "admin", "--role", "auditor"],
    ):
        assert main([*words, *folder]) == Exit.USAGE
