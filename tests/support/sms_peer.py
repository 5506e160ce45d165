"""A short-message gateway on the loopback: any HTTP form, or Aliyun's signed one."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

SECRET = "canary-sms-secret"


@dataclass(slots=True)
class SmsPeer:
    """Remembers (id, number, values); answers with `code`, or `codes` by number."""

    url: str = ""
    code: str = "OK"
    codes: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [one[0] for one in self.got]

    async def answer(self, request: web.Request) -> web.Response:
        """Take a message, or refuse it in the body."""
        raw = await request.read()
        if "x-acs-action" in request.headers:
            form = {name: str(value) for name, value in (await request.post()).items()}
            code = self._judge(form["PhoneNumbers"])
            code = code if self._is_ours(request, raw) else "SignatureDoesNotMatch"
            if code == "OK":
                values = json.loads(form["TemplateParam"])
                self.got.append((form["OutId"], form["PhoneNumbers"], values))
            return web.json_response({"Code": code, "Message": f"said of {SECRET}"})
        body = json.loads(raw)
        if body["key"] != SECRET:
            return web.json_response({"code": "login"})
        code = self._judge(body["mobile"])
        if code == "OK":
            self.got.append((body["id"], body["mobile"], json.loads(body["param"])))
        return web.json_response({"code": code, "msg": f"said of {SECRET}"})

    def _judge(self, number: str) -> str:
        return self.codes.get(number, self.code)

    def _is_ours(self, request: web.Request, raw: bytes) -> bool:
        """The signature as Alibaba Cloud's handbook computes it, written out on its own."""
        proof = request.headers["Authorization"]
        parts = dict(part.split("=", 1) for part in proof.split(" ", 1)[1].split(","))
        signed = parts["SignedHeaders"].split(";")
        needed = {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date",
                  "x-acs-signature-nonce", "x-acs-version"}  # fmt: skip
        if signed != sorted(signed) or not needed <= set(signed):
            return False
        digest = hashlib.sha256(raw).hexdigest()
        canonical = "POST\n/\n\n"
        for name in signed:
            canonical += f"{name}:{request.headers[name]}\n"
        canonical += "\n" + ";".join(signed) + "\n" + digest
        whole = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        want = hmac.new(SECRET.encode(), whole.encode(), "sha256").hexdigest()
        return want == parts["Signature"] and request.headers["x-acs-content-sha256"] == digest


@asynccontextmanager
async def sms_peer() -> AsyncIterator[SmsPeer]:
    """A gateway on a free port."""
    peer = SmsPeer()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", peer.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield peer
    finally:
        await runner.cleanup()
