"""What people do to deliveries by hand: send again, drop. Who did what, and why, stays.

A deed is one transaction with its lines in the trail, which can be neither changed nor deleted.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from engine.edge import crashpoint
from engine.edge.store.outbox_look import (
    DEAD,
    DROPPED,
    HELD,
    LINE,
    UNFINISHED,
    WAITING,
    Chosen,
    Line,
    find,
    unknown,
)


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, by whom and why.

    Attributes:
        does: `retry` sends again, `drop` never sends, `read` only writes down that somebody read.
        plan: Only say what would be done.
        overtaken: Send again also what a later transition of its alert has overtaken.
        following: Drop also the later transitions of the same alerts that still wait.

    """

    does: Literal["retry", "drop", "read"]
    chosen: Chosen
    who: str
    why: str
    plan: bool = False
    overtaken: bool = False
    following: bool = False


class Done(msgspec.Struct, frozen=True):
    """What became of one delivery that was chosen.

    `outcome` is `done`, `under-way`, `overtaken`, `held` or `over`; `before` is its phase before.
    """

    id: int
    sink: str
    delivery_id: str
    rule: str
    transition: str
    before: str
    outcome: str


class Result(msgspec.Struct, frozen=True):
    """What became of a deed; `following` counts later transitions of what was dropped that wait."""

    done: list[Done]
    unknown: list[str]
    following: int = 0


def do(
    link: sqlite3.Connection, deed: Deed, under_way: Mapping[str, Collection[str]], now_ms: int
) -> Result:
    """Do a deed and write it into the trail; the caller's transaction makes it all or nothing.

    Args:
        link: The writing connection.
        deed: What is to be done.
        under_way: By sink, the episodes of which a delivery is being sent just now.
        now_ms: Wall clock.

    """
    lines = find(link, deed.chosen, now_ms)
    following = _following(link, lines) if deed.does == "drop" else []
    if deed.following:
        lines = sorted({*lines, *following}, key=lambda line: line.id)
        following = []
    done: list[Done] = []
    for line in lines:
        busy = line.episode_id in under_way.get(line.sink, ())
        outcome = _outcome(link, deed, line, busy=busy)
        done.append(
            Done(
                line.id, line.sink, line.delivery_id, line.rule, line.transition, line.phase,
                outcome,
            )
        )  # fmt: skip
        if outcome == "done" and not deed.plan:
            _WRITES[deed.does](link, line, now_ms)
            _keep(link, deed, line, now_ms)
    crashpoint.passing("hand-not-committed")
    return Result(done, unknown(link, deed.chosen), len(following))


def _outcome(link: sqlite3.Connection, deed: Deed, line: Line, *, busy: bool) -> str:
    """Whether the deed can be done to a delivery, and if not, why."""
    if deed.does == "read":
        return "done"
    if busy:
        return "under-way"
    if deed.does == "drop":
        return "done" if line.phase in UNFINISHED else "over"
    if line.phase == HELD:
        return "held"
    if line.phase not in (WAITING, DEAD, DROPPED):
        return "over"
    overtaken = line.phase != WAITING and _is_overtaken(link, line)
    return "overtaken" if overtaken and not deed.overtaken else "done"


def _is_overtaken(link: sqlite3.Connection, line: Line) -> bool:
    """Whether the peer took a later transition of the same alert."""
    row = link.execute(
        "SELECT 1 FROM outbox WHERE sink = ? AND episode_id = ? AND id > ? AND phase = 'sent'",
        (line.sink, line.episode_id, line.id),
    ).fetchone()
    return row is not None


def _following(link: sqlite3.Connection, lines: Sequence[Line]) -> list[Line]:
    """Later transitions of the same alerts, at the same sinks, that still wait."""
    known = {line.id for line in lines}
    found: dict[int, Line] = {}
    for line in lines:
        if line.phase not in UNFINISHED:
            continue
        rows = link.execute(
            f"{LINE} o.sink = ? AND o.episode_id = ? AND o.id > ? AND o.phase IN ('due', 'held')",
            (line.sink, line.episode_id, line.id),
        )
        found |= {row[0]: Line(*row) for row in rows if row[0] not in known}
    return list(found.values())


def _send_again(link: sqlite3.Connection, line: Line, now_ms: int) -> None:
    """Let a delivery be due at once, in front of the later ones of its alert."""
    if line.phase == WAITING:
        link.execute(
            "UPDATE outbox SET due_ms = min(due_ms, ?) WHERE sink = ? AND episode_id = ?"
            " AND phase = 'due'",
            (now_ms, line.sink, line.episode_id),
        )
        return
    link.execute(
        "UPDATE outbox SET phase = 'due', attempts = 0, due_ms = ?1, stored_ms = ?1,"
        " done_ms = NULL, turn = 0 WHERE id = ?2",
        (now_ms, line.id),
    )


def _drop(link: sqlite3.Connection, line: Line, now_ms: int) -> None:
    link.execute("UPDATE outbox SET phase = 'dropped', done_ms = ? WHERE id = ?", (now_ms, line.id))


def _only_keep(link: sqlite3.Connection, line: Line, now_ms: int) -> None:
    """Reading changes nothing but the trail."""
    del link, line, now_ms


_WRITES = {"retry": _send_again, "drop": _drop, "read": _only_keep}


def _keep(link: sqlite3.Connection, deed: Deed, line: Line, now_ms: int) -> None:
    link.execute(
        "INSERT INTO outbox_trail (at_ms, who, did, reason, outbox_id, sink, delivery_id,"
        " episode_id, rule, phase, attempts, failure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now_ms, deed.who, deed.does, deed.why, line.id, line.sink, line.delivery_id,
            line.episode_id, line.rule, line.phase, line.attempts, line.reason,
        ),
    )  # fmt: skip
