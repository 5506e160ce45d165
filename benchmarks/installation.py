"""One city on Kafka as the fault proofs run it: its processes, what they leave, what must hold."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.lives import Life, Lives
from benchmarks.receiver import Inbox, receiver
from benchmarks.report import ROOT, Report
from benchmarks.streams import Sent, Stage, plain
from benchmarks.worlds import RULES, write_world
from engine.edge.streaming.changelog import META
from engine.state.codec import unpack_meta
from simulators.scenario import World

DISPATCHER, PARALLEL, REFUSE_EACH = "d0", 8, 9
MODULES = ("engine.edge.cli.daemon", "engine.edge.cli.kafka_roles")
"""What cradles import for lives on Kafka."""
SMALL = {"vehicles": 16, "hours": 12.0, "projects": 20, "days": 90}
LARGE = {"vehicles": 60, "hours": 24.0, "projects": 100, "days": 150}
BROKER = ROOT / "tests/broker/kafka.py"


@contextmanager
def own_broker(folder: Path) -> Iterator[str]:
    """A broker for one proof alone; its address."""
    home = folder / "broker"
    command = [sys.executable, str(BROKER)]
    done = subprocess.run(
        [*command, "start", "--home", str(home)], check=True, capture_output=True, text=True
    )
    try:
        yield done.stdout.strip()
    finally:
        subprocess.run([*command, "stop", "--home", str(home)], check=True)


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
    """A city's topics, and workers and a dispatcher that are forked lives."""

    def __init__(
        self, bootstrap: str, city: City, name: str, lives: Lives, inbox: Inbox, **kafka: Any
    ) -> None:
        folder = city.folder / name
        folder.mkdir()
        super().__init__(
            bootstrap, folder, {pack: RULES / pack for pack in ("hazmat", "wages")},
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
        self._cradles = lives

    def start(
        self, name: str, role: str = "worker", point: str = "", *, is_static: bool = True
    ) -> None:
        """Fork a process; one that ran under this name must have ended."""
        self.lives[name] = self._cradles.start(
            ["run", str(self.folder), "--role", role], log=self.folder / f"{name}.log",
            cwd=self.folder, point=point, more={"FOREWARN_KAFKA__INSTANCE": name * is_static},
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

    async def ended(self) -> Result:
        """Wait for the last delivery of everything that was sent; what the run left behind."""
        begun = time.monotonic()
        state = await self.settled(self.city.end_ms, timeout_s=900)
        alerts = await self.alerts()
        until = time.monotonic() + 300
        wanted = {one.delivery_id for one in alerts}
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


class Lookout:
    """Follows what the workers save, so that a look costs little."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=stage.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._spaces = {
            TopicPartition(stage.layout.names.state(name), partition): name
            for name, space in stage.layout.spaces.items()
            for partition in range(space.partitions)
        }
        self._routed = [
            TopicPartition(space.inputs[0], partition)
            for space in stage.layout.spaces.values()
            if not space.direct
            for partition in range(space.partitions)
        ]
        self._ended = dict.fromkeys(self._routed, 0)
        self._positions: dict[TopicPartition, Mapping[str, Any]] = {}
        self._lock = asyncio.Lock()
        self.watermark = 0

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reader.assign([*self._spaces, *self._routed])
        await self._reader.seek_to_beginning()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def look(self) -> tuple[int, int, int]:
        """Records that wait in workers, records not read yet, records read; as last saved."""
        async with self._lock:
            return await self._look()

    async def reached(self, within_s: float) -> float:
        """Wait until all that was in the inputs when we asked is read; seconds, or inf."""
        begun = time.monotonic()
        wanted = await self._ends()
        while time.monotonic() - begun < within_s:
            await self.look()
            if all(
                self._position(state, place)[1] >= end for (state, place), end in wanted.items()
            ):
                return time.monotonic() - begun
            await asyncio.sleep(0.05)
        return float("inf")

    async def _ends(self) -> "dict[tuple[TopicPartition, TopicPartition], int]":
        """For each saved partition and each input of it, where the input ends now."""
        inputs = [
            (state, TopicPartition(topic, state.partition))
            for state, name in self._spaces.items()
            for topic in self._stage.layout.spaces[name].inputs
        ]
        ends = await self._reader.end_offsets([place for _, place in inputs])
        ends |= self._ended  # behind the last record of a routed topic lie marks of transactions
        return {(state, place): ends[place] for state, place in inputs}

    def _position(self, state: TopicPartition, place: TopicPartition) -> tuple[int, int]:
        there = self._positions.get(state, {}).get(f"{place.topic}/{place.partition}")
        return (0, 0) if there is None else (there[0], there[1])

    async def _look(self) -> tuple[int, int, int]:
        while polled := await self._reader.getmany(timeout_ms=20):
            for place, records in polled.items():
                if place in self._ended:
                    self._ended[place] = records[-1].offset + 1
                    continue
                for record in records:
                    if record.key == META and record.value:
                        meta = unpack_meta(record.value)
                        self._positions[place] = meta.positions
                        self.watermark = max(self.watermark, meta.watermark)
        waiting = unread = read = 0
        for (state, place), end in (await self._ends()).items():
            committed, frontier = self._position(state, place)
            waiting += frontier - committed
            unread += end - frontier
            read += frontier
        return waiting, unread, read


class Feed:
    """The world's records, let out little by little up to the share that is allowed.

    Attributes:
        share: How much of the world may be sent, from 0 to 1.
        sent: How many records were.

    """

    EVERY_S = 0.15

    def __init__(self, stage: Installation) -> None:
        self._stage = stage
        self._records = [one for one in stage.city.records if one.feed in stage.layout.feeds]
        self._task: asyncio.Task[None] | None = None
        self.share = 0.0
        self.sent = 0

    @property
    def is_over(self) -> bool:
        """Whether the whole world was sent."""
        return self.sent >= len(self._records)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._trickle())
        return self

    async def __aexit__(self, *failed: object) -> None:
        """Send all that is left, unless something went wrong."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if failed[0] is None:
            await self.send(len(self._records) - self.sent)

    async def send(self, count: int) -> None:
        """Send so many at once."""
        some = self._records[self.sent : self.sent + count]
        self.sent += len(some)
        await self._stage.send(some)

    async def over(self, seconds: float, share: float) -> None:
        """Allow this share evenly within some time."""
        begun, before = time.monotonic(), self.share
        while (passed := time.monotonic() - begun) < seconds:
            self.share = before + (share - before) * passed / seconds
            await asyncio.sleep(self.EVERY_S)
        self.share = share

    async def _trickle(self) -> None:
        while not self.is_over:
            allowed = int(len(self._records) * min(1.0, self.share)) - self.sent
            if allowed > 0:
                await self.send(max(20, allowed // 6))
            await asyncio.sleep(self.EVERY_S)


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
        kafka: More settings of the Kafka edge.

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
