"""How long the store keeps what is over: dead letters, ticks, troubles, near misses, old rows."""

import sqlite3
from dataclasses import dataclass

from engine.edge import crashpoint

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """Bounds of what is kept for looking back. Open alerts and due deliveries are never cut."""

    dead_rows: int = 100_000
    dead_bytes: int = 256 * 1024 * 1024
    tick_days: int = 30
    trouble_rows: int = 10_000
    note_rows: int = 100_000
    sent_days: int = 30


def trim(link: sqlite3.Connection, keep: Retention, now_ms: int) -> None:
    """Forget the oldest rows beyond the bounds."""
    newest = "SELECT max(id) FROM"
    link.execute(f"DELETE FROM dead WHERE id <= ({newest} dead) - ?", (keep.dead_rows,))  # noqa: S608
    link.execute(
        f"DELETE FROM troubles WHERE id <= ({newest} troubles) - ?",  # noqa: S608
        (keep.trouble_rows,),
    )
    link.execute(
        f"DELETE FROM notes WHERE id <= ({newest} notes) - ?",  # noqa: S608
        (keep.note_rows,),
    )
    crashpoint.passing("retention-half")
    link.execute("DELETE FROM ticks WHERE written_ms < ?", (now_ms - keep.tick_days * DAY_MS,))
    link.execute(
        "DELETE FROM outbox WHERE phase IN ('sent', 'withheld', 'dropped') AND done_ms < ?",
        (now_ms - keep.sent_days * DAY_MS,),
    )
    _trim_bytes(link, keep.dead_bytes)


def _trim_bytes(link: sqlite3.Connection, limit: int) -> None:
    cut = link.execute(
        "SELECT max(id) FROM (SELECT id, sum(length(value)) OVER (ORDER BY id DESC) AS size"
        " FROM dead) WHERE size > ?",
        (limit,),
    ).fetchone()[0]
    if cut is not None:
        link.execute("DELETE FROM dead WHERE id <= ?", (cut,))
