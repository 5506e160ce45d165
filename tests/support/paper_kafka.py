"""A worker's partitions over topics in memory: what the broker, the group and Faust do, on paper.

Everything between the poll and the transaction is the real thing: hub, evaluators, routers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
import stream_world as world
from aiokafka.errors import KafkaError
from faust.types import TP
from stream_worker import link

from engine.edge.streaming.changelog import META, row_of
from engine.edge.streaming.hub import Hub
from engine.edge.streaming.intake import Fetched
from engine.edge.streaming.kit import Kit, Silent
from engine.edge.streaming.ledger import Parcel
from engine.edge.streaming.light import Fresh, Routed
from engine.edge.streaming.names import partition_of
from engine.edge.streaming.topics import Layout, plan_topics
from engine.edge.streaming.worker import new_core
from engine.model.change import Change
from engine.ports import Record, Write
from engine.ruleset.compile import Program
from engine.state.codec import unpack_meta

PATIENCE_S = 20.0


class Kept(NamedTuple):
    """One record of a topic."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    at_ms: int


class Paper:
    """The topics; transactions are whole because nothing else happens while one is written.

    Attributes:
        refuses: Asked with the name of a writer before each transaction: whether it must fail.

    """

    def __init__(self) -> None:
        self.topics: dict[TP, list[Kept]] = defaultdict(list)
        self.refuses: Callable[[str], bool] = lambda _name: False

    def write(self, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            place = TP(parcel.topic, parcel.partition)
            self.topics[place] += [Kept(*line, 0) for line in parcel.lines]

    async def read_back(self, _link: Any, topic: str, partition: int) -> dict[bytes, bytes]:
        return self.last(topic, partition)

    def last(self, topic: str, partition: int) -> dict[bytes, bytes]:
        """The last value of every key of a compacted partition."""
        kept: dict[bytes, bytes] = {}
        for one in self.topics[TP(topic, partition)]:
            if one.key is not None:
                kept.pop(one.key, None)
                if one.value is not None:
                    kept[one.key] = one.value
        return kept


class PaperLedger:
    """Writes at once; a transaction that fails writes nothing."""

    def __init__(self, paper: Paper, name: str) -> None:
        self.paper, self.name = paper, name
        self.failed = False

    async def open(self) -> None:
        self.failed = False

    async def begin(self, parcels: Iterable[Parcel], saved: Callable[[float], None]) -> None:
        await self.settle()
        self.failed = self.paper.refuses(self.name)
        if not self.failed:
            self.paper.write(parcels)
            saved(0.0)

    async def settle(self) -> None:
        if self.failed:
            raise KafkaError

    notice = settle

    async def close(self) -> None:
        """Nothing is under way."""


class PaperWorker:
    """One worker: its hub, and a consumer that reads what the hub wants to hear."""

    def __init__(
        self,
        paper: Paper,
        program: Program,
        layout: Layout,
        renew: Callable[[], None] | None = None,
    ) -> None:
        self.paper = paper
        self.polling = asyncio.Lock()
        self.reached: dict[TP, int] = {}
        self.stopped: list[BaseException] = []
        self.ended = asyncio.Event()
        self.time = 0.0
        kit = Kit(link("nowhere:1", "t"), program, layout, new_core, Silent(), lambda: self.time)
        self.rules = kit.rules
        self.hub = Hub(kit, self._stop, renew)
        self.hub.attach(self)  # type: ignore[arg-type]  # the five things of it that are asked
        self.routed = layout.routed
        self.generation = 0

    def _stop(self, reason: BaseException) -> None:
        self.stopped.append(reason)
        self.ended.set()

    async def assign(self, places: set[TP]) -> None:
        """The group deals partitions out."""
        self.generation += 1
        await self.hub.revoked(set())
        await self.hub.assigned(places, self.generation)

    async def earliest_offsets(self, place: TP) -> Mapping[TP, int]:
        return {place: 0}

    async def seek_wait(self, places: Mapping[TP, int]) -> None:
        self.reached |= places

    def end(self, place: TP) -> int:
        return len(self.paper.topics[place])

    def poll(self) -> bool:
        """Fetch what there is; answers whether there was anything."""
        places = self.hub.readable() & self.reached.keys()
        records: dict[TP, list[Fresh]] = {}
        for place in places:
            fresh = self.paper.topics[place][(start := self.reached[place]) :]
            records[place] = [self._fresh(place, start + n, one) for n, one in enumerate(fresh)]
            self.reached[place] += len(fresh)
        said = dict.fromkeys(places, int(self.time * 100))  # the broker says how far it goes
        self.hub.put(Fetched(records, {place: self.reached[place] for place in places}, said))
        return any(records.values())

    def _fresh(self, place: TP, offset: int, one: Kept) -> Fresh:
        if place.topic in self.routed:
            return Routed(offset, one.value or b"", one.headers)
        return Record(offset, one.value or b"", one.at_ms)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Read on until something is so; the wall clock goes on by half a second a look."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                assert not self.stopped, self.stopped
                self.time += 0.1
                self.poll()
                await asyncio.sleep(0.005)


class PaperStage:
    """Topics in memory, the layout of a program, and what was written so far."""

    def __init__(self, program: Program, patch: pytest.MonkeyPatch) -> None:
        self.paper = Paper()
        self.workers: list[PaperWorker] = []
        self.layout = plan_topics(link("nowhere:1", "t"), program, {}, "en").layout
        for module in ("evaluator", "router"):
            patch.setattr(
                f"engine.edge.streaming.{module}.Ledger",
                lambda _link, name: PaperLedger(self.paper, name),
            )
            patch.setattr(f"engine.edge.streaming.{module}.read_back", self.paper.read_back)

    def worker(self, program: Program, renew: Callable[[], None] | None = None) -> PaperWorker:
        self.workers.append(PaperWorker(self.paper, program, self.layout, renew))
        return self.workers[-1]

    async def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            await worker.hub.close()
            worker.rules.shutdown()

    def places(self) -> set[TP]:
        """Every partition that is read."""
        counts = self.layout.counts
        return {TP(topic, n) for topic in self.layout.subscribed for n in range(counts[topic])}

    def send(self, records: Sequence[world.Sent]) -> None:
        """Write records as a feed's producer would."""
        for one in records:
            topic = self.layout.feeds[one.feed]
            place = TP(topic, partition_of(one.key, self.layout.counts[topic]))
            self.paper.topics[place].append(Kept(one.key.encode(), one.value, (), one.at_ms))

    def beat(self, at_ms: int) -> None:
        """Every source says that it is complete up to an instant."""
        for topic in self.layout.feeds.values():
            for partition in range(self.layout.counts[topic]):
                beat = Kept(None, world.heartbeat(at_ms), (), at_ms)
                self.paper.topics[TP(topic, partition)].append(beat)

    def _state(self) -> dict[tuple[str, int], dict[bytes, bytes]]:
        return {
            (name, n): self.paper.last(self.layout.names.state(name), n)
            for name, space in self.layout.spaces.items()
            for n in range(space.partitions)
        }

    def complete(self, at_ms: int) -> bool:
        """Whether every partition has saved that it is complete up to an instant."""
        metas = [kept.get(META) for kept in self._state().values()]
        return all(one is not None and unpack_meta(one).watermark >= at_ms for one in metas)

    def rows(self) -> dict[str, list[Write]]:
        """The saved rows of each key space."""
        found: dict[str, list[Write]] = {}
        for (name, _), kept in self._state().items():
            rows = [row_of(raw, value) for raw, value in kept.items() if raw != META]
            if rows:
                found[name] = sorted([*found.get(name, []), *rows])
        return found

    def ticks(self) -> bytes:
        """The log of what was concluded from silence."""
        topic = self.layout.names.ticks
        places = [place for place in self.paper.topics if place.topic == topic]
        return b"".join(one.value or b"" for place in places for one in self.paper.topics[place])

    def alerts(self) -> list[Change]:
        """Every transition that was written, sorted."""
        topic = self.layout.names.alerts
        found = [
            msgspec.json.decode(one.value or b"", type=Change)
            for place, kept in self.paper.topics.items()
            if place.topic == topic
            for one in kept
        ]
        return sorted(found, key=lambda one: (one.rule, one.key, one.at_ms, one.delivery_id))
