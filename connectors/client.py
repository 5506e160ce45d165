"""Talking HTTP to a peer that takes alerts: one session, one table of what a status means.

The destination is what the operator declared, never something an event said, and every connection
passes `connectors.addresses`. Redirects are not followed, the environment's proxy settings are not
used, and an answer is read only up to a limit. No detail of a failure holds the address' path or
query, where robots have their tokens, nor any secret the peer may have sent back.
"""

import asyncio
import email.utils
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver
from pydantic import Field
from yarl import URL

from connectors.addresses import Forbidden, Guard
from connectors.tls import Trust, trusting
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.text import say

ANSWER_LIMIT = 64 * 1024
_SHOWN = 500


class Verdict(Enum):
    """What a sender does after an answer."""

    TAKEN = "taken"
    RETRY = "retry"
    REFUSED = "refused"


RETRIED = frozenset({408, 421, 423, 425, 429})
"""Statuses below 500 after which the same request may succeed later."""

NEVER_SERVED = frozenset({501, 505})
"""Statuses from 500 up that say the peer will never do this."""


def verdict(status: int) -> Verdict:
    """The retry table: what every HTTP status means for a delivery.

    2xx is taken. 408, 421, 423, 425, 429 and 5xx (but 501 and 505) are tried again. Everything
    else, redirects included, refuses this delivery for good.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - the statuses of HTTP
        return Verdict.TAKEN
    if status in RETRIED or (500 <= status < 600 and status not in NEVER_SERVED):  # noqa: PLR2004
        return Verdict.RETRY
    return Verdict.REFUSED


def wait_asked_s(header: str | None, now_s: float) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or an HTTP date; None if unreadable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_s)
    except (TypeError, ValueError, OverflowError):
        return None


class Reach(Trust):
    """How a sink's peer may be reached; a base of the options of every kind that speaks HTTP.

    Attributes:
        allow_hosts: The only hosts that may be named, exactly; empty for any.
        allow_addresses: Networks (CIDR) that may be connected to whatever they are.
        private_addresses: Whether loopback and private ranges are allowed without being listed.
        timeout_s: Longest wait for an answer.

    """

    allow_hosts: list[str] = Field(default_factory=list)
    allow_addresses: list[str] = Field(default_factory=list)
    private_addresses: bool = True
    timeout_s: float = Field(default=10.0, gt=0, le=300)


class Answer(NamedTuple):
    """What a peer said; `wait_s` is how long it asks us to wait."""

    status: int
    body: bytes
    wait_s: float | None = None


class Client:
    """A session with one peer.

    Args:
        name: The sink, for sentences.
        url: Where requests go; what stands behind the host may be a secret.
        reach: How it may be reached; relative files start at `folder`.
        headers: Sent with each request.
        parallel: Most requests at once.
        secrets: Texts that no detail of a failure may hold.
        lookup: Finds the addresses of names; for tests.

    Raises:
        EnvironmentUnusable: the address must not be used, or a certificate cannot be.

    """

    def __init__(
        self,
        name: str,
        url: str,
        reach: Reach,
        headers: Mapping[str, str],
        parallel: int,
        *,
        folder: Path = Path(),
        lang: str = "en",
        secrets: Sequence[str] = (),
        lookup: AbstractResolver | None = None,
    ) -> None:
        self._guard, self._url = guarded(name, url, reach, lang)
        self._tls = trusting(name, reach, folder, lang)
        timeout_s = reach.timeout_s
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(timeout_s, 10.0), sock_read=timeout_s
        )
        self._headers = dict(headers)
        self._parallel = parallel
        self._secrets = [secret for secret in secrets if secret]
        self._lookup = lookup
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session."""
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers=self._headers,
            connector=aiohttp.TCPConnector(
                limit=self._parallel,
                ssl=self._tls,
                resolver=self._guard.resolver(self._lookup),
                socket_factory=self._guard.socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the session; safe to call twice."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        *,
        judged: bool = True,
    ) -> Answer:
        """Post a body; answers what the peer said when it has taken it.

        With `judged` off any answer is handed back whatever its status; see `judge`.

        Raises:
            Retryable: no answer, or one that may differ later.
            Permanent: the peer refuses this delivery, or redirects it.

        """
        url = self._url.update_query(query) if query else self._url
        return await self._ask("POST", url, headers, body, judged=judged)

    async def has(self, url: str, headers: Mapping[str, str]) -> bool:
        """Whether the peer has something: it answers 2xx, or 404 if not.

        Raises:
            Retryable: no answer, or one that says neither.
            Permanent: the peer refuses to say.

        """
        answer = await self._ask("GET", URL(url), headers, None, judged=False)
        if answer.status == 404:  # noqa: PLR2004 - the statuses of HTTP
            return False
        self.judge(answer)
        return True

    def judge(self, answer: Answer) -> None:
        """Return if the status says it was taken.

        Raises:
            Retryable: the status says that it may be taken later.
            Permanent: the status refuses it.

        """
        reason, text = f"http-{answer.status}", self.hidden(answer.body.decode("utf-8", "replace"))
        match verdict(answer.status):
            case Verdict.TAKEN:
                return
            case Verdict.RETRY:
                raise Retryable(reason, text, answer.wait_s)
            case Verdict.REFUSED:
                raise Permanent(reason, text)

    async def _ask(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, *, judged: bool
    ) -> Answer:
        assert self._session is not None  # noqa: S101 - `open` comes first
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                found = await _short(answer)
                asked = wait_asked_s(answer.headers.get("Retry-After"), time.time())
                said = Answer(answer.status, found, asked)
        except TimeoutError as error:
            raise Retryable(_TIMEOUT) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Retryable(_TLS, self.hidden(str(error.certificate_error))) from error
        except aiohttp.ClientResponseError as error:  # its own text holds the whole address
            raise Retryable(_NETWORK, self.hidden(f"malformed: {error.message}")) from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            if isinstance(cause, Forbidden):
                raise Retryable(_ADDRESS, str(cause)) from None
            detail = self.hidden(f"{type(error).__name__}: {error}")
            raise Retryable(_NETWORK, detail) from None
        if judged:
            self.judge(said)
        return said

    def hidden(self, text: str) -> str:
        """The beginning of a text, without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:_SHOWN]


_TIMEOUT, _TLS, _NETWORK, _HUGE, _ADDRESS = "timeout", "tls", "network", "huge-answer", "address"


def guarded(name: str, url: str, reach: Reach, lang: str) -> tuple[Guard, URL]:
    """The guard of a sink, and the declared address which it has let pass.

    Raises:
        EnvironmentUnusable: it has not, or the guard itself is declared wrongly.

    """
    try:
        guard = Guard(
            reach.allow_hosts, reach.allow_addresses, private=reach.private_addresses
        )  # fmt: skip
    except ValueError as error:
        raise EnvironmentUnusable(say("sink-network", lang, name=name, why=str(error))) from error
    try:
        guard.check(url)
        return guard, URL(url)
    except Forbidden as error:
        raise EnvironmentUnusable(say(f"sink-address-{error}", lang, name=name)) from error
    except ValueError as error:
        raise EnvironmentUnusable(say("sink-address-form", lang, name=name)) from error


async def _short(answer: aiohttp.ClientResponse) -> bytes:
    """The beginning of an answer; one that is longer than the limit is not read on."""
    body = b""
    async for part in answer.content.iter_chunked(8192):
        body += part
        if len(body) > ANSWER_LIMIT:
            answer.close()
            if verdict(answer.status) is Verdict.TAKEN:
                raise Retryable(_HUGE, f"more than {ANSWER_LIMIT} bytes")
            break
    return body[:ANSWER_LIMIT]
