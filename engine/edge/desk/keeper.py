"""The desk over its store: every question to it is one transaction, kept whole or not at all.

    change, request, clock --> Desk decides over the tables --> cases, moves, papers, audit rows,
                                                                position: one commit --> told

Nothing is decided here. What raises leaves no trace, but for the audit of a request refused.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import msgspec
import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from engine.cases.book import Acts, Book, Request, Silence
from engine.cases.model import Incident, Move
from engine.cases.policy import Storm
from engine.edge import crashpoint
from engine.edge.desk import gather, keep
from engine.edge.desk import lease as leasing
from engine.edge.desk.audit import Entry, Ledger, digest
from engine.edge.desk.book import SqlBook, decode_move
from engine.edge.desk.lease import Lease
from engine.edge.desk.rows import FAILED, Kept, is_known, keep_acts, keep_change, upsert, word
from engine.edge.desk.store import DeskStore
from engine.edge.desk.tables import incidents, moves, positions, receipts, silences
from engine.errors import ForewarnError, Problem
from engine.model.change import Change

log = structlog.get_logger("desk")

T = TypeVar("T")

TOGETHER = 100
"""So many cases are looked at by the clock in one transaction."""
LISTEN_S = 1.0
"""How often a listener looks for moves of another process."""
AGAIN_MS = 60_000
"""When a case is looked at again whose clock could not be wound."""
LISTEN_MOST = 500


class Deciding(Protocol):
    """The pure desk (`engine.cases.desk`)."""

    def take(self, book: Book, change: Change, now_ms: int) -> Acts:
        """What a transition of an alert leads to."""

    def ask(self, book: Book, request: Request, now_ms: int) -> Acts:
        """What a request leads to; raises a `ForewarnError` where it is refused."""

    def tick(self, book: Book, incident_id: str, now_ms: int) -> Acts:
        """What the time leads to at a case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        incident: As it stands now.
        moves: Made by this request, now or before.
        repeated: Whether the request was known already and nothing was done again.

    """

    incident: Incident
    moves: tuple[Move, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some changes: how many were new, and those the desk could not take."""

    fresh: int = 0
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A move with the number that a listener goes on from."""

    seq: int
    move: Move


class Keeper:
    """Asks the desk and keeps what it answers. One writes at a time; all may look."""

    def __init__(
        self, store: DeskStore, desk: Deciding, ledger: Ledger, storm: Storm | None = None
    ) -> None:
        """Put the three together; `storm` says when papers are gathered."""
        self.store = store
        self.ledger = ledger
        self.lease: Lease | None = None
        self._desk = desk
        self._storm = storm or Storm()
        self._queued: list[Callable[[set[str]], None]] = []
        self._moved = asyncio.Condition()

    async def redeclare_if(
        self,
        wrong: Callable[[Connection], Sequence[Problem]],
        desk: Deciding,
        storm: Storm,
        entry: Entry,
    ) -> Sequence[Problem]:
        """Decide by other declarations from now on, unless something is wrong with the cases.

        Looked at, noted in the audit and in force in one transaction: no request comes between.

        Args:
            wrong: What of the cases does not go with them.
            desk: Decides by them.
            storm: When papers are gathered by them.
            entry: Row of the audit.

        Returns:
            What is wrong; then all is as it was.

        """
        before = self._desk, self._storm

        def job(link: Connection, _now_ms: int, kept: Kept) -> Sequence[Problem]:
            found = wrong(link)
            if not found:
                kept.entries.append(entry)
                self._desk, self._storm = desk, storm  # the writing thread's own next job sees it
            return found

        try:
            return await self.transact(job)
        except BaseException:
            self._desk, self._storm = before
            raise

    def when_queued(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` with the sinks that papers were queued for, once they are on disk."""
        self._queued.append(listener)

    async def take(self, changes: Sequence[Change], read: Mapping[str, int] | None = None) -> Taken:
        """Take transitions of alerts, each once, with how far their logs were read.

        Args:
            changes: In the order of their log.
            read: For each log the place of the next change.

        Raises:
            LeaseLost: another desk runs; nothing is kept.

        """

        def job(link: Connection, now_ms: int, kept: Kept) -> Taken:
            leasing.check(link, self.lease)
            fresh, failed = 0, []
            for change in changes:
                if not is_known(link, change.delivery_id):
                    fresh += 1
                    quiet = self.decide(link, change, now_ms, kept)
                    keep_change(link, change, FAILED if quiet is None else quiet, now_ms)
                    if quiet is None:
                        failed.append(change.delivery_id)
            for log_name, place in (read or {}).items():
                row: dict[str, object] = {"log": log_name, "next": place, "at_ms": now_ms}
                upsert(link, positions, row, ("log",))
            crashpoint.passing("desk-position-kept")
            return Taken(fresh, tuple(failed))

        return await self.transact(job)

    async def ask(self, request: Request) -> Answer:
        """Do what somebody asks to be done to a case; asked again it is answered the same.

        Raises:
            ForewarnError: the desk refuses; that somebody asked is in the audit.

        """

        def job(link: Connection, now_ms: int, kept: Kept) -> Answer:
            book = SqlBook(link)
            acts = self._desk.ask(book, request, now_ms)
            crashpoint.passing("desk-decided")
            self._keep_acts(link, acts, now_ms, kept)
            about = acts.known.incident if acts.known is not None else request.incident
            incident = book.incident(about)
            if incident is None:
                raise LookupError(about)
            if acts.known is not None:
                return Answer(incident, (acts.known,), repeated=True)
            return Answer(incident, tuple(acts.moves), repeated=False)

        try:
            return await self.transact(job)
        except ForewarnError as refusal:
            details = {"verb": str(request.verb), "why": word(str(refusal)), "request": request.id}
            about = f"incident:{request.incident}"
            await self.note(Entry(request.actor, "refused", about, request.reason, details=details))
            raise

    async def tick(self, now_ms: int | None = None) -> int:
        """Wind the clocks of every case that must be looked at; answers how many there were.

        Raises:
            LeaseLost: another desk runs; nothing is kept.

        """
        at_ms = self.store.now_ms() if now_ms is None else now_ms
        due = (
            select(incidents.c.id)
            .where(incidents.c.next_ms <= at_ms)
            .order_by(incidents.c.next_ms, incidents.c.seq)
            .limit(TOGETHER)
        )

        def job(link: Connection, _now_ms: int, kept: Kept) -> int:
            leasing.check(link, self.lease)
            book = SqlBook(link)
            found = list(link.execute(due).scalars())
            for id_ in found:
                self._tick_one(link, book, id_, at_ms, kept)
            return len(found)

        if not await self.store.read(lambda link: link.execute(due.limit(1)).first()):
            return 0
        return await self.transact(job)

    async def tell(self, now_ms: int | None = None) -> int:
        """Tell in digests what has waited for them; answers how many papers that were.

        Raises:
            LeaseLost: another desk runs; nothing is kept.

        """
        at_ms = self.store.now_ms() if now_ms is None else now_ms
        storm = self._storm

        def job(link: Connection, _now_ms: int, kept: Kept) -> int:
            leasing.check(link, self.lease)
            return gather.tell(link, storm, at_ms, kept)

        if not await self.store.read(lambda link: gather.due(link, storm, at_ms)):
            return 0
        return await self.transact(job)

    async def forget(self, keep_days: int) -> int:
        """Forget what is over and older than so many days, a part of it; answers how many rows.

        Raises:
            LeaseLost: another desk runs; nothing is forgotten.

        """

        def job(link: Connection, now_ms: int, _kept: Kept) -> int:
            leasing.check(link, self.lease)
            return keep.trim(link, keep_days, now_ms)

        return await self.transact(job)

    async def note(self, *entries: Entry) -> None:
        """Write rows of the audit that belong to no move: a read, a login, a setting."""
        now_ms = self.store.now_ms()
        await self.store.write(lambda link: self.ledger.write(link, entries, now_ms))

    async def silence(self, silence: Silence, *, ends: bool = False) -> None:
        """Keep a silence, or that one is ended (its `ended_ms`); with a row of the audit."""
        body = msgspec.json.encode(silence).decode()

        def job(link: Connection, _now_ms: int, kept: Kept) -> None:
            query = select(silences.c.body).where(silences.c.id == silence.id)
            before = link.execute(query).scalar() or ""
            row: dict[str, object] = {
                "id": silence.id, "from_ms": silence.from_ms, "until_ms": silence.until_ms,
                "ended_ms": silence.ended_ms, "actor": word(silence.actor.name), "body": body,
            }  # fmt: skip
            upsert(link, silences, row, ("id",))
            action = "unsilence" if ends else "silence"
            kept.entries.append(
                Entry(
                    silence.actor, action, f"silence:{silence.id}", silence.reason,
                    digest(before), digest(body),
                )
            )  # fmt: skip

        await self.transact(job)

    async def receive(
        self, source: str, id_: str, at_ms: int, body: str, request: Request | None, outcome: str
    ) -> bool:
        """Keep what an outside system told, and do what it asks, once; False: it is known.

        Args:
            source: Name of the outside system.
            id_: Its id of the message.
            at_ms: When it says that it sent it.
            body: The message as it came.
            request: What it means for a case; None where it means nothing.
            outcome: Why it means nothing, or `accepted`.

        Raises:
            ForewarnError: the desk refuses the request; the receipt is kept as `refused`.

        """
        refusals: list[ForewarnError] = []

        def job(link: Connection, now_ms: int, kept: Kept) -> bool:
            known = select(receipts.c.id).where(receipts.c.source == source, receipts.c.id == id_)
            if link.execute(known).first() is not None:
                return False
            became = outcome
            if request is not None:
                try:
                    with link.begin_nested():
                        acts = self._desk.ask(SqlBook(link), request, now_ms)
                        crashpoint.passing("desk-decided")
                        self._keep_acts(link, acts, now_ms, kept)
                except ForewarnError as refusal:
                    refusals.append(refusal)
                    became = "refused"
            link.execute(
                insert(receipts).values(
                    source=source, id=id_, incident="" if request is None else request.incident,
                    outcome=became, at_ms=at_ms, received_ms=now_ms,
                    body=body.replace("\0", "\ufffd"),
                )
            )  # fmt: skip
            crashpoint.passing("desk-receipt-kept")
            return True

        fresh = await self.transact(job)
        if refusals:
            raise refusals[0]
        return fresh

    async def positions(self) -> dict[str, int]:
        """For each log of alerts, the place of the next change that was not taken."""
        query = select(positions.c.log, positions.c.next)
        return await self.store.read(
            lambda link: {row.log: row.next for row in link.execute(query)}
        )

    async def listen(self, after: int | None = None) -> AsyncIterator[Heard]:
        """Moves as they are made, from the one after a number on; None: from now on.

        What other processes made is heard too. The numbers only grow.
        """
        if after is None:
            newest = select(moves.c.seq).order_by(moves.c.seq.desc()).limit(1)
            after = await self.store.read(lambda link: link.execute(newest).scalar()) or 0
        while True:
            query = (
                select(moves.c.seq, moves.c.body)
                .where(moves.c.seq > after)
                .order_by(moves.c.seq)
                .limit(LISTEN_MOST)
            )
            rows = await self.store.read(lambda link, query=query: link.execute(query).all())  # type: ignore[misc]
            for seq, body in rows:
                after = seq
                yield Heard(seq, decode_move(body))
            if not rows:
                async with self._moved:
                    try:
                        async with asyncio.timeout(LISTEN_S):
                            await self._moved.wait()
                    except TimeoutError:
                        continue

    def _keep_acts(self, link: Connection, acts: Acts, now_ms: int, kept: Kept) -> None:
        keep_acts(link, acts, kept)
        gather.queue(link, self._storm, acts.papers, now_ms, kept)

    def decide(self, link: Connection, change: Change, now_ms: int, kept: Kept) -> str | None:
        """Keep what a transition leads to; answers why nothing is told of it, or nothing.

        What the desk cannot take stops nothing and leaves no trace: None.
        """
        before = replace(kept, moves=[*kept.moves], queued={*kept.queued}, entries=[*kept.entries])
        try:
            with link.begin_nested():
                acts = self._desk.take(SqlBook(link), change, now_ms)
                crashpoint.passing("desk-decided")
                self._keep_acts(link, acts, now_ms, kept)
        except Exception as error:
            if not _is_its_own(error):
                raise
            kept.moves, kept.queued, kept.entries = before.moves, before.queued, before.entries
            log.exception("change-not-taken", delivery=change.delivery_id)
            return None
        return word(acts.quiet)

    def _tick_one(self, link: Connection, book: SqlBook, id_: str, now_ms: int, kept: Kept) -> None:
        """Look at one case; one whose clock cannot be wound is left for a minute."""
        size = len(kept.moves), len(kept.entries)
        try:
            with link.begin_nested():
                acts = self._desk.tick(book, id_, now_ms)
                crashpoint.passing("desk-decided")
                self._keep_acts(link, acts, now_ms, kept)
                query = select(incidents.c.next_ms).where(incidents.c.id == id_)
                next_ms = link.execute(query).scalar()
        except Exception as error:
            if not _is_its_own(error):
                raise
            del kept.moves[size[0] :], kept.entries[size[1] :]
            log.exception("clock-not-wound", incident=id_)
            next_ms = now_ms
        if next_ms is not None and next_ms <= now_ms and not kept.moves[size[0] :]:
            again = update(incidents).where(incidents.c.id == id_)
            link.execute(again.values(next_ms=now_ms + AGAIN_MS))

    async def transact(self, job: Callable[[Connection, int, Kept], T]) -> T:
        """Run a job with the rows of the audit for its moves, then tell who listens."""
        kept = Kept()
        now_ms = self.store.now_ms()

        def whole(link: Connection) -> T:
            answer = job(link, now_ms, kept)
            if kept.entries:
                self.ledger.write(link, kept.entries, now_ms)
                crashpoint.passing("desk-audited")
            return answer

        answer = await self.store.write(whole)
        if kept.queued:
            for listener in self._queued:
                listener(kept.queued)
        if kept.moves:
            async with self._moved:
                self._moved.notify_all()
        return answer


def _is_its_own(error: Exception) -> bool:
    """Whether the trouble is with one change or case alone, and not with the whole database."""
    return not isinstance(error, SQLAlchemyError) or isinstance(error, IntegrityError | DataError)
