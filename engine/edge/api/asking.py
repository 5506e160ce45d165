"""Who asks, whether they may, and what they are shown: the path of every request and answer."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import orjson
import structlog
from fastapi import Depends, Header, Request
from starlette.responses import Response

from engine.cases.model import Actor, Incident
from engine.edge.api.accounts import Account, recognise
from engine.edge.api.masking import Mask, clear_for
from engine.edge.api.problems import Code, Refusal, too_many
from engine.edge.api.roles import TABLE, may
from engine.edge.api.services import Services, services_of
from engine.edge.desk.audit import Entry
from engine.edge.desk.search import asked, fold

log = structlog.get_logger("api")

JSON = "application/json"
_SHOWN_IDS = 100
"""So many ids stand in one row of the audit; a longer page has several rows."""
_LONGEST_KEY = 128


@dataclass(slots=True)
class Asker:
    """An account at one request.

    Attributes:
        actor: As whom it acts: the role of its own that lets it use this route.

    """

    account: Account
    actor: Actor
    lang: str
    services: Services

    async def shown(
        self,
        document: Any,
        about: Sequence[str] = (),
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cases: Sequence[str] = (),
        sought: Sequence[str] = (),
    ) -> Response:
        """The answer: a document as this account may see it.

        What it sees of personal data in clear is written down first; when that cannot be done
        nothing is shown.

        Args:
            document: Plain values, or what msgspec makes them of.
            about: Ids of what is shown.
            status: Of the answer.
            headers: Of the answer.
            cases: Ids of the cases in it: their alerts tell what in their sentences is personal.
            sought: What a list was searched for; what only a hidden value answers is left out, or
                a value could be guessed piece by piece.

        """
        plain = await self.masked(document, about, cases, sought)
        return Response(orjson.dumps(plain), status, dict(headers or {}), JSON)

    async def masked(
        self,
        document: Any,
        about: Sequence[str] = (),
        cases: Sequence[str] = (),
        sought: Sequence[str] = (),
    ) -> Any:
        """A document as this account may see it, its reading written down."""
        shown = clear_for(self.account.roles, self.services.clear)
        mask = Mask(self.services.personal(), shown)
        if cases and mask.must_learn:
            for change in await self.services.shelf.evidence(cases):
                mask.learn(change)
        clear = msgspec.to_builtins(document)
        plain = mask.over(clear)
        if pieces := [piece for one in sought for piece in asked(one)]:
            both = zip(clear["items"], plain["items"], strict=True)
            plain["items"] = [seen for whole, seen in both if not _betrays(pieces, whole, seen)]
        if mask.read:
            details = {"kinds": sorted(mask.read), "count": len(about)}
            rows = [
                Entry(self.actor, "read", " ".join(about[at : at + _SHOWN_IDS]), details=details)
                for at in range(0, max(len(about), 1), _SHOWN_IDS)
            ]
            await self.services.shelf.note(*rows)
        return plain

    async def incident(self, name: str) -> Incident:
        """A case by its id or number.

        Raises:
            Refusal: there is none, or none that this account may know of.

        """
        found = await self.services.shelf.incident(self.account, name)
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return found

    def actor_at(self, incident: Incident) -> Actor:
        """As whom it acts on a case: for whichever of its departments has to do with it."""
        ours = {incident.lead, incident.host, *incident.assisting}
        acting = [one for one in self.account.departments if one in ours]
        return msgspec.structs.replace(self.actor, department=next(iter(acting), ""))


def _betrays(pieces: Sequence[str], whole: Any, seen: Any) -> bool:
    """Whether a piece that was looked for stands in what is hidden of a document."""
    return any(
        piece in fold(_text(before)) and piece not in fold(_text(after))
        for before, after in _hidden(whole, seen)
        for piece in pieces
    )


def _hidden(whole: Any, seen: Any) -> Iterator[tuple[Any, Any]]:
    """The parts of a document that are shown in another form, in both."""
    if whole == seen:
        return
    if isinstance(whole, dict) and isinstance(seen, dict):
        for name, part in whole.items():
            if name in seen:
                yield from _hidden(part, seen[name])
            else:
                yield {name: part}, ""
    elif isinstance(whole, list) and isinstance(seen, list) and len(whole) == len(seen):
        for before, after in zip(whole, seen, strict=True):
            yield from _hidden(before, after)
    else:
        yield whole, seen


def _text(part: Any) -> str:
    return part if isinstance(part, str) else orjson.dumps(part).decode()


async def asker(
    request: Request,
    authorization: Annotated[str, Header(include_in_schema=False)] = "",
) -> Asker:
    """Let an account in: its token, its rate, its role for this route. For every route.

    Raises:
        Refusal: it may not.

    """
    services: Services = services_of(request)
    address = request.client.host if request.client else ""
    try:
        account = await recognise(services.accounts, authorization, services.now_ms())
    except Refusal as refusal:  # who has a good token is let in whatever others of its address do
        log.warning("token-refused", code=str(refusal.code), address=address)
        if wait_s := services.failures.wait_s(address):
            raise too_many(wait_s) from refusal
        raise
    if wait_s := services.requests.wait_s(account.id):
        raise too_many(wait_s)
    row = TABLE.get(f"{request.method} {request.scope['route'].path}")
    if not may(account.roles, row) or not isinstance(row, frozenset):
        raise Refusal(
            Code.ROLE, roles=", ".join(sorted(row)) if isinstance(row, frozenset) else "-"
        )
    role = next(role for role in account.roles if role in row)
    return Asker(account, account.actor(role, address), request.state.lang, services)


Asking = Annotated[Asker, Depends(asker)]


def request_key(
    asking: Asking,
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(description="Chosen by the asker; the same again is answered, not done again."),
    ] = None,
) -> str:
    """The id of a request that changes something: of this account, this route and this key.

    Raises:
        Refusal: `key-missing`: there is none, or one that is no key.

    """
    key = (idempotency_key or "").strip().strip('"')
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise Refusal(Code.KEY_MISSING)
    whole = f"{asking.account.id} {request.url.path} {key}"
    return hashlib.sha256(whole.encode()).hexdigest()[:24]


Key = Annotated[str, Depends(request_key)]


def version_asked(
    if_match: Annotated[
        str | None, Header(description="`ETag` of the case as the asker saw it.")
    ] = None,
) -> int | None:
    """The version that `If-Match` names; None where it names none or any.

    Raises:
        Refusal: it is not the ETag of a case.

    """
    said = (if_match or "*").strip()
    if said == "*":
        return None
    digits = said.removeprefix("W/").strip('"')
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 9:  # noqa: PLR2004 - of no case
        raise Refusal(Code.VERSION, found=said[:40])
    return int(digits)


Version = Annotated[int | None, Depends(version_asked)]


def etag(incident: Incident) -> dict[str, str]:
    """The header that names a case's version."""
    return {"ETag": f'"{incident.version}"'}
