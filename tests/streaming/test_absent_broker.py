"""A broker that is away, a worker that hangs, a name used twice: one clear line, and an end."""

import asyncio
import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import stream_world as world
import structlog
from aiokafka.errors import RecordListTooLargeError
from faust.types import TP
from secure_stage import project
from stream_stage import Stage
from stream_worker import link, program

from engine.edge.cli import main
from engine.edge.streaming import link as linking
from engine.edge.streaming import watchdog
from engine.edge.streaming.hub import Hub
from engine.edge.streaming.kit import Kit, Silent
from engine.edge.streaming.link import Link, wait_for_broker
from engine.edge.streaming.topics import plan_topics
from engine.edge.streaming.worker import new_core
from engine.errors import EnvironmentUnusable
from engine.kafka.reach import Answer, Refusal

ROOT = Path(__file__).resolve().parents[2]
AWAY = Refusal("K101", {"place": "h:1", "why": "no"})
WRONG = Refusal("K109", {"place": "h:2", "user": "a"})

HANGING = """
import sys
from engine.edge.streaming import transport, watchdog
from engine.errors import EnvironmentUnusable
sys.path.insert(0, "tests/support")
from stream_worker import link, program
from engine.edge.streaming.worker import run_worker
watchdog.LEAST_S, watchdog.SESSIONS = 0.5, 0
polls, whole = 0, transport.BatchConsumer._poll

async def deaf(self):
    global polls
    polls += 1
    if polls > 20:
        import asyncio
        return await asyncio.sleep(1)  # lives, beats, and never fetches again
    await whole(self)

transport.BatchConsumer._poll = deaf
try:
    run_worker(link(sys.argv[1], sys.argv[2]), program(sys.argv[2]))
except EnvironmentUnusable as error:
    print(error, file=sys.stderr)
    sys.exit(4)
"""


@pytest.mark.parametrize("role", [["--role", "worker"], ["--role", "dispatcher"], []])
def test_without_waiting_the_process_ends_with_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], role: list[str]
) -> None:
    project(tmp_path, "127.0.0.1:1", {})
    assert main(["run", str(tmp_path), *role, "--no-wait", "--lang", "en"]) == 4
    gc.collect()  # a task that was left behind says so when it is thrown away
    told = capsys.readouterr().err
    assert "K101: the broker at 127.0.0.1:1 does not answer" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("role", "told"), [([], 1), (["--role", "dispatcher"], 0)])
def test_sources_that_only_a_gateway_runs_are_named_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], role: list[str], told: int
) -> None:
    project(tmp_path, "127.0.0.1:1", {})
    _add_source(tmp_path)
    assert main(["run", str(tmp_path), *role, "--no-wait", "--lang", "en"]) == 4
    lines = [json.loads(one) for one in capsys.readouterr().err.splitlines() if one[:1] == "{"]
    found = [one for one in lines if one["event"] == "sources-need-gateway"]
    assert len(found) == told
    for one in found:
        assert one["sources"] == ["recording"]
        assert "forewarn run --role gateway" in one["hint"]


@pytest.mark.parametrize(("lang", "says"), [("en", "--role gateway"), ("zh", "接入进程")])
def test_doctor_says_that_sources_need_a_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, says: str
) -> None:
    project(tmp_path, "127.0.0.1:1", {})
    main(["doctor", str(tmp_path), "--lang", lang])
    assert "gateway" not in capsys.readouterr().out
    _add_source(tmp_path)
    main(["doctor", str(tmp_path), "--lang", lang])
    line = next(one for one in capsys.readouterr().out.splitlines() if "recording" in one)
    assert line.startswith(("warn", "注意"))
    assert says in line


def _add_source(folder: Path) -> None:
    settings = json.loads((folder / "forewarn.yaml").read_text("utf-8"))
    (folder / "one.jsonl").write_text("")
    feed = next(iter(sorted((folder / "rules" / "feeds").iterdir()))).stem
    settings["sources"] = {"recording": {"kind": "file", "feed": feed, "path": "one.jsonl"}}
    (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")


async def test_waiting_is_told_once_a_minute_and_ends_when_a_broker_lets_us_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    answers = [[Answer("h:1", AWAY), Answer("h:2", WRONG)]] * 12 + [[Answer("h:1")]]

    async def knock(*_: object) -> list[Answer]:
        return answers.pop(0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(linking, "knock_all", knock)
    monkeypatch.setattr("engine.edge.streaming.link.asyncio.sleep", sleep)
    with structlog.testing.capture_logs() as lines:
        await wait_for_broker(Link(bootstrap="h:1,h:2"))
    assert len(slept) == 12
    assert slept[0] < 1
    assert max(slept) <= 1.2 * linking.LONGEST_WAIT_S
    assert len(lines) <= 2 + sum(slept) / linking.TELL_EVERY_S
    assert lines[0]["reason"].startswith("K101: ")


async def test_what_no_waiting_mends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def knock(*_: object) -> list[Answer]:
        return [Answer("h:2", WRONG), Answer("h:3", WRONG)]

    monkeypatch.setattr(linking, "knock_all", knock)
    with pytest.raises(EnvironmentUnusable, match="K109: h:2 refuses the user 'a'"):
        await wait_for_broker(Link(bootstrap="h:2,h:3"))


@pytest.mark.kafka
async def test_a_worker_that_lives_but_reads_nothing_ends_with_code_4(stage: Stage) -> None:
    call = [sys.executable, "-c", HANGING, stage.bootstrap, stage.tag]
    run = await asyncio.create_subprocess_exec(
        *call, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        async with asyncio.timeout(60):
            while run.returncode is None:
                await stage.send([world.fix("v0", 0)])
                await asyncio.sleep(0.5)
    finally:
        if run.returncode is None:
            run.kill()
        _, told = await run.communicate()
    assert run.returncode == 4, told.decode()
    assert f"K130: this worker lives but reads nothing more from {stage.tag}." in told.decode()


def hub(told: list[BaseException], *, instance: str = "w0") -> Hub:
    """A hub without a broker."""
    near, rules = replace(link("nowhere:1", "t"), instance=instance), program("t")
    layout = plan_topics(near, rules, {}, "en").layout
    return Hub(Kit(near, rules, layout, new_core, Silent(), lambda: 0.0), told.append)


async def test_a_name_that_another_process_keeps_taking_ends_the_worker() -> None:
    told = list[BaseException]()
    worker = hub(told)
    for generation in (1, 2, 2, 2, 2, 2):
        await worker.assigned(set(), generation)
    assert not told
    await worker.assigned(set(), 2)
    assert str(told[0]).startswith("K133: another process uses the name 'w0' too")
    nameless = hub(told := [], instance="")
    for _ in range(9):
        await nameless.assigned(set(), 2)
    assert not told, "without a lasting name nobody can take it"


async def test_partitions_that_were_added_meanwhile_are_not_left_unread() -> None:
    told = list[BaseException]()
    worker = hub(told)
    await worker.assigned({TP("t.gps", 3)}, 1)
    assert str(told[0]).startswith("K128: t.gps got more partitions")


def test_the_codes_of_the_page_are_those_that_are_told() -> None:
    page = (ROOT / "docs" / "kafka.md").read_text("utf-8")
    spoken = json.dumps((ROOT / "engine" / "text" / "streaming.toml").read_text("utf-8"))
    codes = [f"K{number}" for number in range(101, 200) if f"K{number}" in spoken]
    assert len(codes) > 20
    assert [code for code in codes if f"| {code} |" not in page] == []


class Refused:
    """A unit that opens, and whose every transaction the broker refuses."""

    name, group = "t-refused", "t"
    inputs: tuple[TP, ...] = ()
    starts: ClassVar[dict[TP, int | None]] = {}

    def take(self, *_: object) -> None:
        """Nothing."""

    def reaches(self) -> dict[TP, int]:
        return {}

    async def open(self) -> None:
        """It works."""

    async def step(self, _: object) -> None:
        raise RecordListTooLargeError

    async def settle(self) -> None:
        """Nothing is under way."""

    async def close(self) -> None:
        """It works."""


async def test_a_unit_that_opens_and_is_lost_again_and_again_is_failing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    worker = hub([])
    worker._kit = replace(worker._kit, clock=lambda: now)  # noqa: SLF001
    monkeypatch.setattr("engine.edge.streaming.hub.units_for", lambda *_: {"t-refused": Refused()})
    monkeypatch.setattr("engine.edge.streaming.hub.RETRY_S", 0.0)
    await worker.assigned({TP("t.gps", 0)}, 1)
    for _ in range(30):
        now += 11.0
        await asyncio.sleep(0.01)
        await worker._take({})  # noqa: SLF001 - a turn
    assert worker.failing()["t-refused"] > watchdog.LONG_S
    now += 61.0
    assert "t-refused" not in worker.failing(), "it has not been lost for a minute"
    await worker.close()
