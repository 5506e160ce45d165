"""Service tokens, for administrators of accounts: given once, listed without secrets, revoked."""

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from engine.cases.model import Role
from engine.edge.api.accounts import LONGEST_DAYS, issue
from engine.edge.api.asking import Asking, Key
from engine.edge.api.description import answers
from engine.edge.api.documents import NewToken, Token, Tokens, token_of
from engine.edge.api.problems import Code, Refusal, wrong_field
from engine.edge.api.roles import BASE, PERSONS
from engine.edge.api.taken import Body, Id, Name

router = APIRouter(prefix=BASE)

_SAME = ("name", "roles", "areas", "departments")
"""What a token that was made already must have in common with what is asked for again."""


class TokenAsked(Body):
    """A token to be made."""

    name: Name
    roles: list[Role] = Field(min_length=1, max_length=len(PERSONS))
    areas: list[Name] = Field(default_factory=list, max_length=100)
    departments: list[Name] = Field(default_factory=list, max_length=100)
    days: int = Field(default=90, ge=1, le=LONGEST_DAYS)


@router.get("/tokens", responses=answers(Tokens))
async def tokens(asking: Asking) -> Response:
    """Every token, revoked ones too; never its secret."""
    found = await asking.services.accounts.accounts()
    return await asking.shown(Tokens(items=[token_of(one) for one in found]))


@router.post("/tokens", status_code=201, responses=answers(NewToken, 201))
async def add(asking: Asking, key: Key, asked: TokenAsked) -> Response:
    """Make a token. Its secret is in this answer and nowhere else."""
    if Role.SYSTEM in asked.roles:
        choices = ", ".join(PERSONS)
        raise Refusal(Code.INVALID, errors=[wrong_field("/body/roles", "choice", choices=choices)])
    services = asking.services
    made, token = issue(
        asked.name, asked.roles, services.now_ms(), asked.days, asked.areas, asked.departments
    )
    account = msgspec.structs.replace(made, id=key[: len(made.id)])
    shown: str | None = token.replace(made.id, account.id, 1)
    if known := await services.accounts.account(account.id):
        if any(getattr(known, name) != getattr(account, name) for name in _SAME) or (
            known.expires_ms - known.created_ms != account.expires_ms - account.created_ms
        ):
            raise Refusal(Code.KEY_REUSED)
        account, shown = known, None
    else:
        await services.accounts.add(account, asking.actor)
    fields = msgspec.structs.asdict(token_of(account))
    return await asking.shown(NewToken(**fields, token=shown), status=201)


@router.post("/tokens/{token}/revoke", responses=answers(Token))
async def revoke(asking: Asking, key: Key, token: Id) -> Response:
    """Take a token back, at once; done again it changes nothing."""
    del key
    found = await asking.services.accounts.revoke(token, asking.actor)
    if found is None:
        raise Refusal(Code.NOT_FOUND)
    return await asking.shown(token_of(found))
