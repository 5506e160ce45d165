"""Zombies: processes that are paused beyond their session and wake up must harm nothing.

While records flow, one of two workers or the dispatcher is stopped (SIGSTOP) at a random moment,
stays stopped until the group has given its partitions to the other worker and that one has saved
work on them, and is then woken (SIGCONT) with its old memory, its old records and perhaps half a
transaction in its hands. The changelogs are compacted all the time. Compared with an undisturbed
run: published alerts, distinct deliveries, saved state.
"""

import asyncio
import random
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from benchmarks.cluster import own_broker
from benchmarks.flow import Feed, Lookout
from benchmarks.installation import (
    DISPATCHER,
    LARGE,
    MODULES,
    PARALLEL,
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
TAKEOVER_S, SESSION_S = 20.0, 3.0
FRESH = 60
"""So many records are sent once a worker is paused, for others to take up."""
POINTS = ("state-sent", "before-commit", "after-core-step", "after-commit")
"""Where every second pause of a worker begins; the others begin at any moment."""
COMPACTED = {
    "cleanup.policy": "compact", "max.message.bytes": str(8 * 1024 * 1024), "segment.ms": "500",
    "segment.bytes": str(1024 * 1024), "min.cleanable.dirty.ratio": "0.001",
    "delete.retention.ms": "10", "max.compaction.lag.ms": "500",
}  # fmt: skip
CLEANER_BACKOFF_MS = "500"


@dataclass(slots=True)
class Tally:
    """What the pauses met.

    Attributes:
        rows: For each pause: who, when, how long, how soon others took over, records read.
        fenced: Units that found themselves fenced.
        ended: Paused processes that ended instead of going on.
        flying: Deliveries on their way when a dispatcher was paused.

    """

    rows: list[list[object]] = field(default_factory=list)
    takeovers: list[float] = field(default_factory=list)
    fenced: int = 0
    lost: int = 0
    ended: int = 0
    flying: int = 0
    kept: dict[str, tuple[int, int]] = field(default_factory=dict)


def main() -> int:
    """Pause and wake; exit code 1 when a zombie did harm."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--stops", type=int, help="of workers: default 24, reduced 1")
    parser.add_argument("--dispatcher", type=int, help="of the dispatcher: default 8, reduced 1")
    asked = parser.parse_args()
    stops = asked.stops if asked.stops is not None else (1 if asked.reduced else 24)
    others = asked.dispatcher if asked.dispatcher is not None else (1 if asked.reduced else 8)
    report = Report("zombie", "Proof: paused beyond their session, then woken", asked)
    tally, chance = Tally(), random.Random(asked.seed)
    with scratch("zombie") as folder, own_broker(folder) as bootstrap, \
            Lives(MODULES, asked.seed) as lives:  # fmt: skip
        city = City.make(folder, asked.seed, SMALL if asked.reduced else LARGE)
        calm = played(bootstrap, city, "calm", lives)
        names = [WORKERS[number % 2] for number in range(stops)] + [DISPATCHER] * others
        chance.shuffle(names)
        found = played(
            bootstrap, city, "paused", lives,
            lambda stage: _pauses(stage, names, chance, tally), delay_s=1.0,
            session_s=SESSION_S, heartbeat_s=0.5,
        )  # fmt: skip
    report.say(
        f"City of seed {asked.seed}, default noise: {len(city.records):,} records. Two workers and "
        f"a dispatcher, sessions of 3 s. Changelogs in segments of half a second or 1 MiB, "
        f"cleaned every half second. Undisturbed {calm.took_s:.0f} s, disturbed "
        f"{found.took_s:.0f} s."
    )
    tell(report, calm, found, tally, len(names))
    return report.close()


def tell(report: Report, calm: Result, found: Result, tally: Tally, pauses: int) -> None:
    """Figures and claims."""
    worst = max(tally.takeovers, default=float("inf"))
    report.table(["what", "value"], [
        ["pauses", len(tally.rows)],
        ["of workers", len(tally.takeovers)],
        ["woken units that were fenced when they wrote", tally.fenced],
        ["woken units that lost their memory for any reason", tally.lost],
        ["woken processes that ended instead of going on", tally.ended],
        ["until others had taken over and saved: median s", statistics.median(tally.takeovers)],
        ["worst s", worst],
        ["deliveries on their way when the dispatcher was paused, sum", tally.flying],
        ["repeated deliveries (same id)", found.repeats],
    ])  # fmt: skip
    report.table(
        ["changelog", "written (offsets)", "left after compaction"],
        [[name, end, left] for name, (end, left) in tally.kept.items()],
    )
    report.claim(f"there were {pauses} pauses", len(tally.rows) == pauses)
    if not report.asked.reduced:  # a single zombie may learn from the group before it writes
        report.claim("zombies wrote and were fenced", tally.fenced > 0, tally.fenced)
    report.claim(
        f"others took over within {TAKEOVER_S:.0f} s", worst <= TAKEOVER_S, f"worst {worst:.1f} s"
    )
    ends, lefts = (sum(pair[one] for pair in tally.kept.values()) for one in (0, 1))
    report.claim("the changelogs were compacted", lefts < ends / 2, f"{lefts} of {ends} left")
    claim_same(report, calm, found=[found])
    report.claim(
        "repeated deliveries are at most the requests in flight, and have known ids",
        found.repeats <= tally.flying,
        f"{found.repeats} of {tally.flying}, at most {PARALLEL} at a time",
    )
    report.head("Every pause")
    report.table(
        ["who", "where", "paused s", "taken over after s", "read by others meanwhile"], tally.rows
    )


async def _pauses(
    stage: Installation, names: list[str], chance: random.Random, tally: Tally
) -> None:
    """Pause one after the other, and wake it when others have its work."""
    await _compact(stage)
    for name in WORKERS:
        stage.start(name)
    stage.start(DISPATCHER, "dispatcher")
    handed = 0
    async with Lookout(stage) as lookout, Feed(stage) as feed:
        feed.share = 0.05
        while (await lookout.look())[2] == 0:  # noqa: ASYNC110 - the state is on the broker
            await asyncio.sleep(0.1)
        for number, name in enumerate(names):
            ahead = asyncio.create_task(feed.over(8.0, 0.05 + 0.95 * (number + 1) / len(names)))
            where = await _pause(stage, name, len(tally.takeovers), chance)
            life, begun, before = stage.lives[name], time.monotonic(), (await lookout.look())[2]
            taken_s = 0.0
            if name == DISPATCHER:
                sent = await asyncio.to_thread(stage.inbox.settled)
                tally.flying += stage.undelivered(sent[handed:])[0]
                handed = len(sent)
                await asyncio.sleep(chance.uniform(4.0, 12.0))
            else:
                await feed.send(FRESH)
                taken_s = await lookout.reached(60.0)
                tally.takeovers.append(taken_s)
                rest_s = SESSION_S * 1.3 + chance.uniform(0.5, 3.0) - (time.monotonic() - begun)
                await asyncio.sleep(max(0.5, rest_s))
            after, paused_s = (await lookout.look())[2], time.monotonic() - begun
            life.signal(signal.SIGCONT)
            tally.rows.append([name, where, f"{paused_s:.1f}", f"{taken_s:.1f}", after - before])
            print(f"{name} paused {paused_s:.1f} s, taken over {taken_s:.1f} s", flush=True)
            await ahead
            await _again(stage, name, life, tally)
        tally.kept = await _kept(stage)
    for name in WORKERS:
        said = (stage.folder / f"{name}.log").read_text("utf-8")
        tally.fenced += said.count('"fenced": true')
        tally.lost += said.count('"unit-lost"')


async def _pause(stage: Installation, name: str, number: int, chance: random.Random) -> str:
    """Stop a process at any moment, or let a new one stop itself at a named place.

    One that does not come to its place in time is not kept: woken, it would come there later and
    stop itself while somebody else is paused, with nobody to wake it.
    """
    if name == DISPATCHER or number % 2:
        return await _stop(stage, name, chance)
    point = POINTS[number // 2 % len(POINTS)]
    stage.kill(name)
    stage.start(name, point=f"{point}:{chance.randint(2, 8)}:stop")
    for _ in range(100):
        await asyncio.sleep(0.1)
        if stage.lives[name].is_stopped:
            return point
    stage.kill(name)
    stage.start(name)
    await asyncio.to_thread(stage.lives[name].wait_said, '"assigned"', 60.0)
    return f"{await _stop(stage, name, chance)}: not come to {point}"


async def _stop(stage: Installation, name: str, chance: random.Random) -> str:
    """Stop a process at any moment."""
    await asyncio.sleep(chance.uniform(0.1, 2.0))
    stage.lives[name].signal(signal.SIGSTOP)
    return "any moment"


async def _again(stage: Installation, name: str, life: Life, tally: Tally) -> None:
    """A woken process may find that it must end; then whoever started it starts it again."""
    await asyncio.sleep(0.5)
    if life.code is not None:
        tally.ended += 1
        stage.start(name, "dispatcher" if name == DISPATCHER else "worker")


async def _compact(stage: Installation) -> None:
    """Let the broker compact every changelog as often and as thoroughly as it can."""
    admin = stage.link.admin()
    await admin.start()
    try:
        topics = [one for one in await admin.list_topics() if one.startswith(f"{stage.tag}.")]
        for topic in topics:
            if ".state-" in topic or ".route-" in topic:
                await admin.alter_configs(
                    [ConfigResource(ConfigResourceType.TOPIC, topic, COMPACTED)]
                )
        backoff = {"log.cleaner.backoff.ms": CLEANER_BACKOFF_MS}
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", backoff)])
    finally:
        await admin.close()


async def _kept(stage: Installation) -> dict[str, tuple[int, int]]:
    """For each changelog how many offsets were written and how many records are left of them."""
    reader = AIOKafkaConsumer(bootstrap_servers=stage.bootstrap, enable_auto_commit=False)
    await reader.start()
    try:
        found: dict[str, tuple[int, int]] = {}
        for name, space in stage.layout.spaces.items():
            topic = stage.layout.names.state(name)
            places = [TopicPartition(topic, one) for one in range(space.partitions)]
            reader.assign(places)
            await reader.seek_to_beginning(*places)
            ends, left = await reader.end_offsets(places), 0
            while any([await reader.position(place) < ends[place] for place in places]):
                left += sum(map(len, (await reader.getmany(timeout_ms=200)).values()))
            found[topic.removeprefix(f"{stage.tag}.")] = (sum(ends.values()), left)
        return found
    finally:
        await reader.stop()


if __name__ == "__main__":
    sys.exit(main())
