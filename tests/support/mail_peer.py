"""A real SMTP server (aiosmtpd) that keeps what it is sent, and refuses when told to."""

import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass(slots=True)
class MailPeer:
    """Messages by recipient; `answer` is what it says to DATA, `refused` to each recipient."""

    port: int = 0
    answer: str = "250 taken"
    refused: dict[str, str] = field(default_factory=dict)
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    password: str = ""

    @property
    def ids(self) -> list[str]:
        """Delivery ids of the messages, in order."""
        return [str(one["Message-ID"])[1:].partition("@")[0] for one in self.messages]

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.messages.append(parsed)
            self.envelopes.append(list(envelope.rcpt_tos))
        return self.answer

    def login(self, _s: Any, _session: Any, _e: Any, _how: str, data: Any) -> AuthResult:
        """Whether somebody may come in."""
        good = isinstance(data, LoginPassword) and data.password == self.password.encode()
        return AuthResult(success=good, handled=False)


@asynccontextmanager
async def mail_peer(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, password: str = ""
) -> AsyncIterator[MailPeer]:
    """A server on a free port; with `tls` it demands STARTTLS, or TLS from the start."""
    import asyncio  # noqa: PLC0415

    peer = MailPeer(password=password)
    loop = asyncio.get_running_loop()
    made: list[SMTP] = []
    starts = tls is not None and not implicit

    def serve() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it does not see TLS from the start
            server = made_one()
        made.append(server)
        return server

    def made_one() -> SMTP:
        return SMTP(
            peer, loop=loop, hostname="localhost", enable_SMTPUTF8=True,
            tls_context=None if implicit else tls, require_starttls=starts,
            authenticator=peer.login if password else None, auth_required=bool(password),
            auth_require_tls=starts,
        )  # fmt: skip

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=tls if implicit else None)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for one in made:
            if one.transport is not None:
                one.transport.close()
        await server.wait_closed()
