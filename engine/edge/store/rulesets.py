"""Which set of declarations is live, and which was refused, beside the state they belong to."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from engine.edge.store.schema import connect_reader
from engine.model.change import Change
from engine.ports import Write

LIVE, REFUSED = "live", "refused"


class Succession(NamedTuple):
    """What a change of rules writes beside the outcomes of the key spaces.

    Attributes:
        live: Hash of the set that is live from now on.
        gone: Key spaces that no rule has any more.
        closing: The ends of their open alerts.

    """

    live: str
    gone: Collection[str] = ()
    closing: Sequence[Change] = ()


def note(link: sqlite3.Connection, what: str, name: str, now_ms: int) -> None:
    """Keep which set is `live` or was `refused`; an empty name means none."""
    link.execute("INSERT OR REPLACE INTO rulesets VALUES (?, ?, ?)", (what, name, now_ms))


def forget_spaces(link: sqlite3.Connection, spaces: Collection[str]) -> None:
    """Drop all that is kept of whole key spaces."""
    named = [(space,) for space in spaces]
    link.executemany("DELETE FROM state WHERE space = ?", named)
    link.executemany("DELETE FROM meta WHERE space = ?", named)
    link.executemany("DELETE FROM handed WHERE space = ?", named)
    link.executemany("DELETE FROM positions WHERE origin = ?", named)


def rows_of(link: sqlite3.Connection, space: str, rules: Collection[str] | None) -> list[Write]:
    """The saved rows of some rules of a key space, or of all."""
    query = "SELECT rule, key, value FROM state WHERE space = ?"
    if rules is None:
        return [Write(*row) for row in link.execute(query, (space,))]
    found: list[Write] = []
    for rule in sorted(rules):
        rows = link.execute(f"{query} AND partition = 0 AND rule = ?", (space, rule))
        found += [Write(*row) for row in rows]
    return found


def saved_rows(path: Path, wanted: Mapping[str, Collection[str] | None]) -> dict[str, list[Write]]:
    """Saved rows by key space, of some rules or (None) of all; sees whole transactions."""
    with closing(connect_reader(path)) as link:
        return {space: rows_of(link, space, rules) for space, rules in wanted.items()}


def known(path: Path) -> dict[str, str]:
    """The hashes of the `live` and the `refused` set of a database; none where there is none."""
    if not path.is_file():
        return {}
    try:
        with closing(connect_reader(path)) as link:
            return dict(link.execute("SELECT what, hash FROM rulesets WHERE hash != ''").fetchall())
    except sqlite3.Error:  # an older file has no such table; a damaged one is told by who opens it
        return {}
