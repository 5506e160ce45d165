"""Acts into rows: what the desk decided is kept here, inside the keeper's transaction."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from engine.cases.book import Acts
from engine.cases.model import OPEN, Incident, Move, Paper, State, Verb
from engine.edge import crashpoint
from engine.edge.desk import search
from engine.edge.desk.audit import Entry, digest
from engine.edge.desk.tables import (
    alerts,
    incident_bodies,
    incidents,
    members,
    moves,
    outbox,
    parties,
    transitions,
    verdicts,
)
from engine.model.change import ENDED, Change
from engine.model.severity import Severity

LONGEST = 240
"""Characters of a word that an index holds; bodies have all of it."""

_SEVERITIES = frozenset(one.value for one in Severity)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Kept:
    """What a transaction kept, to be told once it is on disk."""

    moves: list[Move] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)


def word(said: str) -> str:
    """A word as a column has it: without what a database refuses, and cut where it is too long."""
    return said.replace("\0", "\ufffd")[:LONGEST]


def handle(said: str) -> str:
    """A word that something is looked up by: equal for equal words and for no others."""
    if len(said) <= LONGEST and "\0" not in said:
        return said
    return "sha256:" + hashlib.sha256(said.encode()).hexdigest()


def rank(severity: str) -> int:
    """How bad, as a number to sort and compare by."""
    return Severity(severity).rank if severity in _SEVERITIES else -1


def is_known(link: Connection, delivery_id: str) -> bool:
    """Whether a transition was taken before."""
    query = select(transitions.c.delivery_id).where(transitions.c.delivery_id == delivery_id)
    return link.execute(query).first() is not None


FAILED = "failed"
"""Why nothing is told of a transition that the desk could not take."""


def keep_change(link: Connection, change: Change, quiet: str, now_ms: int) -> None:
    """Keep a transition that is new, and its alert as it stands now."""
    link.execute(
        insert(transitions).values(
            delivery_id=change.delivery_id, episode=change.episode_id,
            transition=change.transition.value, ordinal=change.ordinal, at_ms=change.at_ms,
            taken_ms=now_ms, quiet=quiet, body=_encode(change).decode(),
        )
    )  # fmt: skip
    incident = select(members.c.incident).where(members.c.episode == change.episode_id)
    row: dict[str, object] = {
        "rule": word(change.rule), "pack": word(change.pack), "key": word(change.key),
        "severity": change.severity, "rank": rank(change.severity),
        "transition": change.transition.value, "ordinal": change.ordinal,
        "is_open": change.transition not in ENDED, "since_ms": change.since_ms,
        "at_ms": change.at_ms, "incident": link.execute(incident).scalar() or "",
        "delivery_id": change.delivery_id,
    }  # fmt: skip
    query = select(alerts.c.seq, alerts.c.ordinal).where(alerts.c.episode == change.episode_id)
    known = link.execute(query).first()
    if known is None:
        values = row | {"episode": change.episode_id, "taken_ms": now_ms, "quiet": quiet}
        made = link.execute(insert(alerts).values(values).returning(alerts.c.seq))
        seq = int(made.scalar_one())
    else:
        seq = known.seq
        if change.ordinal >= known.ordinal:
            link.execute(update(alerts).where(alerts.c.seq == seq).values(row))
    words = search.folded(
        change.key, change.rule, change.place or "", *change.title.values(), change.episode_id
    )
    search.put(link, "alert", seq, words)
    crashpoint.passing("desk-change-kept")


def keep_acts(link: Connection, acts: Acts, kept: Kept) -> None:
    """Keep cases and moves that were decided; the rows of the audit for them go into `kept`."""
    hashes: dict[str, tuple[str, str]] = {}
    for incident in acts.incidents:
        hashes[incident.id] = keep_incident(link, incident)
    if acts.incidents:
        crashpoint.passing("desk-cases-kept")
    _keep_moves(link, acts.moves)
    kept.moves += acts.moves
    kept.entries += [_entry(move, *hashes.get(move.incident, ("", ""))) for move in acts.moves]


def keep_incident(link: Connection, incident: Incident) -> tuple[str, str]:
    """Keep a case as it stands; answers the hashes of its body before and after."""
    body = _encode(incident).decode()
    query = (
        select(incidents.c.seq, incident_bodies.c.body)
        .join(incident_bodies, incident_bodies.c.seq == incidents.c.seq)
        .where(incidents.c.id == incident.id)
    )
    known = link.execute(query).first()
    columns = columns_of(incident)
    if known is None:
        made = link.execute(insert(incidents).values(columns).returning(incidents.c.seq))
        seq = int(made.scalar_one())
        link.execute(insert(incident_bodies).values(seq=seq, body=body))
    else:
        seq = int(known.seq)
        link.execute(update(incidents).where(incidents.c.seq == seq).values(columns))
        link.execute(update(incident_bodies).where(incident_bodies.c.seq == seq).values(body=body))
    _keep_parties(link, seq, incident)
    _keep_members(link, incident)
    _keep_verdicts(link, incident)
    search.put(link, "incident", seq, incident_words(incident))
    return digest("" if known is None else known.body), digest(body)


def columns_of(incident: Incident) -> dict[str, object]:
    """What lists, searches and clocks go by."""
    return {
        "id": incident.id, "number": incident.number, "state": str(incident.state),
        "is_open": incident.state in OPEN, "version": incident.version,
        "group_key": handle(incident.group), "route": word(incident.route),
        "tier": str(incident.tier), "severity": incident.severity,
        "rank": rank(incident.severity), "area": word(incident.area),
        "lead": word(incident.lead), "host": word(incident.host),
        "assignee": word(incident.assignee), "opened_ms": incident.opened_ms,
        "updated_ms": incident.updated_ms, "closed_ms": incident.closed_ms,
        "next_ms": incident.next_ms,
        "alert_ms": max((one.joined_ms for one in incident.members), default=0),
        "lon": incident.lon, "lat": incident.lat, "verdict": str(incident.verdict or ""),
        "outside": word(incident.outside), "merged_into": incident.merged_into,
    }  # fmt: skip


def incident_words(incident: Incident) -> str:
    """What a case is found by: its number, place, people in charge, what it is about, whom."""
    keys = dict.fromkeys(one.key for one in incident.members)
    rules = dict.fromkeys(one.rule for one in incident.members)
    return search.folded(
        incident.number, incident.place, incident.lead, incident.host, incident.assignee,
        incident.outside, *incident.title.values(), *keys, *rules, incident.id,
    )  # fmt: skip


def _keep_parties(link: Connection, seq: int, incident: Incident) -> None:
    wanted: dict[str, str] = {}
    for part, departments in (
        ("assisting", incident.assisting), ("host", (incident.host,)), ("lead", (incident.lead,)),
    ):  # fmt: skip
        wanted |= {word(one): part for one in departments if one}
    found = link.execute(
        select(parties.c.department, parties.c.part).where(parties.c.seq == seq)
    ).all()
    if {row.department: row.part for row in found} == wanted:
        return
    link.execute(delete(parties).where(parties.c.seq == seq))
    if wanted:
        rows = [{"department": one, "seq": seq, "part": part} for one, part in wanted.items()]
        link.execute(insert(parties), rows)


def _keep_members(link: Connection, incident: Incident) -> None:
    """Which case each alert belongs to; a case that was merged has handed its alerts on."""
    if incident.state is State.MERGED:
        return
    query = select(members.c.episode, members.c.ended).where(members.c.incident == incident.id)
    known = {row.episode: row.ended for row in link.execute(query)}
    for member in incident.members:
        if known.get(member.episode) == member.ended:
            continue
        row = {
            "episode": member.episode, "incident": incident.id, "rule": word(member.rule),
            "key": word(member.key), "ended": member.ended,
        }  # fmt: skip
        upsert(link, members, row, ("episode",))
        if member.episode not in known:
            its = alerts.c.episode == member.episode
            link.execute(update(alerts).where(its).values(incident=incident.id))


def _keep_verdicts(link: Connection, incident: Incident) -> None:
    """One row a rule: what its alerts of this cycle turned out to be worth."""
    if incident.verdict is None or incident.closed_ms is None:
        return
    for rule, pack in {(one.rule, one.pack) for one in incident.members}:
        row: dict[str, object] = {
            "incident": incident.id, "cycle": incident.cycle, "rule": word(rule),
            "pack": word(pack), "verdict": str(incident.verdict), "area": word(incident.area),
            "lead": word(incident.lead), "at_ms": incident.closed_ms,
        }  # fmt: skip
        upsert(link, verdicts, row, ("incident", "cycle", "rule"))


def _keep_moves(link: Connection, made: Sequence[Move]) -> None:
    for move in made:
        link.execute(
            insert(moves).values(
                incident=move.incident, ordinal=move.ordinal, verb=str(move.verb),
                cause=handle(move.cause), actor=word(move.actor.name),
                department=word(move.actor.department), at_ms=move.at_ms,
                before=str(move.before or ""), after=str(move.after), body=_encode(move).decode(),
            )
        )  # fmt: skip
        crashpoint.passing("desk-move-kept")


def keep_papers(
    link: Connection, papers: Iterable[Paper], now_ms: int, kept: Kept, phase: str = "due"
) -> None:
    """Queue what goes out, each paper once a sink, behind those of its case that still wait."""
    for paper in papers:
        waiting = select(outbox.c.due_ms).where(
            outbox.c.sink == paper.sink, outbox.c.incident == paper.group, outbox.c.phase == "due"
        )
        due_ms = max([now_ms, *link.execute(waiting).scalars()])
        dialect = sqlite if link.dialect.name == "sqlite" else postgresql
        row = dialect.insert(outbox).values(
            delivery_id=paper.id, sink=paper.sink, incident=paper.group, kind=str(paper.kind),
            phase=phase, made_ms=paper.at_ms, due_ms=due_ms, stored_ms=now_ms,
            body=_encode(paper.document).decode(),
        )  # fmt: skip
        if link.execute(row.on_conflict_do_nothing()).rowcount:
            kept.queued |= {paper.sink} if phase == "due" else set()
            crashpoint.passing("desk-paper-queued")


def upsert(link: Connection, table: Table, row: dict[str, object], key: tuple[str, ...]) -> None:
    """Put a row in place of the one with the same key, or beside the others."""
    dialect = sqlite if link.dialect.name == "sqlite" else postgresql
    made = dialect.insert(table).values(row)
    rest = {name: value for name, value in row.items() if name not in key}
    link.execute(made.on_conflict_do_update(index_elements=list(key), set_=rest))


def _entry(move: Move, before: str, after: str) -> Entry:
    """The row of the audit for a move."""
    details: dict[str, object] = {"move": move.ordinal, "from": str(move.before or ""),
                                  "to": str(move.after)}  # fmt: skip
    if move.verb is Verb.MERGE:
        details["into"] = move.details.get("into", "")
    return Entry(
        move.actor, str(move.verb), f"incident:{move.incident}", move.reason, before, after, details
    )
