"""Papers in a storm: those that wait for a digest, kept as rows, and the digest that tells them.

due     goes out singly                     wait      waits for the digest of its sink
sent    a peer took it                      told      a digest stands for it (its id in `reason`)
dead    nobody would take it
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, select, update

from engine.cases.model import Paper, PaperKind
from engine.cases.policy import Storm
from engine.cases.storm import digests, sift
from engine.edge.desk.book import SqlBook
from engine.edge.desk.rows import Kept, keep_papers
from engine.edge.desk.tables import outbox

MOST = 5_000
"""So many papers are put into digests in one transaction."""


def queue(link: Connection, storm: Storm, papers: Sequence[Paper], now_ms: int, kept: Kept) -> None:
    """Queue papers, singly or to wait for a digest."""
    if not papers:
        return
    sifted = sift(storm, papers, SqlBook(link).sent_since, _Waiting(link), now_ms)
    keep_papers(link, sifted.now, now_ms, kept)
    keep_papers(link, sifted.wait, now_ms, kept, phase="wait")


def tell(link: Connection, storm: Storm, now_ms: int, kept: Kept) -> int:
    """Put what has waited long enough into digests; answers how many papers that were."""
    told = 0
    for sink in due(link, storm, now_ms):
        query = (
            select(outbox)
            .where(outbox.c.sink == sink, outbox.c.phase == "wait")
            .order_by(outbox.c.id)
            .limit(MOST)
        )
        held = [
            Paper(
                id=row.delivery_id, kind=PaperKind(row.kind), sink=row.sink, group=row.incident,
                at_ms=row.made_ms, document=msgspec.json.decode(row.body),
            )
            for row in link.execute(query)
        ]  # fmt: skip
        made = digests(held, now_ms)
        keep_papers(link, made, now_ms, kept)
        for digest in made:
            ids = [one["id"] for one in digest.document["papers"]]
            link.execute(
                update(outbox)
                .where(outbox.c.sink == sink, outbox.c.delivery_id.in_(ids))
                .values(phase="told", reason=digest.id, done_ms=now_ms)
            )
        told += len(held)
    return told


def due(link: Connection, storm: Storm, now_ms: int) -> list[str]:
    """Sinks whose papers have waited long enough."""
    first = func.min(outbox.c.made_ms)
    query = (
        select(outbox.c.sink)
        .where(outbox.c.phase == "wait")
        .group_by(outbox.c.sink)
        .having(first + storm.every_ms <= now_ms)
        .order_by(outbox.c.sink)
    )
    return list(link.execute(query).scalars())


class _Waiting:
    """Whether a paper of a group waits for a sink."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def __call__(self, sink: str, group: str) -> bool:
        query = select(outbox.c.id).where(
            outbox.c.sink == sink, outbox.c.incident == group, outbox.c.phase == "wait"
        )
        return self._link.execute(query.limit(1)).first() is not None
