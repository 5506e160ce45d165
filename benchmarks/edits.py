"""A folder of a thousand rules that is edited, well and badly, while a daemon works on it."""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.ruleset.load import load_project
from engine.ruleset.loaded import LoadOptions
from engine.ruleset.source import DeclaredFile

GROUPS, SENSORS, CHURN = 50, 500, 20
T0 = 1_772_413_200_000  # 2026-03-02 09:00 in Shanghai
STEP_MS = 20
"""Event time between two events: forty times as fast as they are sent."""

PACK = """pack: heat
title: {zh: 高温, en: Heat}
owner: proof
version: 1.0.0
"""
FEED = """feed: sensors
title: {zh: 传感器, en: Sensors}
topic: feed.sensors
format: json
key: sensor
id: [sensor, t]
time: {field: t, format: epoch-ms}
lateness: 2s
idle_after: 1h
fields:
  sensor: text
  place: text
  t: {type: time, format: epoch-ms}
  temp: number
"""


CALM = """rules: [{rules}]
tests:
  - name: a calm sensor is nobody's concern
    feed: sensors
    every: 30s
    set: {{place: p0}}
    series: {{s0: {{temp: "15x3"}}}}
    expect: [near-miss: it is calm]
"""


def rule(name: str, condition: str, more: str = "", where: str = "") -> str:
    """One rule file."""
    asked = f"where: {where}\n" if where else ""
    return f"""rule: {name}
title: {{zh: 温度, en: Temperature}}
status: stable
owner: proof
severity: orange
from: sensors
by: sensor
{asked}when: {{match: {{{condition}}}}}
annotations:
  summary: {{zh: 热, en: hot}}
dispatch: ops
{more}"""


def churning(number: int, limit: int, more: str = "") -> str:
    """A rule that is edited again and again."""
    return rule(f"churn-{number:03}", f"condition: temp > {limit}, quiet: 1m", more)


def test_of(number: int) -> str:
    """Its test: a reading of 95 fires."""
    return f"""tests:
  - name: churn {number} hears a hot sensor
    feed: sensors
    every: 30s
    set: {{place: p0}}
    series: {{s1: {{temp: "95x2"}}}}
    expect: [hit: {{at: 0m}}]
"""


def steady(number: int) -> str:
    """A rule that nobody edits."""
    name, where = f"steady-{number:04}", f'place == "p{number % GROUPS}"'
    limit = 40 + number % 50
    if number % 3 == 0:
        return rule(name, f"condition: temp > {limit}, quiet: 2m", where=where)
    if number % 3 == 1:
        times = "times: {count: 2, within: 10m}"
        return rule(name, f"condition: temp > {limit}, {times}, quiet: 3m", where=where)
    return rule(name, f"condition: temp > {limit}", "clear: temp < 20\n", where=where)


def write_rules(folder: Path, count: int) -> Path:
    """The pack: `count` rules, of which some are edited; answers its folder."""
    pack = folder / "heat"
    (pack / "feeds").mkdir(parents=True)
    (pack / "pack.yaml").write_text(PACK, "utf-8")
    (pack / "feeds/sensors.yaml").write_text(FEED, "utf-8")
    (pack / "routes.yaml").write_text("routes:\n  ops: {sinks: [out]}\n", "utf-8")
    names = [f"steady-{number:04}" for number in range(count - CHURN - 2)]
    for number, name in enumerate(names):
        (pack / f"{name}.yaml").write_text(steady(number), "utf-8")
    calm = CALM.format(rules=", ".join([*names, "held", "pulse"]))
    (pack / "steady-0000_test.yaml").write_text(calm, "utf-8")
    for number in range(CHURN):
        (pack / f"churn-{number:03}.yaml").write_text(churning(number, 60 + number), "utf-8")
        (pack / f"churn-{number:03}_test.yaml").write_text(test_of(number), "utf-8")
    held = rule("held", "condition: temp > -1000", "clear: temp < -5000\n", 'sensor == "s1"')
    (pack / "held.yaml").write_text(held, "utf-8")
    pulse = rule("pulse", "condition: temp == -77, quiet: 1m", where='place == "pulse"')
    (pack / "pulse.yaml").write_text(pulse, "utf-8")
    return pack


def write_settings(folder: Path, **more: Any) -> None:
    """The settings of the daemon."""
    settings: dict[str, Any] = {
        "packs": ["heat"],
        "sinks": {"out": {"kind": "jsonl", "path": "out.jsonl"}},
        "log": {"format": "json"},
        "reload": {"watch": False},
        **more,
    }
    (folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")


@dataclass(slots=True)
class Stream:
    """Events by the thousand: calm sensors that at times are hot for a while.

    Attributes:
        hot: How likely an event makes its sensor hot.

    """

    chance: random.Random
    hot: float = 0.001
    sent: int = 0
    heat: dict[int, int] = field(default_factory=dict)

    def batch(self, size: int, pulse: str = "") -> list[bytes]:
        """The next events, one of them a pulse if a name is given."""
        lines: list[bytes] = []
        for place in range(size):
            sensor = self.chance.randrange(SENSORS)
            if self.chance.random() < self.hot:
                self.heat[sensor] = self.chance.randint(45, 99)
            temp = self.heat.get(sensor, 15)
            if temp != 15 and self.chance.random() < 0.3:
                self.heat[sensor] = 15
            found = {"sensor": f"s{sensor}", "place": f"p{sensor % GROUPS}"}
            if pulse and place == size - 1:
                found, temp = {"sensor": pulse, "place": "pulse"}, -77
            at = T0 + self.sent * STEP_MS
            self.sent += 1
            lines.append(json.dumps({**found, "t": at, "temp": temp}).encode())
        return lines


Edit = tuple[str, Callable[[], None], bool]
"""What is done, how, and whether it may become live."""


class Editor:
    """Edits the pack well and badly, and puts a bad edit right afterwards.

    Every bad edit brings a rule along that would fire at every event, were the set ever live.
    """

    def __init__(self, pack: Path, chance: random.Random) -> None:
        self.pack = pack
        self.chance = chance
        self.limits = dict(zip(range(CHURN), range(60, 60 + CHURN), strict=True))
        self.added: list[str] = []
        self.number = 0
        self._before: dict[Path, str | None] = {}

    def good(self) -> str:
        """One edit that fits; answers its kind."""
        self.number += 1
        kind = self.chance.choice(["keep", "migrate", "reset", "words", "add", "add", "remove"])
        number = self.chance.randrange(CHURN)
        path = self.pack / f"churn-{number:03}.yaml"
        if kind == "remove" and self.added:
            (self.pack / f"{self.added.pop(0)}.yaml").unlink()
        elif kind in ("add", "remove"):
            name, limit = f"extra-{self.number:04}", self.chance.randint(50, 90)
            self.added.append(name)
            text = rule(name, f"condition: temp > {limit}, quiet: 1m")
            (self.pack / f"{name}.yaml").write_text(text, "utf-8")
            kind = "add"
        elif kind == "words":
            text = path.read_text("utf-8")
            path.write_text(text.replace("en: hot", f"en: hot {self.number}"), "utf-8")
        else:
            old = self.hash_of(path)
            self.limits[number] = 60 + (self.limits[number] - 60 + 1 + self.number % 7) % 30
            word = f"on_change: {{from: '{old}', do: {kind}}}\n"
            path.write_text(churning(number, self.limits[number], word), "utf-8")
        return kind

    def bad(self) -> str:
        """One edit that must never be live; answers its kind."""
        self.number += 1
        number = self.chance.randrange(CHURN)
        path = self.pack / f"churn-{number:03}.yaml"
        feed = self.pack / "feeds/sensors.yaml"
        kinds: Sequence[tuple[str, Path, str]] = [
            ("cut off", path, path.read_text("utf-8")[:90] + "\nwhen: {match: ["),
            ("unknown field", path, churning(number, 70).replace("temp >", "tmp >")),
            ("wrong unit", path, churning(number, 70).replace("70,", "70 km/h,")),
            ("unknown route", path, churning(number, 70).replace("ops", "nobody")),
            ("failing test", path, churning(number, 999)),
            ("declared twice", self.pack / "twin.yaml", churning(number, 70)),
            ("state unsaid", self.pack / "held.yaml", self._held()),
            ("feed with another id", feed, FEED.replace("id: [sensor, t]", "id: [sensor]")),
        ]
        kind, broken, text = self.chance.choice(kinds)
        canary = self.pack / f"bad-{self.number:04}.yaml"
        self._before = {broken: broken.read_text("utf-8") if broken.exists() else None}
        self._before[canary] = None
        broken.write_text(text, "utf-8")
        canary.write_text(rule(f"bad-{self.number:04}", "condition: temp > -1000"), "utf-8")
        return kind

    def put_right(self) -> None:
        """Take the bad edit back."""
        for path, text in self._before.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text, "utf-8")
        self._before = {}

    def hash_of(self, path: Path) -> str:
        """The first digits of the hash of a rule as it stands."""
        names = ("pack.yaml", "feeds/sensors.yaml", "routes.yaml", path.name)
        files = [DeclaredFile(f"heat/{n}", (self.pack / n).read_bytes()) for n in names]
        project = load_project(files, LoadOptions(lint=False)).project
        assert project is not None
        return project.rules[path.stem].hash[:6]

    def _held(self) -> str:
        text = (self.pack / "held.yaml").read_text("utf-8")
        return text.replace("-1000", f"-{1000 + self.number}")


def copied(folder: Path, to: Path) -> Path:
    """The pack once more, elsewhere."""
    shutil.copytree(folder / "heat", to / "heat")
    return to
