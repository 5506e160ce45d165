"""The audit, for auditors: who did and who read what, and whether the chain is whole."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.edge.api.asking import Asking
from engine.edge.api.description import answers
from engine.edge.api.documents import Audit, Broken, Chain
from engine.edge.api.roles import BASE
from engine.edge.api.taken import Most, Name

router = APIRouter(prefix=BASE)


@router.get("/audit", responses=answers(Audit))
async def audit(
    asking: Asking,
    actor: Name | None = None,
    action: Name | None = None,
    about: Annotated[str, Query(max_length=100, description="As `incident:<id>`.")] = "",
    before: Annotated[int, Query(ge=0, le=2**53, description="Rows before this number.")] = 0,
    limit: Most = 50,
) -> Response:
    """Rows of the audit, newest first."""
    chosen = {"actor": actor or "", "action": action or "", "object": about}
    given = {name: value for name, value in chosen.items() if value}
    rows, following = await asking.services.shelf.audited(given, before, limit)
    return await asking.shown(Audit(items=list(rows), next=following))


@router.get("/audit/verify", responses=answers(Chain))
async def verify(asking: Asking) -> Response:
    """Go through the whole chain and say where it is broken."""
    rows, breaks = await asking.services.shelf.verify_audit()
    broken = [Broken(seq=one.seq, kind=one.kind) for one in breaks]
    return await asking.shown(Chain(whole=not broken, rows=rows, breaks=broken))
