"""Records that are posted to us: `POST /feeds/<feed>`, one JSON object or one a line.

202 is answered only when every good record would survive a power cut. Bad lines of a batch are
listed in the answer and put into the dead letter; the good ones are kept all the same.
"""

import difflib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.sources.inbox import InboxSource, wall_ms
from engine.errors import EnvironmentUnusable, NotKept
from engine.ports import SourceContext
from engine.text import say

SINGLE, LINES = "application/json", ("application/x-ndjson", "application/jsonl")
RETRY_AFTER_S, BLOCKED_AFTER_S = 2, 10
INBOX = True
"""It keeps what it is handed in the inbox of its feed: one such source a feed."""
_LISTED = 100


class Options(BaseModel):
    """What may be declared about an HTTP source: only the feed it fills."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"] = "http"
    feed: str
    batch: int = Field(default=4000, ge=1, le=100_000)


def build(name: str, options: Options, context: SourceContext) -> "HttpSource":
    """A source that reads what was posted for its feed."""
    return HttpSource(name, options, context)


class HttpSource(InboxSource):
    """Gives what the intake has kept, in the order it came."""

    def __init__(self, name: str, options: Options, context: SourceContext) -> None:
        """Prepare; `open` says where to go on."""
        super().__init__(name, context, batch=options.batch)


class Intake:
    """The port that feeds are posted to, for all HTTP sources together."""

    def __init__(
        self,
        sources: Sequence[HttpSource],
        *,
        token: str | None,
        max_body: int,
        max_record: int,
        inbox_limit: int,
        lang: str,
        known: Sequence[str] = (),
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Take in what the sources' feeds are posted.

        Args:
            sources: One for each feed that may be posted.
            token: What senders must show as `Authorization: Bearer`; None for no check.
            max_body: Largest body in bytes.
            max_record: Largest record in bytes.
            inbox_limit: Records of a feed waiting to be read beyond which senders must wait.
            lang: Language of the reasons.
            known: Names of all feeds there are, to suggest the nearest one.
            now_ms: Wall clock, for the time of arrival.

        """
        self._sources = {source.context.feed: source for source in sources}
        self._token = token
        self._max_body, self._max_record = max_body, max_record
        self._limit, self._lang, self._now_ms = inbox_limit, lang, now_ms
        self._known = sorted({*self._sources, *known})
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            EnvironmentUnusable: the port is taken or not allowed.

        """
        app = web.Application(client_max_size=self._max_body)
        app.router.add_post("/feeds/{feed}", self._post)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await self.stop()
            found = {"host": host, "port": port, "why": error.strerror or str(error)}
            raise EnvironmentUnusable(say("port-taken", self._lang, **found)) from error
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Finish the requests in hand and close the port; safe to call twice."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        feed = request.match_info["feed"]
        if not self._may_post(request):
            return self._answer(401, "intake-token", {"WWW-Authenticate": "Bearer"})
        source = self._sources.get(feed)
        if source is None:
            close = difflib.get_close_matches(feed[:200], self._known, n=1, cutoff=0.5)
            name = "intake-unknown-near" if close else "intake-unknown"
            return self._answer(404, name, feed=feed[:200], nearest="".join(close))
        kind = request.content_type
        if kind != SINGLE and kind not in LINES:
            return self._answer(415, "intake-type", found=kind, single=SINGLE, lines=LINES[0])
        if source.unread >= self._limit:
            return self._answer(429, "intake-full", {"Retry-After": str(RETRY_AFTER_S)}, feed=feed)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._answer(413, "intake-body", limit=self._max_body)
        lines = [(1, body)] if kind == SINGLE else list(enumerate(body.split(b"\n"), 1))
        return await self._take(source, [(n, v.strip()) for n, v in lines if v.strip()])

    async def _take(self, source: HttpSource, lines: Sequence[tuple[int, bytes]]) -> web.Response:
        """Keep the good records, put the bad ones into the dead letter, tell both."""
        good: list[bytes] = []
        bad: list[tuple[str, str, bytes]] = []
        told: list[dict[str, Any]] = []
        for number, value in lines:
            refused = self._judge(source, value)
            if refused is None:
                good.append(value)
                continue
            reason, detail = refused
            bad.append((reason, detail, value[: self._max_record]))
            if len(told) < _LISTED:
                told.append({"line": number, "reason": reason, "detail": detail})
        try:
            await source.keep(good, bad, self._now_ms)
        except NotKept as error:
            after = {"Retry-After": str(BLOCKED_AFTER_S)}
            return self._answer(503, "intake-blocked", after, why=error)
        body: dict[str, Any] = {"accepted": len(good), "rejected": len(bad)}
        if not lines:
            return self._answer(422, "intake-empty")
        if not bad:
            return _json(202, body)
        too_large = all(reason == "too-large" for reason, _, _ in bad)
        words = "intake-mixed" if good else "intake-refused"
        body["error"] = say(words, self._lang, good=len(good), bad=len(bad))
        body["reasons"] = told
        return _json(413 if too_large and not good else 422, body)

    def _judge(self, source: HttpSource, value: bytes) -> tuple[str, str] | None:
        if len(value) > self._max_record:
            return "too-large", str(len(value))
        return source.context.reason(value)

    def _may_post(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(shown, f"Bearer {self._token}".encode())

    def _answer(
        self, status: int, name: str, headers: Mapping[str, str] | None = None, **found: object
    ) -> web.Response:
        return _json(status, {"error": say(name, self._lang, **found)}, headers)


def _json(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        headers=dict(headers or {}),
        content_type="application/json",
    )
