"""Posted records in SQL: kept until every key space has finished with them, then forgotten."""

import sqlite3
from collections.abc import Collection, Sequence

from engine.ports import InboxRow


def log_of(feed: str) -> str:
    """The name under which positions of a feed's inbox are kept."""
    return f"inbox/{feed}"


def put(link: sqlite3.Connection, feed: str, values: Sequence[bytes], arrived_ms: int) -> None:
    """Keep records in the order they came."""
    link.executemany(
        "INSERT INTO inbox (feed, value, arrived_ms) VALUES (?, ?, ?)",
        [(feed, value, arrived_ms) for value in values],
    )


def set_mark(link: sqlite3.Connection, source: str, value: str) -> None:
    """Note how far a source came."""
    link.execute(
        "INSERT INTO marks (source, value) VALUES (?, ?)"
        " ON CONFLICT (source) DO UPDATE SET value = excluded.value",
        (source, value),
    )


def mark(link: sqlite3.Connection, source: str) -> str | None:
    """How far a source came; None if it never said."""
    row = link.execute("SELECT value FROM marks WHERE source = ?", (source,)).fetchone()
    return None if row is None else str(row[0])


def read(link: sqlite3.Connection, feed: str, start: int, limit: int) -> list[InboxRow]:
    """Kept records at or after an offset."""
    rows = link.execute(
        "SELECT seq, value, arrived_ms FROM inbox WHERE feed = ? AND seq >= ? ORDER BY seq LIMIT ?",
        (feed, start, limit),
    )
    return [InboxRow(*row) for row in rows]


def depth(link: sqlite3.Connection, feed: str, start: int) -> int:
    """How many records are kept at or after an offset."""
    query = "SELECT count(*) FROM inbox WHERE feed = ? AND seq >= ?"
    return int(link.execute(query, (feed, start)).fetchone()[0])


def prune(link: sqlite3.Connection, feed: str, spaces: Collection[str]) -> int:
    """Forget what all the given spaces have finished with; answers how many records went."""
    marks = ",".join("?" * len(spaces))
    found, lowest = link.execute(
        f"SELECT count(*), min(committed) FROM positions"  # noqa: S608 - only question marks
        f" WHERE log = ? AND origin IN ({marks})",
        (log_of(feed), *spaces),
    ).fetchone()
    if found < len(spaces):
        return 0
    return link.execute("DELETE FROM inbox WHERE feed = ? AND seq < ?", (feed, lowest)).rowcount
