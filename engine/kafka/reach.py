"""Whether brokers let us in, and if not, why: in words that say what to change.

The client library only answers "unable to bootstrap"; here each address is tried by itself, and
what went wrong is kept.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from engine.kafka.access import Way, addresses, coded

ANSWER_S = 10.0
CLOSE_S = 0.5
_EXPIRED, _NOT_YET, _HOST, _ADDRESS = 10, 9, 62, 64
"""Numbers of OpenSSL for what is wrong with a certificate."""
_WAITING = frozenset({"K101", "K102"})
"""What may heal by waiting; anything else needs a person."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one broker did not let us in."""

    code: str
    words: dict[str, object]

    @property
    def final(self) -> bool:
        """Whether waiting cannot help."""
        return self.code not in _WAITING

    def text(self, lang: str) -> str:
        """Code and sentence."""
        return coded(self.code, lang, **self.words)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one broker answered: the addresses of all brokers, or why it did not let us in."""

    place: str
    refusal: Refusal | None = None
    brokers: Sequence[tuple[int, str, int]] = field(default=())


async def knock(host: str, port: int, way: Way, client: str, within_s: float = ANSWER_S) -> Answer:
    """Connect to one broker, say who we are, and ask for the others."""
    place = f"{host}:{port}"
    connection = AIOKafkaConnection(
        host, port, client_id=client, request_timeout_ms=int(within_s * 1000), **way.client()
    )
    connected = False
    try:
        async with asyncio.timeout(within_s):
            await connection.connect()
            connected = True
            found = await connection.send(MetadataRequest([]))
    except (OSError, KafkaError, TimeoutError, ValueError, AssertionError) as error:
        return Answer(place, _refusal(place, way, error, connected=connected))
    finally:
        await _let_go(connection)
    return Answer(place, brokers=[(one[0], one[1], one[2]) for one in found.brokers])


async def _let_go(connection: AIOKafkaConnection) -> None:
    """Close a connection and wait until the socket is closed, so that nothing is left behind."""
    closed = connection.close()  # never done if there was no socket
    if closed is not None:
        with contextlib.suppress(TimeoutError, OSError):
            await asyncio.wait_for(asyncio.shield(closed), CLOSE_S)


async def knock_all(bootstrap: str, way: Way, client: str) -> list[Answer]:
    """Knock at every address that was declared; stops at the first that lets us in."""
    answers: list[Answer] = []
    for host, port in addresses(bootstrap):
        answers.append(await knock(host, port, way, client))
        if answers[-1].refusal is None:
            break
    return answers


def why_not(answers: Sequence[Answer]) -> Refusal | None:
    """The refusal that tells most, if no broker let us in; final if all of them are."""
    refusals = [one.refusal for one in answers if one.refusal is not None]
    if len(refusals) < len(answers):
        return None
    waiting = [one for one in refusals if not one.final]
    return waiting[0] if waiting else refusals[0]


def _refusal(place: str, way: Way, error: BaseException, *, connected: bool) -> Refusal:
    """What the operator must know of an error of the network, of TLS or of Kafka."""
    said: dict[str, Any] = {"place": place, "why": _why(error)}
    match error:
        case ssl.SSLCertVerificationError():
            number = error.verify_code
            code = "K104" if number in (_EXPIRED, _NOT_YET) else "K103"
            code = "K105" if number in (_HOST, _ADDRESS) else code
            return Refusal(code, {"place": place, "why": error.verify_message})
        case ssl.SSLError() if "ALERT" in (error.reason or ""):
            return Refusal("K108", said)
        case ssl.SSLError():
            return Refusal("K106", said)
        case ConnectionResetError() if way.context is not None:  # in the handshake
            return Refusal("K106", said)
        case socket.gaierror():
            return Refusal("K102", said)
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return Refusal("K109", {"place": place, "user": way.username})
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return Refusal("K110", {**said, "sasl": way.mechanism})
        case ValueError() | AssertionError() if way.mechanism:  # the library's word for a liar
            return Refusal("K110", {**said, "sasl": way.mechanism})
        case ConnectionRefusedError() | TimeoutError():
            return Refusal("K101", said)
    if way.context is not None and _was_closed(error):
        return Refusal("K108", said)
    if _was_closed(error) and (connected or way.context is None):
        return Refusal("K107", said)
    return Refusal("K101", said)


def _was_closed(error: BaseException) -> bool:
    """Whether somebody took the connection and then let go of it."""
    return isinstance(error, ConnectionResetError) or "closed" in str(error).lower()


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
