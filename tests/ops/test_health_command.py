"""`forewarn health` says in words and by its exit code how a running daemon is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.edge.cli import main
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.server import OpsServer


@asynccontextmanager
async def serving(health: Health) -> AsyncIterator[int]:
    """The daemon's door for operators on a port of its own."""
    server = OpsServer(health, Metrics(), "en")
    await server.start("127.0.0.1", 0)
    try:
        yield server.port
    finally:
        await server.stop()


async def ask(folder: Path, port: int, *words: str, host: str = "127.0.0.1") -> int:
    settings = f"metrics: {{host: {host}, port: {port}}}\n"
    (folder / "forewarn.yaml").write_text(settings, "utf-8")
    return await asyncio.to_thread(main, ["health", str(folder), "--lang", "en", *words])


async def test_a_ready_daemon_is_fine_and_its_notes_are_told(tmp_path, capsys):
    health = Health(lambda: ["sink 'desk' keeps failing"])
    health.started()
    async with serving(health) as port:
        assert await ask(tmp_path, port) == 0
    said = capsys.readouterr().out
    assert "running" in said
    assert "sink 'desk' keeps failing" in said


async def test_one_that_restores_lives_but_is_not_ready(tmp_path, capsys):
    async with serving(Health()) as port:
        assert await ask(tmp_path, port) == 4
        assert "restored" in capsys.readouterr().out
        assert await ask(tmp_path, port, "--live") == 0


async def test_one_that_listens_everywhere_is_asked_on_loopback(tmp_path):
    health = Health()
    health.started()
    async with serving(health) as port:
        assert await ask(tmp_path, port, host="0.0.0.0") == 0


async def test_json_is_what_the_daemon_said(tmp_path, capsys):
    async with serving(Health()) as port:
        assert await ask(tmp_path, port, "--json") == 4
    said = json.loads(capsys.readouterr().out)
    assert said["ready"] is False
    assert said["reasons"]


async def test_a_daemon_that_does_not_answer_is_told_of(tmp_path, capsys):
    async with serving(Health()) as port:
        pass
    assert await ask(tmp_path, port) == 4
    assert str(port) in capsys.readouterr().err


async def test_settings_without_a_port_leave_nothing_to_ask(tmp_path, capsys):
    assert await ask(tmp_path, -1) == 4
    assert "-1" in capsys.readouterr().err


async def test_what_answers_but_is_no_daemon_of_ours_is_refused(tmp_path, capsys):
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[1] ")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await ask(tmp_path, port) == 4
    assert str(port) in capsys.readouterr().err
