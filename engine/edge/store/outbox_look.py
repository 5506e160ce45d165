"""Which deliveries there are, how they stand, and what people did to them: only looking.

Nothing here writes, so it works beside a running daemon.
"""

import sqlite3
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

WAITING, HELD, DEAD, DROPPED = "due", "held", "dead", "dropped"
PHASES = (WAITING, HELD, DEAD, DROPPED, "sent", "withheld")
UNFINISHED = (WAITING, HELD, DEAD)
"""Phases of deliveries about which somebody may still have to do something."""
PAPER = "paper-"
"""With it begins what a paper of the desk is told as, where an alert has its transition."""
_ID = 19
"""A number with so many digits is no row of ours; delivery ids have 24."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries: by number of their row or delivery id, and by what is known of them.

    `phases` empty means any. Ages are in ms; what is as old as `older_ms` is chosen.
    """

    ids: tuple[str, ...] = ()
    sink: str | None = None
    rule: str | None = None
    episode: str | None = None
    phases: tuple[str, ...] = ()
    older_ms: int | None = None
    newer_ms: int | None = None


class Line(NamedTuple):
    """A delivery as operators know it; `ahead` is the one of its alert that it waits for."""

    id: int
    delivery_id: str
    sink: str
    episode_id: str
    phase: str
    attempts: int
    due_ms: int
    stored_ms: int
    done_ms: int | None
    reason: str
    detail: str
    rule: str
    key: str
    transition: str
    at_ms: int
    severity: str
    ahead: int | None

    @property
    def is_paper(self) -> bool:
        """Whether it is a paper of a case, and not a transition of an alert."""
        return self.transition.startswith(PAPER)


class Entry(NamedTuple):
    """A line of the trail: who did what to which delivery, why, and how it stood before."""

    id: int
    at_ms: int
    who: str
    did: str
    why: str
    outbox_id: int
    sink: str
    delivery_id: str
    episode_id: str
    rule: str
    phase: str
    attempts: int
    failure: str


LINE = (
    "SELECT o.id, o.delivery_id, o.sink, o.episode_id, o.phase, o.attempts, o.due_ms, o.stored_ms,"
    " o.done_ms, o.reason, o.detail, c.rule, c.key, c.transition, c.at_ms, c.severity,"
    " (SELECT min(e.id) FROM outbox e WHERE e.sink = o.sink AND e.episode_id = o.episode_id"
    " AND e.phase = 'due' AND e.id < o.id AND o.phase = 'due')"
    " FROM outbox o JOIN changes c USING (delivery_id) WHERE "
)
"""Begins every question for lines; a condition follows."""


def find(link: sqlite3.Connection, chosen: Chosen, now_ms: int, limit: int = -1) -> list[Line]:
    """The chosen deliveries, by sink and age of their row; -1 for all of them."""
    words, values = _where(chosen, now_ms)
    rows = link.execute(f"{LINE}{words} ORDER BY o.sink, o.id LIMIT ?", (*values, limit))
    return [Line(*row) for row in rows]


def count(link: sqlite3.Connection, chosen: Chosen, now_ms: int) -> dict[str, dict[str, int]]:
    """How many deliveries are chosen, by sink and phase."""
    words, values = _where(chosen, now_ms)
    found: dict[str, dict[str, int]] = {}
    query = (
        "SELECT o.sink, o.phase, count(*) FROM outbox o JOIN changes c USING (delivery_id)"  # noqa: S608
        f" WHERE {words} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for sink, phase, number in link.execute(query, values):
        found.setdefault(sink, {})[phase] = number
    return found


def unknown(link: sqlite3.Connection, chosen: Chosen) -> list[str]:
    """The ids among the chosen that no delivery has."""
    return [one for one in chosen.ids if not find(link, Chosen(ids=(one,)), 0, 1)]


def body_of(link: sqlite3.Connection, delivery: str) -> bytes:
    """What is sent of a delivery."""
    found = link.execute("SELECT body FROM changes WHERE delivery_id = ?", (delivery,)).fetchone()
    return b"" if found is None else bytes(found[0])


def trail(
    link: sqlite3.Connection, rows: Collection[int] | None = None, limit: int = -1
) -> list[Entry]:
    """The newest lines of the trail, of some deliveries or of all, oldest first."""
    if not link.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outbox_trail'").fetchone():
        return []  # the version before wrote this file, and nobody has opened it to write since
    words, values = "1", list[Any]()
    if rows is not None:
        words, values = f"outbox_id IN ({_marks(rows)})", list(rows)
    found = link.execute(
        f"SELECT * FROM outbox_trail WHERE {words} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [Entry(*row) for row in found][::-1]


def _where(chosen: Chosen, now_ms: int) -> tuple[str, list[Any]]:
    """The condition that chooses, and its values."""
    words, values = ["1"], list[Any]()
    if chosen.ids:
        rows, names = rows_and_names(chosen.ids)
        words.append(f"(o.id IN ({_marks(rows)}) OR o.delivery_id IN ({_marks(names)}))")
        values += [*rows, *names]
    plain = (("o.sink", chosen.sink), ("c.rule", chosen.rule), ("o.episode_id", chosen.episode))
    for column, value in plain:
        if value is not None:
            words.append(f"{column} = ?")
            values.append(value)
    if chosen.phases:
        words.append(f"o.phase IN ({_marks(chosen.phases)})")
        values += chosen.phases
    if chosen.older_ms is not None:
        words.append("o.stored_ms <= ?")
        values.append(now_ms - chosen.older_ms)
    if chosen.newer_ms is not None:
        words.append("o.stored_ms > ?")
        values.append(now_ms - chosen.newer_ms)
    return " AND ".join(words), values


def rows_and_names(ids: Collection[str]) -> tuple[list[int], list[str]]:
    """Ids as people write them, parted: numbers of rows, and delivery ids."""
    rows = [int(one) for one in ids if one.isdecimal() and len(one) < _ID]
    return rows, [one for one in ids if not one.isdecimal() or len(one) >= _ID]


def _marks(values: Collection[Any]) -> str:
    return ",".join("?" * len(values))
