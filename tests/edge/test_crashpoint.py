"""A process can be ended at every named place, by its name and the number of the passing."""

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from engine.edge import crashpoint
from engine.edge.crashpoint import POINTS, VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _unarmed() -> Generator[None]:
    yield
    crashpoint.arm({})


def named_in_the_engine() -> set[str]:
    """Every name that the engine's own code passes."""
    found: set[str] = set()
    for file in (ROOT / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and re.search(r"(passing|in_flight)$", ast.unparse(node.func))
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_place_in_the_code_has_a_name_and_every_name_a_place() -> None:
    assert named_in_the_engine() == set(POINTS)


def test_the_page_on_faults_tells_every_place() -> None:
    page = (ROOT / "docs/faults.md").read_text("utf-8")
    assert [name for name in POINTS if f"`{name}`" not in page] == []


def test_unset_no_place_ends_the_process() -> None:
    crashpoint.arm({})
    for name in POINTS:
        crashpoint.passing(name)
        with crashpoint.in_flight(name):
            pass


@pytest.mark.parametrize(
    ("said", "name", "times", "number"),
    [
        ("after-fetch", "after-fetch", 1, signal.SIGKILL),
        ("after-fetch:1", "after-fetch", 1, signal.SIGKILL),
        ("timer-due:3", "timer-due", 3, signal.SIGKILL),
        ("timer-due:3:stop", "timer-due", 3, signal.SIGSTOP),
    ],
)
def test_it_ends_or_pauses_at_the_nth_passing_and_at_no_other_place(
    said: str, name: str, times: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: ends.append((pid, number)))
    crashpoint.arm({VARIABLE: said})
    for other in set(POINTS) - {name}:
        crashpoint.passing(other)
    for _ in range(times - 1):
        crashpoint.passing(name)
    assert ends == []
    crashpoint.passing(name)
    assert ends == [(os.getpid(), number)]


@pytest.mark.parametrize(
    "said", ["after-lunch", "timer-due:0", "timer-due:-1", "timer-due:x", ":3", "timer-due:1:2"]
)
def test_what_is_no_place_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        crashpoint.arm({VARIABLE: said})


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_names_the_places_it_knows(lang: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", "run", str(tmp_path), "--lang", lang],
        cwd=ROOT, env={**os.environ, VARIABLE: "after-lunch"}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 64
    assert "after-lunch" in done.stderr
    assert all(name in done.stderr for name in POINTS)


def test_a_timer_is_seen_before_and_after_it_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    class Logic:
        fired = 0

        def on_timer(self, key: str, at_ms: int) -> None:
            del key, at_ms
            self.fired += 1

    class Core:
        def __init__(self) -> None:
            self.logics = [Logic()]

    fired: list[int] = []
    for said, before in (("timer-due", 0), ("timer-fired", 1)):
        crashpoint.arm({VARIABLE: said})
        core = Core()
        logic = core.logics[0]
        monkeypatch.setattr(os, "kill", lambda *_, one=logic: fired.append(one.fired))
        crashpoint.watch_timers(core)
        core.logics[0].on_timer("a", 1)
        assert fired.pop() == before
        assert core.logics[0].fired == 1
