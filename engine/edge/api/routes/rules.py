"""Rules and feeds in force, and how each is."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from engine.edge.api.asking import Asking
from engine.edge.api.description import answers
from engine.edge.api.documents import Feeds, Rule, Rules
from engine.edge.api.problems import Code, Refusal
from engine.edge.api.roles import BASE

router = APIRouter(prefix=BASE)


@router.get("/rules", responses=answers(Rules))
async def rules(asking: Asking) -> Response:
    """Every rule: what it is, whether it works, and what came of its alerts."""
    return await asking.shown(Rules(items=list(await asking.services.figures.rules())))


@router.get("/rules/{rule}", responses=answers(Rule))
async def one(asking: Asking, rule: Annotated[str, Path(max_length=200)]) -> Response:
    """One rule."""
    for found in await asking.services.figures.rules():
        if found.rule == rule:
            return await asking.shown(found)
    raise Refusal(Code.NOT_FOUND)


@router.get("/feeds", responses=answers(Feeds))
async def feeds(asking: Asking) -> Response:
    """Every feed: how far it was read, how much of it was refused, and whether it is quiet."""
    return await asking.shown(Feeds(items=list(await asking.services.figures.feeds())))
