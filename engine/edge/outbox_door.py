"""Where a running process is asked to send deliveries again, to drop them, or to note a reading."""

import sqlite3

import msgspec
import structlog
from aiohttp import web

from engine.edge.control import is_shown
from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.edge.store.outbox_hand import Deed, Result

log = structlog.get_logger("outbox")

PATH = "/outbox"


class OutboxDoor:
    """Takes deeds by hand while the senders work: what is under way is left alone."""

    def __init__(self, token: str, store: Store, senders: Senders) -> None:
        """Take requests that show this token."""
        self._token, self._store, self._senders = token, store, senders

    async def post(self, request: web.Request) -> web.Response:
        """Answer a request: 200 with what came of it, 401 without the token, 503 on a full disk."""
        if not is_shown(request, self._token):
            return web.json_response({"error": "token"}, status=401)
        try:
            deed = msgspec.json.decode(await request.read(), type=Deed)
        except msgspec.DecodeError as error:
            return web.json_response({"error": str(error)}, status=400)
        try:
            result = await self._do(deed)
        except sqlite3.Error as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.Response(body=msgspec.json.encode(result), content_type="application/json")

    async def _do(self, deed: Deed) -> Result:
        async with self._senders.paused() as under_way:
            result = await self._store.by_hand(deed, under_way)
        done = [one for one in result.done if one.outcome == "done"]
        if not deed.plan:
            log.warning(
                "outbox-by-hand", did=deed.does, who=deed.who, why=deed.why, count=len(done)
            )
        if deed.does == "retry" and not deed.plan:
            self._senders.probe({one.sink for one in done})
        return result
