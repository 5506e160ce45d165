"""The whole daemon in one process: posted in, rules, webhook out, health and metrics."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from receiver import receiver

from engine.edge.daemon import Ports, run_async, run_embedded
from engine.edge.settings import read_settings
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError, StateError
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project

PACK = """
pack: heat
title: {zh: 高温, en: Heat}
owner: test
version: 1.0.0
"""
FEED = """
feed: sensors
title: {zh: 传感器, en: Sensors}
topic: feed.sensors
format: json
key: sensor
id: [sensor, t]
time: {field: t, format: epoch-ms}
lateness: 0s
idle_after: 300s
fields:
  sensor: text
  t: {type: time, format: epoch-ms}
  temp: number
"""
RULE = """
rule: too-hot
title: {zh: 温度过高, en: Too hot}
status: stable
owner: test
severity: orange
from: sensors
by: sensor
when:
  match: "temp > LIMIT"
clear: "temp < 20"
dispatch: ops
annotations:
  summary: {zh: "过热", en: "hot"}
"""
ROUTES = "routes:\n  ops: {sinks: [console], min_severity: blue}\n"
SETTINGS = """
data_folder: data
http: {port: 0}
metrics: {port: 0}
outbox: {first_wait_s: 0.05}
sources: {posted: {kind: http, feed: sensors}}
sinks: {console: {kind: webhook, url: URL}}
"""


def project(limit: str = "30", more: str = "") -> Project:
    files = {
        "heat/pack.yaml": PACK, "heat/feeds/sensors.yaml": FEED,
        "heat/too-hot.yaml": RULE.replace("LIMIT", limit) + more, "heat/routes.yaml": ROUTES,
    }  # fmt: skip
    loaded = load_project([DeclaredFile(path, text.encode()) for path, text in files.items()])
    assert loaded.project is not None, [problem.report() for problem in loaded.problems]
    return loaded.project


class Running:
    """A daemon on the loop of the test, ended by SIGTERM as any other."""

    def __init__(self, folder: Path, url: str, declared: Project) -> None:
        (folder / "forewarn.yaml").write_text(SETTINGS.replace("URL", json.dumps(url)))
        self.configured = read_settings(folder, {})
        self.project = declared
        self.ports: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[int] | None = None

    async def __aenter__(self) -> Ports:
        self.task = asyncio.create_task(
            run_async(self.configured, self.project, started=self.ports.set_result)
        )
        waiting: set[asyncio.Future[Any]] = {self.task, self.ports}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            self.task.result()
        return self.ports.result()

    async def __aexit__(self, *_raised: object) -> None:
        assert self.task is not None
        if not self.task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            assert await asyncio.wait_for(self.task, 20) == 0


def reading(sensor: str, t: int, temp: float) -> bytes:
    return json.dumps({"sensor": sensor, "t": t, "temp": temp}).encode()


async def post(port: int, *lines: bytes) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{port}/feeds/sensors",
            data=b"\n".join(lines),
            headers={"Content-Type": "application/x-ndjson"},
        ) as answer,
    ):
        return answer.status


async def get(port: int, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def ready(ports: Ports) -> None:
    async with asyncio.timeout(20):
        while (await get(ports.operations, "/ready"))[0] != 200:  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.01)


async def arrive(got: list[Any], count: int) -> None:
    async with asyncio.timeout(20):
        while len(got) < count:  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


async def test_from_a_posted_record_to_a_delivered_alert_across_a_restart(tmp_path: Path) -> None:
    async with receiver("status:503") as peer:
        async with Running(tmp_path, peer.url, project()) as ports:
            assert await post(ports.intake, reading("a", 1000, 40), reading("b", 2000, 10)) == 202
            assert await post(ports.intake, reading("b", 3000, 10)) == 202
            await arrive(peer.got, 1)
        peer.mood = "takes"
        peer.got.clear()
        async with Running(tmp_path, peer.url, project()) as ports:
            await arrive(peer.got, 1)
            assert await post(ports.intake, reading("a", 4000, 10), reading("b", 5000, 10)) == 202
            await arrive(peer.got, 2)
    bodies = [json.loads(body) for _, body in peer.got]
    assert [(one["transition"], one["key"], one["at_ms"]) for one in bodies] == [
        ("fired", "a", 1000), ("cleared", "a", 4000)
    ]  # fmt: skip
    assert bodies[0]["episode_id"] == bodies[1]["episode_id"]


async def test_health_and_metrics_tell_what_happened(tmp_path: Path) -> None:
    async with receiver() as peer, Running(tmp_path, peer.url, project()) as ports:
        await post(ports.intake, reading("a", 1000, 40), b"bad", reading("b", 2000, 1))
        await arrive(peer.got, 1)
        assert await get(ports.operations, "/live") == (200, '{"live": true}')
        status, words = await get(ports.operations, "/ready")
        assert (status, json.loads(words)["ready"]) == (200, True)
        _, text = await get(ports.operations, "/metrics")
    for line in (
        'forewarn_alerts_total{rule="too-hot",transition="fired"} 1.0',
        'forewarn_events_total{feed="sensors"} 2.0',
        'forewarn_rejected_total{feed="sensors",reason="not-json"} 1.0',
        'forewarn_watermark_seconds{partition="0",space="sensor"} 2.0',
        'forewarn_event_time_seconds{feed="sensors",partition="0"} 2.0',
    ):
        assert line in text
    assert "forewarn_outbox_age_seconds" in text


@pytest.mark.parametrize(("do", "rows"), [("keep", 1), ("reset", 0)])
async def test_an_edited_rule_is_refused_with_the_plan_until_it_says_what_becomes_of_its_state(
    tmp_path: Path, do: str, rows: int
) -> None:
    before, after = project("30"), project("35")
    async with receiver() as peer:
        async with Running(tmp_path, peer.url, before) as ports:
            await post(ports.intake, reading("a", 1000, 40), reading("b", 2000, 1))
            await arrive(peer.got, 1)
        with pytest.raises(StateError, match="too-hot: 1 keys were saved") as caught:
            async with Running(tmp_path, peer.url, after):
                pass
        old = before.rules["too-hot"].hash[:6]
        assert f"on_change: {{from: '{old}', do: keep}}" in str(caught.value)
        word = f"on_change: {{from: '{old}', do: {do}}}\n"
        async with Running(tmp_path, peer.url, project("35", word)) as ports:
            await ready(ports)
        assert state_rows(tmp_path) == rows
        async with Running(tmp_path, peer.url, after) as ports:
            await ready(ports)


def state_rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "data/forewarn.db")) as link:
        found: int = link.execute("SELECT count(*) FROM state WHERE rule = 'too-hot'").fetchone()[0]
        return found


@pytest.mark.parametrize(
    ("settings", "report"),
    [
        pytest.param(
            "sources: {a: {kind: htpp, feed: sensors}}", "1:21: error S101: there is no source",
            id="unknown-kind",
        ),
        pytest.param(
            "sources: {a: {kind: http, feed: sensor}}",
            "1:33: error S103: source 'a' fills the feed 'sensor'", id="unknown-feed",
        ),
        pytest.param(
            "sources: {a: {kind: http, fed: sensors}}", "1:27: error R112", id="unknown-option"
        ),
        pytest.param(
            "sources: {a: {kind: http, feed: sensors}, b: {kind: http, feed: sensors}}",
            "error S106", id="two-for-one-feed",
        ),
        pytest.param(
            "sinks: {consol: {kind: jsonl, path: a}}",
            "error S104: route 'ops' sends to the sink 'console'", id="route-to-nowhere",
        ),
        pytest.param(
            "sinks: {console: {kind: webhook, url: 'ftp://x'}}", "1:39: error R143", id="bad-option"
        ),
        pytest.param("sinks: {console: {path: a}}", "error S102", id="no-kind"),
    ],
)  # fmt: skip
def test_connectors_that_do_not_fit_are_refused_where_they_are_declared(
    tmp_path: Path, settings: str, report: str
) -> None:
    (tmp_path / "forewarn.yaml").write_text(settings + "\n")
    with pytest.raises(DeclarationError) as caught:
        plan_connectors(read_settings(tmp_path, {}), project(), "en")
    assert report in str(caught.value)


def test_without_sinks_every_alert_goes_to_a_file_of_the_data_folder(tmp_path: Path) -> None:
    plan = plan_connectors(read_settings(tmp_path, {}), project(), "en")
    assert [(sink.name, sink.kind) for sink in plan.sinks] == [("alerts", "jsonl")]
    assert plan.routes["ops"].sinks == ("alerts",)


def test_run_embedded_ends_by_itself_with_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(reading("a", 1000, 40) + b"\n" + reading("a", 2000, 1))
    (tmp_path / "forewarn.yaml").write_text(
        "metrics: {port: -1}\nsources: {a: {kind: file, feed: sensors, path: a.jsonl}}\n"
    )
    assert run_embedded(read_settings(tmp_path, {}), project(), once=True) == 0
    lines = (tmp_path / "data/alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["transition"] for line in lines] == ["fired", "cleared"]
