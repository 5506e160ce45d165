"""One city on Kafka as the fault proofs run it: its processes, what they leave, what must hold."""

import asyncio
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.lives import Life, Lives
from benchmarks.receiver import Inbox, receiver
from benchmarks.report import Report
from benchmarks.streams import Sent, Stage, plain
from benchmarks.worlds import RULES, write_world
from engine.model.change import Transition
from simulators.scenario import World

DISPATCHER, PARALLEL, REFUSE_EACH = "d0", 8, 9
MODULES = ("engine.edge.cli.daemon", "engine.edge.cli.kafka_roles")
"""What cradles import for lives on Kafka."""
SMALL = {"vehicles": 16, "hours": 12.0, "projects": 20, "days": 90}
LARGE = {"vehicles": 60, "hours": 24.0, "projects": 100, "days": 150}


@dataclass(slots=True)
class City:
    """The records of a simulated city, and where its tables lie."""

    folder: Path
    records: list[Sent]
    end_ms: int

    @classmethod
    def make(cls, folder: Path, seed: int, sizes: Mapping[str, Any]) -> "City":
        """Write a city of this seed with the default noise."""
        world: World = write_world("city", folder / "world", seed=seed, noise="default", **sizes)
        records = [Sent(item.feed, item.key, item.value) for item in world.items()]
        return cls(folder, records, world.end_ms)


@dataclass(slots=True)
class Result:
    """What a run left behind."""

    alerts: list[tuple[str, ...]]
    state: dict[str, list[Any]]
    inbox: Inbox
    took_s: float

    @property
    def repeats(self) -> int:
        """Deliveries beyond the first of each id."""
        return len(self.inbox.ids) - len(set(self.inbox.ids))


class Installation(Stage):
    """A city's topics, and workers and a dispatcher that are forked lives.

    Attributes:
        more: Environment variables of the processes that are started from now on.

    """

    def __init__(
        self, bootstrap: str, city: City, name: str, lives: Lives, inbox: Inbox,
        packs: Mapping[str, Path] | None = None, **kafka: Any,
    ) -> None:  # fmt: skip
        folder = city.folder / name
        folder.mkdir()
        super().__init__(
            bootstrap, folder, packs or {pack: RULES / pack for pack in ("hazmat", "wages")},
            city.folder / "world",
            more={
                "sinks": {
                    "console-webhook": {"kind": "webhook", "url": inbox.url, "parallel": PARALLEL}
                },
                "outbox": {"first_wait_s": 0.2, "most_wait_s": 1.0},
                "log": {"format": "json", "level": "info"},
            },
            **kafka,
        )  # fmt: skip
        self.inbox, self.city = inbox, city
        self.lives: dict[str, Life] = {}
        self.more: dict[str, str] = {}
        self._cradles = lives

    def start(
        self, name: str, role: str = "worker", point: str = "", *, is_static: bool = True
    ) -> None:
        """Fork a process; one that ran under this name must have ended."""
        self.lives[name] = self._cradles.start(
            ["run", str(self.folder), "--role", role], log=self.folder / f"{name}.log",
            cwd=self.folder, point=point,
            more={**self.more, "FOREWARN_KAFKA__INSTANCE": name * is_static},
        )  # fmt: skip

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self.lives[name].kill()

    def stop(self, name: str, within_s: float = 20.0) -> int:
        """SIGTERM, and wait for the end; answers the exit code."""
        self.lives[name].signal(signal.SIGTERM)
        code = self.lives[name].wait(within_s)
        if code is None:
            message = f"{name} did not end within {within_s:.0f} s of SIGTERM"
            raise TimeoutError(message)
        return code

    def close(self) -> None:
        """End everything that still runs."""
        for life in self.lives.values():
            life.signal(signal.SIGCONT)
            life.signal(signal.SIGTERM)
        for life in self.lives.values():
            if life.wait(15) is None:
                life.kill()

    def producer(self) -> AIOKafkaProducer:
        """What writes each record once, whatever becomes of a broker meanwhile."""
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=5, max_batch_size=262_144,
            enable_idempotence=True, acks="all", request_timeout_ms=60_000,
        )  # fmt: skip

    async def ended(self) -> Result:
        """Wait for the last delivery of everything that was sent; what the run left behind."""
        begun = time.monotonic()
        state = await self.settled(self.city.end_ms, timeout_s=900)
        alerts = await self.alerts()
        until = time.monotonic() + 300
        told = (one for one in alerts if one.transition is not Transition.VERIFIED)
        wanted = {one.delivery_id for one in told}  # a proof is evidence, and sent to nobody
        while not wanted <= set(self.inbox.ids) and time.monotonic() < until:  # noqa: ASYNC110 - the receiver has threads
            await asyncio.sleep(0.25)
        await asyncio.to_thread(self.inbox.settled, 1.0)
        took_s = time.monotonic() - begun
        return Result(sorted(plain(one) for one in alerts), state, self.inbox, took_s)

    def undelivered(self, sent: Sequence[str]) -> tuple[int, int]:
        """Of these deliveries how many the store does not know as done, and how many are due."""
        database = self.folder / "data/forewarn.db"
        if not database.exists():
            return 0, 0
        with closing(sqlite3.connect(database)) as link:
            try:
                rows = link.execute("SELECT delivery_id, phase FROM outbox").fetchall()
            except sqlite3.OperationalError:
                return 0, 0
        done = {name for name, phase in rows if phase != "due"}
        return len(set(sent) - done), len(rows) - len(done)


def played(
    bootstrap: str, city: City, name: str, lives: Lives,
    act: "Callable[[Installation], Coroutine[Any, Any, None]] | None" = None,
    delay_s: float = 0.0, workers: int = 2, **kafka: Any,
) -> Result:  # fmt: skip
    """One installation from its first record to its last delivery.

    Args:
        bootstrap: The broker.
        city: What is sent.
        name: A folder's name, for this run alone.
        lives: What forks the processes.
        act: Starts processes, sends every record and does harm meanwhile; without it workers and
            a dispatcher are started, everything is sent, and nobody harms anything.
        delay_s: How long the receiver takes while harm is done.
        workers: How many, when nobody harms anything.
        kafka: More settings of the Kafka edge; `packs` are other packs than the city's.

    """
    with receiver(Inbox(delay_s, REFUSE_EACH)) as inbox:
        stage = Installation(bootstrap, city, name, lives, inbox, **kafka)
        try:
            return asyncio.run(_played(stage, act or (lambda stage: _calm(stage, workers))))
        finally:
            stage.close()


async def _played(
    stage: Installation, act: Callable[[Installation], Coroutine[Any, Any, None]]
) -> Result:
    begun = time.monotonic()
    await act(stage)
    stage.inbox.delay_s = 0.0
    found = await stage.ended()
    found.took_s = time.monotonic() - begun
    return found


async def _calm(stage: Installation, workers: int) -> None:
    for number in range(workers):
        stage.start(f"w{number}")
    stage.start(DISPATCHER, "dispatcher")
    await stage.send(stage.city.records)


def claim_same(report: Report, calm: Result, found: Sequence[Result]) -> None:
    """Nothing lost, nothing doubled, nothing spoilt, in each of these runs."""
    count = len(found)
    lost: Counter[tuple[str, ...]] = Counter()
    extra: Counter[tuple[str, ...]] = Counter()
    for one in found:
        lost += Counter(calm.alerts) - Counter(one.alerts)
        extra += Counter(one.alerts) - Counter(calm.alerts)
    report.claim("no alert was lost", not lost, lost.total())
    report.claim("no alert was published twice or wrongly", not extra, extra.total())
    same = sum(set(calm.inbox.ids) == set(one.inbox.ids) for one in found)
    report.claim(
        "distinct deliveries are those of the uninterrupted run",
        same == count,
        f"{len(set(calm.inbox.ids))}, {same} of {count} runs",
    )
    facts = calm.inbox.facts()
    same = sum(facts == one.inbox.facts() for one in found)
    report.claim(
        "distinct (rule, key, transition, event time) too",
        same == count,
        f"{len(facts)}, {same} of {count} runs",
    )
    same = sum(calm.state == one.state for one in found)
    report.claim(
        "saved state is that of the uninterrupted run",
        same == count,
        f"{sum(map(len, calm.state.values()))} rows, {same} of {count} runs",
    )
    for kind, some in (("lost", lost), ("extra", extra)):
        if some:
            report.say(kind)
            report.code("\n".join(str(one)[:300] for one in list(some)[:8]))
    for one in found:
        for space, rows in calm.state.items():
            if rows != one.state.get(space):
                differ = set(rows) ^ set(one.state.get(space, []))
                report.say(f"state of {space} differs")
                report.code("\n".join(str(row)[:300] for row in sorted(differ)[:8]))
