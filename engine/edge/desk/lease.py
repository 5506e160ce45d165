"""One desk runs at a time: whoever holds the lease reads alerts, winds clocks and sends papers.

Every write of the running desk says the number under which it holds the lease. A desk that was
paused, or cut off, for longer than the lease finds another number there and writes nothing.
Instants are those of the database, so that clocks of machines need not agree.
"""

import os
import socket
from dataclasses import dataclass

from sqlalchemy import Connection, select, text, update

from engine.edge.desk.rows import upsert
from engine.edge.desk.tables import leases

NAME = "desk"
TERM_MS = 15_000
"""How long a lease lasts that is not renewed."""


class LeaseLost(Exception):
    """Another desk has taken over; what was to be written is not."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run the desk.

    Attributes:
        holder: Who holds it, as people may want to find it.
        fence: Number of this holding; grows with every change of hands.

    """

    holder: str
    fence: int


def holder() -> str:
    """A name for this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"


def take(link: Connection, name: str, term_ms: int = TERM_MS) -> Lease | None:
    """Take the lease when it is free, or renew it when it is ours; None: somebody else has it."""
    now_ms = database_ms(link)
    row = link.execute(select(leases).where(leases.c.name == NAME)).first()
    if row is not None and row.holder != name and row.until_ms > now_ms:
        return None
    fence = 1 if row is None else row.fence + (row.holder != name)
    values: dict[str, object] = {
        "name": NAME, "holder": name, "fence": fence, "until_ms": now_ms + term_ms,
    }  # fmt: skip
    upsert(link, leases, values, ("name",))
    return Lease(name, fence)


def check(link: Connection, lease: Lease | None) -> None:
    """Go on only while nobody else has taken over.

    Raises:
        LeaseLost: somebody has.

    """
    if lease is None:
        return
    fence = link.execute(select(leases.c.fence).where(leases.c.name == NAME)).scalar()
    if fence != lease.fence:
        raise LeaseLost


def free(link: Connection, lease: Lease) -> None:
    """Let another desk take over at once."""
    link.execute(
        update(leases)
        .where(leases.c.name == NAME, leases.c.fence == lease.fence)
        .values(until_ms=0)
    )


def database_ms(link: Connection) -> int:
    """The database's clock in UTC milliseconds."""
    if link.dialect.name == "sqlite":
        query = "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    else:
        query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    return int(link.execute(text(query)).scalar_one())
