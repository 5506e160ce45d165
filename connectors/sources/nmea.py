"""AIS sentences over TCP or UDP: ships' positions in, kept before anything else is read.

Nobody acknowledges sentences: what arrives is kept as soon as it can be. Over TCP a disk that
refuses makes the sender wait; datagrams that come faster than they can be kept are counted and
lost, as UDP loses them everywhere. Most receivers listen themselves: `connect` calls one, and
calls it again when the line breaks or is silent.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import Field, field_validator

from connectors.protocols import Garbled
from connectors.sources.door import DoorOptions, DoorSource, Said
from connectors.sources.inbox import wall_ms
from engine.errors import EnvironmentUnusable
from engine.kafka.access import addresses
from engine.ports import SourceContext
from engine.text import say

if TYPE_CHECKING:
    from connectors.protocols.nmea import Heard, Sentences

EXTRA = ("ais", "pyais")
INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""

_WAITING = 10_000
"""Datagrams that may wait to be kept."""
_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_READ = 16 * 1024
_DIAL_S = 10.0


class Options(DoorOptions):
    """What may be declared about a source of AIS sentences.

    Attributes:
        transport: How sentences arrive at `host` and `port`.
        connect: `host:port` of a receiver to call instead of listening; TCP only.
        messages: Positions, or what ships say about themselves (name, type, destination).

    """

    kind: Literal["nmea"] = "nmea"
    port: int = Field(default=10110, ge=0, le=65535)
    transport: Literal["tcp", "udp"] = "tcp"
    connect: str | None = None
    messages: Literal["positions", "statics"] = "positions"

    @field_validator("connect")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and len(addresses(value)) != 1:
            raise ValueError(value)
        return value

    @property
    def guarded(self) -> bool:
        """Whether strangers stay out: it calls itself, or takes from certain senders only."""
        return bool(self.senders) or self.connect is not None


def build(name: str, options: Options, context: SourceContext) -> "NmeaSource":
    """A source that listens for sentences, or calls who has them."""
    return NmeaSource(name, options, context)


class NmeaTalk:
    """One sender of sentences; nobody has to say who they are."""

    repeats = False

    def __init__(
        self, sentences: "Sentences", count: Callable[[str, int], None], now_ms: Callable[[], int]
    ) -> None:
        """Begin with nothing heard."""
        self._sentences, self._count, self._now_ms = sentences, count, now_ms
        self.known = False

    def hear(self, data: bytes) -> Said:
        """What the lines that are whole now say."""
        return self._said(self._sentences.take(data, self._now_ms()))

    def datagram(self, data: bytes) -> Said:
        """What a datagram says."""
        return self._said(self._sentences.datagram(data, self._now_ms()))

    def end(self) -> Said:
        """A last line without its end, and messages that never became whole."""
        return self._said(self._sentences.give_up(self._now_ms()))

    def _said(self, found: "Iterable[Heard | Garbled]") -> Said:
        records: list[bytes] = []
        refused: list[tuple[str, str, bytes]] = []
        whole = 0
        for one in found:
            if isinstance(one, Garbled):
                refused.append(one)
                continue
            whole += 1
            if one.record is None:
                self._count("no-record", 1)
            else:
                records.append(orjson.dumps(one.record))
        self.known |= bool(whole)
        return Said(records, refused, whole=whole)


class NmeaSource(DoorSource):
    """Listens on TCP or UDP, or calls a receiver."""

    def __init__(
        self,
        name: str,
        options: Options,
        context: SourceContext,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Prepare; `open` listens or calls."""
        super().__init__(name, options, context, self._talk_new)
        self._about, self._now_ms = options, now_ms
        self._task: asyncio.Task[None] | None = None
        self._datagrams: deque[tuple[bytes, str]] = deque()
        self._arrived = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        """Listen, or begin to call."""
        if self._about.connect is not None:
            await self.prepare(resume)
            self._task = asyncio.create_task(self._call_out(), name=f"nmea-{self.name}")
        elif self._about.transport == "udp":
            await self.prepare(resume)
            await self._bind()
            self._task = asyncio.create_task(self._keep_datagrams(), name=f"nmea-{self.name}")
        else:
            await super().open(resume)

    async def close(self) -> None:
        """Stop listening; what has arrived is kept. Safe to call twice."""
        self.stop_waiting()
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._arrived.set()
        task, self._task = self._task, None
        if task is not None:
            if self._about.connect is not None:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await super().close()

    def _talk_new(self) -> NmeaTalk:
        # Decoding needs a library that not every installation has.
        from connectors.protocols.nmea import Sentences  # noqa: PLC0415

        sentences = Sentences(statics=self._about.messages == "statics")
        return NmeaTalk(sentences, self.context.count, self._now_ms)

    async def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self._about.host, self._about.port
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Ear(self._take), local_addr=(host, port)
            )
        except OSError as error:
            found = {"host": host, "port": port, "why": error.strerror or str(error)}
            raise EnvironmentUnusable(say("port-taken", self._about.lang, **found)) from error
        self.port = self._transport.get_extra_info("sockname")[1]

    def _take(self, data: bytes, sender: tuple[Any, ...]) -> None:
        if not self._about.lets_in(sender[0]):
            self.context.count("turned-away", 1)
        elif len(self._datagrams) >= _WAITING or self.full:
            self.context.count("dropped", 1)
        else:
            self._datagrams.append((data, f"{sender[0]}:{sender[1]}"))
            self._arrived.set()

    async def _keep_datagrams(self) -> None:
        """Keep what arrives, all that waits at once; sentences of a message have one sender."""
        talks: dict[str, NmeaTalk] = {}
        while True:
            self._arrived.clear()
            if not self._datagrams:
                if self.closed:
                    return
                await self._arrived.wait()
                continue
            waiting, self._datagrams = self._datagrams, deque()
            heard: list[Said] = []
            for data, sender in waiting:
                if len(talks) >= self._about.connections and sender not in talks:
                    talks.pop(next(iter(talks)))
                heard.append(talks.setdefault(sender, self._talk_new()).datagram(data))
            whole = Said(
                [record for said in heard for record in said.records],
                [one for said in heard for one in said.refused],
                whole=sum(said.whole for said in heard),
            )
            await self.heard(whole, self._talk_new())

    async def _call_out(self) -> None:
        """Call the receiver, and again whenever the line breaks or is silent."""
        ((host, port),) = addresses(self._about.connect or "")
        failed = 0
        while not self.closed:
            talk = self._talk_new()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_DIAL_S):
                    reader, writer = await asyncio.open_connection(host, port, limit=_READ)
                try:
                    self.context.count("called", 1)
                    why = await self.listen(talk, reader, writer)
                    self.context.count(f"ended-{why}", 1)
                finally:
                    writer.close()
                    await self.heard(talk.end(), talk)
            failed = 0 if talk.known else failed + 1
            await asyncio.sleep(_AGAIN_S[min(failed, len(_AGAIN_S) - 1)])


class _Ear(asyncio.DatagramProtocol):
    """Hands datagrams on."""

    def __init__(self, take: Callable[[bytes, tuple[Any, ...]], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._take(data, addr)
