"""Talking HTTP to a peer that takes alerts: one session, one table of what a status means.

The destination is what the operator declared, never something an event said. Redirects are not
followed, the environment's proxy settings are not used, and an answer is read only up to a limit.
"""

import asyncio
import email.utils
import time
from collections.abc import Mapping
from enum import Enum

import aiohttp

from engine.errors import Permanent, Retryable

ANSWER_LIMIT = 64 * 1024


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
    if text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_s)
    except (TypeError, ValueError):
        return None


class Client:
    """A session with one peer."""

    def __init__(
        self, url: str, timeout_s: float, headers: Mapping[str, str], parallel: int
    ) -> None:
        """Prepare; `open` makes the session."""
        self._url = url
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(timeout_s, 10.0), sock_read=timeout_s
        )
        self._headers = dict(headers)
        self._parallel = parallel
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session."""
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=self._parallel),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the session; safe to call twice."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body; returns when the peer has taken it.

        Raises:
            Retryable: no answer, or one that may differ later.
            Permanent: the peer refuses this delivery, or redirects it.

        """
        assert self._session is not None  # noqa: S101 - `open` comes first
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = await _short(answer)
                _judge(answer, text)
        except TimeoutError as error:
            raise Retryable(_TIMEOUT) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Retryable(_TLS, str(error)[:200]) from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise Retryable(_NETWORK, f"{type(error).__name__}: {error}"[:200]) from error


_TIMEOUT, _TLS, _NETWORK, _HUGE = "timeout", "tls", "network", "huge-answer"


async def _short(answer: aiohttp.ClientResponse) -> str:
    """The beginning of an answer; one that is longer than the limit is not read on."""
    body = b""
    async for part in answer.content.iter_chunked(8192):
        body += part
        if len(body) > ANSWER_LIMIT:
            answer.close()
            if verdict(answer.status) is Verdict.TAKEN:
                raise Retryable(_HUGE, f"more than {ANSWER_LIMIT} bytes")
            break
    return body[:500].decode("utf-8", "replace")


def _judge(answer: aiohttp.ClientResponse, text: str) -> None:
    reason = f"http-{answer.status}"
    match verdict(answer.status):
        case Verdict.TAKEN:
            return
        case Verdict.RETRY:
            asked = wait_asked_s(answer.headers.get("Retry-After"), time.time())
            raise Retryable(reason, text, asked)
        case Verdict.REFUSED:
            raise Permanent(reason, text)
