"""Kill on Kafka: workers and dispatcher die anywhere and are started again; nothing shows of it.

Two Faust workers and a dispatcher (SQL outbox, webhook) as processes, both shipped packs. While
records flow in, each process is ended again and again: at random moments and at each named crash
point by `kill -9`, and by SIGTERM. A round ends with the last record of the world; then the next
begins on fresh topics, until all deaths are had. Compared with an uninterrupted run: published
alerts, distinct deliveries, saved state.
"""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.cluster import own_broker
from benchmarks.crashes import ANY, Deaths
from benchmarks.flow import Feed, Lookout
from benchmarks.installation import (
    DISPATCHER,
    LARGE,
    MODULES,
    PARALLEL,
    REFUSE_EACH,
    SMALL,
    City,
    Installation,
    Result,
    claim_same,
    played,
)
from benchmarks.lives import Life, Lives
from benchmarks.report import Report, options
from benchmarks.worlds import scratch

WORKERS = ("w0", "w1")
VISITOR = "visitor"
"""A worker that joins and leaves when partitions must change hands."""
TERM = "SIGTERM"
MEET_S, LONGEST_S, ROUND = 8.0, 2.5, 120
"""Longest wait for a crash point, longest age at a random death, deaths of one round."""
WORKER_POINTS = {
    "after-fetch": 6, "after-decode": 6, "timer-due": 3, "timer-fired": 3, "after-core-step": 6,
    "effect-sent": 3, "state-sent": 6, "before-commit": 6, "after-commit": 6,
    "recovery-start": 6, "recovery-half": 3, "recovery-end": 3, "partitions-assigned": 1,
    "partitions-revoked": 1,
}  # fmt: skip
DISPATCHER_POINTS = {
    "after-fetch": 2, "alert-row-inserted": 4, "before-commit": 2, "after-commit": 2,
    "committed-not-claimed": 2, "outbox-claimed": 2, "request-sent": 3, "answer-read": 3,
    "dead-letter-moved": 1, "retention-half": 1, "partitions-assigned": 1,
}  # fmt: skip
"""The crash points of each process, and up to which passing of each it may live."""


@dataclass(slots=True)
class Tally:
    """What the endings met."""

    pending: int = 0
    endings: int = 0
    waiting: int = 0
    flying: int = 0
    most: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    ages: list[float] = field(default_factory=list)


def main() -> int:
    """End processes again and again; exit code 1 when something was lost or doubled."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--kills", type=int, help="at random moments: default 200, reduced 3")
    parser.add_argument("--points", type=int, help="at each point: default 40, reduced 0")
    parser.add_argument("--stops", type=int, help="SIGTERM: default 10, reduced 1")
    asked = parser.parse_args()
    small = asked.reduced
    kills = asked.kills if asked.kills is not None else (3 if small else 200)
    each = asked.points if asked.points is not None else (0 if small else 40)
    stops = asked.stops if asked.stops is not None else (1 if small else 10)
    report = Report("kill-kafka", "Proof: kill -9 and SIGTERM anywhere (Faust on Kafka)", asked)
    workers = Deaths.of(asked.seed, kills - kills // 4, tuple(WORKER_POINTS), each)
    dispatcher = Deaths.of(asked.seed + 1, kills // 4, tuple(DISPATCHER_POINTS), each)
    workers.owed[TERM] = stops - stops // 5
    dispatcher.owed[TERM] = stops // 5
    tally, rounds = Tally(), list[Result]()
    with scratch("kill-kafka") as folder, own_broker(folder) as bootstrap, \
            Lives(MODULES, asked.seed) as lives:  # fmt: skip
        city = City.make(folder, asked.seed, SMALL if small else LARGE)
        calm = played(bootstrap, city, "calm", lives)
        begun = time.monotonic()
        while workers.left or dispatcher.left:
            found = played(
                bootstrap, city, f"killed-{len(rounds)}", lives,
                lambda stage: _disturb(stage, workers, dispatcher, tally), delay_s=1.0,
            )  # fmt: skip
            rounds.append(found)
            print(f"round {len(rounds)}: {workers.left + dispatcher.left} deaths left", flush=True)
    report.say(
        f"City of seed {asked.seed}, default noise: {len(city.records):,} records. Two workers, "
        f"one dispatcher, a webhook with {PARALLEL} parallel requests, a receiver that takes 1 s "
        f"and refuses one delivery in {REFUSE_EACH} for good. Uninterrupted {calm.took_s:.0f} s; "
        f"{len(rounds)} disturbed rounds of up to {ROUND} endings took "
        f"{time.monotonic() - begun:.0f} s. A life is forked from a process that has imported the "
        "program, and records are sent at the pace of the endings."
    )
    tell(report, calm, rounds, tally, (workers, dispatcher), each)
    return report.close()


def tell(
    report: Report, calm: Result, rounds: Sequence[Result], tally: Tally,
    deaths: tuple[Deaths, Deaths], each: int,
) -> None:  # fmt: skip
    """Figures and claims."""
    repeats = sum(one.repeats for one in rounds)
    workers, dispatcher = deaths
    report.table(["what", "value"], [
        ["endings", tally.endings],
        ["workers killed at random", workers.had[ANY]],
        ["dispatcher killed at random", dispatcher.had[ANY]],
        ["killed at a crash point", sum(
            count for one in deaths for name, count in one.had.items() if name not in (ANY, TERM)
        )],
        ["exit codes after SIGTERM", dict(tally.codes)],
        ["median age at the end, s", sorted(tally.ages)[len(tally.ages) // 2]],
        ["endings with unacknowledged work", tally.pending],
        ["records that waited in workers at the endings, to be read again", tally.waiting],
        ["deliveries on their way when a dispatcher ended, sum", tally.flying],
        ["deliveries on their way at one end, most", tally.most],
        ["rounds, each to the end of the world", len(rounds)],
        ["transitions on the alerts topic of each round", len(rounds[0].alerts)],
        ["raw webhook deliveries", sum(len(one.inbox.ids) for one in rounds)],
        ["repeats", repeats],
        ["distinct delivery ids of the uninterrupted run", len(set(calm.inbox.ids))],
    ])  # fmt: skip
    rows = [["worker", *row] for row in workers.rows(tuple(WORKER_POINTS))]
    rows += [["dispatcher", *row] for row in dispatcher.rows(tuple(DISPATCHER_POINTS))]
    report.table(["process", "died", "times", "lives that did not come to it"], rows)
    share = tally.pending / max(1, tally.endings)
    report.claim(
        "at least 80 % of the endings met unacknowledged work", share >= 0.8, f"{share:.0%}"
    )
    points = (*WORKER_POINTS, *DISPATCHER_POINTS)
    report.claim(
        f"each of the {len(points)} crash points was met {each} times",
        all(workers.had[name] >= each for name in WORKER_POINTS)
        and all(dispatcher.had[name] >= each for name in DISPATCHER_POINTS),
    )
    if not report.asked.reduced:  # a handful of endings may all find the workers up to date
        report.claim("records were read again", tally.waiting > 0, tally.waiting)
    report.claim(
        "every SIGTERM ended with code 0, or 143 where it came while starting",
        set(tally.codes) <= {0, 143},
        dict(tally.codes),
    )
    claim_same(report, calm, rounds)
    report.claim(
        "webhook repeats are at most the requests in flight",
        repeats <= tally.flying,
        f"{repeats} of {tally.flying}",
    )


async def _disturb(stage: Installation, workers: Deaths, dispatcher: Deaths, tally: Tally) -> None:
    """End the processes until this round's records are sent or no death is owed any more."""
    step = 1.0 / (min(ROUND, workers.left + dispatcher.left) + 2)
    async with Lookout(stage) as lookout, Feed(stage) as feed:
        feed.share = step
        scenes = [
            _scenes(stage, name, workers, WORKER_POINTS, feed, lookout, tally, step)
            for name in WORKERS
        ]
        points = DISPATCHER_POINTS
        scenes.append(_scenes(stage, DISPATCHER, dispatcher, points, feed, lookout, tally, step))
        await asyncio.gather(*scenes)


async def _scenes(
    stage: Installation, name: str, deaths: Deaths, points: dict[str, int],
    feed: Feed, lookout: Lookout, tally: Tally, step: float,
) -> None:  # fmt: skip
    """One process after the other under this name; the last one lives on."""
    role = "dispatcher" if name == DISPATCHER else "worker"
    handed = 0
    while not feed.is_over and (drawn := deaths.draw()) is not None:
        point = "" if drawn in (ANY, TERM) else _times(drawn, points, deaths)
        stage.start(name, role, point)
        life = stage.lives[name]
        how = await _end(stage, life, drawn, deaths.chance)
        if how != drawn:
            deaths.did_not_come(drawn)
        deaths.met(how)
        tally.endings += 1
        tally.ages.append(life.age_s)
        if how == TERM:
            code = life.code or 0
            tally.codes[128 - code if code < 0 else code] += 1  # as a shell tells it
        feed.share += step
        waiting, unread, _ = await lookout.look()
        if name == DISPATCHER:
            flying, due = stage.undelivered((await asyncio.to_thread(stage.inbox.settled))[handed:])
            handed = len(stage.inbox.ids)
            tally.flying += flying
            tally.most = max(tally.most, flying)
            tally.pending += bool(flying or due)
        else:
            tally.waiting += waiting
            tally.pending += bool(waiting or unread)
    stage.start(name, role)


def _times(name: str, points: dict[str, int], deaths: Deaths) -> str:
    return f"{name}:{1 if deaths.missed[name] else deaths.chance.randint(1, points[name])}"


async def _end(stage: Installation, life: Life, drawn: str, chance: random.Random) -> str:
    """Live and die; answers how."""
    if drawn in (ANY, TERM):
        await _lives(life, chance.uniform(0.2, LONGEST_S))
    elif drawn == "partitions-revoked":
        await _visited(stage, life)
    else:
        await _lives(life, MEET_S)
    if life.code == -signal.SIGKILL:
        return drawn
    if life.code is not None:
        message = f"a process ended with {life.code}: {life.said()[-2000:]}"
        raise RuntimeError(message)
    if drawn == TERM:
        life.signal(signal.SIGTERM)
        if await asyncio.to_thread(life.wait, 60.0) is None:
            message = "a process did not end on SIGTERM"
            raise TimeoutError(message)
        return TERM
    await asyncio.to_thread(life.kill)
    return ANY


async def _visited(stage: Installation, life: Life) -> None:
    """Let another worker join, so that partitions are taken away from this one."""
    if await asyncio.to_thread(life.wait_said, '"assigned"', MEET_S):
        await _lives(life, 0.3)
        if VISITOR not in stage.lives or stage.lives[VISITOR].code is not None:
            stage.start(VISITOR, is_static=False)
            await _lives(life, MEET_S)
            await asyncio.to_thread(stage.stop, VISITOR, 60.0)
        else:
            await _lives(life, MEET_S)


async def _lives(life: Life, within_s: float) -> None:
    await asyncio.to_thread(life.wait, within_s)


if __name__ == "__main__":
    sys.exit(main())
