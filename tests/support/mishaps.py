"""A front before a good peer that passes everything on, or misbehaves in one of twelve ways."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

MISHAPS = (
    "500", "429", "error-body", "hang", "reset", "drip", "wrong-tls", "redirect", "huge",
    "malformed", "dns", "closed",
)  # fmt: skip
NAME = "peer.forewarn.test"
"""A name that the tests' own name service knows, when it is in the mood."""


def http(status: str, body: bytes = b"no", **headers: str) -> bytes:
    """A canned answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


CANNED: Mapping[str, bytes] = {
    "500": http("500 Internal Server Error"),
    "429": http("429 Too Many Requests", Retry_After="0"),
    "redirect": http("302 Found", Location="http://169.254.169.254/"),
}
_REFUSED_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Front:
    """Misbehaves as `mood` says; an empty mood passes bytes on to the peer's port.

    Attributes:
        words: What it says instead of the peer in a mood, where the mood is not about bytes.
        speaks_first: Whether the peer of this protocol greets, so that moods are greetings.
        seen: How often it was connected to.

    """

    target: int
    words: Mapping[str, bytes] = field(default_factory=dict)
    speaks_first: bool = False
    mood: str = ""
    port: int = 0
    seen: int = 0
    good: ssl.SSLContext | None = None
    bad: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def set(self, mood: str) -> None:
        """Be so from now on; the port stays the same."""
        self.mood = mood
        await self._stop()
        if mood == "closed":
            return
        context = self.bad if mood == "wrong-tls" else self.good
        self._server = await asyncio.start_server(
            self._met, "127.0.0.1", self.port, ssl=context, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every conversation."""
        await self._stop()

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mood = self.mood
        if not mood or mood in {"dns", "wrong-tls"}:
            await self._pass_on(reader, writer)
            return
        if not self.speaks_first:
            await reader.read(65_536)
        match mood:
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                await reader.read(10)
                link = writer.get_extra_info("socket")
                with suppress(OSError):
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _REFUSED_LINGER)
            case "drip":
                for byte in self.words.get("drip", http("200 OK", b"x" * 9000)):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.03)
            case "huge":
                writer.write(self.words.get("huge", b"HTTP/1.1 200 OK\r\n\r\n"))
                for _ in range(4000):
                    writer.write(b"x" * 4096)
                    await writer.drain()
            case "malformed":
                writer.write(self.words.get("malformed", b"\x00\xff no protocol \x01\r\n\r\n\r\n"))
                await writer.drain()
                await reader.read(10)
            case _:
                writer.write(self.words.get(mood) or CANNED[mood])
                await writer.drain()
                await reader.read(10)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await asyncio.gather(_pipe(reader, outer), _pipe(inner, writer))
        finally:
            outer.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.transport.abort()


@asynccontextmanager
async def a_front(target: int, **words: object) -> AsyncIterator[Front]:
    """A front on a free port."""
    front = Front(target, **words)  # type: ignore[arg-type]
    await front.set("")
    try:
        yield front
    finally:
        await front.close()


class NameService:
    """Knows one name, unless it is away; everything else is asked of the system."""

    def __init__(self) -> None:
        self.is_away = False
        self._real = socket.getaddrinfo

    def __call__(self, host: object, *rest: object, **more: object) -> object:
        """As `socket.getaddrinfo`."""
        if host not in {NAME, NAME.encode()}:
            return self._real(host, *rest, **more)  # type: ignore[arg-type]
        if self.is_away:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._real("127.0.0.1", *rest, **more)  # type: ignore[arg-type]
