"""Broker: it is away at the start, for a while, for long, it flaps, and one of three is killed.

An outage is a broker process that is killed (`kill -9`) and later started again on its data; a flap
is one that is paused (SIGSTOP), every tenth one that is killed. What would have arrived during an
outage arrives at once when the broker is back, while records go on arriving at the same rate. Three
brokers hold everything three times, and each of them is killed once while records flow. Workers and
dispatcher are started again only if they ended by themselves. Compared with an undisturbed run:
published alerts, distinct deliveries, saved state.
"""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cluster import Cluster, own_cluster
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

WORKERS = ("w0", "w1")
LONG_ENOUGH_S = 30.0
"""After a shorter outage it is the time to find the broker again that counts, not the backlog."""
KEEPS_UP = 3.0
"""A backlog must be worked off at so many times the rate of arrival."""


@dataclass(slots=True)
class Tally:
    """What happened: every outage, and processes that ended by themselves."""

    rows: list[list[object]] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """What an outage needs."""

    stage: Installation
    cluster: Cluster
    lookout: Lookout
    feed: Feed
    tally: Tally

    async def outage(self, name: str, seconds: float, share: float) -> None:
        """The broker dies and comes back; what should have arrived meanwhile arrives at once."""
        rate = share * len(self.stage.city.records) / (seconds * 4 / 3)
        async with self.feed.gate:
            await asyncio.to_thread(self.cluster.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.cluster.start)
        back, backlog = time.monotonic(), int(rate * seconds)
        await self.feed.send(backlog)
        self.feed.share = self.feed.sent / len(self.stage.city.records)
        arriving = asyncio.create_task(self.feed.over(seconds / 3, self.feed.share + share / 4))
        await self.lookout.reached(300.0)
        drained_s = time.monotonic() - back
        ratio = backlog / drained_s / rate
        if seconds >= LONG_ENOUGH_S:
            self.tally.ratios.append(ratio)
        self.tally.rows.append([
            name, f"{seconds:.0f}", f"{rate:,.0f}", f"{backlog:,}", f"{drained_s:.1f}",
            f"{ratio:.1f}",
        ])  # fmt: skip
        await arriving

    async def flaps(self, count: int, share: float, chance: random.Random) -> None:
        """The broker stands still for moments, and sometimes dies."""
        before = self.feed.share
        for number in range(count):
            self.feed.share = before + share * (number + 1) / count
            await asyncio.sleep(chance.uniform(0.2, 2.5))
            async with self.feed.gate:
                if number % 10 == 9:
                    await asyncio.to_thread(self.cluster.kill)
                    await asyncio.to_thread(self.cluster.start)
                else:
                    self.cluster.signal(signal.SIGSTOP)
                    await asyncio.sleep(chance.uniform(0.2, 3.0))
                    self.cluster.signal(signal.SIGCONT)
        begun = time.monotonic()
        await self.lookout.reached(300.0)
        self.tally.rows.append(
            [f"{count} flaps", "-", "-", "-", f"{time.monotonic() - begun:.1f}", "-"]
        )

    async def one_of_three(self, nodes: int, chance: random.Random) -> None:
        """Each broker is killed once while records flow, and comes back after a while."""
        flow = asyncio.create_task(self.feed.over(25.0 * nodes, 0.9))
        for node in chance.sample(range(1, 4), nodes):
            await asyncio.sleep(chance.uniform(3.0, 8.0))
            await asyncio.to_thread(self.cluster.kill, node)
            begun = time.monotonic()
            await asyncio.sleep(1.0)
            await self.lookout.reached(120.0)
            without_s = time.monotonic() - begun
            await asyncio.sleep(max(0.0, 10.0 - without_s))
            await asyncio.to_thread(self.cluster.start, node)
            self.tally.rows.append([f"broker {node} of three", f"{without_s:.1f}"])
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)


def main() -> int:
    """Take the broker away; exit code 1 when something was lost or doubled."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--start", type=float, help="away at the start: 20 s, reduced 2")
    parser.add_argument("--short", type=float, help="an outage: 40 s, reduced 4")
    parser.add_argument("--long", type=float, help="a long one: 600 s, reduced none")
    parser.add_argument("--flaps", type=int, help="default 50, reduced 2")
    parser.add_argument("--three", type=int, help="brokers of three killed: 3, reduced 0")
    asked = parser.parse_args()
    for name, full, reduced in (
        ("start", 20.0, 2.0), ("short", 40.0, 4.0), ("long", 600.0, 0.0), ("flaps", 50, 2),
        ("three", 3, 0),
    ):  # fmt: skip
        if getattr(asked, name) is None:
            setattr(asked, name, reduced if asked.reduced else full)
    report = Report("broker", "Proof: a broker that goes away", asked)
    one, three, chance = Tally(), Tally(), random.Random(asked.seed)
    with scratch("broker") as folder, Lives(MODULES, asked.seed) as lives:
        city = City.make(folder, asked.seed, SMALL if asked.reduced else LARGE)
        with own_cluster(folder) as cluster:
            calm = played(cluster.address, city, "calm", lives)
            found = [played(
                cluster.address, city, "away", lives,
                lambda stage: _scene(stage, cluster, one, lambda it: _one(it, asked, chance)),
            )]  # fmt: skip
        if asked.three:
            with own_cluster(folder, 3) as cluster:
                found.append(played(
                    cluster.address, city, "three", lives,
                    lambda stage: _scene(
                        stage, cluster, three, lambda it: it.one_of_three(asked.three, chance)
                    ),
                    replication=3,
                ))  # fmt: skip
    report.say(
        f"City of seed {asked.seed}, default noise: {len(city.records):,} records, two workers and "
        f"a dispatcher. Undisturbed {calm.took_s:.0f} s, disturbed "
        f"{', '.join(f'{one.took_s:.0f} s' for one in found)}."
    )
    tell(report, calm, found, one, three)
    return report.close()


def tell(report: Report, calm: Result, found: list[Result], one: Tally, three: Tally) -> None:
    """Figures and claims."""
    report.table(
        ["outage", "s", "arriving a second", "backlog", "read after s, from the broker's return",
         "drained at x times arrival"],
        one.rows,
    )  # fmt: skip
    if three.rows:
        report.table(["killed under load", "all read again, without it, after s"], three.rows)
    if one.ratios:
        worst = min(one.ratios)
        report.claim(
            f"a backlog is worked off at {KEEPS_UP:.0f} x the rate of arrival or more",
            worst >= KEEPS_UP,
            f"worst {worst:.1f} x",
        )
    ended = one.ended + three.ended
    report.claim("no process ended because of it", not ended, ", ".join(ended))
    claim_same(report, calm, found)
    repeats = sum(each.repeats for each in found)
    report.claim("no delivery was repeated", not repeats, repeats)


async def _scene(
    stage: Installation, cluster: Cluster, tally: Tally,
    act: "Callable[[Scene], Awaitable[Any]]",
) -> None:  # fmt: skip
    async with AsyncExitStack() as stack:
        lookout = await stack.enter_async_context(Lookout(stage))
        feed = await stack.enter_async_context(Feed(stage))
        watching = asyncio.create_task(_supervise(stage, tally))
        try:
            if not tally.rows and stage.link.replication > 1:
                _start(stage)
                await feed.send(500)
                await lookout.reached(120.0)
            await act(Scene(stage, cluster, lookout, feed, tally))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _one(scene: Scene, asked: Any, chance: random.Random) -> None:
    """Everything that a single broker can do to us."""
    await asyncio.to_thread(scene.cluster.kill)
    _start(scene.stage)
    await asyncio.sleep(asked.start)
    await asyncio.to_thread(scene.cluster.start)
    begun = time.monotonic()
    await scene.feed.send(len(scene.stage.city.records) // 20)
    scene.feed.share = 0.05
    await scene.lookout.reached(120.0)
    took_s = time.monotonic() - begun
    scene.tally.rows.append(["at the start", f"{asked.start:.0f}", "-", "-", f"{took_s:.1f}", "-"])
    await scene.outage("while it works", asked.short, 0.35)
    if asked.long:
        await scene.outage("for long", asked.long, 0.3)
    await scene.flaps(asked.flaps, 0.9 - scene.feed.share, chance)


def _start(stage: Installation) -> None:
    for name in WORKERS:
        stage.start(name)
    stage.start(DISPATCHER, "dispatcher")


async def _supervise(stage: Installation, tally: Tally) -> None:
    """Start again whatever ended, as a service manager would, and note it."""
    while True:
        for name, life in list(stage.lives.items()):
            if life.code is not None:
                tally.ended.append(f"{name} with {life.code}: {life.said()[-300:]}")
                stage.start(name, "dispatcher" if name == DISPATCHER else "worker")
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
