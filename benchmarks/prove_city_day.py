"""A day of the city at the desk: thousands of alerts of every pack, and what people do about them.

The alerts are what the shipped rules make of their own tests, each told again and again with
another key, at another place of the city, at another time of one Monday. The desk is the shipped
one over its real store; duty desk, leaders and handlers act on every case until the last is
closed, and now and then lapse, return, pause, extend or merge. Afterwards every case must have
ended, every limit must have fired exactly when it should (counted anew from the moves,
`city_limits.py`), and the audit must be whole; then it is damaged again and again, and each damage
must be found. At last a storm comes, ten thousand alerts within a minute (`city_storm.py`): it must
be grouped and gathered, with nothing lost.
"""

import asyncio
import heapq
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, create_engine, select

from benchmarks.city_limits import Limits, Told, check
from benchmarks.city_people import DAY, HOUR, MINUTE, People, Plan
from benchmarks.city_storm import live_through, tell_storm
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch

sys.path.insert(0, str(ROOT / "tests/support"))  # the damages are those of the test

import audit_damages

from engine.cases.book import Request
from engine.cases.declared.around import Around
from engine.cases.declared.load import load_desk
from engine.cases.desk import Desk
from engine.cases.model import OPEN, Incident, Move, State, Verb
from engine.cases.policy import Policy
from engine.cases.refused import Refused
from engine.edge.desk.audit import Ledger, newest
from engine.edge.desk.book import SqlBook, decode_move
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.store import FILE_NAME, DeskStore, desk_url
from engine.edge.desk.tables import incident_bodies, moves, outbox
from engine.edge.files import read_project
from engine.model.change import ENDED, Change, Transition, delivery_id, episode_id
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project
from engine.ruletest.cases import read_cases
from engine.ruletest.run import run_case
from engine.ruletest.variants import Telling

MONDAY_MS = int(datetime(2026, 3, 15, 16, tzinfo=UTC).timestamp() * 1000)  # 00:00 in Shanghai
LASTS_MS = 120 * DAY
STEP_MS = 15 * MINUTE
NEVER_ENDS = 50
"""Of alerts whose number this divides, which is one in 25, no end is ever heard."""
KEY = bytes(range(32))
EDGES = {
    (None, "new"), ("new", "dispatched"), ("dispatched", "acknowledged"), ("dispatched", "new"),
    ("dispatched", "handling"), ("dispatched", "verifying"), ("acknowledged", "handling"),
    ("acknowledged", "verifying"), ("acknowledged", "new"), ("acknowledged", "dispatched"),
    ("handling", "verifying"), ("handling", "new"), ("handling", "dispatched"),
    ("verifying", "closed"), ("verifying", "dispatched"), ("verifying", "new"),
    ("closed", "dispatched"), ("closed", "new"),
    *((state, "closed") for state in ("new", "dispatched", "acknowledged", "handling")),
    *((str(state), "merged") for state in OPEN),
}  # fmt: skip
"""From where to where a case may go, written down by hand from the picture in `docs/desk.md`."""


def main() -> int:
    """Live through the day; exit code 1 when a case, a limit or the audit is wrong."""
    parser = options(__doc__ or "", seed=16)
    parser.add_argument("--events", type=int, help="transitions of alerts: 10,000, reduced 400")
    parser.add_argument("--storm", type=int, help="alerts of the storm: 10,000, reduced 400")
    parser.add_argument("--damages", type=int, help="of the audit: 200, reduced 20")
    asked = parser.parse_args()
    asked.events = asked.events or (400 if asked.reduced else 10_000)
    asked.storm = asked.storm or (400 if asked.reduced else 10_000)
    asked.damages = asked.damages or (20 if asked.reduced else 200)
    report = Report("city-day", "Proof: a day of the city at the desk", asked)
    project = _project()
    loaded = load_desk(
        read_project([ROOT / "rules/desk"]), Around(project, None, date(2026, 3, 16))
    )
    policy = loaded.policy
    assert policy is not None, loaded.report()
    templates = list(_templates(project))
    with scratch("city-day") as folder:
        day = asyncio.run(_live(folder, policy, templates, asked))
        tell_day(report, day, templates)
        tell_limits(report, day)
        tell_audit(report, folder / FILE_NAME, asked)
        storm = asyncio.run(live_through(folder / "storm", policy, asked.storm, asked.seed))
        tell_storm(report, storm, policy, asked)
    return report.close()


@dataclass(slots=True)
class Day:
    """What there was at the end.

    Attributes:
        taken: Transitions that were handed to the desk.
        refused: Requests that the desk refused, by its code.

    """

    people: People
    taken: int = 0
    packs: Counter[str] = field(default_factory=Counter)
    incidents: list[Incident] = field(default_factory=list)
    moves: dict[str, list[Move]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    papers: Counter[str] = field(default_factory=Counter)


def _project() -> Project:
    folders = sorted(path.parent for path in (ROOT / "rules").glob("*/pack.yaml"))
    loaded = load_project(read_project(folders), LoadOptions(today=date(2026, 3, 16)))
    assert loaded.project is not None, loaded.problems
    return loaded.project


def _templates(project: Project) -> Iterable[list[Change]]:
    """Every episode that the tests of the shipped rules raise."""
    for document in project.tests.values():
        for case in read_cases(document, project)[0]:
            episodes: dict[str, list[Change]] = {}
            for change in run_case(case, project, (Telling.AS_WRITTEN,)).changes:
                episodes.setdefault(change.episode_id, []).append(change)
            yield from (one for one in episodes.values() if one[0].status == "stable")


def _stories(
    templates: Sequence[list[Change]], policy: Policy, events: int, seed: int
) -> list[tuple[int, Change]]:
    """Episodes under new keys, at places of the city, over one day; some happen once more."""
    chance, numbers = random.Random(seed), count(1)
    areas = sorted(policy.centres)
    told: list[tuple[int, Change]] = []
    while len(told) < events:
        template = templates[next(numbers) % len(templates)]
        number = next(numbers)
        key, area = f"{template[0].key}~{number}", chance.choice(areas)
        begin = MONDAY_MS + chance.randrange(DAY)
        told += _told(template, key, area, begin, ends=number % NEVER_ENDS != 0)
        if chance.random() < 0.05:
            told += _told(template, key, area, begin + chance.randint(2 * HOUR, 6 * DAY))
    return sorted(told, key=lambda one: (one[0], one[1].episode_id, one[1].ordinal))


def _told(
    template: list[Change], key: str, area: str, begin: int, *, ends: bool = True
) -> Iterable[tuple[int, Change]]:
    """An episode under another key, elsewhere, at another time; perhaps nobody hears its end."""
    shift = begin - template[0].at_ms
    for change in template:
        if not ends and change.transition in ENDED:
            return
        episode = episode_id(change.rule, key, begin)
        yield change.at_ms + shift, msgspec.structs.replace(
            change, key=key, episode_id=episode, at_ms=change.at_ms + shift,
            since_ms=change.since_ms + shift, lon=None, lat=None,
            delivery_id=delivery_id(episode, change.transition, change.ordinal),
            labels={**change.labels, "area": area},
        )  # fmt: skip
    if ends and template[-1].transition not in {Transition.CLEARED, Transition.RETRACTED}:
        last, at_ms = template[-1], template[-1].at_ms + shift + 3 * HOUR
        yield at_ms, msgspec.structs.replace(
            last, key=key, episode_id=episode, at_ms=at_ms, since_ms=last.since_ms + shift,
            lon=None, lat=None, transition=Transition.CLEARED, ordinal=last.ordinal + 1,
            delivery_id=delivery_id(episode, Transition.CLEARED, last.ordinal + 1),
            labels={**last.labels, "area": area},
        )  # fmt: skip


async def _live(folder: Path, policy: Policy, templates: Sequence[list[Change]], asked: Any) -> Day:
    """All in steps of a quarter of an hour; everybody acts at an instant of his own."""
    now = [MONDAY_MS]
    store = DeskStore(desk_url(None, folder), "en", lambda: now[0])
    keeper = Keeper(store, Desk(policy), Ledger(KEY), policy.storm)
    day = Day(People(asked.seed, sorted(policy.departments)))
    coming = _stories(templates, policy, asked.events, asked.seed)[::-1]
    acts: list[tuple[int, str, int, Plan]] = []
    standing: dict[str, Incident] = {}
    seen = 0
    try:
        while now[0] < MONDAY_MS + LASTS_MS and (coming or standing):
            until = now[0] + STEP_MS
            while coming and coming[-1][0] < until:
                now[0], change = max(now[0], coming[-1][0]), coming.pop()[1]
                await keeper.take([change])
                day.taken += 1
                day.packs[change.pack] += 1
            while acts and acts[0][0] < until:
                at_ms, id_, version, plan = heapq.heappop(acts)
                if id_ in standing and standing[id_].version == version:
                    now[0] = max(now[0], at_ms)
                    await _ask(keeper, day, id_, version, plan)
            now[0] = until
            while await keeper.tick():
                pass
            await keeper.tell()
            changed, seen = await store.read(lambda link, seen=seen: _changed(link, seen))  # type: ignore[misc]
            for incident in changed:
                standing[incident.id] = incident
            for incident in changed:
                others = [
                    one.id for one in standing.values()
                    if one.id != incident.id and one.lead == incident.lead and one.state in OPEN
                ][:5]  # fmt: skip
                plan_next = day.people.next(incident, now[0], others)
                if incident.state not in OPEN:
                    standing.pop(incident.id)
                elif plan_next is not None:
                    heapq.heappush(
                        acts, (plan_next.at_ms, incident.id, incident.version, plan_next)
                    )
        await store.read(lambda link: _finish(link, day))
    finally:
        await store.close()
    return day


async def _ask(keeper: Keeper, day: Day, id_: str, version: int, plan: Plan) -> None:
    request = Request(
        id=f"{id_}:{version}:{plan.verb}", incident=id_, verb=plan.verb, actor=plan.actor,
        reason=plan.reason, details=plan.details,
    )  # fmt: skip
    try:
        await keeper.ask(request)
    except Refused as refusal:
        day.refused[f"{plan.verb}: {refusal.code}"] += 1
        # Whoever is refused comes again: a comment makes the case new, so that it is planned anew.
        again = Request(
            id=f"{request.id}:again", incident=id_, verb=Verb.COMMENT, actor=plan.actor,
            reason="未通过，稍后再办",
        )  # fmt: skip
        try:
            await keeper.ask(again)
        except Refused as other:
            day.refused[f"comment: {other.code}"] += 1


def _changed(link: Connection, seen: int) -> tuple[list[Incident], int]:
    rows = link.execute(
        select(moves.c.seq, moves.c.incident).where(moves.c.seq > seen).order_by(moves.c.seq)
    ).all()
    ids = list(dict.fromkeys(row.incident for row in rows))
    book = SqlBook(link)
    found = [one for one in map(book.incident, ids) if one is not None]
    return found, rows[-1].seq if rows else seen


def _finish(link: Connection, day: Day) -> None:
    bodies = link.execute(select(incident_bodies.c.body)).scalars()
    day.incidents = [msgspec.json.decode(body, type=Incident) for body in bodies]
    for body in link.execute(select(moves.c.body).order_by(moves.c.seq)).scalars():
        move = decode_move(body)
        day.moves.setdefault(move.incident, []).append(move)
    day.papers.update(link.execute(select(outbox.c.sink)).scalars())


def tell_day(report: Report, day: Day, templates: Sequence[list[Change]]) -> None:
    """What came, what people did, and whether every case ended as the picture says."""
    verbs = Counter(str(move.verb) for some in day.moves.values() for move in some)
    report.say(
        f"{day.taken:,} transitions of {len(day.packs)} packs "
        f"({', '.join(f'{name} {number:,}' for name, number in sorted(day.packs.items()))}), told "
        f"from {len(templates)} episodes of the shipped rules' own tests, became "
        f"{len(day.incidents):,} cases. People lapsed {day.people.lapses:,} times and returned "
        f"{day.people.returns:,} orders as not theirs."
    )
    report.table(["move", "times"], [[name, f"{times:,}"] for name, times in verbs.most_common()])
    report.table(
        ["sink", "papers"], [[name, f"{times:,}"] for name, times in sorted(day.papers.items())]
    )
    report.table(
        ["refused", "times"], [[name, times] for name, times in sorted(day.refused.items())]
    )
    tiers = Counter(str(one.tier) for one in day.incidents)
    report.claim(
        "cases stood with all three tiers", set(tiers) == {"city", "county", "town"}, tiers
    )
    left = [one.number for one in day.incidents if one.state in OPEN]
    ends = Counter(str(one.state) for one in day.incidents)
    report.claim("every case has ended: closed with a verdict, or merged", not left, dict(ends))
    no_verdict = [
        one.number for one in day.incidents if one.state is State.CLOSED and not one.verdict
    ]
    report.claim("every closed case has its verdict", not no_verdict, len(no_verdict))
    illegal = []
    for some in day.moves.values():
        before: str | None = None
        for move in some:
            edge = (before, str(move.after))
            if move.before != before or (edge[0] != edge[1] and edge not in EDGES):
                illegal.append((move.incident, *edge))
            before = str(move.after)
    report.claim("no case went a way that is not in the picture", not illegal, illegal[:3])


def tell_limits(report: Report, day: Day) -> None:
    """Every limit against the count of its own."""
    limits, told = Limits((ROOT / "rules/desk/timings.yaml").read_text("utf-8")), Told()
    for incident in day.incidents:
        some = [msgspec.to_builtins(move) for move in day.moves[incident.id]]
        check(limits, some, told)
    report.table(["limits", "times"], [[name, f"{n:,}"] for name, n in sorted(told.counts.items())])
    wrong = (len(told.wrong), told.wrong[:3])
    report.claim(
        "every limit that should have fired fired once, and no other", not told.wrong, wrong
    )
    report.claim(
        "limits passed, were warned of and climbed their ladders", told.counts["passed"] > 0,
        told.counts["passed"],
    )  # fmt: skip
    report.claim(
        "cases whose alerts never ended passed the limit for proof, and were closed without it",
        told.counts["passed: verify"] > 0,
        told.counts["passed: verify"],
    )


def tell_audit(report: Report, file: Path, asked: Any) -> None:
    """The chain as it is, and damaged."""
    copy = file.with_name("damaged.db")
    shutil.copy(file, copy)
    shutil.copy(f"{file}-wal", f"{copy}-wal") if Path(f"{file}-wal").exists() else None
    engine = create_engine(f"sqlite:///{copy}")
    ledger, chance, missed = Ledger(KEY), random.Random(asked.seed), []
    with engine.connect() as link:
        head = newest(link)
        rows, breaks = ledger.verify(link, [head])
        report.claim(
            f"the audit of {rows:,} rows is whole", not breaks and rows == head.seq, breaks[:2]
        )
        link.rollback()
        raw: Any = link.connection.driver_connection
        audit_damages.unguard(raw)
        raw.commit()
        kinds: Counter[str] = Counter()
        for _ in range(asked.damages):
            kind = chance.choice(list(audit_damages.WAYS))
            audit_damages.WAYS[kind](chance, raw, head.seq)
            kinds[kind] += 1
            if not ledger.verify(link, [head])[1]:
                missed.append(kind)
            link.rollback()
    engine.dispose()
    told = f"{asked.damages - len(missed)} of {asked.damages}: {dict(kinds)}"
    report.claim(
        "every changed, deleted, swapped, copied or cut off row is found", not missed, told
    )


if __name__ == "__main__":
    sys.exit(main())
