"""What is read of the desk: lists, searches, one case whole. Nothing here changes anything.

Every list is asked with a `Scope` (what the asker may see at all), filters (what is wanted) and a
place to go on from, and answers a `Page`; pages neither repeat nor skip what does not change.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    or_,
    select,
    tuple_,
)

from engine.cases.book import Silence
from engine.cases.model import Incident
from engine.edge.desk import search
from engine.edge.desk.book import decode_incident, decode_move, decode_silence
from engine.edge.desk.rows import rank, word
from engine.edge.desk.shown import (
    EVERYTHING,
    AlertRow,
    AlertsAsked,
    IncidentsAsked,
    Page,
    PaperRow,
    ReceiptRow,
    Scope,
    Whole,
)
from engine.edge.desk.tables import (
    alerts,
    incident_bodies,
    incidents,
    members,
    moves,
    outbox,
    parties,
    receipts,
    silences,
    transitions,
)
from engine.model.change import Change

__all__ = [
    "EVERYTHING", "AlertRow", "AlertsAsked", "IncidentsAsked", "Page", "PaperRow", "ReceiptRow",
    "Scope", "Whole", "alert_history", "count_incidents", "find_alert", "find_incident",
    "find_silence", "has_receipt", "list_alerts", "list_incidents", "list_silences",
    "whole_incident",
]  # fmt: skip

MOST = 500
"""Rows of the longest page."""

_change = msgspec.json.Decoder(Change).decode


_ORDERS: dict[str, ColumnElement[Any]] = {
    "opened": incidents.c.seq, "updated": incidents.c.updated_ms, "due": incidents.c.next_ms,
}  # fmt: skip


def list_incidents(
    link: Connection,
    asked: IncidentsAsked,
    scope: Scope = EVERYTHING,
    limit: int = 50,
    after: str | None = None,
) -> Page[Incident]:
    """Cases, in the order asked for.

    Raises:
        ValueError: the order is unknown, or `after` is no place of such a list.

    """
    if asked.order not in _ORDERS:
        raise ValueError(asked.order)
    limit = max(1, min(limit, MOST))
    column, rising = _ORDERS[asked.order], asked.order == "due"
    where = [*_wanted(asked), *_visible(scope)]
    found_by = search.hits(link, "incident", incidents, asked.text)
    newest: ColumnElement[Any] = incidents.c.seq
    if found_by is not None:
        where += found_by.where
        newest = found_by.seq
    if rising:
        where.append(column.is_not(None))
    if after is not None:
        where.append(_beyond(column, _place(after), rising=rising))
    found = select(incidents.c.seq, column.label("value")).where(*where).limit(limit + 1)
    if rising:
        found = found.order_by(column, incidents.c.seq)
    else:
        found = found.order_by(
            *([] if column is incidents.c.seq else [column.desc()]), newest.desc()
        )
    rows = link.execute(found).all()
    shown = rows[:limit]
    bodies = _bodies(link, [row.seq for row in shown])
    end = f"{shown[-1].value}.{shown[-1].seq}" if len(rows) > limit else None
    return Page([decode_incident(bodies[row.seq]) for row in shown], end)


def count_incidents(
    link: Connection, scope: Scope = EVERYTHING, asked: IncidentsAsked | None = None
) -> dict[str, int]:
    """How many cases are in each state."""
    query = select(incidents.c.state, func.count()).group_by(incidents.c.state)
    where = _visible(scope)
    if asked is not None:
        hits = search.hits(link, "incident", incidents, asked.text)
        where += [*_wanted(asked), *(() if hits is None else hits.where)]
    return {row[0]: row[1] for row in link.execute(query.where(*where))}


def find_incident(link: Connection, id_: str, scope: Scope = EVERYTHING) -> Incident | None:
    """One case, by its id, its number, or the number of its order outside."""
    of = or_(incidents.c.id == id_, incidents.c.number == id_)
    query = _bodied().where(of, *_visible(scope))
    body = link.execute(query).scalar()
    if body is None and id_:
        outside = _bodied().where(incidents.c.outside == word(id_), *_visible(scope))
        body = link.execute(outside.order_by(incidents.c.seq.desc()).limit(1)).scalar()
    return None if body is None else decode_incident(body)


def whole_incident(link: Connection, id_: str, scope: Scope = EVERYTHING) -> Whole | None:
    """One case with its moves, alerts, papers and receipts; None where there is none to be seen."""
    incident = find_incident(link, id_, scope)
    if incident is None:
        return None
    made = select(moves.c.body).where(moves.c.incident == incident.id).order_by(moves.c.ordinal)
    told = (
        select(*(outbox.c[name] for name in PaperRow.__slots__))
        .where(outbox.c.incident == incident.id)
        .order_by(outbox.c.id)
    )
    heard = (
        select(*(receipts.c[name] for name in ReceiptRow.__slots__))
        .where(receipts.c.incident == incident.id)
        .order_by(receipts.c.received_ms)
    )
    return Whole(
        incident,
        [decode_move(body) for body in link.execute(made).scalars()],
        _alerts(link, _alert_rows().where(alerts.c.incident == incident.id).order_by(alerts.c.seq)),
        [PaperRow(*row) for row in link.execute(told)],
        [ReceiptRow(*row) for row in link.execute(heard)],
    )


def list_alerts(
    link: Connection,
    asked: AlertsAsked,
    scope: Scope = EVERYTHING,
    limit: int = 50,
    after: str | None = None,
) -> Page[AlertRow]:
    """Alerts, those taken last first.

    Raises:
        ValueError: `after` is no place of such a list.

    """
    limit = max(1, min(limit, MOST))
    where = _alerts_wanted(asked)
    newest: ColumnElement[Any] = alerts.c.seq
    if (hits := search.hits(link, "alert", alerts, asked.text)) is not None:
        where += hits.where
        newest = hits.seq
    if scope != EVERYTHING:
        seen = select(incidents.c.id).where(incidents.c.id == alerts.c.incident, *_visible(scope))
        where.append(seen.exists())
    if after is not None:
        where.append(alerts.c.seq < _place(after)[1])
    # Found first and read after: what is sorted to find a page must not carry the bodies of all.
    found = select(alerts.c.seq).where(*where).order_by(newest.desc()).limit(limit + 1)
    seqs = list(link.execute(found).scalars())
    shown = _alert_rows().where(alerts.c.seq.in_(seqs[:limit])).order_by(alerts.c.seq.desc())
    end = f"0.{seqs[limit - 1]}" if len(seqs) > limit else None
    return Page(_alerts(link, shown), end)


def find_alert(link: Connection, episode: str, scope: Scope = EVERYTHING) -> AlertRow | None:
    """One alert by its episode."""
    query = _alert_rows().where(alerts.c.episode == episode)
    if scope != EVERYTHING:
        seen = select(incidents.c.id).where(incidents.c.id == alerts.c.incident, *_visible(scope))
        query = query.where(seen.exists())
    return next(iter(_alerts(link, query)), None)


def alert_history(link: Connection, episode: str) -> list[Change]:
    """Every transition of an alert that was taken, in order."""
    query = select(transitions.c.body).where(transitions.c.episode == episode)
    bodies = link.execute(query.order_by(transitions.c.ordinal)).scalars()
    return [_change(body) for body in bodies]


def list_silences(link: Connection, at_ms: int | None = None, limit: int = MOST) -> list[Silence]:
    """Silences, the newest first; with an instant, only those that are not over then."""
    query = select(silences.c.body).order_by(silences.c.from_ms.desc(), silences.c.id)
    if at_ms is not None:
        not_ended = or_(silences.c.ended_ms.is_(None), silences.c.ended_ms > at_ms)
        query = query.where(silences.c.until_ms > at_ms, not_ended)
    return [decode_silence(body) for body in link.execute(query.limit(limit)).scalars()]


def find_silence(link: Connection, id_: str) -> Silence | None:
    """One silence by its id."""
    body = link.execute(select(silences.c.body).where(silences.c.id == id_)).scalar()
    return None if body is None else decode_silence(body)


def has_receipt(link: Connection, source: str, id_: str) -> bool:
    """Whether an outside system's message was received before."""
    query = select(receipts.c.id).where(receipts.c.source == source, receipts.c.id == id_)
    return link.execute(query).first() is not None


def _visible(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions under which somebody may see a case at all."""
    found: list[ColumnElement[bool]] = []
    if scope.areas:
        found.append(_in_areas(scope.areas))
    if scope.departments:
        found.append(_of_departments(scope.departments))
    return found


def _in_areas(areas: Sequence[str]) -> ColumnElement[bool]:
    """Area codes are prefixes of what lies in them; an area that is not known lies in none."""
    column = incidents.c.area
    codes = [word(area) for area in areas if area]
    tests = [and_(column >= code, column < code + "\U0010ffff") for code in codes]
    return or_(*tests) if tests else false()


def _of_departments(departments: Sequence[str]) -> ColumnElement[bool]:
    of = select(parties.c.seq).where(parties.c.department.in_([word(one) for one in departments]))
    return incidents.c.seq.in_(of)


def _wanted(asked: IncidentsAsked) -> list[ColumnElement[bool]]:
    one = incidents.c
    found: list[ColumnElement[bool]] = []
    if asked.is_open is not None:
        found.append(one.is_open.is_(asked.is_open))
    named = {one.state: asked.states, one.tier: asked.tiers, one.lead: asked.leads,
             one.verdict: asked.verdicts}  # fmt: skip
    found += _named(named)
    if asked.areas:
        found.append(_in_areas(asked.areas))
    if asked.departments:
        found.append(_of_departments(asked.departments))
    if asked.assignee:
        found.append(one.assignee == word(asked.assignee))
    if asked.min_severity:
        found.append(one.rank >= rank(asked.min_severity))
    if asked.rules or asked.keys:
        its = select(members.c.incident)
        if asked.rules:
            its = its.where(members.c.rule.in_([word(rule) for rule in asked.rules]))
        if asked.keys:
            its = its.where(members.c.key.in_([word(key) for key in asked.keys]))
        found.append(one.id.in_(its))
    if asked.opened_from_ms is not None:
        found.append(one.opened_ms >= asked.opened_from_ms)
    if asked.opened_until_ms is not None:
        found.append(one.opened_ms < asked.opened_until_ms)
    if asked.due_before_ms is not None:
        found.append(one.next_ms < asked.due_before_ms)
    return found


def _alerts_wanted(asked: AlertsAsked) -> list[ColumnElement[bool]]:
    one = alerts.c
    found: list[ColumnElement[bool]] = []
    named = {one.rule: asked.rules, one.pack: asked.packs, one.key: asked.keys}
    found += _named(named)
    if asked.is_open is not None:
        found.append(one.is_open.is_(asked.is_open))
    if asked.min_severity:
        found.append(one.rank >= rank(asked.min_severity))
    if asked.incident:
        found.append(one.incident == asked.incident)
    if asked.since_from_ms is not None:
        found.append(one.since_ms >= asked.since_from_ms)
    if asked.since_until_ms is not None:
        found.append(one.since_ms < asked.since_until_ms)
    return found


def _named(
    wanted: Mapping[Column[Any], Sequence[str]],
) -> list[ColumnElement[bool]]:
    """A column is one of some names, where any are given."""
    return [column.in_([word(name) for name in names]) for column, names in wanted.items() if names]


def _beyond(
    column: ColumnElement[Any], at: tuple[int, int], *, rising: bool
) -> ColumnElement[bool]:
    both = tuple_(column, incidents.c.seq)
    return both > tuple_(*at) if rising else both < tuple_(*at)


def _place(after: str) -> tuple[int, int]:
    """The place that a page ended at.

    Raises:
        ValueError: it is no such place.

    """
    value, _, seq = after.partition(".")
    return int(value), int(seq)


def _bodied() -> "Select[Any]":
    return select(incident_bodies.c.body).join(incidents, incidents.c.seq == incident_bodies.c.seq)


def _bodies(link: Connection, seqs: Sequence[int]) -> dict[int, str]:
    query = select(incident_bodies.c.seq, incident_bodies.c.body)
    return {row.seq: row.body for row in link.execute(query.where(incident_bodies.c.seq.in_(seqs)))}


def _alert_rows() -> "Select[Any]":
    return select(
        alerts.c.seq, alerts.c.incident, alerts.c.is_open, alerts.c.taken_ms, alerts.c.quiet,
        transitions.c.body,
    ).join(transitions, transitions.c.delivery_id == alerts.c.delivery_id)  # fmt: skip


def _alerts(link: Connection, query: "Select[Any]") -> list[AlertRow]:
    return [
        AlertRow(row.seq, row.incident, row.is_open, row.taken_ms, row.quiet, _change(row.body))
        for row in link.execute(query)
    ]
