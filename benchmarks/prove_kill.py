"""Kill: a daemon that is killed anywhere ends where the one that was left alone ends.

One folder with files as sources, both shipped packs, SQLite, and a webhook receiver that writes
down every request, refuses some for good and puts others off once. The daemon is killed (`kill
-9`) again and again, at random moments and at each named crash point, and at last comes to its end;
then a new round begins on a fresh folder, until all deaths are had. Compared with an uninterrupted
run of the same folder: alerts, distinct deliveries, state rows, dead letters, reading positions.
"""

import json
import shutil
import signal
import sqlite3
import sys
import time
from bisect import bisect_left
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.crashes import ANY, Deaths
from benchmarks.lives import Life, Lives
from benchmarks.receiver import Inbox, receiver
from benchmarks.report import Report, options
from benchmarks.worlds import RULES, copy_pack, scratch, settings, sources, write_world

PARALLEL = 8
REFUSE_EACH, BUSY_EACH = 9, 7
MEET_S = 6.0
"""A life that has not come to its crash point by then is killed where it is."""
POINTS = {
    "after-fetch": 40, "after-decode": 40, "timer-due": 12, "timer-fired": 12,
    "after-core-step": 40, "alert-row-inserted": 8, "before-commit": 40, "after-commit": 40,
    "committed-not-claimed": 6, "outbox-claimed": 2, "send-begun": 6, "request-sent": 6,
    "answer-read": 6, "mark-not-committed": 6, "sent-marked": 6, "retry-marked": 1,
    "dead-letter-moved": 1, "retention-half": 1, "recovery-start": 1, "recovery-half": 2,
    "recovery-end": 1,
}  # fmt: skip
"""The crash points of the daemon, and up to which passing of each a life may live."""
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
        flying: For each kill, requests the receiver had and of which the store noted no end.
        reread: Records that had been read and were read again after the kill.
        unnoted: Such requests of this round up to now.

    """

    kills: int = 0
    early: int = 0
    pending: int = 0
    unread: int = 0
    flying: list[int] = field(default_factory=list)
    reread: int = 0
    unnoted: int = 0


@dataclass(slots=True)
class Round:
    """One folder from its first record to its last delivery, however often it was killed."""

    inbox: Inbox
    found: dict[str, list[Any]]

    @property
    def repeats(self) -> int:
        """Deliveries beyond the first of each id, or the second where the first was put off."""
        counts = Counter(self.inbox.ids)
        return sum(max(0, n - 1 - self.inbox.puts_off(name)) for name, n in counts.items())

    @property
    def disordered(self) -> int:
        """Alerts of which a later transition came to the receiver before an earlier one."""
        ordinals: dict[str, dict[str, int]] = {}
        for name, body in self.inbox.raw:
            change = json.loads(body)
            ordinals.setdefault(change["episode_id"], {}).setdefault(name, change["ordinal"])
        told = [list(one.values()) for one in ordinals.values()]
        return sum(order != sorted(order) for order in told)


def main() -> int:
    """Kill it; exit code 1 when something was lost or doubled."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--kills", type=int, help="at random moments: default 1000, reduced 6")
    parser.add_argument("--points", type=int, help="at each point: default 40, reduced 1")
    parser.add_argument("--longest", type=float, default=0.5, help="longest life in seconds")
    asked = parser.parse_args()
    kills = asked.kills if asked.kills is not None else (6 if asked.reduced else 1000)
    each = asked.points if asked.points is not None else (1 if asked.reduced else 40)
    report = Report("kill", "Proof: kill -9 anywhere (embedded daemon)", asked)
    tally, deaths = Tally(), Deaths.of(asked.seed, kills, tuple(POINTS), each)
    with scratch("kill") as folder, Lives(["engine.edge.cli.daemon"], asked.seed) as lives:
        records = make(folder / "city", asked.seed, reduced=asked.reduced)
        calm, calm_s = undisturbed(folder, lives)
        rounds: list[Round] = []
        while deaths.left:
            rounds.append(disturbed(folder, lives, deaths, tally, asked.longest, len(rounds)))
    report.say(
        f"City of seed {asked.seed}, default noise: {records:,} records in six files, both packs; "
        f"a batch is 40 records, a webhook may have {PARALLEL} requests open, and the receiver "
        f"answers after 0.25 s while the kills go on, refuses one delivery in {REFUSE_EACH} for "
        f"good and puts the first try of one in {BUSY_EACH} off (503). The uninterrupted run took "
        f"{calm_s:.0f} s. A life is forked from a process that has imported the program; of "
        f"{tally.kills} deaths one in ten of the random ones came while it started."
    )
    tell(report, calm, rounds, tally, deaths, each)
    return report.close()


def tell(
    report: Report, calm: Round, rounds: list[Round], tally: Tally, deaths: Deaths, each: int
) -> None:
    """Figures and claims."""
    repeats, flying = sum(one.repeats for one in rounds), sum(tally.flying)
    calm_ids = set(calm.inbox.ids)
    report.table(["what", "value"], [
        ["deaths", tally.kills],
        ["at random moments", deaths.had[ANY]],
        ["of these while it started", tally.early],
        ["at crash points", tally.kills - deaths.had[ANY]],
        ["deaths with effects not acknowledged", tally.pending],
        ["deaths with input not read to the end", tally.unread],
        ["records read again", tally.reread],
        ["deliveries on their way at the deaths, sum", flying],
        ["deliveries on their way at one death, most", max(tally.flying, default=0)],
        ["rounds, each to the end of the world", len(rounds)],
        ["raw deliveries", sum(len(one.inbox.ids) for one in rounds)],
        ["distinct delivery ids of each round", len(set(rounds[0].inbox.ids))],
        ["repeats", repeats],
        ["distinct delivery ids of the uninterrupted run", len(calm_ids)],
        ["of these refused for good", sum(map(calm.inbox.refuses, calm_ids))],
    ])  # fmt: skip
    report.table(["died", "times", "lives that did not come to it"], deaths.rows(tuple(POINTS)))
    share = tally.pending / max(1, tally.kills)
    report.claim(
        "at least 80 % of the deaths met unacknowledged work", share >= 0.8, f"{share:.0%}"
    )
    report.claim(
        f"each of the {len(POINTS)} crash points was met {each} times",
        all(deaths.had[name] >= each for name in POINTS),
    )
    report.claim("records were read again", tally.reread > 0, tally.reread)
    report.claim("effects were sent again", repeats > 0, repeats)
    report.claim(
        "repeats are at most the requests in flight",
        repeats <= flying <= PARALLEL * tally.kills,
        f"{repeats} of {flying}",
    )
    lost = sum(len(calm_ids - set(one.inbox.ids)) for one in rounds)
    report.claim("no delivery was lost", not lost, lost)
    same = sum(calm_ids == set(one.inbox.ids) for one in rounds)
    report.claim(
        "distinct deliveries are those of the uninterrupted run",
        same == len(rounds),
        f"{same} of {len(rounds)} rounds",
    )
    disordered = sum(one.disordered for one in rounds)
    report.claim("each alert was told in its order", not disordered, disordered)
    facts = calm.inbox.facts()
    same = sum(facts == one.inbox.facts() for one in rounds)
    report.claim(
        "distinct (rule, key, transition, event time) too",
        same == len(rounds),
        f"{len(facts)}, {same} of {len(rounds)} rounds",
    )
    for name, rows in calm.found.items():
        same = sum(rows == one.found[name] for one in rounds)
        report.claim(
            f"{name}: the rows of the uninterrupted run",
            same == len(rounds),
            f"{len(rows)} rows, {same} of {len(rounds)} rounds",
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


def undisturbed(folder: Path, lives: Lives) -> tuple[Round, float]:
    """The run that nobody kills."""
    with receiver(Inbox(refuse_each=REFUSE_EACH, busy_each=BUSY_EACH)) as inbox:
        place = ready(folder / "city", folder / "calm", inbox.url)
        begun = time.monotonic()
        finish(start(lives, place))
        return Round(inbox, kept(place)), time.monotonic() - begun


def disturbed(
    folder: Path, lives: Lives, deaths: Deaths, tally: Tally, longest_s: float, number: int
) -> Round:
    """Kill, start again, and at last, or when its work is done, let it end."""
    with receiver(Inbox(0.25, refuse_each=REFUSE_EACH, busy_each=BUSY_EACH)) as inbox:
        place = ready(folder / "city", folder / f"killed-{number}", inbox.url)
        starts = {path.stem: line_starts(path) for path in (place / "world").glob("*.jsonl")}
        ends = {path.stem: path.stat().st_size for path in (place / "world").glob("*.jsonl")}
        tally.unnoted = 0
        while (name := deaths.draw()) is not None:
            if not end_one(lives, place, name, deaths, tally, longest_s):
                break
            tally.kills += 1
            if not look(place, inbox.settled(), starts, ends, tally):
                break  # most places are met while records are read
        inbox.delay_s = 0.0
        finish(start(lives, place))
        found = kept(place)
    shutil.rmtree(place)
    return Round(inbox, found)


def end_one(
    lives: Lives, place: Path, name: str, deaths: Deaths, tally: Tally, longest_s: float
) -> bool:
    """One life and its death; False when it had nothing left to do."""
    chance = deaths.chance
    if name == ANY:
        life = start(lives, place)
        early = chance.random() < 0.1
        if early:
            life.wait(chance.uniform(0.0, 0.5))
        else:
            wait_started(life)
            life.wait(chance.uniform(0.0, longest_s))
        tally.early += early
    else:
        times = chance.randint(1, POINTS[name]) if not deaths.missed[name] else 1
        life = start(lives, place, f"{name}:{times}")
        if life.wait(MEET_S) != -signal.SIGKILL:
            deaths.did_not_come(name)
            name = ANY if life.code is None else name
    if life.code == 0:
        return False
    if life.code not in (None, -signal.SIGKILL):
        finish(life)  # says how it ended
    life.kill()
    deaths.met(name)
    return True


def look(
    place: Path, sent: list[str], starts: dict[str, list[int]], ends: dict[str, int], tally: Tally
) -> bool:
    """What a kill met: what was `sent` so far, and the store it left; whether input is unread."""
    database = place / "data/forewarn.db"
    if not database.exists():
        return True
    with closing(sqlite3.connect(database)) as link:
        try:
            rows = link.execute("SELECT phase, attempts FROM outbox").fetchall()
            read = link.execute("SELECT origin, log, committed, frontier FROM positions").fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return True
    unnoted = len(sent) - sum(attempts for _, attempts in rows)
    flying, tally.unnoted = unnoted - tally.unnoted, unnoted
    tally.flying.append(flying)
    tally.pending += any(phase == "due" for phase, _ in rows) or flying > 0
    unread = False
    for _, log, committed, frontier in read:
        feed = log.split("/")[-1]
        known = starts.get(feed)
        if known is not None:
            tally.reread += bisect_left(known, frontier) - bisect_left(known, committed)
            unread |= frontier < ends[feed]
    tally.unread += unread or not read
    return unread or not read


def line_starts(path: Path) -> list[int]:
    """Where each record of a file begins."""
    return [0, *accumulate(len(line) for line in path.open("rb"))][:-1]


def start(lives: Lives, folder: Path, point: str = "") -> Life:
    """A daemon over a folder."""
    return lives.start(["run", str(folder), "--once"], log=folder / "daemon.log", point=point)


def wait_started(life: Life) -> None:
    """Return when the daemon says that it works, or has ended."""
    if not life.wait_said('"started"', 60.0) and life.code is None:
        message = "the daemon did not start: " + life.said()[-2000:]
        raise RuntimeError(message)


def finish(life: Life) -> None:
    """Let a daemon come to its end."""
    if life.wait(1800) != 0:
        message = f"the daemon ended with {life.code}: {life.said()[-2000:]}"
        raise RuntimeError(message)


def kept(folder: Path) -> dict[str, list[Any]]:
    """What a run left behind."""
    with closing(sqlite3.connect(folder / "data/forewarn.db")) as link:
        return {name: link.execute(query).fetchall() for name, query in TABLES.items()}


if __name__ == "__main__":
    sys.exit(main())
