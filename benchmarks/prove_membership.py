"""Membership: workers join, leave, restart and stay away, and nothing shows of it but a pause.

While records flow, workers without a name of their own join and leave again by SIGTERM, three named
workers are restarted at random ages, and named workers leave and do not come back. Each time it is
measured how long it takes until everything that was in the topics by then, and some records more,
is read by somebody again and that is saved. Compared with an undisturbed run: published alerts,
distinct deliveries, saved state.
"""

import asyncio
import random
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.cluster import own_broker
from benchmarks.flow import Feed, Lookout
from benchmarks.installation import (
    DISPATCHER,
    LARGE,
    MODULES,
    SMALL,
    City,
    Installation,
    Result,
    claim_same,
    played,
)
from benchmarks.lives import Lives
from benchmarks.report import Report, options
from benchmarks.worlds import scratch

NAMED = ("w0", "w1", "w2")
TAKEOVER_S = 20.0
FRESH = 60
"""So many records are sent at each change, to be taken up by whoever has their partition then."""


@dataclass(slots=True)
class Tally:
    """Every change: what, who, how old, and after how many seconds all was read again."""

    rows: list[tuple[str, str, float, float]] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)

    def took(self, what: str) -> list[float]:
        """The times of one kind of change."""
        return [took_s for kind, _, _, took_s in self.rows if kind == what]


@dataclass(slots=True)
class Scene:
    """What a change needs."""

    stage: Installation
    lookout: Lookout
    feed: Feed
    chance: random.Random
    tally: Tally
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self, name: str, what: str, *, is_static: bool) -> None:
        """A worker comes, for the first time or again."""
        begun = time.monotonic()
        self.stage.start(name, is_static=is_static)
        await asyncio.to_thread(self.stage.lives[name].wait_said, '"assigned"', 60.0)
        await self._read_again(what, name, 0.0, begun)

    async def leave(self, name: str, what: str) -> None:
        """A worker is told to end; with `restarts` it is started again at once."""
        life, begun = self.stage.lives[name], time.monotonic()
        age_s = life.age_s
        life.signal(signal.SIGTERM)
        code = await asyncio.to_thread(life.wait, 60.0)
        if code is None:
            message = f"{name} did not end on SIGTERM: {life.said()[-2000:]}"
            raise TimeoutError(message)
        self.tally.codes[128 - code if code < 0 else code] += 1  # as a shell tells it
        if what == "restarts":
            self.stage.start(name)
        await self._read_again(what, name, age_s, begun)

    async def _read_again(self, what: str, name: str, age_s: float, begun: float) -> None:
        await self.feed.send(FRESH)
        await self.lookout.reached(90.0)
        took_s = time.monotonic() - begun
        self.tally.rows.append((what, name, age_s, took_s))
        print(f"{what} {name}: read again after {took_s:.1f} s", flush=True)


def main() -> int:
    """Let workers come and go; exit code 1 when something shows of it."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--joins", type=int, help="joins, each with its leave: 50, reduced 1")
    parser.add_argument("--restarts", type=int, help="default 30, reduced 2")
    parser.add_argument("--away", type=int, help="named workers that stay away: 4, reduced 0")
    parser.add_argument("--oldest", type=float, help="oldest age at a restart: 60 s, reduced 2")
    asked = parser.parse_args()
    small = asked.reduced
    asked.joins = asked.joins if asked.joins is not None else (1 if small else 50)
    asked.restarts = asked.restarts if asked.restarts is not None else (2 if small else 30)
    asked.away = asked.away if asked.away is not None else (0 if small else 4)
    asked.oldest = asked.oldest if asked.oldest is not None else (2.0 if small else 60.0)
    report = Report("membership", "Proof: workers join, leave, restart and stay away", asked)
    tally = Tally()
    with scratch("membership") as folder, own_broker(folder) as bootstrap, \
            Lives(MODULES, asked.seed) as lives:  # fmt: skip
        city = City.make(folder, asked.seed, SMALL if small else LARGE)
        calm = played(bootstrap, city, "calm", lives)
        found = played(
            bootstrap, city, "moved", lives, lambda stage: _moves(stage, asked, tally),
            session_s=10.0, heartbeat_s=3.0,
        )  # fmt: skip
    report.say(
        f"City of seed {asked.seed}, default noise: {len(city.records):,} records, sessions of 10 "
        f"s (the default). Undisturbed {calm.took_s:.0f} s, disturbed {found.took_s:.0f} s. A life "
        "is forked from a process that has imported the program; add about 2 s of imports to the "
        "figures of joins and restarts for a cold start."
    )
    tell(report, calm, found, tally, asked)
    return report.close()


def tell(report: Report, calm: Result, found: Result, tally: Tally, asked: object) -> None:
    """Figures and claims."""
    every = ("joins", "leaves", "restarts", "stays away", "returns")
    kinds = [kind for kind in every if tally.took(kind)]
    report.table(
        ["change", "times", "read again after: median s", "90 % s", "worst s"],
        [
            [kind, len(took), statistics.median(took), sorted(took)[int(0.9 * (len(took) - 1))],
             max(took)]
            for kind in kinds
            for took in [tally.took(kind)]
        ],
    )  # fmt: skip
    for kind, wanted in (("joins", "joins"), ("leaves", "joins"), ("restarts", "restarts")):
        count = getattr(asked, wanted)
        report.claim(f"there were {count} {kind}", len(tally.took(kind)) == count)
    worst = max(took for *_, took in tally.rows)
    report.claim(
        f"everything was read again within {TAKEOVER_S:.0f} s",
        worst <= TAKEOVER_S,
        f"{worst:.1f} s",
    )
    report.claim(
        "every SIGTERM ended with code 0, or 143 where it came while starting",
        set(tally.codes) <= {0, 143},
        dict(tally.codes),
    )
    claim_same(report, calm, [found])
    report.claim("no delivery was repeated", not found.repeats, found.repeats)
    report.head("Every change")
    report.table(
        ["change", "who", "age s", "read again after s"],
        [[what, who, f"{age:.1f}", f"{took:.1f}"] for what, who, age, took in tally.rows],
    )


async def _moves(stage: Installation, asked: object, tally: Tally) -> None:
    joins, restarts, away, oldest = (
        getattr(asked, name) for name in ("joins", "restarts", "away", "oldest")
    )
    for name in NAMED[:2]:
        stage.start(name)
    stage.start(DISPATCHER, "dispatcher")
    async with Lookout(stage) as lookout, Feed(stage) as feed:
        scene = Scene(stage, lookout, feed, random.Random(getattr(asked, "seed", 0)), tally)
        flow = asyncio.create_task(feed.over(5.0 * joins + restarts * oldest / 5 + 15 * away, 0.9))
        await feed.send(FRESH)
        await lookout.reached(90.0)
        for number in range(joins):
            await scene.begin(f"v{number % 3}", "joins", is_static=False)
            await asyncio.sleep(scene.chance.uniform(0.0, 1.5))
            await scene.leave(f"v{number % 3}", "leaves")
        if restarts:
            await scene.begin(NAMED[2], "returns", is_static=True)
            ages = [scene.chance.uniform(0.0, oldest) for _ in range(restarts)]
            await asyncio.gather(
                *(_restarts(scene, name, ages[one::3]) for one, name in enumerate(NAMED))
            )
        for number in range(away):
            name = NAMED[number % 2]
            await scene.leave(name, "stays away")
            await scene.begin(name, "returns", is_static=True)
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)


async def _restarts(scene: Scene, name: str, ages: list[float]) -> None:
    """One named worker after the other, each told to end at its age."""
    for age_s in ages:
        await asyncio.sleep(max(0.0, age_s - scene.stage.lives[name].age_s))
        async with scene.turn:  # a rolling restart takes them one by one
            await scene.leave(name, "restarts")


if __name__ == "__main__":
    sys.exit(main())
