"""Receipts of outside order systems (the 110 and 12345 kind): signed, each taken once."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import orjson
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from engine.cases.book import Request as Asked
from engine.cases.model import Actor, Move, Role, Verb
from engine.edge import crashpoint
from engine.edge.api.accounts import Account
from engine.edge.api.asking import JSON
from engine.edge.api.description import answers
from engine.edge.api.documents import Taken
from engine.edge.api.problems import Code, Refusal
from engine.edge.api.roles import BASE
from engine.edge.api.services import Services, services_of
from engine.edge.api.signatures import verify
from engine.edge.api.taken import LAST_MS

router = APIRouter(prefix=BASE)

_SIGNED = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
]
_BODY = {"required": True, "content": {JSON: {"schema": {"type": "object"}}}}


class Receipt(msgspec.Struct, kw_only=True):
    """What an outside system says about an order of ours; what else it says is kept unread.

    Attributes:
        order: Our number or id of the case, or the system's own number of the order.
        status: How the order stands with them: `noted`, `accepted`, `arrived`, `resolved` or
            `returned`.
        number: The number that they gave the order.
        person: Who deals with it there.
        found: What was found and done; with `verdict`, what the matter turned out to be.
        note: What they say besides.
        at_ms: When it happened, UTC milliseconds.

    """

    order: str
    status: str
    number: str = ""
    person: str = ""
    found: str = ""
    verdict: str = ""
    note: str = ""
    at_ms: int | None = None

    def details(self) -> dict[str, Any]:
        """What of it a case needs."""
        said = {"status": self.status, "number": self.number, "person": self.person,
                "found": self.found, "verdict": self.verdict}  # fmt: skip
        return {name: value for name, value in said.items() if value}


EVERYWHERE = Account(
    id="", name="", roles=(), digest="", created_ms=0, expires_ms=0
)  # fmt: skip
"""Sees every case: an outside system knows only the orders that it was given."""


@router.post(
    "/receipts/{system}",
    responses=answers(Taken),
    openapi_extra={"parameters": _SIGNED, "requestBody": _BODY},
)
async def receipt(system: Annotated[str, Path(max_length=64)], request: Request) -> Response:
    """Take what an outside system says about an order of ours.

    Signed after Standard Webhooks over the raw body, at most five minutes old or ahead. A repeat
    is answered like the first and does nothing; another body under the same id is refused.
    """
    services = services_of(request)
    body = await request.body()
    number = verify(services.keys.get(system, ()), dict(request.headers), body)
    crashpoint.passing("receipt-trusted")
    outcome = await take(services, system, number, body)
    crashpoint.passing("receipt-taken")
    return Response(orjson.dumps({"id": number, "outcome": outcome}), media_type=JSON)


async def take(services: Services, system: str, number: str, body: bytes) -> str:
    """Take a receipt that is trusted; answers what became of it.

    Raises:
        Refusal: it is not what a receipt looks like, or another one under this id.

    """
    try:
        said = msgspec.json.decode(body, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Code.MALFORMED) from error
    at_ms = services.now_ms() if said.at_ms is None else said.at_ms
    if not 0 <= at_ms <= LAST_MS:  # no instant, and nothing that every database can hold
        raise Refusal(Code.MALFORMED)
    shelf = services.shelf
    whole = await shelf.whole(EVERYWHERE, said.order)
    request, outcome = None, "unknown-order"
    if whole is not None and system in _referred(whole.moves):
        request = Asked(
            id=hashlib.sha256(f"{system}\0{number}".encode()).hexdigest()[:24],
            incident=whole.incident.id,
            verb=Verb.RECEIPT,
            actor=Actor(name=f"gateway:{system}", role=Role.SYSTEM),
            reason=said.note,
            details=said.details(),
        )
        outcome = "accepted"
    text = body.decode("utf-8")
    crashpoint.passing("receipt-understood")
    return await shelf.receive(system, number, at_ms, text, request, outcome)


def _referred(moves: Sequence[Move]) -> set[object]:
    """The sinks of outside systems that were given the order: nobody else may speak of it."""
    return {move.details.get("sink") for move in moves if move.verb is Verb.REFER}
