"""Near misses and faults by rule and key: a ring of each, so that the interesting ones stay."""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from engine.model.progress import Note

RING = 3
"""So many of a kind are kept for each rule and key; the oldest goes."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode


def write_notes(link: sqlite3.Connection, notes: Iterable[Note], now_ms: int) -> None:
    """Keep notes, each once though a batch is computed again, and let go of those beyond the ring.

    Of a try that began many times over only the newest is of interest, so kinds have a ring each.
    """
    for note in notes:
        part = note.progress.part
        fresh = link.execute(
            "INSERT INTO notes (rule, key, kind, at_ms, part, body, stored_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (note.rule, note.key, note.kind, note.at_ms, part, _encode(note), now_ms),
        )
        if fresh.rowcount:
            link.execute(
                "DELETE FROM notes WHERE rule = ?1 AND key = ?2 AND kind = ?3 AND at_ms <"
                " (SELECT at_ms FROM notes WHERE rule = ?1 AND key = ?2 AND kind = ?3"
                " ORDER BY at_ms DESC LIMIT 1 OFFSET ?4)",
                (note.rule, note.key, note.kind, RING - 1),
            )


def read_notes(link: sqlite3.Connection, rule: str, key: str) -> Sequence[Note]:
    """What is kept of a key of a rule, oldest first; none in a file of an older version."""
    try:
        rows = link.execute(
            "SELECT body FROM notes WHERE rule = ? AND key = ? ORDER BY at_ms, kind", (rule, key)
        )
    except sqlite3.OperationalError:
        return []
    return [_decode(body) for (body,) in rows]
