"""A desk's database with as many cases as a city has in months: real ones, many times over.

Some hundred alerts go through the desk as ever, with signatures, closes and verdicts. Their rows
are then copied with keys, places, towns, numbers and hours of their own, as rows, in bulk.
"""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, text

from benchmarks.desk_city import AREAS, CITY, TITLES, alert
from engine.cases.book import Request
from engine.cases.desk import Desk
from engine.cases.model import Actor, Incident, Move, Role, State, Verb
from engine.edge.desk import search
from engine.edge.desk.audit import Ledger
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.rows import columns_of, incident_words
from engine.edge.desk.store import DeskStore
from engine.edge.desk.tables import (
    alerts,
    incident_bodies,
    incidents,
    members,
    moves,
    outbox,
    parties,
    transitions,
)
from engine.model.change import Change

KEY = bytes(range(32))
BEGIN_MS = 1_767_225_600_000  # 2026-01-01 08:00 in Shanghai
DAY_MS = 86_400_000
PART = 2_000
_LEADER = Actor(name="zhao", role=Role.APPROVER)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_ms = BEGIN_MS

    def __call__(self) -> int:
        return self.now_ms


def a_keeper(store: DeskStore) -> Keeper:
    """The desk of the small city over a store."""
    return Keeper(store, Desk(CITY), Ledger(KEY), CITY.storm)


async def real_cases(keeper: Keeper, clock: Clock, count: int, chance: random.Random) -> None:
    """Cases that go their way: some are closed, some are at work, some have just come."""
    for number in range(count):
        clock.now_ms += chance.randrange(10, 3_000)
        await keeper.take([alert(f"苏F{10000 + number}", number, chance)])
    query = select(incidents.c.id, incidents.c.lead).where(incidents.c.state == "dispatched")
    rows = await keeper.store.read(lambda link: link.execute(query).all())
    for number, (id_, lead) in enumerate(rows):
        clock.now_ms += 1_000
        officer = Actor(name="li", role=Role.HANDLER, department=lead)
        steps: list[tuple[Verb, Actor, dict[str, object]]] = [
            (Verb.ACKNOWLEDGE, officer, {}),
            (Verb.RESOLVE, officer, {"found": "现场查看，已驶离"}),
            (Verb.CLOSE, _LEADER, {"verdict": "false"}),
        ]
        made = 3 if number % 10 else number // 10 % 3
        for step, (verb, actor, details) in enumerate(steps[:made]):
            await keeper.ask(
                Request(
                    id=f"{id_}-{step}", incident=id_, verb=verb, actor=actor, reason="已处置",
                    details=details,
                )
            )  # fmt: skip


class Copier:
    """Copies cases with everything that belongs to them."""

    def __init__(self, link: Connection, chance: random.Random) -> None:
        self._link, self._chance = link, chance
        bodies = select(incidents.c.seq, incident_bodies.c.body).join(
            incident_bodies, incident_bodies.c.seq == incidents.c.seq
        )
        self.cases = [
            (row.seq, msgspec.json.decode(row.body, type=Incident)) for row in link.execute(bodies)
        ]
        self.moves = self._by("incident", moves)
        self.alerts = self._by("incident", alerts)
        self.changes = {row["delivery_id"]: row for row in self._rows(transitions)}
        self.papers = self._by("incident", outbox)
        self.seq = max(seq for seq, _ in self.cases)
        self.alert = max(row["seq"] for rows in self.alerts.values() for row in rows)

    def copy(self, count: int) -> None:
        """So many cases more."""
        for begin in range(0, count, PART):
            self._part([self._one(number) for number in range(begin, min(begin + PART, count))])
        if self._link.dialect.name == "postgresql":  # it counts on where it counted itself
            for table, last in (("incidents", self.seq), ("alerts", self.alert)):
                place = func.pg_get_serial_sequence(table, "seq")
                self._link.execute(select(func.setval(place, last)))

    def _one(self, number: int) -> tuple[Incident, Incident]:
        old = self._chance.choice(self.cases)[1]
        moved = number * 97_000
        plate = f"苏F{self._chance.randrange(100_000):05d}{self._chance.choice('ABCD')}"
        area = self._chance.choice(AREAS)
        title = self._chance.choice(TITLES)
        member = old.members[0]
        new = msgspec.structs.replace(
            old, id=f"c{number:023x}", number=f"2026{number // 5000 + 1:04d}-{number % 5000:05d}",
            group=f'[["key","{plate}"]]', area=area, title=title, opened_ms=old.opened_ms + moved,
            updated_ms=old.updated_ms + moved, lead=self._chance.choice(["police", "transport"]),
            closed_ms=None if old.closed_ms is None else old.closed_ms + moved,
            place=f"{area}{self._chance.choice(['工业园', '码头', '服务区', '加油站'])}",
            members=(msgspec.structs.replace(member, episode=f"e{number:023x}", key=plate),),
        )  # fmt: skip
        return old, new

    def _part(self, pairs: Sequence[tuple[Incident, Incident]]) -> None:
        rows: dict[str, list[dict[str, Any]]] = {}
        words: dict[str, list[dict[str, Any]]] = {"incident": [], "alert": []}
        for old, new in pairs:
            self.seq += 1
            self.alert += 1
            member = new.members[0]
            put = rows.setdefault
            put("incidents", []).append(columns_of(new) | {"seq": self.seq})
            body = msgspec.json.encode(new).decode()
            put("bodies", []).append({"seq": self.seq, "body": body})
            for department in {new.lead, new.host, *new.assisting} - {""}:
                party = {"department": department, "seq": self.seq, "part": "lead"}
                put("parties", []).append(party)
            put("members", []).append(
                {"episode": member.episode, "incident": new.id, "rule": member.rule,
                 "key": member.key, "ended": member.ended}
            )  # fmt: skip
            for row in self.moves[old.id]:
                made = msgspec.json.decode(row["body"], type=Move)
                made = msgspec.structs.replace(made, incident=new.id)
                cause, body = f"{new.id}/{row['ordinal']}", msgspec.json.encode(made).decode()
                copied = {"incident": new.id, "cause": cause, "body": body}
                put("moves", []).append(_without(row, "seq") | copied)
            for row in self.papers[old.id]:
                put("outbox", []).append(
                    _without(row, "id") | {"incident": new.id, "phase": "sent",
                    "delivery_id": f"{new.id}/{row['id']}"}
                )  # fmt: skip
            (row, *_) = self.alerts[old.id]
            told = self.changes[row["delivery_id"]]
            change = msgspec.structs.replace(
                msgspec.json.decode(told["body"], type=Change), key=member.key, title=new.title,
                delivery_id=f"d{new.id}", episode_id=member.episode,
            )  # fmt: skip
            put("alerts", []).append(
                row | {"seq": self.alert, "episode": member.episode, "key": member.key,
                "incident": new.id, "delivery_id": change.delivery_id,
                "is_open": new.state is not State.CLOSED}
            )  # fmt: skip
            put("transitions", []).append(
                told | {"delivery_id": change.delivery_id, "episode": member.episode,
                "body": msgspec.json.encode(change).decode()}
            )  # fmt: skip
            words["incident"].append(_words(self.seq, incident_words(new)))
            found = search.folded(change.key, change.rule, *change.title.values())
            words["alert"].append(_words(self.alert, found))
        tables = {
            "incidents": incidents, "bodies": incident_bodies, "parties": parties,
            "members": members, "moves": moves, "outbox": outbox, "alerts": alerts,
            "transitions": transitions,
        }  # fmt: skip
        for name, some in rows.items():
            self._link.execute(insert(tables[name]), some)
        lite = self._link.dialect.name == "sqlite"
        key = "rowid" if lite else "seq"
        for name, some in words.items():
            query = (
                f"INSERT INTO {name}_words ({key}, folded, pairs) VALUES (:seq, :folded, :pairs)"
            )
            given = [one | {"pairs": " ".join(one["pairs"])} if lite else one for one in some]
            self._link.execute(text(query), given)

    def _rows(self, table: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._link.execute(select(table)).mappings()]

    def _by(self, name: str, table: Any) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {
            id_: [] for id_ in (one.id for _, one in self.cases)
        }
        for row in self._rows(table):
            found.setdefault(row[name], []).append(row)
        return found


def _words(seq: int, folded: str) -> dict[str, Any]:
    return {"seq": seq, "folded": folded, "pairs": search.pairs(folded)}


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}
