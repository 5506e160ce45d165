"""The desk over SQL and the desk over memory: the same inputs leave the same cases behind."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cases_book import MemoryBook
from cases_stage import CITY, DUTY, GATEWAY, HOUR, LEADER, OFFICER, change
from desk_stage import Clock, a_keeper
from sqlalchemy import select

from engine.cases.book import Request, Silence
from engine.cases.desk import Desk
from engine.cases.model import Incident, Move, Verb
from engine.cases.policy import Inhibition, Match
from engine.cases.rebuild import rebuild
from engine.cases.refused import Refused
from engine.edge.desk.book import decode_incident, decode_move
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.tables import incident_bodies, incidents, moves, outbox
from engine.model.change import Change

ASKS: list[tuple[Verb, Any, str, dict[str, object]]] = [
    (Verb.ACKNOWLEDGE, OFFICER, "", {}),
    (Verb.ARRIVE, OFFICER, "", {}),
    (Verb.RESOLVE, OFFICER, "", {"found": "a leak", "verdict": "true"}),
    (Verb.CLOSE, LEADER, "seen", {"verdict": "true"}),
    (Verb.CLOSE, LEADER, "a test", {"verdict": "false"}),
    (Verb.RETURN, OFFICER, "not ours", {}),
    (Verb.ASSIGN, DUTY, "theirs", {"department": "transport"}),
    (Verb.REOPEN, DUTY, "again", {}),
    (Verb.COMMENT, DUTY, "look", {"text": "seen"}),
    (Verb.PAUSE, OFFICER, "rain", {}),
    (Verb.RESUME, OFFICER, "dry", {}),
    (Verb.EXTEND, OFFICER, "far", {"stage": "resolve"}),
    (Verb.LIFT, DUTY, "grave", {}),
    (Verb.MERGE, DUTY, "the same", {}),
    (Verb.RECEIPT, GATEWAY, "", {"status": "noted"}),
]
QUIET = replace(
    CITY,
    inhibitions=(
        Inhibition("a-hides-b", Match(rules=("a",)), Match(rules=("b*",)), equal=("key",)),
    ),
)


class Both:
    """One script over two books."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self.keeper, self.clock = keeper, clock
        self.desk, self.book = Desk(QUIET), MemoryBook()
        self.quiet: list[str] = []

    async def take(self, alert: Change) -> None:
        acts = self.book.keep(self.desk.take(self.book, alert, self.clock.now_ms))
        self.quiet.append(acts.quiet)
        assert (await self.keeper.take([alert])).failed == ()

    async def ask(self, request: Request) -> None:
        found = self.book.incidents[request.incident]
        try:
            self.book.keep(self.desk.ask(self.book, request, self.clock.now_ms))
        except Refused as refusal:
            refused: Refused | None = refusal
        else:
            refused = None
        if refused is None:
            answer = await self.keeper.ask(request)
            assert answer.incident == self.book.incidents[answer.incident.id]
            return
        with pytest.raises(Refused) as caught:
            await self.keeper.ask(request)
        assert (caught.value.code, caught.value.found) == (refused.code, refused.found)
        assert self.book.incidents[request.incident] is found

    async def tick(self) -> None:
        now = self.clock.now_ms
        order = list(self.book.incidents)
        due = [one for one in self.book.incidents.values() if (one.next_ms or now + 1) <= now]
        for one in sorted(due, key=lambda one: (one.next_ms, order.index(one.id))):
            self.book.keep(self.desk.tick(self.book, one.id, now))
        await self.keeper.tick()

    async def silence(self, silence: Silence) -> None:
        self.book.silenced.append(silence)
        await self.keeper.silence(silence)


async def live(both: Both, chance: random.Random, steps: int) -> None:
    """Some days of a small desk, as chance has it."""
    ordinals: dict[tuple[str, str, int], int] = {}
    told: list[Change] = []
    for number in range(steps):
        both.clock.now_ms += chance.choice([0, 1, 60_000, HOUR, 5 * HOUR])
        match chance.randrange(10):
            case 0 | 1 | 2 | 3:
                name = (chance.choice("ABC"), chance.choice(["a", "b1", "b2"]), chance.randrange(2))
                ordinals[name] = ordinal = ordinals.get(name, 0) + 1
                what = "fired" if ordinal == 1 else chance.choice(["raised", "updated", "cleared"])
                level = chance.choice(["yellow", "orange", "red"])
                key, rule, start = name
                words = {"key": key, "rule": rule, "start": start, "severity": level}
                told.append(change(what, ordinal=ordinal, **words))  # type: ignore[arg-type]
                await both.take(told[-1])
            case 4 if told:
                await both.take(chance.choice(told))
            case 5:
                await both.tick()
            case 6 if not both.book.silenced:
                begin = both.clock.now_ms
                match = Match(keys=("C",))
                await both.silence(
                    Silence(
                        id="quiet", match=match, from_ms=begin, until_ms=begin + 9 * HOUR,
                        actor=DUTY, reason="a drill",
                    )
                )  # fmt: skip
            case _ if both.book.incidents:
                verb, actor, reason, details = chance.choice(ASKS)
                about = chance.choice(sorted(both.book.incidents))
                if verb is Verb.MERGE:
                    details = {"into": chance.choice(sorted(both.book.incidents))}
                await both.ask(
                    Request(
                        id=f"r{number}", incident=about, verb=verb, actor=actor, reason=reason,
                        details=details,
                    )
                )  # fmt: skip


async def kept(keeper: Keeper) -> tuple[dict[str, Incident], dict[str, list[Move]], set[str]]:
    """Cases, moves and papers of the database."""

    def job(link: Any) -> tuple[dict[str, Incident], dict[str, list[Move]], set[str]]:
        bodies = select(incident_bodies.c.body).join(
            incidents, incidents.c.seq == incident_bodies.c.seq
        )
        cases = [decode_incident(body) for body in link.execute(bodies).scalars()]
        made = [decode_move(body) for body in link.execute(select(moves.c.body)).scalars()]
        by_case = {one.id: [move for move in made if move.incident == one.id] for one in cases}
        return (
            {one.id: one for one in cases},
            {id_: sorted(some, key=lambda move: move.ordinal) for id_, some in by_case.items()},
            set(link.execute(select(outbox.c.delivery_id)).scalars()),
        )

    return await keeper.store.read(job)


@pytest.mark.parametrize("seed", range(6))
async def test_both_books_end_the_same(database: str, tmp_path: Path, seed: int) -> None:
    clock = Clock()
    async with a_keeper(tmp_path, database, clock, QUIET) as keeper:
        both = Both(keeper, clock)
        await live(both, random.Random(seed), 80)
        cases, made, papers = await kept(keeper)
        _, breaks = await keeper.store.read(keeper.ledger.verify)
    assert len(cases) > 1
    assert cases == both.book.incidents
    written = {id_: [*map(as_kept, some)] for id_, some in both.book.moves.items() if some}
    assert made == written
    assert papers == set(both.book.papers)
    assert breaks == []
    for id_, case in cases.items():
        assert replace_mute(rebuild(made[id_])) == replace_mute(case)


def as_kept(move: Move) -> Move:
    """A move as JSON gives it back: lists where the desk has tuples."""
    return decode_move(msgspec.json.encode(move))


def replace_mute(case: Incident) -> dict[str, Any]:
    """A case as its moves tell it."""
    fields = {name: getattr(case, name) for name in case.__struct_fields__}
    return fields | {"mute_until_ms": None}
