"""Ways to falsify the audit of a desk in its SQLite file; the test and proofs must find each."""

import random
import sqlite3
from collections.abc import Callable

COLUMNS = (
    "at_ms", "actor", "role", "department", "address", "action", "object", "before", "after",
    "reason", "details", "previous", "seal",
)  # fmt: skip
Way = Callable[[random.Random, sqlite3.Connection, int], str]
"""Falsifies a chain of so many rows; answers what was done."""


def unguard(link: sqlite3.Connection) -> None:
    """Take away what refuses changes of the audit, as who owns the file can."""
    for verb in ("update", "delete"):
        link.execute(f"DROP TRIGGER audit_no_{verb}")


def changed(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """One value of one row is another."""
    seq, column = chance.randint(1, last), chance.choice(COLUMNS)
    (value,) = link.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()
    if isinstance(value, int):
        other: object = value + chance.choice([-1, 1, 1000])
    else:
        letters = list(value or "x")
        at = chance.randrange(len(letters))
        letters[at] = "0" if letters[at] != "0" else "1"
        other = "".join(letters)
    link.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (other, seq))
    return f"{column} of {seq}"


def deleted(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """One row is gone."""
    seq = chance.randint(1, last)
    link.execute("DELETE FROM audit WHERE seq = ?", (seq,))
    return f"row {seq}"


def closed_up(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """One row is gone, and the others have moved up."""
    seq = chance.randint(1, last - 1)
    link.execute("DELETE FROM audit WHERE seq = ?", (seq,))
    link.execute("UPDATE audit SET seq = 1 - seq WHERE seq > ?", (seq,))  # no number twice
    link.execute("UPDATE audit SET seq = -seq WHERE seq < 0")
    return f"row {seq}, the rest moved up"


def swapped(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """Two rows have changed places."""
    one, other = sorted(chance.sample(range(1, last + 1), 2))
    for old, new in ((one, -1), (other, one), (-1, other)):
        link.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
    return f"rows {one} and {other}"


def copied(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """A row stands once more at the end."""
    seq = chance.randint(1, last)
    names = ", ".join(COLUMNS)
    link.execute(
        f"INSERT INTO audit (seq, {names}) SELECT {last + 1}, {names} FROM audit WHERE seq = ?",
        (seq,),
    )
    return f"row {seq} once more at the end"


def cut(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    """Everything from a row on is gone."""
    seq = chance.randint(1, last)
    link.execute("DELETE FROM audit WHERE seq >= ?", (seq,))
    return f"everything from {seq} on"


WAYS: dict[str, Way] = {
    "a value changed": changed,
    "a row deleted": deleted,
    "a row deleted, the rest moved up": closed_up,
    "two rows swapped": swapped,
    "a row copied to the end": copied,
    "the end cut off": cut,
}
