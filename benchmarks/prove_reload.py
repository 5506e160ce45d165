"""Rules edited under load: what is bad is never live, what is not edited never notices.

A daemon with a thousand rules takes 2,000 events a second while its rules are edited, one edit
after the other; three in ten are bad, each in one of eight ways. Then the same events go through a
daemon whose rules nobody touched. And a reload is killed at each of its places.
"""

import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.check_speed import ask
from benchmarks.edits import Editor, Stream, churning, write_rules, write_settings
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch
from engine.edge.cli.exits import Exit

RATE, BATCH = 2_000, 100
POINTS = ("reload-built", "swap-begun", "swap-not-committed", "swap-committed")
HEAT = 0.1
"""An event makes its sensor hot once in so many events a rule; some seventy rules hear of each."""
PATIENCE_S = 120.0
BEHIND_S = 2.0
"""So far may a poster fall behind its clock; more would be another rate."""


class Daemon:
    """A daemon in a process of its own, over a folder."""

    started: ClassVar[list["subprocess.Popen[bytes]"]] = []

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def end_all(cls) -> None:
        """End whatever still runs."""
        for process in cls.started:
            if process.poll() is None:
                process.kill()
                process.wait()

    def start(self, *flags: str, **environment: str) -> "Daemon":
        """Start it."""
        log = self.folder / "log"
        said = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine", "run", str(self.folder), *flags, "--lang", "en"],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stderr=out, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.started.append(self.process)
        if not flags:
            wait(lambda: '"started"' in log.read_text("utf-8")[said:])
            wait((self.folder / "data/control.json").exists)
        return self

    def end(self) -> int:
        """Let it end calmly; or wait for one that ends by itself."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def reload(self) -> dict[str, Any]:
        """Ask for a reload."""
        control = json.loads((self.folder / "data/control.json").read_text())
        link = http.client.HTTPConnection(control["host"], control["port"], timeout=PATIENCE_S)
        with closing(link):
            link.request("POST", "/reload", headers={"Authorization": f"Bearer {control['token']}"})
            found: dict[str, Any] = json.loads(link.getresponse().read())
        return found

    def query(self, words: str) -> list[tuple[Any, ...]]:
        """Look into its database."""
        path = self.folder / "data/forewarn.db"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as link:
            return link.execute(words).fetchall()

    def kept(self, like: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Alerts and state of the rules with these names."""
        changes = f"SELECT delivery_id, body FROM changes WHERE rule LIKE '{like}' ORDER BY 1"
        state = f"SELECT rule, key, value FROM state WHERE rule LIKE '{like}' ORDER BY 1, 2"
        return self.query(changes), self.query(state)


def wait(holds: Any) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.01)


class Load(threading.Thread):
    """Posts events at a steady rate, keeps them, and sees how soon a pulse becomes an alert."""

    def __init__(self, port: int, folder: Path, seed: int, rules: int) -> None:
        super().__init__(daemon=True)
        self.port, self.folder = port, folder
        self.stream = Stream(random.Random(seed), HEAT / rules)
        self.posted: dict[str, float] = {}
        self.heard: dict[str, float] = {}
        self.behind_s = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Post until told to stop."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        begun = time.monotonic()
        with closing(link), (self.folder / "events.jsonl").open("wb") as kept:
            number = 0
            while not self.over.is_set():
                due = begun + number * BATCH / RATE
                time.sleep(max(0.0, due - time.monotonic()))
                self.behind_s = max(self.behind_s, time.monotonic() - due)
                pulse = f"pulse-{number}"
                body = b"\n".join(self.stream.batch(BATCH, pulse)) + b"\n"
                kept.write(body)
                self.posted[pulse] = time.monotonic()
                link.request(
                    "POST", "/feeds/sensors", body, {"Content-Type": "application/x-ndjson"}
                )
                answer = link.getresponse()
                answer.read()
                assert answer.status == http.HTTPStatus.ACCEPTED, answer.status
                number += 1

    def listen(self) -> None:
        """Note when alerts come out, until told to stop."""
        path = self.folder / "data/out.jsonl"
        wait(path.exists)
        with path.open("rb") as file:
            while not self.over.is_set():
                line = file.readline()
                if not line:
                    time.sleep(0.002)
                elif b'"pulse-' in line and line.endswith(b"\n"):
                    key = line.split(b'"pulse-')[1].split(b'"')[0].decode()
                    self.heard.setdefault(f"pulse-{key}", time.monotonic())

    def latencies(self, since: float, until: float) -> list[float]:
        """From post to alert, in ms, of the pulses posted between two moments."""
        return sorted(
            (self.heard[name] - at) * 1000
            for name, at in self.posted.items()
            if since <= at < until and name in self.heard
        )


def at(values: list[float], share: float) -> float:
    """The value below which this share of all lies."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def free_port() -> int:
    """A port nobody listens on just now."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> int:
    """Edit under load, compare, kill, check."""
    parser = options(__doc__ or "")
    parser.add_argument("--edits", type=int, default=0, help="default 1000, reduced 40")
    parser.add_argument("--rules", type=int, default=0, help="default 1000, reduced 200")
    parser.add_argument("--kills", type=int, default=0, help="at each place: default 5, reduced 1")
    asked = parser.parse_args()
    edits = asked.edits or (40 if asked.reduced else 1000)
    rules = asked.rules or (200 if asked.reduced else 1000)
    report = Report("reload", "Proof: rules edited under load", asked)
    try:
        with scratch("reload") as folder:
            _check(report, folder / "check")
            live = _edit(report, folder / "live", asked.seed, edits, rules)
            _compare(report, folder / "still", live, rules)
            _kill(report, folder / "kills", asked.kills or (1 if asked.reduced else 5))
    finally:
        Daemon.end_all()
    return report.close()


def _check(report: Report, folder: Path) -> None:
    """How long `forewarn check` takes for a thousand rules, the start of the command included."""
    folder.mkdir()
    write_rules(folder, 1000)
    words = ["check", str(folder / "heat")]
    took = min((ask(words, folder / "compiled") for _ in range(4)), key=lambda one: one.processor_s)
    report.head("Check")
    text = "`forewarn check` of 1,000 rules takes less than 2 s of the processor"
    found = f"{took.processor_s:.2f} s; by the clock {took.wall_s:.2f} s"
    report.claim(text, took.processor_s < 2, found)


def _edit(report: Report, folder: Path, seed: int, edits: int, rules: int) -> Daemon:
    """Edit one after the other while events come."""
    folder.mkdir()
    pack = write_rules(folder, rules)
    port = free_port()
    posted = {"sensors": {"kind": "http", "feed": "sensors"}}
    write_settings(folder, sources=posted, http={"port": port}, metrics={"port": 0})
    daemon, load = Daemon(folder).start(), Load(port, folder, seed, rules)
    editor, chance = Editor(pack, random.Random(seed)), random.Random(seed + 1)
    load.start()
    threading.Thread(target=load.listen, daemon=True).start()
    time.sleep(10)
    begun = time.monotonic()
    is_bad = [True] * (edits * 3 // 10) + [False] * (edits - edits * 3 // 10)
    chance.shuffle(is_bad)
    pauses, took, wrong = [], {"good": [], "bad": []}, []  # type: ignore[var-annotated]
    kinds: Counter[tuple[str, str]] = Counter()
    for bad in is_bad:
        kind = editor.bad() if bad else editor.good()
        start = time.perf_counter()
        answer = daemon.reload()
        took["bad" if bad else "good"].append(time.perf_counter() - start)
        if (answer["outcome"] == "refused") is not bad:
            wrong.append((kind, answer["outcome"], answer["problems"][:1]))
        kinds["bad" if bad else "good", kind] += 1
        if bad:
            editor.put_right()
        else:
            pauses.append(float(answer["pause_ms"]))
    ended = time.monotonic()
    time.sleep(2)
    load.over.set()
    load.join()
    _settle(daemon, load, port)
    calm, busy = load.latencies(begun - 8, begun), load.latencies(begun, ended)
    pauses.sort()
    report.head("Edits under load")
    report.table(
        ["what", "figure"],
        [
            ["rules", rules],
            ["events", load.stream.sent],
            ["events a second", RATE],
            ["edits, of them bad", f"{edits}, {sum(is_bad)}"],
            ["an edit from request to answer, good: median, longest", _two(took["good"])],
            ["an edit from request to answer, bad: median, longest", _two(took["bad"])],
            ["pause of a swap: median / p99 / longest, ms", _three(pauses)],
            ["event to alert without edits: median / p99 / longest, ms", _three(calm)],
            ["event to alert with edits: median / p99 / longest, ms", _three(busy)],
            ["alerts", daemon.query("SELECT count(*) FROM changes")[0][0]],
        ],
    )
    report.table(["edit", "kind", "times"], [[*kind, n] for kind, n in sorted(kinds.items())])
    report.claim("every good edit became live and every bad one was refused", not wrong, wrong[:3])
    fired = daemon.query("SELECT count(*) FROM changes WHERE rule LIKE 'bad-%'")[0][0]
    report.claim("no rule of a bad set ever saw an event", fired == 0, f"{fired} alerts of theirs")
    report.claim("the pause of a swap is below 50 ms at p99", at(pauses, 0.99) < 50)
    late_s = f"at most {load.behind_s:.2f} s behind its clock"
    report.claim("events came at their rate all the time", load.behind_s < BEHIND_S, late_s)
    assert daemon.end() == 0
    return daemon


def _two(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{at(ordered, 0.5):.2f} s, {at(ordered, 1):.2f} s"


def _three(values: list[float]) -> str:
    return f"{at(values, 0.5):.1f} / {at(values, 0.99):.1f} / {at(values, 1):.1f}"


def _settle(daemon: Daemon, load: Load, port: int) -> None:
    """One more event, an hour later, so that everything before it happens; then wait."""
    last = {"sensor": "clock", "place": "none", "temp": 0}
    when = json.loads((daemon.folder / "events.jsonl").read_bytes().splitlines()[-1])["t"]
    body = json.dumps({**last, "t": when + 3_600_000}).encode() + b"\n"
    with (daemon.folder / "events.jsonl").open("ab") as kept:
        kept.write(body)
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with closing(link):
        link.request("POST", "/feeds/sensors", body, {"Content-Type": "application/x-ndjson"})
        assert link.getresponse().status == http.HTTPStatus.ACCEPTED
    events = load.stream.sent + 1
    wait(lambda: daemon.query("SELECT max(frontier) FROM positions")[0][0] > events)


def _compare(report: Report, folder: Path, live: Daemon, rules: int) -> None:
    """The same events through rules that nobody touches."""
    folder.mkdir()
    write_rules(folder, rules)
    events = str(live.folder / "events.jsonl")
    write_settings(
        folder,
        sources={"sensors": {"kind": "file", "feed": "sensors", "path": events}},
        metrics={"port": -1},
        outbox={"drain_s": 0},  # what it has delivered by its end is not compared
    )
    still = Daemon(folder).start("--once")
    assert still.process is not None
    assert still.process.wait(600) in {Exit.FINE, Exit.ENVIRONMENT}
    found, wanted = live.kept("steady-%"), still.kept("steady-%")
    report.head("The rules that nobody edited")
    report.table(
        ["what", "edited around them", "left alone"],
        [
            ["alerts", len(found[0]), len(wanted[0])],
            ["rows of state", len(found[1]), len(wanted[1])],
        ],
    )
    same = found[0] == wanted[0]
    least = 100 if report.asked.reduced else 300
    report.claim("their alerts are those of a run without edits, byte by byte", same)
    report.claim(f"there are at least {least} of them", len(wanted[0]) >= least)
    report.claim("so is what they remember", found[1] == wanted[1])


def _kill(report: Report, folder: Path, each: int) -> None:
    """A reload that is killed at each of its places, against one that is not."""
    folder.mkdir()
    wanted = _one_life(folder / "calm", "")
    rows = []
    for point in POINTS:
        same = sum(_one_life(folder / f"{point}-{n}", point) == wanted for n in range(each))
        rows.append([point, each, same])
    report.head("Killed in the middle of a reload")
    report.table(["place", "kills", "with the alerts and the state of the calm run"], rows)
    report.claim("a kill anywhere in a reload changes nothing", all(r[1] == r[2] for r in rows))
    report.say(f"The calm run has {len(wanted[0])} alerts and {len(wanted[1])} rows of state.")


def _one_life(folder: Path, point: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Events, an edit (killed there, and begun again), more events; what is there at the end."""
    folder.mkdir()
    pack = write_rules(folder, 100)
    write_settings(
        folder,
        sources={
            "sensors": {"kind": "file", "feed": "sensors", "path": "in.jsonl", "follow": True}
        },
        metrics={"port": 0},
    )
    stream, events = Stream(random.Random(5)), folder / "in.jsonl"
    events.write_bytes(b"\n".join(stream.batch(20_000)) + b"\n")
    more = {"FOREWARN_CRASHPOINT": point} if point else {}
    daemon = Daemon(folder).start(**more)
    _await_all(daemon, events)
    editor = Editor(pack, random.Random(5))
    for number in range(3):
        path = pack / f"churn-{number:03}.yaml"
        word = f"on_change: {{from: '{editor.hash_of(path)}', do: keep}}\n"
        path.write_text(churning(number, 80 + number, word), "utf-8")
    (pack / "churn-004.yaml").unlink()
    (pack / "churn-004_test.yaml").unlink()
    with suppress(OSError, http.client.HTTPException, ValueError):
        assert daemon.reload()["outcome"] == "live"
    if point:
        assert daemon.process is not None
        assert daemon.process.wait(PATIENCE_S) == -signal.SIGKILL
        (folder / "data/control.json").unlink()
        daemon.start()
    with events.open("ab") as file:
        file.write(b"\n".join(stream.batch(20_000)) + b"\n")
    _await_all(daemon, events)
    assert daemon.end() == 0
    return daemon.kept("%")


def _await_all(daemon: Daemon, events: Path) -> None:
    """Wait until every event was read."""
    size = events.stat().st_size
    wait(
        lambda: (
            (daemon.folder / "data/forewarn.db").exists()
            and (daemon.query("SELECT max(frontier) FROM positions")[0][0] or 0) > size - 100
        )
    )
    time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
