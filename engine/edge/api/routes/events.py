"""Moves as they are made, to whoever listens (server-sent events); none lost, none twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from engine.edge.api.asking import Asker, Asking
from engine.edge.api.documents import Event, plain_move
from engine.edge.api.problems import Code, Refusal, too_many
from engine.edge.api.roles import BASE
from engine.edge.api.scope import sees

router = APIRouter(prefix=BASE)

_PART = 200
_RETRY_MS = 2_000
_FULL_WAIT_S = 10
_STREAM = {
    200: {
        "description": "One event `move` for every move: its number as id, the move and the case.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", responses=_STREAM, response_class=StreamingResponse)  # type: ignore[arg-type]
async def events(
    asking: Asking,
    last_event_id: Annotated[
        str | None, Header(description="Number of the last move that was seen.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**53, description="The same, for a first call.")
    ] = None,
) -> StreamingResponse:
    """Every move that this account may know of, from a number on, then as they are made.

    Without a number it begins with what is made from now on.
    """
    services = asking.services
    if services.open_streams >= services.streams:
        raise too_many(_FULL_WAIT_S)
    said = (last_event_id or "").strip()
    if said and (not said.isdecimal() or not said.isascii() or len(said) > 16):  # noqa: PLR2004 - digits of 2**53
        raise Refusal(Code.INVALID)
    begin = int(said) if said else after
    newest = await services.shelf.newest()
    # A number that no move has yet was seen before the desk was put back from a copy.
    begin = newest if begin is None else min(begin, newest)
    return StreamingResponse(_told(asking, begin), media_type="text/event-stream")


async def _told(asking: Asker, begin: int) -> AsyncIterator[bytes]:
    """The stream: what is there already, then what comes, and a beat while nothing does."""
    services, number = asking.services, begin
    wake = asyncio.Event()
    deafen = services.shelf.listen(wake.set)
    services.open_streams += 1
    try:
        yield b"retry: %d\n\n" % _RETRY_MS
        while not services.stopping and await _still_good(asking):
            wake.clear()
            found = await services.shelf.told_since(number, _PART)
            for told in found:
                number = told.number
                if sees(asking.account, told.incident):
                    document = Event(move=plain_move(told.move), incident=told.incident)
                    incident = told.incident.id
                    shown = await asking.masked(document, [f"incident:{incident}"], [incident])
                    yield b"id: %d\nevent: move\ndata: %b\n\n" % (number, orjson.dumps(shown))
            if len(found) == _PART:
                continue
            try:
                async with asyncio.timeout(services.heartbeat_s):
                    await wake.wait()
            except TimeoutError:
                yield b": %d\n\n" % number
    finally:
        services.open_streams -= 1
        deafen()


async def _still_good(asking: Asker) -> bool:
    """Whether the token is good still: a stream must not outlive it."""
    account = await asking.services.accounts.account(asking.account.id)
    return account is not None and account.holds(asking.services.now_ms())
