"""Kill: a daemon that is killed at random times ends where the one that was left alone ends.

One folder with files as sources, both shipped packs, SQLite, and a webhook receiver that writes
down every request. The daemon is killed (`kill -9`) again and again at random moments, some of
them while it starts, and at last runs to its end. Compared with an uninterrupted run of the same
folder: alerts, distinct deliveries, state rows, dead letters, reading positions.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.receiver import Inbox, receiver
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import RULES, copy_pack, scratch, settings, sources, write_world

PARALLEL = 8
TABLES = {
    "state": "SELECT space, rule, key, value FROM state ORDER BY 1, 2, 3",
    "changes": "SELECT delivery_id, body FROM changes ORDER BY 1",
    "alerts": "SELECT episode_id, transition, ordinal, severity, at_ms FROM alerts ORDER BY 1",
    "outbox": "SELECT delivery_id, sink, phase FROM outbox ORDER BY 1, 2",
    "dead letters": "SELECT kind, feed, place, reason FROM dead ORDER BY 1, 2, 3, 4",
    "positions": "SELECT origin, log, committed, frontier FROM positions ORDER BY 1, 2",
}


@dataclass(slots=True)
class Tally:
    """What the kills met.

    Attributes:
        pending: Kills that met effects not yet acknowledged (due in the outbox, or on their way).
        unread: Kills that met input not yet read to its end.
        flying: For each kill, deliveries the receiver had and the store did not know as done.
        reread: Records that had been read and were read again after the kill.

    """

    kills: int = 0
    early: int = 0
    pending: int = 0
    unread: int = 0
    flying: list[int] = field(default_factory=list)
    reread: int = 0


def main() -> int:
    """Kill it; exit code 1 when something was lost or doubled."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--kills", type=int, default=0, help="default 200, reduced 15")
    parser.add_argument("--longest", type=float, default=0.6, help="longest life in seconds")
    asked = parser.parse_args()
    kills = asked.kills or (15 if asked.reduced else 200)
    report = Report("kill", "Proof: kill -9 at random times (embedded daemon)", asked)
    with scratch("kill") as folder:
        records = make(folder / "city", asked.seed, reduced=asked.reduced)
        calm, expected, calm_s = undisturbed(folder)
        inbox, found, tally = disturbed(folder, kills, asked)
    report.say(
        f"City of seed {asked.seed}, default noise: {records:,} records in six files, both packs; "
        f"a batch is 40 records, a webhook may have {PARALLEL} requests open, and the receiver "
        f"answers after 0.25 s while the kills go on. The uninterrupted run took {calm_s:.0f} s."
    )
    tell(report, calm, expected, inbox, found, tally)
    return report.close()


def tell(
    report: Report, calm: Inbox, expected: dict[str, list[Any]], inbox: Inbox,
    found: dict[str, list[Any]], tally: Tally,
) -> None:  # fmt: skip
    """Figures and claims."""
    repeats, flying = len(inbox.ids) - len(set(inbox.ids)), sum(tally.flying)
    report.table(["what", "value"], [
        ["kills", tally.kills],
        ["of these while it started", tally.early],
        ["kills with effects not acknowledged", tally.pending],
        ["kills with input not read to the end", tally.unread],
        ["records read again", tally.reread],
        ["deliveries on their way at the kills, sum", flying],
        ["deliveries on their way at one kill, most", max(tally.flying, default=0)],
        ["raw deliveries", len(inbox.ids)],
        ["distinct delivery ids", len(set(inbox.ids))],
        ["repeats", repeats],
        ["raw deliveries of the uninterrupted run", len(calm.ids)],
        ["distinct delivery ids of the uninterrupted run", len(set(calm.ids))],
    ])  # fmt: skip
    share = tally.pending / max(1, tally.kills)
    report.claim("at least 80 % of the kills met unacknowledged work", share >= 0.8, f"{share:.0%}")
    report.claim("records were read again", tally.reread > 0, tally.reread)
    report.claim("effects were sent again", repeats > 0, repeats)
    report.claim(
        "repeats are at most the requests in flight",
        repeats <= flying <= PARALLEL * tally.kills,
        f"{repeats} of {flying}",
    )
    lost = set(calm.ids) - set(inbox.ids)
    report.claim("no delivery was lost", not lost, len(lost))
    report.claim(
        "distinct deliveries are those of the uninterrupted run", set(calm.ids) == set(inbox.ids)
    )
    report.claim(
        "distinct (rule, key, transition, event time) too",
        calm.facts() == inbox.facts(),
        len(inbox.facts()),
    )
    for name, rows in expected.items():
        report.claim(
            f"{name}: the rows of the uninterrupted run", rows == found[name], f"{len(rows)} rows"
        )


def make(folder: Path, seed: int, *, reduced: bool) -> int:
    """A folder with a city's records and both packs; answers how many records."""
    sizes = {"vehicles": 16, "hours": 12.0, "projects": 20, "days": 90} if reduced else {
        "vehicles": 110, "hours": 24.0, "projects": 200, "days": 180
    }  # fmt: skip
    world = write_world("city", folder / "world", seed=seed, noise="default", **sizes)
    for pack in ("hazmat", "wages"):
        copy_pack(RULES / pack, folder / pack, folder / "world")
    return sum(1 for feed in world.feeds for _ in (folder / f"world/{feed.name}.jsonl").open("rb"))


def ready(city: Path, folder: Path, url: str) -> Path:
    """A copy of the city whose alerts go to a receiver."""
    shutil.copytree(city, folder)
    feeds = [
        path.stem for path in sorted((folder / "world").glob("*.jsonl")) if path.stem != "truth"
    ]
    hook = {"kind": "webhook", "url": url, "parallel": PARALLEL}
    settings(
        folder, packs=["hazmat", "wages"], sources=sources(feeds, "world", batch=40),
        sinks={"console-webhook": hook}, metrics={"port": -1},
        log={"format": "json"}, outbox={"first_wait_s": 0.2, "most_wait_s": 1.0, "drain_s": 300},
    )  # fmt: skip
    return folder


def undisturbed(folder: Path) -> tuple[Inbox, dict[str, list[Any]], float]:
    """The run that nobody kills."""
    with receiver(Inbox()) as inbox:
        place = ready(folder / "city", folder / "calm", inbox.url)
        begun = time.monotonic()
        finish(start(place))
        return inbox, kept(place), time.monotonic() - begun


def disturbed(folder: Path, kills: int, asked: Any) -> tuple[Inbox, dict[str, list[Any]], Tally]:
    """Kill, start again, and at last let it end."""
    chance, tally = random.Random(asked.seed), Tally()
    with receiver(Inbox(delay_s=0.25)) as inbox:
        place = ready(folder / "city", folder / "killed", inbox.url)
        starts = {path.stem: line_starts(path) for path in (place / "world").glob("*.jsonl")}
        ends = {path.stem: path.stat().st_size for path in (place / "world").glob("*.jsonl")}
        while tally.kills < kills:
            before = len(inbox.ids)
            process = start(place)
            if chance.random() < 0.1:
                tally.early += 1
                time.sleep(chance.uniform(0.1, 1.0))
            else:
                wait_started(process)
                time.sleep(chance.uniform(0.0, asked.longest))
            if process.poll() is not None:
                break
            process.kill()
            process.communicate()
            tally.kills += 1
            look(place, inbox.settled()[before:], starts, ends, tally)
        inbox.delay_s = 0.0
        finish(start(place))
        return inbox, kept(place), tally


def look(
    place: Path, sent: list[str], starts: dict[str, list[int]], ends: dict[str, int], tally: Tally
) -> None:
    """What a kill met: what this life `sent`, and the store it left behind."""
    database = place / "data/forewarn.db"
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as link:
        try:
            rows = link.execute("SELECT delivery_id, phase FROM outbox").fetchall()
            read = link.execute("SELECT origin, log, committed, frontier FROM positions").fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return
    done = {name for name, phase in rows if phase != "due"}
    flying = len(set(sent) - done)
    tally.flying.append(flying)
    tally.pending += len(done) < len(rows) or flying > 0
    unread = False
    for _, log, committed, frontier in read:
        feed = log.split("/")[-1]
        known = starts.get(feed)
        if known is not None:
            tally.reread += bisect_left(known, frontier) - bisect_left(known, committed)
            unread |= frontier < ends[feed]
    tally.unread += unread or not read


def line_starts(path: Path) -> list[int]:
    """Where each record of a file begins."""
    return [0, *accumulate(len(line) for line in path.open("rb"))][:-1]


def start(folder: Path) -> "subprocess.Popen[str]":
    """A daemon over a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "engine", "run", str(folder), "--once"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def wait_started(process: "subprocess.Popen[str]") -> None:
    """Return when the daemon says that it works; its further words are dropped."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if '"started"' in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return
    message = "the daemon did not start: " + "".join(said)[-2000:]
    raise RuntimeError(message)


def finish(process: "subprocess.Popen[str]") -> None:
    """Let a daemon come to its end."""
    _, words = process.communicate(timeout=1800)
    if process.returncode:
        message = f"the daemon ended with {process.returncode}: {words[-2000:]}"
        raise RuntimeError(message)


def kept(folder: Path) -> dict[str, list[Any]]:
    """What a run left behind."""
    with closing(sqlite3.connect(folder / "data/forewarn.db")) as link:
        return {name: link.execute(query).fetchall() for name, query in TABLES.items()}


if __name__ == "__main__":
    sys.exit(main())
