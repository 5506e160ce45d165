"""Papers of the desk's outbox as operators see them, and what they do to them by hand.

The same words as for alerts (`engine.edge.store.outbox_look`), over the desk's database: what an
alert is there a case is here. The trail is the desk's audit, whose chain nobody can change unseen.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from engine.cases.model import Actor, Role
from engine.edge import crashpoint
from engine.edge.desk.audit import Entry as AuditEntry
from engine.edge.desk.audit import Ledger
from engine.edge.desk.tables import audit, incidents, outbox
from engine.edge.store.outbox_hand import Deed, Done, Result
from engine.edge.store.outbox_look import (
    DEAD,
    DROPPED,
    PAPER,
    WAITING,
    Chosen,
    Entry,
    Line,
    rows_and_names,
)

_DID = "outbox-"
_MOST = 9_223_372_036_854_775_807


def find(link: Connection, chosen: Chosen, now_ms: int, limit: int = -1) -> list[Line]:
    """The chosen papers, by sink and age of their row; -1 for all of them."""
    query = _lines().where(*_where(chosen, now_ms)).order_by(outbox.c.sink, outbox.c.id)
    rows = link.execute(query.limit(limit if limit >= 0 else _MOST))
    return [_line(row) for row in rows]


def count(link: Connection, chosen: Chosen, now_ms: int) -> dict[str, dict[str, int]]:
    """How many papers are chosen, by sink and phase."""
    query = (
        select(outbox.c.sink, outbox.c.phase, func.count())
        .select_from(outbox.outerjoin(incidents, incidents.c.id == outbox.c.incident))
        .where(*_where(chosen, now_ms))
        .group_by(outbox.c.sink, outbox.c.phase)
        .order_by(outbox.c.sink, outbox.c.phase)
    )
    found: dict[str, dict[str, int]] = {}
    for sink, phase, number in link.execute(query):
        found.setdefault(sink, {})[phase] = number
    return found


def body_of(link: Connection, row: int) -> bytes:
    """What is sent of a paper."""
    found = link.execute(select(outbox.c.body).where(outbox.c.id == row)).scalar()
    return b"" if found is None else str(found).encode()


def trail(link: Connection, rows: Sequence[int] | None = None, limit: int = -1) -> list[Entry]:
    """The newest deeds by hand, of some papers or of all, oldest first."""
    about = None if rows is None else [f"paper:{row}" for row in rows]
    query = select(audit).where(audit.c.action.startswith(_DID))
    if about is not None:
        query = query.where(audit.c.object.in_(about))
    query = query.order_by(audit.c.seq.desc()).limit(limit if limit >= 0 else _MOST)
    return [_entry(row) for row in link.execute(query)][::-1]


def do(link: Connection, deed: Deed, ledger: Ledger, now_ms: int) -> Result:
    """Do a deed and write it into the audit; the caller's transaction makes it all or nothing.

    A desk that runs sees it within half a minute. A paper that it is sending at this moment may
    have arrived although it is dropped.
    """
    lines = find(link, deed.chosen, now_ms)
    following = _following(link, lines, now_ms) if deed.does == "drop" else []
    if deed.following:
        lines = sorted({*lines, *following}, key=lambda line: line.id)
        following = []
    done: list[Done] = []
    kept: list[AuditEntry] = []
    for line in lines:
        outcome = _outcome(link, deed, line)
        done.append(
            Done(
                line.id, line.sink, line.delivery_id, line.rule, line.transition, line.phase,
                outcome,
            )
        )  # fmt: skip
        if outcome == "done" and not deed.plan:
            _write(link, deed, line, now_ms)
            kept.append(_kept(deed, line))
    ledger.write(link, kept, now_ms)
    crashpoint.passing("hand-not-committed")
    unknown = [one for one in deed.chosen.ids if not find(link, Chosen(ids=(one,)), now_ms, 1)]
    return Result(done, unknown, len(following))


def _outcome(link: Connection, deed: Deed, line: Line) -> str:
    """Whether the deed can be done to a paper, and if not, why."""
    if deed.does == "read":
        return "done"
    if deed.does == "drop":
        return "done" if line.phase in (WAITING, DEAD) else "over"
    if line.phase not in (WAITING, DEAD, DROPPED):
        return "over"
    later = exists().where(
        outbox.c.sink == line.sink, outbox.c.incident == line.episode_id,
        outbox.c.id > line.id, outbox.c.phase == "sent",
    )  # fmt: skip
    overtaken = line.phase != WAITING and bool(link.execute(select(later)).scalar())
    return "overtaken" if overtaken and not deed.overtaken else "done"


def _write(link: Connection, deed: Deed, line: Line, now_ms: int) -> None:
    one = update(outbox).where(outbox.c.id == line.id)
    if deed.does == "drop":
        link.execute(one.values(phase=DROPPED, done_ms=now_ms))
    elif deed.does == "retry" and line.phase == WAITING:
        group = and_(
            outbox.c.sink == line.sink, outbox.c.incident == line.episode_id,
            outbox.c.phase == WAITING, outbox.c.due_ms > now_ms,
        )  # fmt: skip
        link.execute(update(outbox).where(group).values(due_ms=now_ms))
    elif deed.does == "retry":
        values = {"due_ms": now_ms, "stored_ms": now_ms, "attempts": 0, "done_ms": None}
        link.execute(one.values(phase=WAITING, **values))


def _following(link: Connection, lines: Sequence[Line], now_ms: int) -> list[Line]:
    """Later papers of the same cases, at the same sinks, that still wait."""
    known = {line.id for line in lines}
    found: dict[int, Line] = {}
    for line in lines:
        if line.phase not in (WAITING, DEAD):
            continue
        chosen = Chosen(sink=line.sink, episode=line.episode_id, phases=(WAITING,))
        found |= {
            one.id: one
            for one in find(link, chosen, now_ms)
            if one.id > line.id and one.id not in known
        }
    return list(found.values())


def _kept(deed: Deed, line: Line) -> AuditEntry:
    details = {
        "sink": line.sink, "delivery": line.delivery_id, "case": line.rule, "phase": line.phase,
        "attempts": line.attempts, "failure": line.reason, "incident": line.episode_id,
    }  # fmt: skip
    actor = Actor(name=deed.who, role=Role.OPERATOR)
    return AuditEntry(actor, f"{_DID}{deed.does}", f"paper:{line.id}", deed.why, details=details)


def _entry(row: Any) -> Entry:
    said: dict[str, Any] = msgspec.json.decode(row.details)
    return Entry(
        row.seq, row.at_ms, row.actor, row.action.removeprefix(_DID), row.reason,
        int(row.object.partition(":")[2]), said["sink"], said["delivery"], said["incident"],
        said["case"], said["phase"], said["attempts"], said["failure"],
    )  # fmt: skip


def _lines() -> "Select[Any]":
    earlier = outbox.alias("earlier")
    ahead = (
        select(func.min(earlier.c.id))
        .where(
            earlier.c.sink == outbox.c.sink, earlier.c.incident == outbox.c.incident,
            earlier.c.phase == WAITING, earlier.c.id < outbox.c.id, outbox.c.phase == WAITING,
        )
        .scalar_subquery()
    )  # fmt: skip
    return select(
        outbox.c.id, outbox.c.delivery_id, outbox.c.sink, outbox.c.incident, outbox.c.phase,
        outbox.c.attempts, outbox.c.due_ms, outbox.c.stored_ms, outbox.c.done_ms,
        outbox.c.reason, outbox.c.detail, incidents.c.number, outbox.c.kind, outbox.c.made_ms,
        incidents.c.severity, ahead.label("ahead"),
    ).select_from(outbox.outerjoin(incidents, incidents.c.id == outbox.c.incident))  # fmt: skip


def _line(row: Any) -> Line:
    return Line(
        row.id, row.delivery_id, row.sink, row.incident, row.phase, row.attempts, row.due_ms,
        row.stored_ms, row.done_ms, row.reason, row.detail, row.number or "-", "",
        f"{PAPER}{row.kind}", row.made_ms, row.severity or "", row.ahead,
    )  # fmt: skip


def _where(chosen: Chosen, now_ms: int) -> list[ColumnElement[bool]]:
    """The conditions that choose. A rule is no word here: the case's number stands for it."""
    found: list[ColumnElement[bool]] = []
    if chosen.ids:
        rows, names = rows_and_names(chosen.ids)
        found.append(or_(outbox.c.id.in_(rows), outbox.c.delivery_id.in_(names)))
    if chosen.sink is not None:
        found.append(outbox.c.sink == chosen.sink)
    if chosen.rule is not None:
        found.append(incidents.c.number == chosen.rule)
    if chosen.episode is not None:
        found.append(or_(outbox.c.incident == chosen.episode, incidents.c.number == chosen.episode))
    if chosen.phases:
        found.append(outbox.c.phase.in_(chosen.phases))
    if chosen.older_ms is not None:
        found.append(outbox.c.stored_ms <= now_ms - chosen.older_ms)
    if chosen.newer_ms is not None:
        found.append(outbox.c.stored_ms > now_ms - chosen.newer_ms)
    return found
