"""Who am I, and what is there to be asked: the account's own page and the API's description."""

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from engine.edge.api.asking import JSON, Asking
from engine.edge.api.description import answers
from engine.edge.api.documents import Me
from engine.edge.api.masking import clear_for
from engine.edge.api.roles import BASE, TABLE, may

router = APIRouter(prefix=BASE)


@router.get("/me", responses=answers(Me))
async def me(asking: Asking) -> Response:
    """The account that asks, and what it may."""
    account = asking.account
    document = Me(
        account=account.name,
        roles=list(account.roles),
        areas=list(account.areas),
        departments=list(account.departments),
        expires_ms=account.expires_ms,
        clear=sorted(clear_for(account.roles, asking.services.clear)),
        routes=sorted(name for name, row in TABLE.items() if may(account.roles, row)),
    )
    return await asking.shown(document)


@router.get("/openapi.json", responses={200: {"content": {JSON: {"schema": {"type": "object"}}}}})
async def description(asking: Asking, request: Request) -> Response:
    """The description of this API (OpenAPI 3.1)."""
    del asking
    return Response(orjson.dumps(request.app.openapi()), media_type=JSON)
