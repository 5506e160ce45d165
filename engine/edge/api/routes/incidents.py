"""Cases: lists, one case with its history, and every move that people make."""

from contextlib import suppress
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from engine.cases.book import Request
from engine.cases.life import allowed, way_for
from engine.cases.model import Actor, Incident, State, Tier, Verb, Verdict
from engine.cases.refused import Refused
from engine.edge.api.asking import Asker, Asking, Key, Version, etag
from engine.edge.api.description import answers
from engine.edge.api.documents import History, Incidents, history_of
from engine.edge.api.problems import Code, Refusal, wrong_field
from engine.edge.api.roles import BASE, MOVES
from engine.edge.api.routes.bodies import ABOUT, BODIES, Said
from engine.edge.api.taken import After, Id, Instant, Most, Name, Piece, Text
from engine.edge.desk.queries import IncidentsAsked
from engine.model.severity import Severity

router = APIRouter(prefix=BASE)


@router.get("/incidents", responses=answers(Incidents))
async def incidents(
    asking: Asking,
    state: Annotated[list[State] | None, Query(max_length=10)] = None,
    tier: Annotated[list[Tier] | None, Query(max_length=3)] = None,
    verdict: Annotated[list[Verdict] | None, Query(max_length=4)] = None,
    department: Annotated[list[Name] | None, Query(max_length=20)] = None,
    lead: Annotated[list[Name] | None, Query(max_length=20)] = None,
    area: Annotated[list[Name] | None, Query(max_length=20)] = None,
    rule: Annotated[list[Name] | None, Query(max_length=20)] = None,
    key: Annotated[list[Piece] | None, Query(max_length=20)] = None,
    person: Annotated[str, Query(max_length=64)] = "",
    min_severity: Severity | None = None,
    due_before_ms: Annotated[Instant | None, Query()] = None,
    q: Text = "",
    only: Literal["open", "closed", "all"] = "open",
    order: Literal["opened", "updated", "due"] = "opened",
    after: After = "",
    limit: Most = 50,
) -> Response:
    """Cases: newest first, or those first whose clocks end soonest."""
    wanted = IncidentsAsked(
        text=q,
        states=tuple(map(str, state or ())),
        is_open=None if only == "all" else only == "open",
        tiers=tuple(map(str, tier or ())),
        areas=tuple(area or ()),
        departments=tuple(department or ()),
        leads=tuple(lead or ()),
        assignee=person,
        min_severity=str(min_severity or ""),
        verdicts=tuple(map(str, verdict or ())),
        rules=tuple(rule or ()),
        keys=tuple(key or ()),
        due_before_ms=due_before_ms,
        order=order,
    )
    return await shown_page(asking, wanted, limit, after)


async def shown_page(asking: Asker, wanted: IncidentsAsked, limit: int, after: str) -> Response:
    """A page of cases as the asker may see it."""
    page = await asking.services.shelf.incidents(asking.account, wanted, limit, after)
    document = Incidents(items=list(page.rows), next=page.next or "")
    ids = [one.id for one in page.rows]
    about = [_about(one) for one in page.rows]
    return await asking.shown(document, about, cases=ids, sought=(wanted.text, *wanted.keys))


@router.get("/incidents/{incident}", responses=answers(Incident))
async def one(asking: Asking, incident: Id) -> Response:
    """A case by its id, its number, or its number in an outside system."""
    found = await asking.incident(incident)
    return await asking.shown(found, [_about(found)], headers=etag(found), cases=[found.id])


@router.get("/incidents/{incident}/history", responses=answers(History))
async def history(asking: Asking, incident: Id) -> Response:
    """A case with all that was done, told, sent and heard, and what may be done now."""
    whole = await asking.services.shelf.whole(asking.account, incident)
    if whole is None:
        raise Refusal(Code.NOT_FOUND)
    now = [verb for verb in allowed(whole.incident, asking.actor_at(whole.incident))
           if not MOVES.get(verb, frozenset()).isdisjoint(asking.account.roles)]  # fmt: skip
    about = [_about(whole.incident)]
    cases = [whole.incident.id]
    document, tag = history_of(whole, now), etag(whole.incident)
    return await asking.shown(document, about, headers=tag, cases=cases)


async def move(
    verb: Verb, asking: Asker, name: str, key: str, version: int | None, asked: Said
) -> Response:
    """Make a move and answer the case as it stands then."""
    found = await asking.incident(name)
    details = asked.details()
    if "into" in details:  # a case that does not exist for the asker takes nothing either
        details["into"] = (await asking.incident(str(details["into"]))).id
    sinks = asking.services.sinks
    if verb is Verb.REFER and sinks is not None and details["sink"] not in sinks:
        choices = ", ".join(sorted(sinks)) or "-"
        raise Refusal(Code.INVALID, errors=[wrong_field("/body/sink", "choice", choices=choices)])
    actor = _acting(asking, found, verb, details, asked.reason)
    answer = await asking.services.shelf.ask(
        Request(
            id=key,
            incident=found.id,
            verb=verb,
            actor=actor,
            reason=asked.reason,
            version=version,
            details=details,
        )
    )
    if answer.repeated and answer.moves[0].reason != asked.reason:
        raise Refusal(Code.KEY_REUSED)
    after = answer.incident
    return await asking.shown(after, [_about(after)], headers=etag(after), cases=[after.id])


def _acting(
    asking: Asker, incident: Incident, verb: Verb, details: dict[str, object], reason: str
) -> Actor:
    """As whom a move is made: of the account's roles the first that may make just this one."""
    at = asking.actor_at(incident)
    actors = [
        msgspec.structs.replace(at, role=role)
        for role in asking.account.roles
        if role in MOVES[verb]
    ]
    for actor in actors:
        with suppress(Refused):
            way_for(incident, verb, actor, details, reason)
            return actor
    return actors[0]


def _route(verb: Verb, body: type[Said]) -> None:
    """One route for one move."""

    async def asked_for(
        asking: Asking,
        incident: Id,
        key: Key,
        version: Version,
        asked: body,  # type: ignore[valid-type]
    ) -> Response:
        return await move(verb, asking, incident, key, version, asked)

    router.add_api_route(
        f"/incidents/{{incident}}/{verb}",
        asked_for,
        methods=["POST"],
        name=str(verb),
        summary=ABOUT[verb],
        responses=answers(Incident),
    )


def _about(incident: Incident) -> str:
    return f"incident:{incident.id}"


for _verb in MOVES:
    _route(_verb, BODIES[_verb])
