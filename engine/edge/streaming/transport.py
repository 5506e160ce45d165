"""Faust's consumer with one change: a poll's records of a partition are handed over in one call.

Faust keeps what it is good at: the worker process and its signals, the consumer thread with its
heartbeats, the group membership, and its co-partitioned, sticky assignor. It would make an event,
a message and four tasks of every record; here none is made. Positions are not committed through
Faust either: they are saved with the state they belong to (`evaluator.py`).
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import aiokafka
import faust
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from engine.edge.streaming.intake import NOTHING, Fetched
from engine.edge.streaming.light import Light
from engine.edge.streaming.link import Link
from engine.edge.streaming.topics import Layout

POLL_S = 0.25
REST_S = 0.05


class Reader(Protocol):
    """What takes the records of the partitions this worker was given."""

    def attach(self, consumer: "BatchConsumer") -> None:
        """Note the consumer with which to seek."""

    async def assigned(self, places: set[TP], generation: int) -> None:
        """These partitions are ours in this generation of the group, and no others."""

    async def revoked(self, places: set[TP]) -> None:
        """Let go of these partitions before anybody else is given them."""

    def readable(self) -> set[TP]:
        """Partitions from which records may be handed over now."""

    async def room(self) -> None:
        """Return when it has room for another poll."""

    def put(self, fetched: Fetched) -> None:
        """Keep what one poll brought, until its turn comes."""

    async def close(self) -> None:
        """Let go of everything."""


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the broker and keeps the group membership alive."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        del transport  # the link says where the broker is
        app: StreamApp = self.app  # type: ignore[assignment]
        link = app.link
        self._assignor = app.assignor  # co-partitioned and sticky; Faust's default here is neither
        return aiokafka.AIOKafkaConsumer(
            **link.client(),
            group_id=link.app,
            group_instance_id=link.instance or None,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            value_deserializer=app.light,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=max(1, link.batch // 2),
            max_poll_interval_ms=300_000,
            session_timeout_ms=int(link.session_s * 1000),
            heartbeat_interval_ms=int(link.heartbeat_s * 1000),
            rebalance_timeout_ms=int(link.session_s * 3000),
            fetch_max_wait_ms=250,
            max_partition_fetch_bytes=2 * 1024 * 1024,
        )

    async def bring(self, places: set[TP]) -> Fetched:
        """What these partitions have, waiting a moment for it; to be called from any thread."""
        found: Fetched = await self.call_thread(self._bring, places)
        return found

    async def _bring(self, places: set[TP]) -> Fetched:
        consumer = self._ensure_consumer()
        records = await self._fetch_records(
            consumer,
            places,
            timeout=POLL_S,
            max_records=consumer._max_poll_records,  # noqa: SLF001
        )
        # In one go with the records: how far we are must never run ahead of what we were given.
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001
        states = {place: assignment.state_value(place) for place in places} if assignment else {}
        reached = {
            place: state.position
            for place, state in states.items()
            if state is not None and state.has_valid_position
        }
        told = {place: states[place].timestamp for place in reached}
        return Fetched(records or {}, reached, told)


class BatchConsumer(driver.Consumer):
    """Hands polls over whole, reads from where the state says, and commits nothing by itself."""

    app: "StreamApp"
    _thread: BatchThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.polling = asyncio.Lock()
        self._leaving = self._pending()
        self._late: asyncio.Future[Any] | None = None
        self.app.reader.attach(self)

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Poll and hand over until stopped. Seeks wait for `polling`, so no poll spans one."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._poll()
        except asyncio.CancelledError:
            if not (self.app.should_stop or fetcher.should_stop):
                raise  # only Faust's stop may cancel a poll
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _poll(self) -> None:
        reader = self.app.reader
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
            return
        await reader.room()
        async with self.polling:
            places = self._active_partitions & reader.readable()
            fetched = await self.fetch(places) if places else NOTHING
            if self.flow_active:
                reader.put(fetched)
        await asyncio.sleep(0 if places else REST_S)

    async def fetch(self, places: set[TP]) -> Fetched:
        """What one poll brings; nothing when partitions are given back meanwhile.

        aiokafka holds a poll back until a rebalance is over, and the rebalance waits until we poll
        no more. So such a poll is left behind. What it brings in the end is read again, because
        every position is set anew after a rebalance, and not before that poll is over.
        """
        if not await self._settled():
            return NOTHING
        poll: asyncio.Future[Fetched] = asyncio.ensure_future(self._thread.bring(places))
        try:
            await asyncio.wait({poll, self._leaving}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            poll.cancel()
            raise
        if not poll.done():
            self._late = poll
            return NOTHING
        return poll.result()

    async def _settled(self) -> bool:
        """Wait until a poll that was left behind is over; False if it is left behind once more."""
        if self._late is not None:
            await asyncio.wait({self._late, self._leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not self._late.done():
                return False
            await asyncio.gather(self._late, return_exceptions=True)
            self._late = None
        return True

    def _pending(self) -> "asyncio.Future[Any]":
        """Done as soon as partitions must be given back."""
        return asyncio.get_event_loop_policy().get_event_loop().create_future()

    def stay(self) -> None:
        """The partitions that we have now are ours until further notice."""
        self._leaving = self._pending()

    def leave(self) -> None:
        """Partitions must be given back: a poll that is held up is left behind."""
        if not self._leaving.done():
            self._leaving.set_result(None)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Set positions, once no poll can still bring records from before."""
        if not await self._settled():
            message = "partitions are given back"
            raise aiokafka.errors.IllegalStateError(message)
        await super().seek_wait(partitions)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the reader what it has now."""
        await super().on_partitions_assigned(assigned, generation_id)
        self.stay()
        await self.app.reader.assigned({TP(*place) for place in assigned}, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Tell the reader first, so that nothing is worked on while others take over."""
        self.leave()
        await self.app.reader.revoked({TP(*place) for place in revoked})
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Faust seeks to committed offsets after a rebalance; ours are in the state."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust looks for events and commits that are never made here."""

    async def position(self, tp: TP) -> int | None:
        """Offset of the next record that would be read."""
        return await self._thread.position(tp)

    def end(self, tp: TP) -> int | None:
        """Offset after the last record that may be read, as last told by the broker."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - Faust shows no other way
        try:
            found: int | None = consumer.last_stable_offset(tp)
        except (aiokafka.errors.IllegalStateError, AssertionError):  # taken away meanwhile
            return None
        return found

    async def on_stop(self) -> None:
        """Let go of the partitions before leaving the group."""
        self.leave()
        await self.app.reader.close()
        await super().on_stop()


class BatchTransport(driver.Transport):
    """Faust's Kafka transport with our consumer."""

    Consumer = BatchConsumer


class NoProducer(BootStrategy):
    """Start neither Faust's producer nor its web server: we write in our own transactions."""

    enable_kafka_producer = False
    enable_web = False


class NoTables(TableManager):
    """Faust waits a second for agents to declare their tables before it joins the group."""

    async def on_start(self) -> None:
        """There are none to wait for: a restart is a second shorter."""
        await self._update_channels()
        await self.recovery.start()


class StreamApp(faust.App):
    """A Faust application that reads topics into one `Reader`."""

    BootStrategy = NoProducer

    def __init__(self, link: Link, reader: Reader, layout: Layout) -> None:
        self.link = link
        self.light = Light(layout.routed)
        self.reader = reader
        super().__init__(
            link.app,
            broker=f"kafka://{link.bootstrap.replace(',', ';kafka://')}",
            store="memory://",
            TableManager=NoTables,
            # Faust makes this folder though we keep nothing in it; not where somebody stands.
            datadir=str(Path(tempfile.gettempdir()) / "forewarn-faust"),
            web_enabled=False,
            autodiscover=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            table_standby_replicas=0,
            broker_session_timeout=link.session_s,
            broker_heartbeat_interval=link.heartbeat_s,
            broker_request_timeout=30.0,
            consumer_group_instance_id=link.instance or None,
            worker_redirect_stdouts=False,
            canonical_url=f"http://{link.instance or 'worker'}.invalid",
        )
        self.transport = BatchTransport(self.conf.broker_consumer, self, loop=None)
        for name in layout.subscribed:
            self.topics.add(
                self.topic(
                    name,
                    value_type=bytes,
                    key_type=bytes,
                    value_serializer="raw",
                    key_serializer="raw",
                )
            )
