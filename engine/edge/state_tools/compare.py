"""Two states side by side: which rows only one has, and which differ."""

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.edge.state_tools.file import Row
from engine.state.codec import unpack_moved

_canonical = msgspec.msgpack.Encoder(order="deterministic").encode
_MANY = 5_000


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One row that is not the same on both sides: `left`, `right` (only there) or `differs`."""

    space: str
    rule: str
    key: str
    how: str


def differences(left: Iterable[Row], right: Iterable[Row], scratch: Path) -> list[Difference]:
    """Every row that is not on both sides alike, by key space, rule and key.

    Partitions and floors do not count: the same state may lie in other partitions. The rows are
    held in a scratch database, so that memory stays small however large the state is.
    """
    link = sqlite3.connect(scratch, isolation_level=None)
    try:
        link.execute("PRAGMA journal_mode = OFF")
        link.execute("PRAGMA synchronous = OFF")
        link.execute("BEGIN")
        for side, rows in (("l", left), ("r", right)):
            link.execute(
                f"CREATE TABLE {side} (s TEXT, r TEXT, k TEXT, v BLOB,"
                " PRIMARY KEY (s, r, k)) WITHOUT ROWID"
            )
            for some in _lots(rows):
                link.executemany(f"INSERT OR REPLACE INTO {side} VALUES (?, ?, ?, ?)", some)  # noqa: S608
        found = link.execute(
            "SELECT l.s, l.r, l.k, CASE WHEN r.v IS NULL THEN 'left' ELSE 'differs' END"
            " FROM l LEFT JOIN r USING (s, r, k) WHERE r.v IS NULL OR r.v <> l.v"
            " UNION ALL SELECT r.s, r.r, r.k, 'right' FROM r LEFT JOIN l USING (s, r, k)"
            " WHERE l.v IS NULL ORDER BY 1, 2, 3"
        )
        return [Difference(*row) for row in found]
    finally:
        link.close()


def _lots(rows: Iterable[Row]) -> Iterable[list[tuple[str, str, str, bytes]]]:
    lot: list[tuple[str, str, str, bytes]] = []
    for row in rows:
        lot.append((row.space, row.rule, row.key, digest(row.value)))
        if len(lot) == _MANY:
            yield lot
            lot = []
    yield lot


def digest(value: bytes) -> bytes:
    """Fingerprint of what a row says; the order of names in it does not count."""
    hashed, payload, _ = unpack_moved(value)
    return hashlib.sha256(_canonical((hashed, payload))).digest()[:16]
