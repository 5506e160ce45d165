"""A daemon that is killed again and again ends where the one that was left alone ends."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESS = ROOT / "tests/support/daemon_process.py"
KILLS = int(os.environ.get("FOREWARN_KILLS", "6"))

FEEDS = ("vehicle-gps", "permits", "deposits", "accounts", "payments", "attendance")
SETTINGS = {
    "data_folder": "data",
    "packs": ["hazmat", "wages"],
    "sources": {
        feed: {"kind": "file", "feed": feed, "path": f"world/{feed}.jsonl", "batch": 60}
        for feed in FEEDS
    },
    "sinks": {"console-webhook": {"kind": "jsonl", "path": "alerts.jsonl"}},
    "metrics": {"port": -1},
}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both packs and a small simulated city: six feeds, two key spaces."""
    folder = tmp_path_factory.mktemp("city")
    world = [sys.executable, "-m", "simulators", "city", "--seed", "11", "--noise", "default"]
    size = ["--vehicles", "15", "--hours", "8", "--projects", "40", "--out", str(folder / "world")]
    subprocess.run([*world, *size], check=True, cwd=ROOT, capture_output=True)
    for pack in ("hazmat", "wages"):
        shutil.copytree(ROOT / "rules" / pack, folder / pack)
    shutil.copytree(folder / "world/tables", folder / "hazmat/tables", dirs_exist_ok=True)
    (folder / "forewarn.yaml").write_text(json.dumps(SETTINGS))
    return folder


def start(folder: Path, *flags: str) -> "subprocess.Popen[str]":
    """A daemon over a folder."""
    return subprocess.Popen(
        [sys.executable, str(PROCESS), str(folder), *flags],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> int:
    """Let a daemon come to its end."""
    _, words = process.communicate(timeout=120)
    assert process.returncode == 0, words[-2000:]
    return process.returncode


def wait_started(process: "subprocess.Popen[str]") -> None:
    """Read the log until the daemon works."""
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "started":
            return
    pytest.fail("the daemon did not start")


def kept(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a run left behind: state, transitions, alerts, deliveries, dead letters."""
    tables = {
        "state": "SELECT rule, key, value FROM state ORDER BY 1, 2",
        "changes": "SELECT delivery_id, body FROM changes ORDER BY 1",
        "alerts": "SELECT episode_id, transition, ordinal, severity, at_ms FROM alerts ORDER BY 1",
        "outbox": "SELECT delivery_id, sink, phase FROM outbox ORDER BY 1, 2",
        "dead": "SELECT kind, feed, place, reason FROM dead ORDER BY 1, 2, 3",
        "positions": "SELECT origin, log, committed, frontier FROM positions ORDER BY 1, 2",
    }
    with closing(sqlite3.connect(folder / "data/forewarn.db")) as link:
        found = {name: link.execute(query).fetchall() for name, query in tables.items()}
    lines = (folder / "data/alerts.jsonl").read_text("utf-8").splitlines()
    found["delivered"] = sorted((json.loads(line)["delivery_id"],) for line in lines)
    return found


@pytest.fixture(scope="module")
def undisturbed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, float]:
    """The same folder, run in one piece, and how long the work took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "city"
    shutil.copytree(city, folder)
    process = start(folder, "--once")
    wait_started(process)
    begun = time.monotonic()
    finish(process)
    return kept(folder), time.monotonic() - begun


def test_kills_at_random_times_change_nothing(
    city: Path, tmp_path: Path, undisturbed: tuple[dict[str, list[tuple[object, ...]]], float]
) -> None:
    expected, lasts_s = undisturbed
    assert len(expected["changes"]) > 50
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    chance = random.Random(5)
    landed = 0
    for _ in range(KILLS):
        process = start(folder, "--once")
        wait_started(process)
        time.sleep(chance.uniform(0.02, 0.9) * lasts_s / KILLS * 1.5)
        landed += process.poll() is None
        process.kill()
        process.communicate()
    assert landed >= KILLS * 0.5
    finish(start(folder, "--once"))
    found = kept(folder)
    for name, rows in expected.items():
        assert found[name] == rows, name


def test_asked_to_stop_it_ends_calmly_and_goes_on_later(
    city: Path, tmp_path: Path, undisturbed: tuple[dict[str, list[tuple[object, ...]]], float]
) -> None:
    expected, lasts_s = undisturbed
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    for share in (0.1, 0.3):
        process = start(folder, "--once")
        wait_started(process)
        time.sleep(share * lasts_s)
        process.send_signal(signal.SIGTERM)
        finish(process)
    finish(start(folder, "--once"))
    assert kept(folder) == expected


def test_a_second_daemon_on_the_folder_is_turned_away(city: Path, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    first = start(folder)
    wait_started(first)
    second = start(folder)
    _, words = second.communicate(timeout=60)
    assert second.returncode != 0
    assert f"(process {first.pid})" in words
    first.send_signal(signal.SIGTERM)
    finish(first)
