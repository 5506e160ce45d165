"""A worker under a set rate: open-loop load, a real worker process, what it does once a second.

The worker is `forewarn run --role worker`, alone on the first core. Producer, listener and broker
have the other cores. Every fix carries the instant at which it was due to be sent, so a producer
that falls behind makes the latency longer, never shorter. Every fiftieth record is a probe: every
second probe of a key fires the rule `probe`, the next one clears it.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import dwell_job
from benchmarks.report import ROOT
from benchmarks.speed import pack
from benchmarks.worlds import settings

PROBE = """\
rule: probe
title: {zh: 探测, en: Probe}
status: stable
owner: bench
severity: blue
from: gps
by: vid
where: cls == 'probe'
when:
  match: "speed > 50 km/h"
clear: "speed < 10 km/h"
"""
PEAK = 23_150
"""Records a second: five times the average of the mission's city."""
READY_S = 90.0
_FIGURE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)


class Sample(NamedTuple):
    """The worker at one instant.

    Attributes:
        at_s: Since the load began.
        handled: Events that were taken in.
        behind_s: How far event time is behind the clock; the load carries the clock's time.
        rss_mb: Memory in use; `files` and `threads` are counts, `cpu_s` processor time used.

    """

    at_s: float
    handled: int
    behind_s: float
    rss_mb: float
    files: int
    threads: int
    cpu_s: float


@dataclass(slots=True)
class Load:
    """What one run under load showed."""

    rate: int
    samples: list[Sample]
    sent: int
    probes: int
    late_ms: float
    pairs: list[tuple[float, float]]
    unanswered: int
    twice: int


class Steady:
    """One installation with topics of its own: a worker that waits for load.

    Attributes:
        roles: The module of the processes beside the worker.

    """

    roles = "benchmarks.steady_roles"

    def __init__(
        self, bootstrap: str, folder: Path, vehicles: int = dwell_job.VEHICLES, **kafka: Any
    ) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.tag = f"steady-{uuid.uuid4().hex[:8]}"
        self.topic = f"{self.tag}.gps"
        dwell_job.write(folder, vehicles=vehicles)
        place = pack(folder)
        declared = place / "feeds/gps.yaml"
        text = declared.read_text("utf-8").replace("topic: feed.gps", f"topic: {self.topic}")
        declared.write_text(text, "utf-8")
        (place / "probe.yaml").write_text(PROBE, "utf-8")
        self.port = free_port()
        settings(
            folder, packs=["pack"], broker=f"kafka://{bootstrap}",
            kafka={"app": self.tag, "prefix": self.tag, "partitions": 1, **kafka},
            metrics={"port": self.port}, log={"format": "json", "level": "warning"},
        )  # fmt: skip
        self.worker: subprocess.Popen[bytes] | None = None
        self._runs = 0

    def start(self) -> None:
        """Start the worker on the first core and wait until it is ready."""
        log = (self.folder / "worker.log").open("ab")
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(self.folder), "--role", "worker"],
            cwd=self.folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        os.sched_setaffinity(self.worker.pid, {cores()[0]})
        log.close()
        until = time.monotonic() + READY_S
        while not self._ready():
            if self.worker.poll() is not None or time.monotonic() > until:
                said = (self.folder / "worker.log").read_text("utf-8", "replace")
                message = f"the worker is not ready: {said[-1500:]}"
                raise RuntimeError(message)
            time.sleep(0.1)

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        if self.worker is None:
            return 0
        if self.worker.poll() is None:
            self.worker.send_signal(signal.SIGTERM)
        try:
            return self.worker.wait(30)
        except subprocess.TimeoutExpired:
            self.worker.kill()
            return self.worker.wait()

    def run(self, rate: int, seconds: float, every_s: float = 1.0, *, listen: bool = True) -> Load:
        """Put on the load for so long, look each `every_s`, then wait until all is answered."""
        out = self.folder / f"heard-{uuid.uuid4().hex[:6]}.json"
        common = self.words()
        parts = [(
            "produce", [*common, "--rate", str(rate), "--seconds", str(seconds)],
        )]  # fmt: skip
        if listen:
            parts.append(("listen", [*common, "--alerts", f"{self.tag}.alerts", "--out", str(out)]))
        started = [role(self.roles, name, words) for name, words in reversed(parts)]
        producer = started[-1]
        samples: list[Sample] = []
        try:
            for one in started:
                hear(one, "ready")
            for one in started:
                tell(one, "go")
            begun = time.monotonic()
            while time.monotonic() - begun < seconds:
                time.sleep(max(0.0, every_s - (time.monotonic() - begun) % every_s))
                samples.append(self.look(begun))
            told = hear(producer, "done", seconds=60)
            time.sleep(3.0)
            if listen:
                tell(started[0], "stop")
                hear(started[0], "done", seconds=60)
        finally:
            for one in started:
                one.kill()
                one.wait()
                for pipe in (one.stdin, one.stdout):
                    if pipe is not None:
                        pipe.close()
        nothing = {"pairs": [], "open": 0, "twice": 0}
        found: dict[str, Any] = json.loads(out.read_text()) if listen else nothing
        return Load(
            rate, samples, told["sent"], told["probes"], told["late_ms"],
            [(bare, alert) for bare, alert in found["pairs"]], found["open"], found["twice"],
        )  # fmt: skip

    def look(self, begun: float) -> Sample:
        """The worker just now."""
        assert self.worker is not None
        figures = self.figures()
        reach = max(
            (value for (name, _), value in figures.items() if name == "forewarn_watermark_seconds"),
            default=0.0,
        )
        handled = sum(
            value
            for (name, labels), value in figures.items()
            if name == "forewarn_core_total" and 'what="events"' in labels
        )
        process = Path(f"/proc/{self.worker.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        used = (process / "stat").read_text().rsplit(")", 1)[1].split()
        return Sample(
            time.monotonic() - begun, int(handled), time.time() - reach if reach else 0.0,
            int(status["VmRSS"].split()[0]) / 1024, len(list((process / "fd").iterdir())),
            int(status["Threads"]), (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK"),
        )  # fmt: skip

    def figures(self) -> dict[tuple[str, str], float]:
        """What the worker tells Prometheus."""
        return figures_at(self.port)

    def capacity(self, records: int = 300_000) -> int:
        """Records a second drained from a backlog, between its first tenth and its last."""
        words = [*self.words(), "--rate", "0", "--count", str(records)]
        producer = role(self.roles, "produce", words)
        try:
            hear(producer, "ready")
            tell(producer, "go")
            hear(producer, "done", seconds=120)
        finally:
            producer.kill()
            producer.wait()
        self.start()
        begun = time.monotonic()
        seen: list[Sample] = []
        while not seen or seen[-1].handled < records:
            seen.append(self.look(begun))
            time.sleep(0.02)
        inner = [one for one in seen if 0.1 * records <= one.handled <= 0.9 * records] or seen
        first = next(one for one in reversed(seen) if one.handled <= inner[0].handled)
        last = next(one for one in seen if one.handled >= 0.9 * records)
        return int((last.handled - first.handled) / max(last.at_s - first.at_s, 0.001))

    def words(self) -> list[str]:
        """What both roles must know; every run has probes of its own, which nothing has fired."""
        self._runs += 1
        place = ["--bootstrap", self.bootstrap, "--topic", self.topic, "--data", str(self.folder)]
        return [*place, "--run", str(self._runs)]

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            figures = self.figures()
            return figures.get(("forewarn_ready", ""), 0.0) == 1.0
        return False


@contextlib.contextmanager
def installation(bootstrap: str, folder: Path, **kafka: Any) -> Iterator[Steady]:
    """An installation that is ended afterwards, however it goes."""
    stage = Steady(bootstrap, folder, **kafka)
    try:
        yield stage
    finally:
        stage.stop()


def cores() -> list[int]:
    """The processor's cores that we may use."""
    return sorted(os.sched_getaffinity(0))


def slope(samples: Sequence[Sample], name: str) -> float:
    """Least squares slope of a figure, a second."""
    times = [one.at_s for one in samples]
    values = [float(getattr(one, name)) for one in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    return sum(
        (at - middle) * (value - mean) for at, value in zip(times, values, strict=True)
    ) / (spread or 1.0)  # fmt: skip


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}


def role(module: str, name: str, words: Sequence[str]) -> "subprocess.Popen[str]":
    """A process of the load, on the cores that the worker does not have."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, name, *words],
        cwd=ROOT, env=_environment(), text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    os.sched_setaffinity(process.pid, set(cores()[1:]) or {cores()[0]})
    return process


def tell(process: "subprocess.Popen[str]", word: str) -> None:
    """Say a word to a process."""
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


def hear(process: "subprocess.Popen[str]", word: str, seconds: float = 60) -> dict[str, Any]:
    """Read what a process says until it says this word."""
    assert process.stdout is not None
    until = time.monotonic() + seconds
    for line in process.stdout:
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            if said.get("word") == word:
                return said
        if time.monotonic() > until:
            break
    message = f"a process of the load did not say {word}; exit code {process.poll()}"
    raise RuntimeError(message)


def figures_at(port: int) -> dict[tuple[str, str], float]:
    """What a process tells Prometheus."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {(name, labels): float(value) for name, labels, value in _FIGURE.findall(text)}


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port
