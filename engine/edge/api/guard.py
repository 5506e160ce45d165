"""What every request meets before any route: size, rate of its address, headers, a last net."""

import secrets
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.edge.api.limits import Limits
from engine.edge.api.problems import Code, Refusal, preferred, too_many

log = structlog.get_logger("api")

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
)
"""On every answer. There is no CORS: no page of another origin may read an answer."""
_NOT_KEPT = (b"cache-control", b"no-store")
_REQUEST_ID = b"x-request-id"


class TooLarge(Exception):
    """A body went on beyond what is taken."""


class Guard:
    """Wraps the application: nothing reaches it that is too large or comes too often."""

    def __init__(self, app: ASGIApp, most_bytes: int, addresses: Limits, lang: str) -> None:
        """Guard `app`; bodies of more than `most_bytes` are refused while they come in."""
        self._app, self._most, self._addresses, self._lang = app, most_bytes, addresses, lang

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = secrets.token_hex(8)
        scope.setdefault("state", {})["request"] = request
        headers = dict(scope["headers"])
        lang = preferred(headers.get(b"accept-language", b"").decode("latin-1"), self._lang)
        scope["state"]["lang"] = lang
        sending = _Sending(send, request)
        try:
            self._admit(scope, headers)
            await self._app(scope, _counted(receive, self._most), sending)
        except TooLarge:
            await self._refuse(Refusal(Code.TOO_LARGE, most=self._most), scope, receive, sending)
        except Refusal as refusal:
            await self._refuse(refusal, scope, receive, sending)
        except Exception:
            log.exception("request-failed", request=request, path=scope["path"])
            await self._refuse(Refusal(Code.INTERNAL), scope, receive, sending)

    def _admit(self, scope: Scope, headers: MutableMapping[bytes, bytes]) -> None:
        address = scope["client"][0] if scope.get("client") else ""
        if wait_s := self._addresses.wait_s(address):
            raise too_many(wait_s)
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said[:20]) > self._most:
            raise TooLarge

    async def _refuse(
        self, refusal: Refusal, scope: Scope, receive: Receive, sending: "_Sending"
    ) -> None:
        if sending.began:  # the answer is under way: it can only be cut off
            return
        state: dict[str, Any] = scope["state"]
        await refusal.answer(state["lang"], state["request"])(scope, receive, sending)


class _Sending:
    """Passes an answer on with the headers that every answer has."""

    def __init__(self, send: Send, request: str) -> None:
        self._send, self._request, self.began = send, request.encode(), False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            headers = [*message.get("headers", ()), *HEADERS, (_REQUEST_ID, self._request)]
            if all(name.lower() != b"cache-control" for name, _value in headers):
                headers.append(_NOT_KEPT)
            message = {**message, "headers": headers}
        await self._send(message)


def _counted(receive: Receive, most: int) -> Callable[[], Any]:
    """The body as it comes, until it is too large."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLarge
        return message

    return counting
