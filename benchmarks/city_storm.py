"""A storm of alerts over a real database: 10,000 within a minute, grouped, gathered, told.

One burst of a source (a map that was wrong, a feed that caught up) raises alerts about a few
thousand vehicles. What should come of it is counted here from the alerts themselves: one case a
vehicle, single papers to machines, at most so many a minute to people, digests for the rest.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from benchmarks.report import Report
from engine.cases.book import Request
from engine.cases.desk import Desk
from engine.cases.model import Actor, PaperKind, Role, Verb
from engine.cases.policy import Policy
from engine.edge.desk.audit import Ledger, newest
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.store import DeskStore, desk_url
from engine.edge.desk.tables import incidents, members, outbox, transitions
from engine.model.change import Change, Transition, delivery_id, episode_id

KEY = bytes(range(32))
MINUTE_MS = 60_000
TOGETHER = 100
PER_VEHICLE = 4
RULES = ("hazmat-abnormal-dwell", "hazmat-off-route", "hazmat-restricted-area",
         "hazmat-closed-section")  # fmt: skip
LEVELS = ("yellow", "orange", "red")
HANDLER = Actor(name="emergency-1", role=Role.HANDLER, department="emergency")


@dataclass(slots=True)
class Storm:
    """What there was afterwards.

    Attributes:
        took_s: How long the desk took to take them all.
        slowest_s: The slowest transaction, of at most a hundred alerts.
        moved: Whether a person could sign for a case in the middle of it.
        busiest: By sink that people read, the most single papers below red within one minute.

    """

    alerts: int
    vehicles: int
    took_s: float = 0.0
    slowest_s: float = 0.0
    moved: bool = False
    cases: int = 0
    taken: int = 0
    attached: int = 0
    failed: int = 0
    singles: Counter[str] = field(default_factory=Counter)
    red: Counter[str] = field(default_factory=Counter)
    busiest: Counter[str] = field(default_factory=Counter)
    gathered: Counter[str] = field(default_factory=Counter)
    digests: Counter[str] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    waiting: int = 0
    red_waited: int = 0
    breaks: int = 0


def alerts_of(count: int, areas: list[str], seed: int, begin_ms: int) -> list[Change]:
    """Alerts about a quarter as many vehicles, each under up to four rules, all new."""
    chance, found = random.Random(seed), []
    for number in range(count):
        vehicle, rule = number % (count // PER_VEHICLE), RULES[number * PER_VEHICLE // count]
        key = f"苏F{vehicle:05d}-yellow"
        start = begin_ms - chance.randint(1, 60) * MINUTE_MS
        episode = episode_id(rule, key, start)
        where = random.Random(f"{seed}/{vehicle}")  # half of them nobody knows where: the city's
        place = where.choice(areas) if where.random() < 0.5 else ""
        found.append(
            Change(
                delivery_id=delivery_id(episode, Transition.FIRED, 1), episode_id=episode,
                rule=rule, rule_hash="h", key=key, transition=Transition.FIRED, ordinal=1,
                at_ms=begin_ms, since_ms=start,
                severity=chance.choices(LEVELS, [70, 25, 5])[0], pack="hazmat",
                title={"zh": "危化品车辆预警", "en": "Alert of a hazmat vehicle"},
                summary={"zh": f"{key} 停留", "en": f"{key} stands still"},
                labels={"area": place} if place else {},
            )
        )  # fmt: skip
    chance.shuffle(found)
    return found


async def live_through(folder: Path, policy: Policy, count: int, seed: int) -> Storm:
    """All of them within one minute of the desk's time, then the time until digests are due."""
    begin_ms = 1_773_622_800_000
    now = [begin_ms]
    store = DeskStore(desk_url(None, folder), "en", lambda: now[0])
    keeper = Keeper(store, Desk(policy), Ledger(KEY), policy.storm)
    areas = [code for code, one in policy.centres.items() if one.tier != "city"]
    coming = alerts_of(count, sorted(areas), seed, begin_ms)
    storm = Storm(count, len({one.key for one in coming}))
    try:
        for at in range(0, count, TOGETHER):
            now[0] = begin_ms + at * MINUTE_MS // count
            begun = time.perf_counter()
            await keeper.take(coming[at : at + TOGETHER])
            lasted = time.perf_counter() - begun
            storm.took_s += lasted
            storm.slowest_s = max(storm.slowest_s, lasted)
            if at == count // 2 // TOGETHER * TOGETHER:
                storm.moved = await _signed(keeper)
        while now[0] < begin_ms + MINUTE_MS + policy.storm.every_ms:
            now[0] += MINUTE_MS
            await keeper.tick()
            while await keeper.tell():
                pass
        await store.read(lambda link: _look(link, storm, policy))
    finally:
        await store.close()
    return storm


async def _signed(keeper: Keeper) -> bool:
    """Whether the first case can be signed for while the storm goes on."""
    first = select(incidents.c.id).where(incidents.c.lead == HANDLER.department).limit(1)
    case = await keeper.store.read(lambda link: link.execute(first).scalar())
    if case is None:
        return False
    answer = await keeper.ask(Request("in-the-storm", case, Verb.ACKNOWLEDGE, HANDLER))
    return str(answer.incident.state) == "acknowledged"


def _look(link: Connection, storm: Storm, policy: Policy) -> None:
    """What is on disk."""
    count = select(func.count())
    storm.cases = link.execute(count.select_from(incidents)).scalar_one()
    storm.taken = link.execute(count.select_from(transitions)).scalar_one()
    failed = count.select_from(transitions).where(transitions.c.quiet == "failed")
    storm.failed = link.execute(failed).scalar_one()
    storm.attached = link.execute(count.select_from(members)).scalar_one()
    minutes: dict[str, list[int]] = {}
    for row in link.execute(select(outbox).order_by(outbox.c.id)):
        document = msgspec.json.decode(row.body)
        if row.kind == PaperKind.DIGEST:
            storm.digests[row.sink] += 1
            storm.listed += [one["id"] for one in document["papers"]]
        elif row.phase == "told":
            storm.gathered[row.sink] += 1
            storm.told.add(row.delivery_id)
            storm.red_waited += document["severity"] == "red"
        elif row.phase == "wait":
            storm.waiting += 1
        elif document["severity"] == "red":
            storm.red[row.sink] += 1
        else:
            storm.singles[row.sink] += 1
            minutes.setdefault(row.sink, []).append(row.made_ms)
    for sink in policy.storm.sinks:
        times = minutes.get(sink, [])
        storm.busiest[sink] = max(
            (sum(one <= other < one + policy.storm.within_ms for other in times) for one in times),
            default=0,
        )
    storm.breaks = len(Ledger(KEY).verify(link, [newest(link)])[1])


def tell_storm(report: Report, storm: Storm, policy: Policy, asked: Any) -> None:
    """The figures, and what is claimed of them."""
    report.head("A storm")
    report.say(
        f"{storm.alerts:,} alerts about {storm.vehicles:,} vehicles within one minute of the "
        f"desk's time, over SQLite with every commit flushed, seed {asked.seed}. Taking them "
        f"lasted {storm.took_s:.1f} s ({storm.alerts / storm.took_s:,.0f} alerts/s), the slowest "
        f"transaction of {TOGETHER} alerts {storm.slowest_s * 1000:,.0f} ms."
    )
    sinks = sorted({*storm.singles, *storm.red, *storm.gathered})
    report.table(
        ["sink", "single papers", "of them red", "gathered", "digests"],
        [
            [
                name, f"{storm.singles[name] + storm.red[name]:,}", f"{storm.red[name]:,}",
                f"{storm.gathered[name]:,}", storm.digests[name],
            ]
            for name in sinks
        ],
    )  # fmt: skip
    all_in = storm.taken == storm.attached == storm.alerts and not storm.failed
    report.claim(
        "every alert of the storm is taken once and belongs to a case", all_in,
        f"{storm.taken:,} taken, {storm.attached:,} in cases, {storm.failed} failed",
    )  # fmt: skip
    report.claim(
        "grouped: one case a vehicle", storm.cases == storm.vehicles,
        f"{storm.cases:,} cases of {storm.vehicles:,} vehicles",
    )  # fmt: skip
    people = policy.storm.sinks
    over = policy.storm.over
    report.claim(
        f"people get at most {over} single papers a minute below red",
        all(storm.busiest[name] <= over for name in people), dict(storm.busiest),
    )  # fmt: skip
    report.claim(
        "what is over that is gathered, and each paper is in one digest",
        sum(storm.gathered.values()) > 0
        and len(storm.listed) == len(set(storm.listed))
        and set(storm.listed) == storm.told
        and not storm.waiting,
        f"{len(storm.told):,} papers in {sum(storm.digests.values())} digests, "
        f"{storm.waiting} left waiting",
    )
    report.claim(
        "machines get every order singly, people every red one",
        not any(storm.gathered[name] for name in sinks if name not in people)
        and all(storm.red[name] for name in people)
        and not storm.red_waited,
        f"{sum(storm.red.values()):,} red papers went out, {storm.red_waited} waited",
    )
    report.claim("a case can be signed for in the middle of the storm", storm.moved)
    report.claim("the audit of the storm is whole", not storm.breaks, storm.breaks)
