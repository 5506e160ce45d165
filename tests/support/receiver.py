"""A real HTTP receiver that takes alerts, or misbehaves in every way a peer can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Receiver:
    """Remembers what it was sent; `mood` decides how it answers, `says` what it takes it with."""

    mood: str = "takes"
    says: str = ""
    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Take a request and answer by mood."""
        self.got.append((dict(request.headers), await request.read()))
        self.paths.append(request.path)
        kind, _, detail = self.mood.partition(":")
        match kind:
            case "takes":
                return web.Response(status=200 if self.says else 204, text=self.says or None)
            case "status":
                code, _, after = detail.partition(" ")
                return web.Response(
                    status=int(code), text="no", headers={"Retry-After": after} if after else {}
                )
            case "redirect":
                return web.Response(status=302, headers={"Location": self.url + "/elsewhere"})
            case "hang":
                await self.slow.wait()
                return web.Response()
            case "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "huge":
                return web.Response(body=b"x" * 1_000_000, status=int(detail or 200))
            case "drip":
                stream = web.StreamResponse()
                await stream.prepare(request)
                await stream.write(b"x")
                await self.slow.wait()
                return stream
        raise AssertionError(self.mood)


@asynccontextmanager
async def receiver(mood: str = "takes") -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    peer = Receiver(mood)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", peer.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield peer
    finally:
        peer.slow.set()
        await runner.cleanup()
