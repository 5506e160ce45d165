"""Terminals call the real daemon: what is acknowledged is kept, also when it is killed.

A thousand JT/T 808 terminals on loopback call one embedded daemon at once. First they report at
their own pace and some of their frames are damaged: every report must be acknowledged, every
damaged frame counted. Then the daemon is killed (`kill -9`) again and again while they report; they
call again and repeat what was not answered. A rule fires once for every report, so the alerts of
the store tell which reports the rules have seen: all that were acknowledged, each once.
"""

import asyncio
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import orjson

from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch
from connectors.protocols import hj212, jtt808, nmea
from connectors.protocols.jtt808_bodies import read_position
from simulators.terminals import FIRST, Fleet, Terminal

FEED = """
feed: reports
title: {en: Reports of terminals, zh: 终端定位}
format: json
key: terminal
id: [terminal, serial]
time: {field: time, format: iso8601}
lateness: 1h
idle_after: 1h
ahead: 12h
position: {lon: lon, lat: lat, datum: wgs84}
fields:
  terminal: {type: text, max_length: 20}
  time:     {type: time, format: iso8601}
  serial:   integer
  lon:      {type: number, range: [-180, 180]}
  lat:      {type: number, range: [-90, 90]}
  speed:    {type: number, unit: km/h}
"""
RULE = """
rule: seen
title: {en: Seen, zh: 已见}
owner: proof
severity: blue
from: reports
by: [terminal, serial]
when:
  match: {condition: speed > %d km/h}
limits: {keys: 2000000, alerts_per_hour: 2000000}
annotations:
  summary: {en: "{{ terminal }} {{ serial }}", zh: "{{ terminal }} {{ serial }}"}
"""
PACK = "pack: proof\ntitle: {en: Proof, zh: 证明}\nowner: proof\nversion: 0.1.0\n"
MARKER = 3 * 3600
"""The last report of all is so many seconds later than the first: all before it are released."""


class Daemon:
    """A daemon over a folder, that is started, killed and started again."""

    def __init__(self, folder: Path, *, fires: bool) -> None:
        self.folder = folder
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        pack = folder / "proof"
        (pack / "feeds").mkdir(parents=True)
        (pack / "pack.yaml").write_text(PACK)
        (pack / "feeds/reports.yaml").write_text(FEED)
        (pack / "seen.yaml").write_text(RULE % (1 if fires else 900))
        gate = {"kind": "jtt808", "feed": "reports", "port": self.port, "open": True}
        settings = {
            "packs": ["proof"], "sources": {"gate": gate}, "metrics": {"port": -1},
            "sinks": {"out": {"kind": "jsonl", "path": "alerts.jsonl"}},
            "reload": {"watch": False},
        }  # fmt: skip
        (folder / "forewarn.yaml").write_bytes(orjson.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it until its port answers."""
        with (self.folder / "daemon.log").open("ab") as log:
            command = [sys.executable, "-m", "engine", "run", str(self.folder)]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with closing(socket.socket()) as knock:
                if knock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "daemon.log").read_text()[-2000:])
            time.sleep(0.05)
        raise TimeoutError

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that it has used."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        with closing(sqlite3.connect(self.folder / "data/forewarn.db")) as link:
            return link.execute(query).fetchall()

    def settled(self, within_s: float = 300) -> None:
        """Wait until the rules have read everything that was kept."""
        query = "SELECT (SELECT max(seq) FROM inbox), (SELECT max(frontier) FROM positions)"
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            ((last, read),) = self.ask(query)
            if last is not None and read is not None and read > last:
                return
            time.sleep(0.2)


def main() -> int:
    """Drive the terminals; exit code 1 when something acknowledged was lost."""
    parser = options(__doc__ or "")
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard) if soft < 8192 else soft, hard))
    report = Report("gateways", "Proof: what a gateway acknowledges is kept", asked)
    terminals, reports, kills = (200, 10, 2) if asked.reduced else (1000, 60, 10)
    report.head(f"{terminals:,} terminals at once")
    with scratch("gateways") as folder:
        at_once(report, folder / "calm", terminals, reports, asked.seed)
        report.head(f"{kills} times killed meanwhile")
        killed(report, folder / "killed", terminals, reports, kills, asked.seed)
    report.head("Decoding alone, on one core")
    decoding(report, 2_000 if asked.reduced else 20_000)
    return report.close()


def at_once(report: Report, folder: Path, terminals: int, reports: int, seed: int) -> None:
    """All call, all report, some frames are damaged."""
    folder.mkdir()
    daemon = Daemon(folder, fires=False)
    daemon.start()
    fleet = Fleet("127.0.0.1", daemon.port)
    begun, used = time.perf_counter(), daemon.cpu_s
    asyncio.run(fleet.drive(terminals, reports, damaged=0.02, seed=seed))
    took_s, used = time.perf_counter() - begun, daemon.cpu_s - used
    daemon.settled()
    ((kept,),) = daemon.ask("SELECT count(*) FROM inbox")
    bad = Counter(dict(daemon.ask("SELECT reason, count(*) FROM dead GROUP BY reason")))
    code = daemon.stop()
    waits = sorted(1000 * one for one in fleet.waits_s)
    rows = [
        ["terminals connected at once", terminals],
        ["reports acknowledged", len(fleet.acknowledged)],
        ["records kept", kept],
        ["damaged frames sent", fleet.counts["damaged"]],
        ["damaged frames in the dead letter", bad["bad-checksum"]],
        ["other dead letters", bad.total() - bad["bad-checksum"]],
        ["acknowledged a second (each terminal waits for its answer)",
         round(len(fleet.acknowledged) / took_s)],
        ["processor time of the daemon for a report, us", round(1e6 * used / max(1, kept))],
        ["wait for an answer, median ms", round(statistics.median(waits), 1)],
        ["wait for an answer, 99 % ms", round(waits[int(len(waits) * 0.99)], 1)],
    ]  # fmt: skip
    report.table(["what", "count"], rows)
    whole = terminals * reports
    report.claim(
        "every report of every terminal was acknowledged, and kept",
        len(fleet.acknowledged) == whole == kept, f"{kept:,} of {whole:,}",
    )  # fmt: skip
    damaged = fleet.counts["damaged"]
    report.claim(
        "every damaged frame is counted, in the dead letter, and cost nothing else",
        bad["bad-checksum"] == damaged == bad.total() and damaged > 0, damaged,
    )  # fmt: skip
    report.claim("the daemon ended in order", code == 0, f"exit code {code}")


def killed(
    report: Report, folder: Path, terminals: int, reports: int, kills: int, seed: int
) -> None:
    """The daemon dies under the terminals; they call again."""
    folder.mkdir()
    daemon = Daemon(folder, fires=True)
    daemon.start()
    fleet, chance = Fleet("127.0.0.1", daemon.port), Random(seed)
    whole, landed = terminals * reports, []

    async def run() -> None:
        driving = asyncio.create_task(fleet.drive(terminals, reports, seed=seed))
        for number in range(kills):
            goal = whole * (number + chance.uniform(0.3, 0.9)) / kills
            while len(fleet.acknowledged) < goal and not driving.done():  # noqa: ASYNC110 - others work meanwhile
                await asyncio.sleep(0.005)
            landed.append(len(fleet.acknowledged))
            daemon.kill()
            await asyncio.to_thread(daemon.start)
        await driving
        # The last one releases all: it is three hours later.
        last = Terminal(fleet, str(FIRST + terminals), chance, serial=MARKER - 1)
        await last.drive(MARKER)

    asyncio.run(run())
    time.sleep(1)
    daemon.settled()
    deadline = time.monotonic() + 120
    query = "SELECT key FROM changes WHERE transition = 'fired'"
    while len(keys := daemon.ask(query)) < whole and time.monotonic() < deadline:
        time.sleep(0.5)
    ((ids,),) = daemon.ask("SELECT count(DISTINCT delivery_id) FROM changes")
    code = daemon.stop()
    seen = Counter(_pair(key) for (key,) in keys)
    sent = {pair for pair in fleet.acknowledged if pair[1] < MARKER}
    lost = sent - set(seen)
    rows: list[list[object]] = [
        ["kills", len(landed)],
        ["reports acknowledged when each kill came", ", ".join(map(str, landed))],
        ["calls made", fleet.counts["calls"]],
        ["reports sent", fleet.counts["sent"]],
        ["of these sent again after a kill", fleet.counts["sent"] - len(fleet.acknowledged)],
        ["reports acknowledged", len(sent)],
        ["reports that the rules saw", len(seen)],
        ["acknowledged and never seen", len(lost)],
        ["alerts", ids],
    ]
    report.table(["what", "count"], rows)
    report.claim("what was acknowledged before a kill is not lost", not lost and len(sent) == whole,
                 f"{len(sent):,} acknowledged, {len(lost)} lost")  # fmt: skip
    report.claim("a report that was sent again is one event", max(seen.values()) == 1,
                 f"{fleet.counts['sent'] - len(fleet.acknowledged)} sent again")  # fmt: skip
    report.claim("the daemon ended in order", code == 0, f"exit code {code}")


def _pair(key: str) -> tuple[str, int]:
    """Terminal and serial of an alert's key."""
    found = orjson.loads(key) if key.startswith("[") else key.replace("|", " ").split()
    return str(found[0]), int(found[1])


def decoding(report: Report, count: int) -> None:
    """How long the decoders take for one message, without a network."""
    position = jtt808.Message(
        0x0200, "13912345678", 1, 1,
        bytes.fromhex("000000010000000200ba7f0e07e4f11c0028003c0000180715101010"
                      "01040000006402020037"), b"",
    )  # fmt: skip
    reading = hj212.frame(
        b"QN=20160801085857223;ST=22;CN=2011;PW=123456;MN=A1;Flag=5;CP=&&DataTime=20160801085800;"
        b"a34001-Rtd=217,a34001-Flag=N;a34002-Rtd=295,a34002-Flag=N;LA-Rtd=50.1,LA-Flag=N&&"
    )
    sentence = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C\r\n"

    def terminals() -> None:
        for one in jtt808.Frames().take(jtt808.frame(position) * count):
            assert isinstance(one, jtt808.Message)
            read_position(one)

    def monitors() -> None:
        frames = hj212.Frames()
        for _ in range(count // 10):
            for one in frames.take(reading * 10):
                assert isinstance(one, hj212.Packet)
                hj212.read_readings(one, one.cp)

    def ships() -> None:
        sentences = nmea.Sentences()
        for _ in range(count // 10):
            for one in sentences.take(sentence * 10, 1_600_000_000_000):
                assert isinstance(one, nmea.Heard)

    rows: list[list[object]] = []
    for name, work in {"JT/T 808": terminals, "HJ 212": monitors, "AIS": ships}.items():
        best = min(_timed(work) for _ in range(3))
        rows.append([name, f"{1e6 * best / count:.1f}", f"{count / best:,.0f}"])
    report.table(["protocol", "us a message (best of 3)", "a second"], rows)


def _timed(work: Any) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
