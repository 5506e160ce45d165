"""Which partitions this worker has, which units work on them, and who hears of which record.

A unit whose transaction fails is closed, forgotten and opened again: opening fences, reads back
and says from where to read. A partition is read only while all units that read it are open.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

import structlog
from aiokafka.errors import IllegalStateError, KafkaError, ProducerFenced
from faust.types import TP

from engine.edge import crashpoint
from engine.edge.streaming.adoption import OLDER
from engine.edge.streaming.changeover import Changeover
from engine.edge.streaming.intake import Fetched, Intake
from engine.edge.streaming.kit import Kit, Unit
from engine.edge.streaming.light import Fresh
from engine.edge.streaming.pace import ahead, spread
from engine.edge.streaming.transport import BatchConsumer
from engine.edge.streaming.units import units_for
from engine.edge.streaming.watchdog import Watchdog
from engine.errors import EnvironmentUnusable, StateError
from engine.kafka.access import coded
from engine.ports import Write
from engine.ruleset.compile import Program

log = structlog.get_logger("streaming")

BEAT_S = 0.5
LAG_S = 2.0
RETRY_S = 1.0
CLOSE_S = 10.0
"""At the end, what is in work has so long to be saved; it is read again otherwise."""
LONGEST_RETRY_S = 5.0
"""However long a broker was away: what waited meanwhile waits no longer than this for us."""
UNLOST_S = 60.0
"""A unit that is not lost again for so long works."""
USURPED, USURPED_S = 5, 10.0
"""Dealt the same generation so often again, each time so soon, somebody else uses our name."""


class Hub:
    """The reader of `transport.py`: hands records to units and keeps units alive."""

    def __init__(
        self,
        kit: Kit,
        stop: Callable[[BaseException], None],
        renew: Callable[[], None] | None = None,
    ) -> None:
        self._kit = kit
        self._stop = stop
        self._consumer: BatchConsumer | None = None
        self._units: dict[str, Unit] = {}
        self._open: set[str] = set()
        self._readers: dict[TP, list[Unit]] = {}
        self._readable: set[TP] = set()
        self._held: set[TP] = set()
        self._intake = Intake(max(1, kit.link.batch // 2), kit.clock)
        self._turn = asyncio.Lock()
        self._lagging: set[TP] = set()
        self._told_lag = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation, self._again, self._dealt = -1, 0, 0.0
        self._since: dict[str, float] = {}
        self._losses: dict[str, tuple[float, float]] = {}
        self._working = False
        self._closed = False
        self._change = Changeover(self._turn, self._settle, self._all_open, stop, renew)
        self._always: list[asyncio.Task[None]] = []
        self._beat = 0.0

    def attach(self, consumer: BatchConsumer) -> None:
        """Note the consumer with which to seek, and watch that it goes on reading."""
        self._consumer = consumer

    def _go(self) -> None:
        """Begin to take turns, and to watch that reading goes on."""
        if not self._always and self._consumer is not None:
            watchdog = Watchdog(self._kit.link, self._kit.lang)
            watch = watchdog.run(self._consumer, self.readable, self._stop, self.failing)
            loop = asyncio.get_running_loop()
            self._always = [loop.create_task(watch), loop.create_task(self._turns())]

    @property
    def ready(self) -> bool:
        """Whether every unit of this worker is open."""
        return bool(self._units) and len(self._open) == len(self._units)

    def readable(self) -> set[TP]:
        """Partitions whose readers are all open, whose position is right, and whose turn it is."""
        return self._readable - self._held

    def failing(self) -> dict[str, float]:
        """What has not worked for how many seconds: units and the group.

        A unit fails that does not open, and one that opens and is lost again and again, as when
        the broker refuses what it writes.
        """
        now = self._kit.clock()
        closed = {name: now - since for name, since in self._since.items()}
        lost = {
            name: now - first
            for name, (first, last) in self._losses.items()
            if now - last < UNLOST_S and name in self._units
        }
        return {**lost, **closed}

    async def room(self) -> None:
        """Return when there is room for another poll."""
        await self._intake.room()

    def put(self, fetched: Fetched) -> None:
        """Keep what a poll brought until its turn; not of partitions that were let go meanwhile."""
        if self._working:
            self._intake.put(fetched, self._readable)

    async def revoked(self, places: set[TP]) -> None:
        """Stop handing over; wait until what is in work is saved. Units are kept until our next."""
        del places  # the group gives everything back and gets everything anew
        self._since.setdefault(self._kit.link.app, self._kit.clock())
        self._working, self._readable = False, set()
        await self._end_tasks()
        async with self._quiet_time():
            self._intake.clear()
            await self._settle()
            if self._units:
                crashpoint.passing("partitions-revoked")

    async def assigned(self, places: set[TP], generation: int) -> None:
        """Open a unit for everything that is ours now.

        A unit that was ours in the generation just before goes on with its memory: nobody else
        can have had it in between. Any other is opened from what is saved.
        """
        if self._closed:
            return
        follows = generation == self._generation + 1
        refusal = self._refusal(places, generation)
        if refusal:
            self._stop(EnvironmentUnusable(refusal))
            return
        self._generation = generation
        crashpoint.passing("partitions-assigned")
        async with self._quiet_time():
            wanted = units_for(self._kit, places)  # by the rules of now: no change of them is near
            self._since = {name: since for name, since in self._since.items() if name in wanted}
            before, kept = self._units, {name for name in self._open if name in wanted and follows}
            self._open, self._held, self._readers = set(), set(), {}
            self._change.dealt(wanted)
            self._units = {
                name: before[name] if name in kept else unit for name, unit in wanted.items()
            }
            for unit in self._units.values():
                for place in unit.inputs:
                    self._readers.setdefault(place, []).append(unit)
            await asyncio.gather(*(before[name].close() for name in set(before) - kept))
            self._working = not self._closed
        log.info("assigned", units=len(self._units), kept=len(kept), generation=generation)
        self._kit.figures.dealt()
        self._tell()
        if not self._closed:
            self._go()
            for name, unit in self._units.items():
                self._start(self._bring_up(unit, opened=name in kept))

    def _refusal(self, places: set[TP], generation: int) -> str:
        """Why nothing can be worked on with what the group dealt, or nothing."""
        kit = self._kit
        if self._is_usurped(generation):
            return coded("K133", kit.lang, name=kit.link.instance)
        grown = {one.topic for one in places if one.partition >= kit.layout.counts[one.topic]}
        return coded("K128", kit.lang, topics=", ".join(sorted(grown))) if grown else ""

    def _is_usurped(self, generation: int) -> bool:
        """Whether another process keeps taking the lasting name under which we are a member."""
        now, before = self._kit.clock(), self._dealt
        again = generation == self._generation and now - before <= USURPED_S
        self._dealt, self._again = now, self._again + 1 if again else 0
        return bool(self._kit.link.instance) and self._again >= USURPED

    async def _turns(self) -> None:
        """Work on what waits, again and again; look round when nothing comes."""
        while True:
            await self._intake.news(BEAT_S)
            async with self._turn:
                try:
                    await self._take(self._intake.take())
                except Exception as bug:  # noqa: BLE001 - our own bug: stop loudly
                    self._stop(bug)

    async def _take(self, records: Mapping[TP, Sequence[Fresh]]) -> None:
        """Give records to the units that read them; return when all have worked on theirs."""
        if not self._working:
            return
        if records:
            crashpoint.passing("after-fetch")
        begun, touched = self._kit.clock(), set[str]()
        for place, some in records.items():
            self._kit.figures.read(place.topic, len(some))
            for unit in self._readers.get(place, ()):
                if unit.name in self._open:
                    unit.take(place, some)
                    touched.add(unit.name)
        if begun - self._beat >= BEAT_S:
            self._beat = begun
            touched |= self._open
            self._held = self._ahead()
            self._tell_lag(begun)
        await asyncio.gather(*(self._try(self._units[name], _step) for name in sorted(touched)))
        if records:
            self._kit.figures.worked(self._kit.clock() - begun)

    @property
    def kit(self) -> Kit:
        """What every unit is made from now."""
        return self._kit

    async def begun(self) -> None:
        """Return when all that was dealt first is open."""
        await self._change.begun.wait()

    async def rows(self, wanted: Mapping[str, Collection[str]]) -> dict[str, list[Write]]:
        """What all units remember of some rules, by key space; as it would be saved.

        Raises:
            TimeoutError: they are not all open.

        """
        await self._change.all_open()
        found: dict[str, list[Write]] = {}
        for name in sorted(self._open):
            unit = self._units[name]
            space, rows = await self._kit.work(lambda unit=unit: unit.rows(wanted))  # type: ignore[misc]
            found.setdefault(space, []).extend(rows)
        return found

    async def go_over(self, program: Program) -> float:
        """Go on under another program that reads the same topics; see `changeover.py`.

        Returns:
            How long no record was worked on (ms), once what was done is saved.

        Raises:
            StateError: a rule cannot take up what is remembered; nothing has changed.
            TimeoutError: not all partitions were open for long; nothing has changed.

        """

        def take(kit: Kit) -> None:
            self._kit = kit

        return await self._change.go_over(lambda: self._kit.renewed(program), take)

    def _all_open(self) -> list[Unit] | None:
        """All that this worker was dealt, if it is open or waits for newer rules, or is nothing."""
        is_whole = self._working and self._units.keys() == {*self._open, *self._change.older}
        return list(self._units.values()) if is_whole else None

    async def _settle(self) -> None:
        """Return when all that was worked on is saved, or lost."""
        await asyncio.gather(*(self._try(self._units[name], _settle) for name in self._open))

    async def _try(self, unit: Unit, what: "Callable[[Unit, Hub], Awaitable[None]]") -> None:
        try:
            await what(unit, self)
        except (KafkaError, OSError, TimeoutError) as reason:
            self._lost(unit, reason)
        except IllegalStateError:  # taken away while it worked; the assignment says what is next
            self._lost(unit, None)
        except Exception as bug:  # noqa: BLE001 - our own bug: stop loudly, never skip a record
            self._stop(bug)

    def _ahead(self) -> set[TP]:
        """Partitions that rest until slower ones of the same group have caught up."""
        groups: dict[str, dict[TP, int]] = {}
        for name in self._open:
            unit = self._units[name]
            groups.setdefault(unit.group, {}).update(unit.reaches())
        held: set[TP] = set()
        for reaches in groups.values():
            if spread(reaches):
                held |= ahead(reaches, [place for place in reaches if self.at_end(place)])
        return held

    def _lost(self, unit: Unit, reason: BaseException | None) -> None:
        """A unit's memory is worth nothing any more: close it, and open it again after a while.

        A fenced unit waits longer than a session: if we were the ones that were taken for dead,
        the group has told us by then, and this unit is not ours any more.
        """
        if unit.name not in self._open:
            return
        fenced = isinstance(reason, ProducerFenced)
        log.warning("unit-lost", unit=unit.name, fenced=fenced, reason=repr(reason))
        self._kit.figures.lost("fenced" if fenced else "failed" if reason else "taken")
        now = self._kit.clock()
        first, last = self._losses.get(unit.name, (now, now))
        self._losses[unit.name] = (first if now - last < UNLOST_S else now, now)
        self._open.discard(unit.name)
        self._change.over(unit.name)
        self._readable -= set(unit.inputs)
        self._intake.drop(unit.inputs)
        self._tell()
        if self._working:  # else the assignment that is under way opens it, or its next owner
            pause = self._kit.link.session_s * 1.2 if fenced else RETRY_S
            self._start(self._bring_up(unit, pause=pause))

    async def _bring_up(self, unit: Unit, *, opened: bool = False, pause: float = 0.0) -> None:
        """Open a unit, however often it takes, and let its inputs be read."""
        retry = RETRY_S
        while not opened:
            try:
                await unit.close()
                await asyncio.sleep(pause)
                begun = self._kit.clock()
                await unit.open()
            except (KafkaError, OSError, TimeoutError) as reason:
                log.warning("unit-not-open", unit=unit.name, reason=repr(reason))
                self._since.setdefault(unit.name, self._kit.clock())
                pause, retry = retry, min(retry * 2, LONGEST_RETRY_S)
            except StateError as refused:
                if refused.name != OLDER or not self._change.may_wait(unit.name):
                    self._stop(refused)
                    return
                self._tell()
                pause = LONGEST_RETRY_S
            except Exception as bug:  # noqa: BLE001 - our own: stop loudly
                self._stop(bug)
                return
            else:
                opened = True
                self._since.pop(unit.name, None)
                self._kit.figures.restored(self._kit.clock() - begun)
        self._open.add(unit.name)
        self._change.opened(unit.name)
        self._tell()
        for place in unit.inputs:
            if all(reader.name in self._open for reader in self._readers[place]):
                await self._read_from_start(place)

    async def _read_from_start(self, place: TP) -> None:
        """Seek to the earliest offset that a reader of this partition needs, and let it flow."""
        consumer = self._consumer
        assert consumer is not None, "attach first"  # noqa: S101 - a slip of ours
        starts = [reader.starts[place] for reader in self._readers[place]]
        async with consumer.polling:
            try:
                first = (await consumer.earliest_offsets(place))[place]
                known = [start for start in starts if start is not None]
                wanted = min(known) if len(known) == len(starts) else first
                if wanted < first:
                    log.error("records-lost", place=str(place), wanted=wanted, first=first)
                    self._kit.figures.missing(place.topic, first - wanted)
                self._intake.drop({place})
                await consumer.seek_wait({place: max(wanted, first)})
            except (KafkaError, OSError, TimeoutError, IllegalStateError) as reason:
                log.warning("seek-failed", place=str(place), reason=repr(reason))
                self._start(self._seek_again(place))
                return
            self._readable.add(place)

    async def _seek_again(self, place: TP) -> None:
        await asyncio.sleep(RETRY_S)
        await self._read_from_start(place)

    def hears(self, place: TP) -> bool:
        """Whether we read a partition and the broker said just now how far it goes."""
        return place in self._readable and self._intake.hears(place)

    def at_end(self, place: TP) -> bool:
        """Whether everything that the partition holds was handed over."""
        consumer = self._consumer
        if consumer is None or place not in self._readable:
            return False
        end, handed = consumer.end(place), self._intake.handed(place)
        return end is not None and handed is not None and 0 <= end <= handed

    async def close(self) -> None:
        """Close every unit, for good; what is not saved is read again by the next owner."""
        self._closed = True
        self._working, self._readable = False, set()
        await self._end_tasks()
        try:
            async with asyncio.timeout(CLOSE_S), self._quiet_time():
                await self._settle()
        except TimeoutError:
            log.warning("closed-in-work", units=len(self._open))
        self._tasks.update(self._always)
        await self._end_tasks()
        units, self._units, self._open = self._units, {}, set()
        self._readers = {}
        await asyncio.gather(*(unit.close() for unit in units.values()))

    @contextlib.asynccontextmanager
    async def _quiet_time(self) -> AsyncIterator[None]:
        """While this is held no poll is under way and no unit works; saving may go on."""
        async with contextlib.AsyncExitStack() as held:
            if self._consumer is not None:
                await held.enter_async_context(self._consumer.polling)
            await held.enter_async_context(self._turn)
            yield

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell_lag(self, now: float) -> None:
        """How much of what the broker holds was not fetched yet, now and then."""
        consumer, figures = self._consumer, self._kit.figures
        for place in self._lagging - self._readable:
            figures.unread(place.topic, place.partition)
            self._lagging.discard(place)
        if consumer is None or now - self._told_lag < LAG_S:
            return
        self._told_lag = now
        for place in self._readable:
            end, reached = consumer.end(place), self._intake.reached(place)
            if end is not None and reached is not None:
                figures.lag(place.topic, place.partition, max(0, end - reached))
                self._lagging.add(place)

    def _tell(self) -> None:
        self._change.note()
        self._kit.watcher.holding(len(self._units), len(self._open))


async def _step(unit: Unit, hub: Hub) -> None:
    await unit.step(hub)


async def _settle(unit: Unit, hub: Hub) -> None:
    del hub
    await unit.settle()
