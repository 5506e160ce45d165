"""Cases as they stand, looked up in the tables inside the keeper's transaction."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, or_, select, update

from engine.cases.book import Silence
from engine.cases.model import Incident, Move, PaperKind
from engine.cases.policy import Match
from engine.edge.desk.rows import handle, word
from engine.edge.desk.tables import (
    incident_bodies,
    incidents,
    members,
    moves,
    numbers,
    outbox,
    silences,
)
from engine.geo.distance import M_PER_DEGREE, distance_m

decode_incident = msgspec.json.Decoder(Incident).decode
decode_move = msgspec.json.Decoder(Move).decode
decode_silence = msgspec.json.Decoder(Silence).decode

MERGES = 32
"""So many merges are followed from an alert to the case that has it now."""


class SqlBook:
    """A `Book` over one connection; what the same transaction wrote is seen."""

    def __init__(self, link: Connection) -> None:
        """Hold the transaction."""
        self._link = link

    def incident(self, id: str) -> Incident | None:  # noqa: A002
        """An incident by its id."""
        return self._one(_bodies().where(incidents.c.id == id))

    def of_episode(self, episode: str) -> Incident | None:
        """The incident that an alert belongs to, through merges."""
        query = select(members.c.incident).where(members.c.episode == episode)
        at = self._link.execute(query).scalar()
        for _ in range(MERGES):
            found = None if at is None else self.incident(at)
            if found is None or not found.merged_into:
                return found
            at = found.merged_into
        return None

    def open_in(self, group: str) -> Incident | None:
        """The open incident of a group whose last alert is the newest."""
        return self._one(_newest(_in(group)))

    def open_near(self, group: str, lon: float, lat: float, radius_m: float) -> Incident | None:
        """Likewise, of those whose first position lies within a radius."""
        # Narrowed by latitude alone: meridians come together towards the poles.
        side = radius_m / M_PER_DEGREE * 1.01
        query = _newest(and_(_in(group), incidents.c.lat.between(lat - side, lat + side)))
        for body in self._link.execute(query).scalars():
            found = decode_incident(body)
            if found.lon is None or found.lat is None:
                continue
            if distance_m(lon, lat, found.lon, found.lat) <= radius_m:
                return found
        return None

    def closed_in(self, group: str, since_ms: int) -> Incident | None:
        """The incident of a group that was closed last, at or after an instant."""
        where = (
            incidents.c.group_key == handle(group),
            incidents.c.state == "closed",
            incidents.c.closed_ms >= since_ms,
        )
        order = (incidents.c.closed_ms.desc(), incidents.c.id.desc())
        return self._one(_bodies().where(*where).order_by(*order))

    def told(self, cause: str) -> Move | None:
        """The move that a cause has made already."""
        query = select(moves.c.body).where(moves.c.cause == handle(cause))
        body = self._link.execute(query).scalar()
        return None if body is None else decode_move(body)

    def silences(self, at_ms: int) -> Sequence[Silence]:
        """Silences in force."""
        query = (
            select(silences.c.body)
            .where(
                silences.c.from_ms <= at_ms,
                silences.c.until_ms > at_ms,
                or_(silences.c.ended_ms.is_(None), silences.c.ended_ms > at_ms),
            )
            .order_by(silences.c.id)
        )
        return [decode_silence(body) for body in self._link.execute(query).scalars()]

    def open_alerts(self, match: Match) -> Sequence[Incident]:
        """Open incidents with an alert of such a rule and key; the rest of a match is not asked.

        Where an alert lies is for the desk to judge, which knows which area commands which.
        """
        having = select(members.c.incident).where(
            members.c.ended.is_(False),
            _any(members.c.rule, match.rules),
            _any(members.c.key, match.keys),
        )
        query = (
            _bodies()
            .where(incidents.c.is_open, incidents.c.id.in_(having))
            .order_by(incidents.c.seq)
        )
        return [decode_incident(body) for body in self._link.execute(query).scalars()]

    def next_number(self, day: str) -> int:
        """The next serial number of a day, from 1."""
        query = update(numbers).where(numbers.c.day == day).values(last=numbers.c.last + 1)
        last = self._link.execute(query.returning(numbers.c.last)).scalar()
        if last is None:
            self._link.execute(insert(numbers).values(day=day, last=1))
        return last or 1

    def sent_since(self, sink: str, since_ms: int) -> int:
        """How many single papers went to a sink since an instant: what a storm is told by."""
        query = select(func.count()).where(
            outbox.c.sink == sink,
            outbox.c.made_ms >= since_ms,
            outbox.c.kind != str(PaperKind.DIGEST),
            outbox.c.phase.not_in(("wait", "told")),
        )
        return int(self._link.execute(query).scalar_one())

    def _one(self, query: "Select[Any]") -> Incident | None:
        body = self._link.execute(query.limit(1)).scalar()
        return None if body is None else decode_incident(body)


def _bodies() -> "Select[Any]":
    return select(incident_bodies.c.body).join(incidents, incidents.c.seq == incident_bodies.c.seq)


def _in(group: str) -> ColumnElement[bool]:
    return and_(incidents.c.group_key == handle(group), incidents.c.is_open)


def _newest(where: ColumnElement[bool]) -> "Select[Any]":
    """Those whose last alert is the newest come first."""
    return _bodies().where(where).order_by(incidents.c.alert_ms.desc(), incidents.c.id.desc())


def _any(column: ColumnElement[str], patterns: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of some names, or begins as those do that end with `*`."""
    tests = [
        column.startswith(word(pattern[:-1]), autoescape=True)
        if pattern.endswith("*")
        else column == word(pattern)
        for pattern in patterns
    ]
    return or_(*tests) if tests else column.is_not(None)
