"""Kill on Kafka: workers and dispatcher are killed and restarted, and nothing shows of it.

Two Faust workers and a dispatcher (SQL outbox, webhook) as processes, both shipped packs. While
records flow in, one process after the other is ended at a random age: `kill -9` or SIGTERM.
Compared with an uninterrupted run: published alerts, distinct deliveries, saved state.
"""

import asyncio
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.receiver import Inbox, receiver
from benchmarks.report import Report, options
from benchmarks.streams import Sent, Stage, broker, plain
from benchmarks.worlds import RULES, scratch, write_world

WORKERS, DISPATCHER, PARALLEL = ("w0", "w1"), "d0", 8


@dataclass(slots=True)
class Tally:
    """What the endings met."""

    rows: list[list[Any]] = field(default_factory=list)
    pending: int = 0
    waiting: int = 0
    flying: int = 0
    codes: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Result:
    """What a run left behind."""

    alerts: list[tuple[str, ...]]
    state: dict[str, list[Any]]
    inbox: Inbox
    took_s: float


def main() -> int:
    """End processes again and again; exit code 1 when something was lost or doubled."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--kills", type=int, default=0, help="default 30, reduced 4")
    parser.add_argument("--stops", type=int, default=0, help="SIGTERM, default 10, reduced 2")
    parser.add_argument(
        "--longest", type=float, default=8.0, help="longest pause between endings, seconds"
    )
    asked = parser.parse_args()
    asked.kills = asked.kills or (4 if asked.reduced else 30)
    asked.stops = asked.stops or (2 if asked.reduced else 10)
    report = Report("kill-kafka", "Proof: kill -9 and SIGTERM (Faust on Kafka)", asked)
    with scratch("kill-kafka") as folder:
        sizes: dict[str, Any] = {"vehicles": 16, "hours": 12.0, "projects": 20, "days": 90}
        if not asked.reduced:
            sizes = {"vehicles": 60, "hours": 24.0, "projects": 100, "days": 150}
        world = write_world("city", folder / "world", seed=asked.seed, noise="default", **sizes)
        records = [Sent(item.feed, item.key, item.value) for item in world.items()]
        bootstrap = broker()
        calm, _ = run(folder, "calm", bootstrap, records, world.end_ms, None)
        killed, tally = run(folder, "killed", bootstrap, records, world.end_ms, asked)
    report.say(
        f"City of seed {asked.seed}, default noise: {len(records):,} records. Two workers, one "
        f"dispatcher with a webhook of {PARALLEL} parallel requests. Uninterrupted "
        f"{calm.took_s:.0f} s, disturbed {killed.took_s:.0f} s."
    )
    tell(report, calm, killed, tally)
    return report.close()


def tell(report: Report, calm: Result, killed: Result, tally: Tally) -> None:
    """Figures and claims."""
    endings = len(tally.rows)
    repeats = len(killed.inbox.ids) - len(set(killed.inbox.ids))
    kinds = Counter(f"{row[0]} {row[1]}" for row in tally.rows)
    report.table(["what", "value"], [
        ["endings", endings],
        ["by kind", ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))],
        ["exit codes after SIGTERM", dict(tally.codes)],
        ["endings with unacknowledged work", tally.pending],
        ["records that waited in a worker at the endings, to be read again", tally.waiting],
        ["deliveries on their way when a dispatcher ended, sum", tally.flying],
        ["transitions on the alerts topic", len(killed.alerts)],
        ["distinct transitions there", len(set(killed.alerts))],
        ["raw webhook deliveries", len(killed.inbox.ids)],
        ["distinct delivery ids", len(set(killed.inbox.ids))],
        ["repeats", repeats],
        ["distinct delivery ids of the uninterrupted run", len(set(calm.inbox.ids))],
    ])  # fmt: skip
    report.claim(
        "at least 80 % of the endings met unacknowledged work",
        tally.pending >= 0.8 * endings,
        f"{tally.pending} of {endings}",
    )
    report.claim("records were read again", tally.waiting > 0, tally.waiting)
    report.claim(
        "every SIGTERM ended with code 0, or 143 where it came while starting",
        set(tally.codes) <= {0, 143},
        dict(tally.codes),
    )
    lost = Counter(calm.alerts) - Counter(killed.alerts)
    extra = Counter(killed.alerts) - Counter(calm.alerts)
    report.claim("no alert was lost", not lost, sum(lost.values()))
    report.claim("no alert was published twice or wrongly", not extra, sum(extra.values()))
    report.claim(
        "distinct deliveries are those of the uninterrupted run",
        set(calm.inbox.ids) == set(killed.inbox.ids),
        len(set(killed.inbox.ids)),
    )
    report.claim(
        "distinct (rule, key, transition, event time) too",
        calm.inbox.facts() == killed.inbox.facts(),
    )
    report.claim(
        "webhook repeats are at most the requests in flight",
        repeats <= tally.flying,
        f"{repeats} of {tally.flying}",
    )
    same = calm.state == killed.state
    report.claim(
        "saved state is that of the uninterrupted run", same, sum(map(len, killed.state.values()))
    )
    for kind, some in (("lost", lost), ("extra", extra)):
        if some:
            report.say(kind)
            report.code("\n".join(str(one)[:300] for one in list(some)[:8]))
    report.head("Every ending")
    report.table(["process", "signal", "age s", "unread", "waiting", "on their way"], tally.rows)


def run(
    folder: Path, name: str, bootstrap: str, records: Sequence[Sent], end_ms: int, asked: Any
) -> tuple[Result, Tally]:
    """One installation from its first record to its last delivery."""
    with receiver(Inbox(delay_s=0.0 if asked is None else 3.0)) as inbox:
        (folder / name).mkdir()
        hook = {"kind": "webhook", "url": inbox.url, "parallel": PARALLEL}
        stage = Stage(
            bootstrap, folder / name, {pack: RULES / pack for pack in ("hazmat", "wages")},
            folder / "world",
            more={
                "sinks": {"console-webhook": hook},
                "outbox": {"first_wait_s": 0.2, "most_wait_s": 1.0},
            },
        )  # fmt: skip
        try:
            return asyncio.run(_run(stage, inbox, records, end_ms, asked))
        finally:
            stage.close()


async def _run(
    stage: Stage, inbox: Inbox, records: Sequence[Sent], end_ms: int, asked: Any
) -> tuple[Result, Tally]:
    begun, tally = time.monotonic(), Tally()
    for name in WORKERS:
        stage.start(name)
    stage.start(DISPATCHER, "dispatcher")
    if asked is None:
        await stage.send(records)
    else:
        lasts_s = (asked.kills + asked.stops) * (asked.longest / 2 + 1.0)
        sending = asyncio.create_task(
            stage.send(records, pause_s=lasts_s * 100 / len(records), each=100)
        )
        await _disturb(stage, inbox, asked, tally)
        await sending
        inbox.delay_s = 0.0
    state = await stage.settled(end_ms, timeout_s=900)
    alerts = await stage.alerts()
    until = time.monotonic() + 300
    wanted = {one.delivery_id for one in alerts}
    while not wanted <= set(inbox.ids) and time.monotonic() < until:  # noqa: ASYNC110 - see above
        await asyncio.sleep(0.5)
    await asyncio.sleep(2.0)
    took_s = time.monotonic() - begun
    return Result(sorted(plain(one) for one in alerts), state, inbox, took_s), tally


async def _disturb(stage: Stage, inbox: Inbox, asked: Any, tally: Tally) -> None:
    """End one process after the other at a random age, and start it again at once."""
    chance = random.Random(asked.seed)
    signals = ["kill -9"] * asked.kills + ["SIGTERM"] * asked.stops
    chance.shuffle(signals)
    born = dict.fromkeys((*WORKERS, DISPATCHER), time.monotonic())
    handed = {DISPATCHER: 0}
    while (await stage.backlog())[2] == 0:  # noqa: ASYNC110 - the state is on the broker
        await asyncio.sleep(0.5)
    for signal in signals:
        name = chance.choice((*WORKERS, DISPATCHER))
        await asyncio.sleep(chance.uniform(0.1, asked.longest))
        if signal == "SIGTERM":
            tally.codes[await asyncio.to_thread(stage.stop, name, 60.0)] += 1
        else:
            stage.kill(name)
        age_s = time.monotonic() - born[name]
        flying = due = 0
        if name == DISPATCHER:
            flying, due = _open(stage, inbox.settled()[handed[DISPATCHER] :])
            tally.flying += flying
            handed[DISPATCHER] = len(inbox.ids)
        stage.start(name, "dispatcher" if name == DISPATCHER else "worker")
        born[name] = time.monotonic()
        waiting, unread, _ = await stage.backlog()
        tally.waiting += waiting if name != DISPATCHER else 0
        tally.pending += bool(flying or due if name == DISPATCHER else waiting or unread)
        tally.rows.append([name, signal, f"{age_s:.1f}", unread, waiting, flying])


def _open(stage: Stage, sent: Sequence[str]) -> tuple[int, int]:
    """Deliveries of this life that the store does not know as done, and all that are due."""
    database = stage.folder / "data/forewarn.db"
    if not database.exists():
        return 0, 0
    with closing(sqlite3.connect(database)) as link:
        try:
            rows = link.execute("SELECT delivery_id, phase FROM outbox").fetchall()
        except sqlite3.OperationalError:
            return 0, 0
    done = {name for name, phase in rows if phase != "due"}
    return len(set(sent) - done), len(rows) - len(done)


if __name__ == "__main__":
    sys.exit(main())
