"""What the routes ask of the desk: its lists as it keeps them, its answers, its refusals in words.

Whatever the asker may not know of is left out here, before anything else looks at it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import orjson
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from engine.cases.book import Request, Silence
from engine.cases.model import Incident, Move
from engine.cases.refused import Refused, Why
from engine.edge.api.accounts import Account
from engine.edge.api.documents import AuditRow
from engine.edge.api.problems import Code, Refusal
from engine.edge.api.scope import sees, stems
from engine.edge.desk import queries
from engine.edge.desk.audit import Break, Entry
from engine.edge.desk.book import decode_incident, decode_move
from engine.edge.desk.keeper import Answer, Keeper
from engine.edge.desk.queries import AlertRow, AlertsAsked, IncidentsAsked, Page, Scope, Whole
from engine.edge.desk.tables import (
    alerts,
    audit,
    incident_bodies,
    incidents,
    moves,
    receipts,
    transitions,
)
from engine.errors import ForewarnError
from engine.model.change import Change
from engine.text import LANGUAGES, say

T = TypeVar("T")

_CODES: Mapping[Why, Code] = {
    Why.UNKNOWN: Code.NOT_FOUND,
    Why.ROLE: Code.ROLE_HERE,
    Why.DEPARTMENT: Code.NOT_FOUND,
    Why.AREA: Code.NOT_FOUND,
    Why.CHANGED: Code.VERSION,
    Why.REUSED: Code.KEY_REUSED,
    Why.NOT_ASKED: Code.INVALID,
    Why.DETAIL: Code.INVALID,
    Why.REASON: Code.INVALID,
    Why.BAD_DETAIL: Code.INVALID,
    Why.UNKNOWN_DEPARTMENT: Code.INVALID,
    Why.NO_DEPARTMENT: Code.INVALID,
    Why.TOO_LONG: Code.INVALID,
}
"""What a refusal of the desk is for a caller; all others are `not-allowed` as the case stands."""


class Told(NamedTuple):
    """A move with its number among all moves, and its case as it stands now."""

    number: int
    move: Move
    incident: Incident


class Shelf:
    """The desk as the API sees it."""

    def __init__(self, keeper: Keeper) -> None:
        """Ask this keeper."""
        self._keeper = keeper
        self._wake: set[Callable[[], None]] = set()

    async def alerts(
        self, account: Account, asked: AlertsAsked, limit: int, after: str
    ) -> Page[AlertRow]:
        """Alerts as they stand, newest first."""
        return await self._page(
            lambda link: queries.list_alerts(link, asked, _scope(account), limit, after or None)
        )

    async def alert(self, account: Account, episode: str) -> tuple[AlertRow, list[Change]] | None:
        """An alert with every transition it made."""

        def job(link: Connection) -> tuple[AlertRow, list[Change]] | None:
            found = queries.find_alert(link, episode, _scope(account))
            return None if found is None else (found, queries.alert_history(link, episode))

        return await self._read(job)

    async def incidents(
        self, account: Account, asked: IncidentsAsked, limit: int, after: str
    ) -> Page[Incident]:
        """Cases, in the order asked for."""
        page = await self._page(
            lambda link: queries.list_incidents(link, asked, _scope(account), limit, after or None)
        )
        return Page([one for one in page.rows if sees(account, one)], page.next)

    async def incident(self, account: Account, name: str) -> Incident | None:
        """A case by its id, its number or its number outside."""
        found = await self._read(lambda link: queries.find_incident(link, name, _scope(account)))
        return found if found is not None and sees(account, found) else None

    async def whole(self, account: Account, name: str) -> Whole | None:
        """A case with everything that belongs to it."""
        found = await self._read(lambda link: queries.whole_incident(link, name, _scope(account)))
        return found if found is not None and sees(account, found.incident) else None

    async def evidence(self, cases: Sequence[str]) -> Sequence[object]:
        """Every transition of the alerts of some cases, as plain values."""
        query = (
            select(transitions.c.body)
            .join(alerts, alerts.c.episode == transitions.c.episode)
            .where(alerts.c.incident.in_(cases))
        )

        def job(link: Connection) -> list[object]:
            return [orjson.loads(body) for body in link.execute(query).scalars()]

        return await self._read(job)

    async def told_since(self, number: int, limit: int) -> Sequence[Told]:
        """Moves after a number, in order."""
        query = (
            select(moves.c.seq, moves.c.body, incident_bodies.c.body.label("incident"))
            .join(incidents, incidents.c.id == moves.c.incident)
            .join(incident_bodies, incident_bodies.c.seq == incidents.c.seq)
            .where(moves.c.seq > number)
            .order_by(moves.c.seq)
            .limit(limit)
        )

        def job(link: Connection) -> list[Told]:
            return [
                Told(row.seq, decode_move(row.body), decode_incident(row.incident))
                for row in link.execute(query)
            ]

        return await self._read(job)

    async def newest(self) -> int:
        """The number of the newest move."""
        query = select(moves.c.seq).order_by(moves.c.seq.desc()).limit(1)
        return await self._read(lambda link: link.execute(query).scalar()) or 0

    async def ask(self, request: Request) -> Answer:
        """Do what is asked; asked again under the same id it is answered the same.

        Raises:
            Refusal: the case's life does not allow it.

        """
        async with self._away():
            return await self._keeper.ask(request)

    async def silences(self, at_ms: int | None) -> Sequence[Silence]:
        """Silences; with an instant those that are not over then."""
        return await self._read(lambda link: queries.list_silences(link, at_ms))

    async def find_silence(self, name: str) -> Silence | None:
        """A silence by its id."""
        return await self._read(lambda link: queries.find_silence(link, name))

    async def silence(self, silence: Silence, *, ends: bool = False) -> None:
        """Keep a silence, or its end."""
        async with self._away():
            await self._keeper.silence(silence, ends=ends)

    async def receive(
        self, source: str, name: str, at_ms: int, body: str, request: Request | None, outcome: str
    ) -> str:
        """Take a verified receipt once; answers what became of it.

        Raises:
            Refusal: another body came under this id before.

        """

        def before(link: Connection) -> tuple[str, str] | None:
            query = select(receipts.c.outcome, receipts.c.body)
            row = link.execute(query.where(receipts.c.source == source, receipts.c.id == name))
            found = row.first()
            return None if found is None else (found.outcome, found.body)

        known = await self._read(before)
        if known is None:
            async with self._away():
                try:
                    fresh = await self._keeper.receive(source, name, at_ms, body, request, outcome)
                except ForewarnError:  # kept all the same, and to the sender it has arrived
                    return "refused"
            if fresh:
                return outcome
            known = await self._read(before)
        if known is None or known[1] != body.replace("\0", "\ufffd"):
            raise Refusal(Code.RECEIPT_CHANGED)
        return "repeated"

    async def audited(
        self, chosen: Mapping[str, str], before: int, limit: int
    ) -> tuple[Sequence[AuditRow], int]:
        """Rows of the audit, newest first, and the number to go on before; 0 at the end."""
        names = AuditRow.__struct_fields__
        columns = [audit.c[name] for name in names]
        query = select(*columns).order_by(audit.c.seq.desc()).limit(limit)
        for name, value in chosen.items():
            query = query.where(audit.c[name] == value)
        if before:
            query = query.where(audit.c.seq < before)

        def job(link: Connection) -> list[AuditRow]:
            found = link.execute(query)
            return [AuditRow(**dict(zip(names, row, strict=True))) for row in found]

        rows = await self._read(job)
        return rows, rows[-1].seq if len(rows) == limit else 0

    async def verify_audit(self) -> tuple[int, list[Break]]:
        """Go through the chain: how many rows, and where it is broken."""
        return await self._read(self._keeper.ledger.verify)

    async def note(self, *entries: Entry) -> None:
        """Write into the audit; when this fails nothing may be shown or done."""
        async with self._away():
            await self._keeper.note(*entries)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every move; answers what ends it."""
        self._wake.add(listener)
        return lambda: self._wake.discard(listener)

    async def spread(self) -> None:
        """Hear of moves, made by whichever process, and wake every listener; until cancelled."""
        while True:
            try:
                async for _heard in self._keeper.listen():
                    self.rouse()
            except SQLAlchemyError:  # the database is away: look again soon
                await asyncio.sleep(1)

    def rouse(self) -> None:
        """Wake every listener."""
        for listener in tuple(self._wake):
            listener()

    async def _read(self, job: Callable[[Connection], T]) -> T:
        async with self._away():
            return await self._keeper.store.read(job)

    async def _page(self, job: Callable[[Connection], Page[T]]) -> Page[T]:
        try:
            return await self._read(job)
        except ValueError as error:  # no place of such a list
            raise Refusal(Code.PAGE) from error

    @asynccontextmanager
    async def _away(self) -> AsyncIterator[None]:
        """Say it in our words when the desk refuses, or its database cannot be used."""
        try:
            yield
        except Refused as refused:
            raise refusal_of(refused) from refused
        except (SQLAlchemyError, OSError) as error:
            raise Refusal(Code.AWAY, headers={"Retry-After": "2"}) from error


def refusal_of(refused: Refused) -> Refusal:
    """A refusal of the desk as an answer: its sentence, and what may be done instead."""
    detail = {lang: _sentence(refused, lang) for lang in LANGUAGES}
    code = _CODES.get(refused.code, Code.NOT_ALLOWED)
    if code is Code.NOT_FOUND:
        return Refusal(code)
    extra = {"why": str(refused.code), "allowed": [str(verb) for verb in refused.allowed]}
    return Refusal(code, detail=detail, extra=extra)


def _sentence(refused: Refused, lang: str) -> str:
    what, hint = refused.what(lang), refused.hint(lang)
    return say("api-refused-and-hint", lang, what=what, hint=hint) if what and hint else what


def _scope(account: Account) -> Scope:
    return Scope(stems(account.areas), account.departments)
