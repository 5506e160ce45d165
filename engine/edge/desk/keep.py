"""Forgets what is over and was kept long enough; cases, moves, verdicts and the audit stay.

The newest transition of an alert stays too: it is the alert. A bounded number of rows a
transaction, so that nobody waits long for it.
"""

from sqlalchemy import Connection, delete, select

from engine.edge import crashpoint
from engine.edge.desk.tables import alerts, outbox, receipts, transitions

DAY_MS = 86_400_000
MOST = 2_000
"""Rows of each table that one transaction forgets."""


def trim(link: Connection, keep_days: int, now_ms: int) -> int:
    """Forget what is older than so many days; answers how many rows went."""
    before_ms = now_ms - keep_days * DAY_MS
    newest = select(alerts.c.delivery_id).where(alerts.c.delivery_id == transitions.c.delivery_id)
    old = (
        select(transitions.c.delivery_id)
        .where(transitions.c.taken_ms < before_ms, ~newest.exists())
        .limit(MOST)
    )
    papers = (
        select(outbox.c.id)
        .where(outbox.c.phase.in_(("sent", "told")), outbox.c.done_ms < before_ms)
        .limit(MOST)
    )
    heard = (
        select(receipts.c.source, receipts.c.id)
        .where(receipts.c.received_ms < before_ms)
        .limit(MOST)
    )
    gone = link.execute(
        delete(transitions).where(transitions.c.delivery_id.in_(list(link.execute(old).scalars())))
    ).rowcount
    crashpoint.passing("retention-half")
    gone += link.execute(
        delete(outbox).where(outbox.c.id.in_(list(link.execute(papers).scalars())))
    ).rowcount
    for source, id_ in link.execute(heard).all():
        its = (receipts.c.source == source, receipts.c.id == id_)
        gone += link.execute(delete(receipts).where(*its)).rowcount
    return gone
