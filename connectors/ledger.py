"""What a sink gave out before, kept in a small file of its own: identifiers, times, budgets.

A sink whose messages refer to earlier ones, or cost money, must know of them after a restart too.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EnvironmentUnusable
from engine.text import say

_SCHEMA = """
CREATE TABLE IF NOT EXISTS issued (
  delivery_id TEXT PRIMARY KEY, reference TEXT NOT NULL, identifier TEXT NOT NULL UNIQUE,
  sent TEXT NOT NULL, taken INTEGER NOT NULL DEFAULT 0, at_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS issued_reference ON issued (reference, at_s);
CREATE TABLE IF NOT EXISTS spent (who TEXT NOT NULL, at_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS spent_who ON spent (who, at_s);
"""


class Ledger:
    """The file; written before and after each message, so a crash forgets none."""

    def __init__(self, name: str, path: Path, lang: str) -> None:
        """Open or make it.

        Raises:
            EnvironmentUnusable: it cannot be used.

        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._link = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._link.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")
        except (sqlite3.Error, OSError) as error:
            found = say("sink-unusable", lang, name=name, path=path, why=str(error))
            raise EnvironmentUnusable(found) from error

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._link.close()

    def find(self, delivery_id: str) -> tuple[str, str, bool] | None:
        """Identifier and time of a delivery, and whether it was taken."""
        row = self._link.execute(
            "SELECT identifier, sent, taken FROM issued WHERE delivery_id = ?", (delivery_id,)
        ).fetchone()
        return None if row is None else (row[0], row[1], bool(row[2]))

    def note(
        self, delivery_id: str, reference: str, identifier: str, sent: str, at_s: float
    ) -> bool:
        """Give an identifier to a delivery; False where it is another one's already."""
        try:
            self._link.execute(
                "INSERT INTO issued VALUES (?, ?, ?, ?, 0, ?)",
                (delivery_id, reference, identifier, sent, at_s),
            )
        except sqlite3.IntegrityError:
            return False
        return True

    def taken(self, delivery_id: str) -> None:
        """Note that a message was taken; later ones may refer to it."""
        self._link.execute("UPDATE issued SET taken = 1 WHERE delivery_id = ?", (delivery_id,))

    def earlier(self, reference: str, delivery_ids: Sequence[str] = ()) -> list[tuple[str, str]]:
        """(identifier, time) of taken messages of a reference, or of these deliveries, in order."""
        marks = ", ".join("?" * len(delivery_ids))
        query = (
            "SELECT identifier, sent FROM issued WHERE taken = 1 AND"  # noqa: S608 - marks only
            f" (reference = ? OR delivery_id IN ({marks})) ORDER BY at_s, identifier"
        )
        return list(self._link.execute(query, (reference, *delivery_ids)))

    def forget(self, before_s: float) -> None:
        """Drop what is older."""
        self._link.execute("DELETE FROM issued WHERE at_s < ?", (before_s,))
        self._link.execute("DELETE FROM spent WHERE at_s < ?", (before_s,))

    def spend(self, who: str, at_s: float) -> None:
        """Note a message that cost something."""
        self._link.execute("INSERT INTO spent VALUES (?, ?)", (who, at_s))

    def spent(self, who: str, since_s: float) -> list[float]:
        """Times of the messages to somebody after an instant, the oldest first."""
        rows = self._link.execute(
            "SELECT at_s FROM spent WHERE who = ? AND at_s > ? ORDER BY at_s", (who, since_s)
        )
        return [row[0] for row in rows]
