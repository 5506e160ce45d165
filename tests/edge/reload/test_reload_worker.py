"""A worker on Kafka judges edited rules when it is asked to, and goes on whatever they are."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from reload_stage import FEED, PACK, rule

from engine.edge.files import read_project
from engine.edge.metrics import Metrics
from engine.edge.reload_wiring import Rules
from engine.edge.reload_worker import WorkerCheck, heed_signal
from engine.edge.settings import read_settings
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack with one rule, and settings that name a broker."""
    (tmp_path / "heat/feeds").mkdir(parents=True)
    (tmp_path / "heat/pack.yaml").write_text(PACK, "utf-8")
    (tmp_path / "heat/feeds/sensors.yaml").write_text(FEED, "utf-8")
    (tmp_path / "heat/routes.yaml").write_text("routes:\n  ops: {sinks: [out]}\n", "utf-8")
    (tmp_path / "heat/too-hot.yaml").write_text(rule("too-hot"), "utf-8")
    settings = {
        "packs": ["heat"],
        "broker": "kafka://127.0.0.1:9",
        "sinks": {"out": {"kind": "jsonl", "path": "out.jsonl"}},
    }
    (tmp_path / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
    return tmp_path


def a_check(folder: Path, metrics: Metrics) -> WorkerCheck:
    def read() -> list[DeclaredFile]:
        return read_project([folder / "heat"])

    configured = read_settings(folder, {})
    project = load_project(read()).project
    assert project is not None
    return WorkerCheck(Rules(read(), read, [folder / "heat"]), configured, project, metrics, "en")


async def test_an_edit_is_judged_and_nothing_else_happens(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = a_check(folder, Metrics())
    project = load_project(read_project([folder / "heat"])).project
    assert project is not None
    old = project.rules["too-hot"].hash[:6]
    path = folder / "heat/too-hot.yaml"
    try:
        assert await check.check() == "unchanged"
        path.write_text(rule("too-hot", 35), "utf-8")
        assert await check.check() == "refused"
        assert "S129" in capsys.readouterr().out
        path.write_text(rule("too-hot", 35, f"on_change: {{from: '{old}', do: keep}}\n"), "utf-8")
        assert await check.check() == "fits"
        path.write_text("rule: [", "utf-8")
        assert await check.check() == "refused"
        path.write_text(rule("too-hot").replace("ops", "nowhere"), "utf-8")
        assert await check.check() == "refused"
    finally:
        await check.close()


async def test_the_signal_does_not_end_the_process(folder: Path) -> None:
    metrics = Metrics()
    (folder / "heat/too-hot.yaml").write_text(rule("too-hot"), "utf-8")
    check = a_check(folder, metrics)
    (folder / "heat/too-hot.yaml").write_text("rule: [", "utf-8")
    async with heed_signal(check):
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(60):
            while b"forewarn_reload_refused 1.0" not in metrics.text():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
