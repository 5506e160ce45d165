"""A daemon over a folder of rules that are edited while it runs."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
T0 = 1_772_413_200_000  # 2026-03-02 09:00 in Shanghai

PACK = """pack: heat
title: {zh: 高温, en: Heat}
owner: test
version: 1.0.0
"""
FEED = """feed: sensors
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
  wind: {type: number, optional: true}
"""
TEST = """tests:
  - name: a hot sensor
    feed: sensors
    every: 1m
    series: {s1: {temp: "50x3"}}
    expect: [hit: {at: 0m}]
"""
LIMITS = """rule: over-limit
title: {zh: 超限, en: Over its limit}
status: stable
owner: test
severity: orange
from: sensors
by: sensor
lookup:
  limit: {table: limits, on: sensor}
when: {match: temp > limit.most}
clear: temp < 0
annotations:
  summary: {zh: 超限, en: over}
dispatch: ops
"""
TABLE = """table: limits
key: sensor
fields: {sensor: text, most: number}
"""
AREA = """rule: in-yard
title: {zh: 场内停留, en: Stays in the yard}
status: stable
owner: test
severity: orange
from: sensors
by: sensor
when:
  dwell: {zones: yards, at_least: 3m}
annotations:
  summary: {zh: 停留, en: stays}
dispatch: ops
"""
SETTINGS: Mapping[str, Any] = {
    "data_folder": "data",
    "packs": ["heat"],
    "sources": {"sensors": {"kind": "file", "feed": "sensors", "path": "in.jsonl", "follow": True}},
    "sinks": {"out": {"kind": "jsonl", "path": "out.jsonl"}},
    "metrics": {"port": 0},
    "log": {"format": "json"},
    "reload": {"settle_s": 0.2},
}


def rule(name: str, limit: float = 30, more: str = "", clear: float = 20) -> str:
    """A rule that fires above a temperature and ends below another."""
    return f"""rule: {name}
title: {{zh: 温度, en: Temperature}}
status: stable
owner: test
severity: orange
from: sensors
by: sensor
when: {{match: "temp > {limit:g}"}}
clear: temp < {clear:g}
annotations:
  summary: {{zh: 热, en: hot}}
dispatch: ops
{more}"""


class City:
    """One folder: a pack `heat`, a file that events are written to, a daemon in its own process."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.rules = folder / "heat"
        (self.rules / "feeds").mkdir(parents=True)
        (self.rules / "pack.yaml").write_text(PACK, "utf-8")
        (self.rules / "feeds/sensors.yaml").write_text(FEED, "utf-8")
        (self.rules / "routes.yaml").write_text("routes:\n  ops: {sinks: [out]}\n", "utf-8")
        self.edit("too-hot", rule("too-hot"))
        (folder / "in.jsonl").touch()
        (folder / "forewarn.yaml").write_text(json.dumps({**SETTINGS, **settings}), "utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.minute = 0

    def edit(self, name: str, text: str) -> None:
        """Put a rule file in place, as editors do."""
        beside = self.folder / f"{name}.new"
        beside.write_text(text, "utf-8")
        beside.replace(self.rules / f"{name}.yaml")

    def start(self, **environment: str) -> "City":
        """Start the daemon and wait until it works."""
        seen = len(self.log())
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine", "run", str(self.folder), "--lang", "en"],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stderr=log, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.await_event("started", seen)
        self.until((self.folder / "data/rules").is_dir)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon; answers its exit code."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def hot(self, sensor: str, temp: float) -> None:
        """A minute later a sensor says something; the clock of all goes on by a second one."""
        self.minute += 1
        self.write([(sensor, temp), ("clock", 0.0)])

    def write(self, values: Iterable[tuple[str, float]]) -> None:
        """Events of this minute, in one piece."""
        at = T0 + self.minute * 60_000
        lines = [
            json.dumps({"sensor": sensor, "t": at + n, "temp": temp})
            for n, (sensor, temp) in enumerate(values)
        ]
        with (self.folder / "in.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    def told(self) -> list[tuple[str, str, str]]:
        """Rule, key and transition of everything announced so far."""
        rows = self.query("SELECT rule, key, transition FROM changes ORDER BY seq")
        return [(str(rule), str(key), str(transition)) for rule, key, transition in rows]

    def await_told(self, *wanted: tuple[str, str, str]) -> None:
        """Wait until these were announced."""
        self.until(lambda: set(wanted) <= set(self.told()), lambda: (wanted, self.told()))

    def query(self, words: str) -> list[tuple[object, ...]]:
        path = self.folder / "data/forewarn.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as link:
            return link.execute(words).fetchall()

    def log(self) -> list[dict[str, Any]]:
        """Every line of the daemon's log."""
        path = self.folder / "log"
        if not path.exists():
            return []
        lines = path.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def await_event(self, name: str, after: int = 0) -> dict[str, Any]:
        """Wait for the next line of the log with this event."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [line for line in self.log()[after:] if line["event"] == name]
            return bool(found) or (self.process is not None and self.process.poll() is not None)

        self.until(there)
        assert found, (self.folder / "log").read_text("utf-8")[-3000:]
        return found[0]

    def ask(self, query: str = "") -> dict[str, Any]:
        """Ask for a reload through the daemon's port, as `forewarn reload` does."""
        control = json.loads((self.folder / "data/control.json").read_text())
        request = urllib.request.Request(
            f"http://{control['host']}:{control['port']}/reload{query}",
            method="POST",
            headers={"Authorization": f"Bearer {control['token']}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def figure(self, name: str) -> float:
        """A figure of the daemon's metrics, over all its labels."""
        control = json.loads((self.folder / "data/control.json").read_text())
        url = f"http://{control['host']}:{control['port']}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
        lines = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The command line about this folder."""
        return subprocess.run(
            [sys.executable, "-m", "engine", words[0], str(self.folder), *words[1:]],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True, capture_output=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip

    @staticmethod
    def until(holds: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, what()
            time.sleep(0.02)


@contextmanager
def a_city(folder: Path, **settings: Any) -> Iterator[City]:
    """A city whose daemon is ended whatever happens."""
    city = City(folder, **settings)
    try:
        yield city
    finally:
        if city.process is not None and city.process.poll() is None:
            city.process.kill()
            city.process.wait()
        shutil.rmtree(folder / "data/rules", ignore_errors=True)
