"""A TCP port that terminals call: how many, how large, how long silent, and nobody beyond that.

A connection that says nothing whole is hung up: before it is known who calls, after `login_s`;
afterwards when no good message came for `idle_s`. Trickled bytes do not count. A peer that does
not read our answers is hung up too. While the rules are far behind, nobody is read from, so the
callers' own buffers fill and they wait.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork

from connectors.sources.inbox import InboxSource
from engine.errors import EnvironmentUnusable, NotKept
from engine.ports import SourceContext
from engine.text import say

_READ = 16 * 1024
_BACKLOG = 1024
_DISK_S = 1.0
_PATIENCE_S = 5.0
"""So long an answer may take to leave, and what is in hand may take to be kept at the end."""


class DoorOptions(BaseModel):
    """What may be declared about every source that listens. Loopback unless told otherwise.

    Attributes:
        host: Address to listen on; `port` 0 takes any free one.
        senders: Addresses or networks that may send; everybody when empty.
        connections: Callers at once; a further one is hung up at once.
        login_s: By when a caller must have said who it is, in seconds.
        idle_s: How long a known caller may say nothing whole.
        inbox_limit: Records that wait for the rules beyond which nobody is read from.
        batch: Most records handed over at once.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feed: str
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    senders: tuple[IPvAnyNetwork, ...] = ()
    connections: int = Field(default=5000, ge=1, le=100_000)
    login_s: float = Field(default=30.0, gt=0)
    idle_s: float = Field(default=600.0, gt=0)
    inbox_limit: int = Field(default=200_000, ge=1)
    batch: int = Field(default=4000, ge=1, le=100_000)
    lang: str = "en"

    @property
    def guarded(self) -> bool:
        """Whether strangers stay out."""
        return bool(self.senders)

    def lets_in(self, address: str) -> bool:
        """Whether a sender at this address may send."""
        if not self.senders:
            return True
        try:
            place = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(place in network for network in self.senders)


class Said(NamedTuple):
    """What came of bytes that a caller sent.

    Attributes:
        records: To be kept, as JSON.
        refused: For the dead letter.
        answer: Bytes for the caller once all that is kept; `sorry` if it could not be.
        whole: How many good messages there were.
        hangup: Why the connection ends now, after the answer; empty to go on.

    """

    records: Sequence[bytes] = ()
    refused: Sequence[tuple[str, str, bytes]] = ()
    answer: bytes = b""
    sorry: bytes = b""
    whole: int = 0
    hangup: str = ""


class Talk(Protocol):
    """One connection, as the protocol sees it; pure, and owned by one task."""

    @property
    def known(self) -> bool:
        """Whether the caller has said who it is, and may call."""

    @property
    def repeats(self) -> bool:
        """Whether the caller sends again what was not acknowledged."""

    def hear(self, data: bytes) -> Said:
        """What these bytes mean. Never raises, whatever they are."""

    def end(self) -> Said:
        """What is left when the connection is over; nobody hears an answer any more."""


class DoorSource(InboxSource):
    """Listens, keeps what callers say, and answers them when it is kept.

    Attributes:
        port: Where it listens once it is open.

    """

    def __init__(
        self, name: str, options: DoorOptions, context: SourceContext, talk: Callable[[], Talk]
    ) -> None:
        """Prepare; `open` listens."""
        super().__init__(name, context, batch=options.batch, limit=options.inbox_limit)
        self.port = 0
        self._options = options
        self._talk = talk
        self._server: asyncio.Server | None = None
        self._calls: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def prepare(self, resume: Mapping[str, int]) -> None:
        """Find the place in the inbox, without listening."""
        await super().open(resume)

    async def open(self, resume: Mapping[str, int]) -> None:
        """Find the place in the inbox, then listen.

        Raises:
            EnvironmentUnusable: the port is taken or not allowed.

        """
        await self.prepare(resume)
        host, port = self._options.host, self._options.port
        try:
            self._server = await asyncio.start_server(
                self._call, host, port, limit=_READ, backlog=_BACKLOG
            )
        except OSError as error:
            found = {"host": host, "port": port, "why": error.strerror or str(error)}
            raise EnvironmentUnusable(say("port-taken", self._options.lang, **found)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, hang up, and keep what is in hand."""
        self.stop_waiting()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._calls.values():
            writer.close()
        if self._calls:
            _, late = await asyncio.wait(set(self._calls), timeout=_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await super().close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs us in one
        address = writer.get_extra_info("peername")[0]
        is_full = len(self._calls) >= self._options.connections
        if is_full or self._server is None or not self._options.lets_in(address):
            self.context.count("turned-away", 1)
            writer.close()
            return
        self._calls[task] = writer
        self.context.count("called", 1)
        talk = self._talk()
        why = "gone"
        try:
            why = await self.listen(talk, reader, writer)
        except OSError:
            why = "broken"
        finally:
            del self._calls[task]
            self.context.count(f"ended-{why}", 1)
            writer.close()
            await self.heard(talk.end(), talk)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await writer.wait_closed()

    async def listen(
        self, talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        """Hear a caller out; answers why it ended."""
        clock, options = asyncio.get_running_loop().time, self._options
        until = clock() + options.login_s
        while True:
            if self.full:
                waited = clock()
                await self.room()
                until += clock() - waited
            try:
                async with asyncio.timeout_at(until):
                    data = await reader.read(_READ)
            except TimeoutError:
                return "idle" if talk.known else "no-login"
            if not data:
                return "gone"
            said = talk.hear(data)
            if said.whole and talk.known:
                until = clock() + options.idle_s
            answer = said.answer if await self.heard(said, talk) else said.sorry
            if answer:
                writer.write(answer)
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await writer.drain()
                except TimeoutError:
                    writer.transport.abort()
                    return "deaf"
            if said.hangup:
                return said.hangup

    async def heard(self, said: Said, talk: Talk) -> bool:
        """Keep what was said; answers whether it is kept.

        What the feed would refuse goes to the dead letter. Where nobody can be asked to send it
        again, a disk that refuses is waited for, and the sender is not read from.
        """
        good, bad = self.sift(said.records)
        while True:
            try:
                await self.keep(good, [*said.refused, *bad])
                break
            except NotKept:
                if talk.repeats or self.closed:
                    self.context.count("not-kept", max(said.whole, 1))
                    return False
                await asyncio.sleep(_DISK_S)
        if said.whole:
            self.context.count("messages", said.whole)
        if good:
            self.context.count("records", len(good))
        return True
