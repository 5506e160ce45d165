"""Alerts as the engine tells them, and finding things by a piece of text."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from engine.edge.api.asking import Asking
from engine.edge.api.description import answers
from engine.edge.api.documents import Alert, Alerts, Incidents, alert_of
from engine.edge.api.problems import Code, Refusal
from engine.edge.api.roles import BASE
from engine.edge.api.routes.incidents import shown_page
from engine.edge.api.taken import After, Most, Name, Piece, Text
from engine.edge.desk.queries import AlertsAsked, IncidentsAsked
from engine.model.severity import Severity

router = APIRouter(prefix=BASE)


@router.get("/alerts", responses=answers(Alerts))
async def alerts(
    asking: Asking,
    rule: Annotated[list[Name] | None, Query(max_length=20)] = None,
    pack: Annotated[list[Name] | None, Query(max_length=20)] = None,
    key: Annotated[list[Piece] | None, Query(max_length=20)] = None,
    q: Text = "",
    min_severity: Severity | None = None,
    incident: Annotated[str, Query(max_length=64)] = "",
    only: Literal["open", "over", "all"] = "open",
    after: After = "",
    limit: Most = 50,
) -> Response:
    """Alerts as their newest transition left them, newest first."""
    wanted = AlertsAsked(
        text=q,
        rules=tuple(rule or ()),
        packs=tuple(pack or ()),
        keys=tuple(key or ()),
        is_open=None if only == "all" else only == "open",
        min_severity=str(min_severity or ""),
        incident=incident,
    )
    page = await asking.services.shelf.alerts(asking.account, wanted, limit, after)
    document = Alerts(items=[alert_of(row) for row in page.rows], next=page.next or "")
    about = [f"alert:{one.episode}" for one in document.items]
    return await asking.shown(document, about, sought=(q, *wanted.keys))


@router.get("/alerts/{episode}", responses=answers(Alert))
async def alert(asking: Asking, episode: Annotated[str, Path(max_length=64)]) -> Response:
    """One alert with every transition it made."""
    found = await asking.services.shelf.alert(asking.account, episode)
    if found is None:
        raise Refusal(Code.NOT_FOUND)
    return await asking.shown(alert_of(*found), [f"alert:{episode}"])


@router.get("/search", responses=answers(Incidents))
async def search(
    asking: Asking,
    q: Annotated[str, Query(min_length=1, max_length=80, description="Pieces of words.")],
    after: After = "",
    limit: Most = 50,
) -> Response:
    """Cases, open and closed, in which pieces of words stand: number, plate, place, title, ..."""
    return await shown_page(asking, IncidentsAsked(text=q), limit, after)
