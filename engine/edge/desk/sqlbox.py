"""The desk's outbox as a sender sees it: papers that are due, and what became of each."""

from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.sql import Update

from engine.edge import crashpoint
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.private import Private
from engine.edge.desk.tables import outbox
from engine.edge.store import Stored
from engine.ports import Backlog, Due


class SqlOutbox:
    """Implements `engine.ports.Outbox`; of each case only the first paper that waits is due."""

    def __init__(self, keeper: Keeper, may_send: Callable[[], bool]) -> None:
        """Send only while we may: not when another desk has taken over."""
        self._keeper, self._store = keeper, keeper.store
        self._may_send = may_send

    def listen(self, listener: Callable[[Stored], None]) -> None:
        """Call `listener` with what was queued, once it is on disk."""
        self._keeper.when_queued(lambda sinks: listener(Stored(queued=Counter(sinks))))

    async def claim(self, sink: str, limit: int) -> Sequence[Due]:
        """The oldest due papers of a sink, at most one a case."""
        if not self._may_send():
            return ()
        now_ms = self._store.now_ms()
        return await self._store.read(lambda link: claim(link, sink, now_ms, limit))

    async def next_due_ms(self, sink: str) -> int | None:
        """When the next paper of a sink is due."""
        if not self._may_send():
            return None
        query = select(func.min(outbox.c.due_ms)).where(
            outbox.c.sink == sink, outbox.c.phase == "due"
        )
        return await self._store.read(lambda link: link.execute(query).scalar())

    async def sent(self, row: int) -> None:
        """Note that the peer took a paper."""
        await self._mark(_done(row, "sent", self._store.now_ms(), "", ""))

    async def retry(self, row: int, wait_s: float, reason: str, detail: str) -> None:
        """Note that a paper failed for now; what follows it in its case waits as long."""
        due_ms = self._store.now_ms() + int(wait_s * 1000)
        tried = (
            update(outbox)
            .where(outbox.c.id == row, outbox.c.phase == "due")
            .values(attempts=outbox.c.attempts + 1, reason=reason, detail=_plain(detail))
        )
        of = select(outbox.c.sink, outbox.c.incident).where(outbox.c.id == row)

        def job(link: Connection) -> None:
            link.execute(tried)
            found = link.execute(of).first()
            if found is not None:
                waiting = _waiting(found.sink, found.incident)
                # PostgreSQL takes a bare number for a small one, and an instant is none.
                until, never = literal(due_ms, BigInteger), literal(0, BigInteger)
                at = case((outbox.c.id == row, never), else_=outbox.c.due_ms)
                later = case((at > until, at), else_=until)
                link.execute(update(outbox).where(waiting).values(due_ms=later))
            crashpoint.passing("mark-not-committed")

        await self._store.write(job)

    async def give_up(self, row: int, reason: str, detail: str) -> None:
        """Put a paper into the dead letter of its sink."""
        await self._mark(_done(row, "dead", self._store.now_ms(), reason, _plain(detail)))

    async def clamp(self, within_s: float) -> None:
        """Bring every due time near again that a clock set back has moved away."""
        now_ms = self._store.now_ms()
        latest_ms = now_ms + int(within_s * 1000)
        due = outbox.c.phase == "due"
        early = update(outbox).where(due, outbox.c.stored_ms > now_ms)
        far = update(outbox).where(due, outbox.c.due_ms > latest_ms)

        def job(link: Connection) -> None:
            link.execute(early.values(due_ms=now_ms, stored_ms=now_ms))
            link.execute(far.values(due_ms=latest_ms))

        await self._store.write(job)

    async def backlog(self, sink: str) -> Backlog:
        """How far a sink is behind."""
        return await self._store.read(lambda link: backlog(link, sink))

    def now_ms(self) -> int:
        """The desk's clock."""
        return self._store.now_ms()

    async def _mark(self, how: Update) -> None:
        def job(link: Connection) -> None:
            link.execute(how)
            crashpoint.passing("mark-not-committed")

        await self._store.write(job)


def claim(link: Connection, sink: str, now_ms: int, limit: int) -> list[Due]:
    """The oldest due papers of a sink; a later paper of a case waits for the one before it."""
    earlier = outbox.alias("earlier")
    first = ~exists().where(
        earlier.c.sink == sink,
        earlier.c.incident == outbox.c.incident,
        earlier.c.phase == "due",
        earlier.c.id < outbox.c.id,
    )
    query = (
        select(
            outbox.c.id, outbox.c.delivery_id, outbox.c.incident, outbox.c.attempts,
            outbox.c.stored_ms, outbox.c.body,
        )
        .where(outbox.c.sink == sink, outbox.c.phase == "due", outbox.c.due_ms <= now_ms, first)
        .order_by(outbox.c.id)
        .limit(limit)
    )  # fmt: skip
    private = Private(link)
    return [
        Due(*row[:-1], private.told(row.incident, row.body)) for row in link.execute(query).all()
    ]


def backlog(link: Connection, sink: str) -> Backlog:
    """How many papers wait at a sink, since when, and how many were given up."""
    waiting = select(func.count(), func.min(outbox.c.stored_ms)).where(
        outbox.c.sink == sink, outbox.c.phase == "due"
    )
    dead = select(func.count()).where(outbox.c.sink == sink, outbox.c.phase == "dead")
    count, oldest_ms = link.execute(waiting).one()
    return Backlog(count, oldest_ms, link.execute(dead).scalar_one())


def _done(row: int, phase: str, now_ms: int, reason: str, detail: str) -> Update:
    return (
        update(outbox)
        .where(outbox.c.id == row, outbox.c.phase == "due")
        .values(
            phase=phase, attempts=outbox.c.attempts + 1, done_ms=now_ms, reason=reason,
            detail=detail,
        )
    )  # fmt: skip


def _waiting(sink: str, incident: str) -> ColumnElement[bool]:
    return and_(outbox.c.sink == sink, outbox.c.incident == incident, outbox.c.phase == "due")


def _plain(detail: str) -> str:
    """A peer's words without what a database refuses."""
    return detail.replace("\0", "\ufffd")
