"""A pack that is edited under workers on a real Kafka, and the same story for a daemon."""

import asyncio
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import stream_world as world
from reload_stage import AREA, FEED, LIMITS, PACK, PATIENCE_S, T0, TABLE, rule
from stream_stage import ROOT, Stage
from stream_worker import link

from engine.edge.files import read_project
from engine.edge.streaming.topics import lay_out
from engine.ruleset.compile import compile_project
from engine.ruleset.load import load_project

MIN = 60_000
MID, END = 8, 16
"""Minutes of the story before the edit, and of all of it."""
HALF_MS, END_MS = T0 + MID * MIN, T0 + (END + 60) * MIN
ROUTED = rule("by-site", 60).replace("by: sensor", "by: site")
"""A key of its own, so that it is routed on Kafka."""
SENSORS = [f"s{number}" for number in range(5)]


def yard(west: float) -> str:
    """A layer of one square."""
    ring = [[west, 32.0], [west + 0.1, 32.0], [west + 0.1, 32.1], [west, 32.1], [west, 32.0]]
    area = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"id": "a"}, "geometry": area}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


def limits(most: int) -> str:
    """The rows of the table."""
    return "sensor,most\n" + "".join(f"{one},{most}\n" for one in SENSORS)


def declare(rules: Path, topic: str) -> None:
    """The pack before the edit."""
    for folder in ("feeds", "tables", "zones"):
        (rules / folder).mkdir(parents=True, exist_ok=True)
    feed = FEED.replace("topic: feed.sensors", f"topic: {topic}")
    feed = feed.replace("fields:", "position: {lon: lon, lat: lat, datum: wgs84}\nfields:")
    feed = feed.replace(
        "  temp: number", "  site: text\n  temp: number\n  lon: number\n  lat: number"
    )
    texts = {
        "pack.yaml": PACK,
        "feeds/sensors.yaml": feed,
        "routes.yaml": "routes:\n  ops: {sinks: [out]}\n",
        "tables/limits.yaml": TABLE + "file: limits.csv\n",
        "tables/limits.csv": limits(50),
        "zones/yards.geojson": yard(120.0),
        "over-limit.yaml": LIMITS.replace("temp < 0", "temp < 5"),
        "in-yard.yaml": AREA,
        "by-site.yaml": ROUTED,
    }
    texts |= {f"{name}.yaml": rule(name) for name in ("kept", "carried", "begun-anew", "going")}
    texts["steady.yaml"] = rule("steady", 70)
    for name, text in texts.items():
        (rules / name).write_text(text, "utf-8")


def edit(rules: Path) -> None:
    """Thresholds with each word, a zone moved, a table's rows, a rule more and one less."""
    project = load_project(read_project([rules])).project
    assert project is not None
    words = {"kept": "keep", "carried": "migrate", "begun-anew": "reset", "by-site": "keep"}
    for name, does in words.items():
        word = f"on_change: {{from: '{project.rules[name].hash[:6]}', do: {does}}}\n"
        path = rules / f"{name}.yaml"
        text = path.read_text("utf-8").replace("temp > 30", "temp > 40")
        path.write_text(text.replace("temp > 60", "temp > 50") + word, "utf-8")
    (rules / "going.yaml").unlink()
    (rules / "fresh.yaml").write_text(rule("fresh", 45), "utf-8")
    (rules / "tables/limits.csv").write_text(limits(35), "utf-8")
    (rules / "zones/yards.geojson").write_text(yard(120.2), "utf-8")


def story() -> list[world.Sent]:
    """Minute by minute what every sensor says, and a clock that tells that the minute is over."""
    rng, told = random.Random(5), list[world.Sent]()
    for minute in range(END):
        for number, sensor in enumerate([*SENSORS, "clock"]):
            at_ms = T0 + minute * MIN + number
            temp = 0.0 if sensor == "clock" else rng.choice([0, 10, 25, 33, 38, 43, 48, 55, 65, 80])
            lon = 10.0 if sensor == "clock" else 120.05 + 0.2 * (minute >= MID - 3) * (number % 2)
            value = {"sensor": sensor, "t": at_ms, "temp": temp, "site": f"p{number % 3}"}
            value |= {"lon": lon, "lat": 32.05}
            told.append(world.Sent("sensors", sensor, json.dumps(value).encode(), at_ms))
    return told


def halves() -> tuple[list[world.Sent], list[world.Sent]]:
    """The story before and after the edit."""
    told = story()
    return [r for r in told if r.at_ms < HALF_MS], [r for r in told if r.at_ms >= HALF_MS]


class Town(Stage):
    """Processes over one folder of rules, each with a data folder of its own."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        super().__init__(bootstrap)
        self.folder, self.rules = folder, folder / "heat"
        declare(self.rules, f"{self.tag}.sensors")
        self.link = link(bootstrap, self.tag)
        project = load_project(read_project([self.rules])).project
        assert project is not None
        self.program = compile_project(project)
        settings = {
            "packs": ["heat"],
            "broker": f"kafka://{bootstrap}",
            "kafka": {
                "app": self.tag, "prefix": self.tag, "session_s": 30, "heartbeat_s": 2,
                "save_every_s": 0.3,
            },
            "sinks": {"out": {"kind": "jsonl", "path": "out.jsonl"}},
            "metrics": {"port": 0},
            "log": {"format": "json"},
            "reload": {"watch": False},
        }  # fmt: skip
        (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")

    async def open(self) -> None:
        self.layout = await lay_out(replace(self.link), self.program)

    def run(self, name: str, role: str = "worker", **environment: str) -> None:
        """Start a process; without a role it is both worker and dispatcher."""
        words = [sys.executable, "-m", "engine", "run", str(self.folder), "--lang", "en"]
        words += ["--data", str(self.data(name)), *(["--role", role] if role else [])]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                words, cwd=ROOT, stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(ROOT), "FOREWARN_KAFKA__INSTANCE": name,
                     **environment},
            )  # fmt: skip

    def data(self, name: str) -> Path:
        return self.folder / f"data-{name}"

    def log(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder / f"{name}.log").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def heard(self, name: str, event: str, after: int = 0) -> dict[str, Any]:
        """The first line of a process's log with this event, once it is there."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [line for line in self.log(name)[after:] if line["event"] == event]
            return bool(found)

        await self.until(there, lambda: (self.folder / f"{name}.log").read_text("utf-8")[-2000:])
        return found[0]

    @staticmethod
    async def until(holds: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(what()) from None

    async def asked(self, name: str, query: str = "") -> dict[str, Any]:
        """Ask a process to bring edited rules in, as `forewarn reload` does."""
        found: list[Path] = []

        def there() -> bool:
            found[:] = self.data(name).glob("control*.json")
            return bool(found)

        await self.until(there)
        control = json.loads(found[0].read_text("utf-8"))
        request = urllib.request.Request(
            f"http://{control['host']}:{control['port']}/reload{query}",
            method="POST",
            headers={"Authorization": f"Bearer {control['token']}"},
        )

        def ask() -> dict[str, Any]:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                said: dict[str, Any] = json.loads(answer.read())
            return said

        return await asyncio.to_thread(ask)

    async def half(self, part: int) -> None:
        """Tell one half of the story, and wait until all of it was worked on."""
        await self.send(halves()[part])
        until_ms = (HALF_MS - MIN + len(SENSORS), END_MS)[part]
        await self.finish(until_ms)
        await self.settled(until_ms, timeout_s=PATIENCE_S)

    async def outcome(self) -> tuple[list[tuple[object, ...]], list[tuple[str, str, bytes]]]:
        """What was announced and what is remembered, as a daemon's database has it."""
        rows = [row for some in (await self.settled(END_MS)).values() for row in some]
        told = [
            (c.delivery_id, c.rule, c.key, str(c.transition), c.at_ms) for c in await self.alerts()
        ]
        return sorted(told), sorted((row.rule, row.key, row.value or b"") for row in rows)


def alike(told: Sequence[tuple[object, ...]]) -> set[tuple[object, ...]]:
    """Which rules did what."""
    return {(one[1], one[3]) for one in told}
