"""A chat robot's service on the loopback: it checks signatures and refuses with HTTP 200."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN, SECRET = "canary-robot-token", "SEC-canary-robot-secret"
RATE = {"dingtalk": 130101, "wecom": 45009, "feishu": 11232}
FINAL = {"dingtalk": 430104, "wecom": 40058, "feishu": 9499}
CREDENTIALS = {"dingtalk": 310000, "wecom": 93000, "feishu": 19021}
_NUMBER = re.compile(r"(?:no\.: |编号：|#|＃)([0-9a-z]{2,12})")


@dataclass(slots=True)
class RobotPeer:
    """Remembers messages; answers with the next of `codes`, then with success."""

    kind: str
    url: str = ""
    codes: list[int] = field(default_factory=list)
    always: int = 0
    refuses: str = ""
    messages: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    hold: asyncio.Event | None = None

    @property
    def ids(self) -> list[str]:
        """The numbers of all deliveries that were said, in order."""
        return [number for text in self.messages for number in _NUMBER.findall(text)]

    async def answer(self, request: web.Request) -> web.Response:
        """Take a message, or refuse it in the body."""
        raw = await request.read()
        body = json.loads(raw)
        code = self._code(request, body)
        if self.hold is not None:
            await self.hold.wait()
        text = _words(self.kind, body)
        if code == 0 and self.refuses and self.refuses in text:
            code = FINAL[self.kind]
        if code == 0:
            self.messages.append(text)
            self.bodies.append(body)
            self.sizes.append(len(raw))
        names = ("code", "msg") if self.kind == "feishu" else ("errcode", "errmsg")
        said = f"said by the robot of {TOKEN}" if code else "ok"
        return web.json_response({names[0]: code, names[1]: said})

    def _code(self, request: web.Request, body: dict[str, Any]) -> int:
        if not self._is_ours(request, body):
            return CREDENTIALS[self.kind]
        if self.codes:
            return self.codes.pop(0)
        return self.always

    def _is_ours(self, request: web.Request, body: dict[str, Any]) -> bool:
        match self.kind:
            case "dingtalk":
                stamp, given = request.query.get("timestamp", ""), request.query.get("sign", "")
                want = _sign(SECRET.encode(), f"{stamp}\n{SECRET}".encode())
                return request.query.get("access_token") == TOKEN and given == want
            case "wecom":
                return request.query.get("key") == TOKEN
            case _:
                stamp = str(body.get("timestamp"))
                want = _sign(f"{stamp}\n{SECRET}".encode(), b"")
                return request.path.endswith(f"/{TOKEN}") and body.get("sign") == want


def _sign(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def _words(kind: str, body: dict[str, Any]) -> str:
    """The text of a message as the robot would show it."""
    if kind == "dingtalk":
        assert body["msgtype"] == "markdown"
        return str(body["markdown"]["text"])
    if kind == "wecom":
        return str(body["markdown"]["content"])
    card = body["card"]
    parts = [one["text"]["content"] for one in card["elements"]]
    return "\n".join([card["header"]["title"]["content"], *parts])


@asynccontextmanager
async def robot_peer(kind: str) -> AsyncIterator[RobotPeer]:
    """A robot on a free port."""
    peer = RobotPeer(kind)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", peer.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/robot"
    try:
        yield peer
    finally:
        if peer.hold is not None:
            peer.hold.set()
        await runner.cleanup()
