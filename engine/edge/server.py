"""Doors for operators: `/live`, `/ready`, `/metrics`, `/reload`, `/outbox`; loopback by default."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.errors import EnvironmentUnusable
from engine.text import say


class OpsServer:
    """Serves health and metrics while the daemon runs."""

    def __init__(self, health: Health, metrics: Metrics, lang: str) -> None:
        """Prepare; `start` listens."""
        self._health, self._metrics, self._lang = health, metrics, lang
        self._runner: web.AppRunner | None = None
        self.reload: Callable[[web.Request], Awaitable[web.Response]] | None = None
        self.outbox: Callable[[web.Request], Awaitable[web.Response]] | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            EnvironmentUnusable: the port is taken or not allowed.

        """
        app = web.Application()
        app.router.add_get("/live", self._live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._text)
        app.router.add_post("/reload", self._asked_to_reload)
        app.router.add_post("/outbox", self._asked_of_outbox)
        self._runner, self.port = await listen(app, host, port, self._lang)

    async def stop(self) -> None:
        """Close the port; safe to call twice."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        reasons = self._health.reasons(self._lang)
        body = {"ready": not reasons, "reasons": reasons, "notes": list(self._health.notes())}
        return web.json_response(body, status=200 if not reasons else 503)

    async def _asked_to_reload(self, request: web.Request) -> web.Response:
        return await _asked(self.reload, request)

    async def _asked_of_outbox(self, request: web.Request) -> web.Response:
        return await _asked(self.outbox, request)

    async def _text(self, _request: web.Request) -> web.Response:
        self._metrics.ready(self._health.is_ready)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body=self._metrics.text(), headers={"Content-Type": kind})


async def _asked(
    door: Callable[[web.Request], Awaitable[web.Response]] | None, request: web.Request
) -> web.Response:
    """Hand a request on, where this process takes any of its kind."""
    if door is None:
        return web.json_response({"error": "not here"}, status=404)
    return await door(request)


async def listen(
    app: web.Application, host: str, port: int, lang: str
) -> tuple[web.AppRunner, int]:
    """Serve an application; answers its runner and the port it got.

    Raises:
        EnvironmentUnusable: the port is taken or not allowed.

    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        why = error.strerror or str(error)
        message = say("port-taken", lang, host=host, port=port, why=why)
        raise EnvironmentUnusable(message) from error
    address: tuple[str, int] = runner.addresses[0]
    return runner, address[1]
