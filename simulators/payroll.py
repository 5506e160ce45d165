"""Construction projects and the ledgers that show whether workers' wages are safe.

Each feed is keyed as its department keys it; lateness one day (ledgers are exchanged nightly);
`time` is city time without offset.

    permits      key project: record, project, time, stage (signed, permitted, paused, resumed,
                 completed, withdrawn), county, contractor, owner, contract_sum (CNY),
                 deposit_rate, deposit_exempt, monthly_labour_cost (CNY)
    deposits     key project: record, project, time, form (cash, guarantee, insurance), amount (CNY)
    accounts     key project: record, project, time, status (open), bank
    payments     key project: record, project, time, purpose (labour-cost), amount (CNY)
    attendance   key gate (so a rule by project needs another partition): gate, project, time,
                 workers; one record a gate and day, 0 while work stands still

The plots are in `payroll_script.py`, their truth in `payroll_truth.py`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from heapq import merge
from random import Random

from simulators import payroll_truth
from simulators.noise import LEDGERS
from simulators.payroll_script import Site, write_site
from simulators.scenario import DAY, Feed, Item, Story, clock, heartbeats, in_order, instant
from simulators.workdays import at, day_of, is_open

PERMITS = Feed("permits", DAY, DAY)
DEPOSITS = Feed("deposits", DAY, DAY)
ACCOUNTS = Feed("accounts", DAY, DAY)
PAYMENTS = Feed("payments", DAY, DAY)
ATTENDANCE = Feed("attendance", DAY, DAY)
FEEDS = (PERMITS, DEPOSITS, ACCOUNTS, PAYMENTS, ATTENDANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payroll:
    """A world of construction projects over some months."""

    seed: int = 7
    projects: int = 800
    days: int = 210
    start: str = "2026-01-05T00:00:00+08:00"
    noise: str = "none"

    @property
    def start_ms(self) -> int:
        """The first instant."""
        return instant(self.start)

    @property
    def end_ms(self) -> int:
        """The first instant after the world."""
        return self.start_ms + self.days * DAY

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The five ledgers."""
        return FEEDS

    def site(self, number: int) -> Site:
        """Everything about project `number`."""
        return write_site(self.seed, number, self.start_ms, self.days)

    def items(self) -> Iterator[Item]:
        """All records in order of arrival."""
        beats = [heartbeats(feed, self.start_ms, self.end_ms) for feed in FEEDS]
        return in_order(*beats, *(self._sent(number) for number in range(self.projects)))

    def _sent(self, number: int) -> Iterator[Item]:
        """One project's records as they arrive."""
        site, noise = self.site(number), LEDGERS[self.noise]
        rng = Random(f"{self.seed}/gates/{number}")
        disturbed = Random(f"{self.seed}/noise/{number}")
        written = merge(sorted(_bookings(site)), _gates(site, self.end_ms, rng))
        end = self.end_ms
        known = (item for item in written if item.arrival_ms < end)
        return noise.arrivals(known, disturbed)

    def stories(self) -> Iterator[Story]:
        """What should be noticed, project by project."""
        for number in range(self.projects):
            yield from payroll_truth.stories(self.site(number), self.end_ms)

    def tables(self) -> Mapping[str, Iterator[Mapping[str, object]]]:
        """None: everything is a ledger."""
        return {}


def _item(feed: Feed, key: str, at_ms: int, filed_ms: int, record: Mapping[str, object]) -> Item:
    value = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    return Item(filed_ms, at_ms, feed.name, key, value)


def _bookings(site: Site) -> Iterator[Item]:
    """What departments, banks and owners write about a project."""
    project = site.project
    for number, (at_ms, stage) in enumerate(sorted(site.stages), 1):
        record = {
            "record": f"SG-{project}-{number}",
            "project": project,
            "time": clock(at_ms),
            "stage": stage,
            "county": site.county,
            "contractor": site.contractor,
            "owner": site.owner,
            "contract_sum": site.contract_sum,
            "deposit_rate": site.rate,
            "deposit_exempt": site.exempt,
            "monthly_labour_cost": site.labour,
        }
        yield _item(PERMITS, project, at_ms, at_ms, record)
    for number, booking in enumerate(site.deposits, 1):
        record = {
            "record": f"BZJ-{project}-{number}",
            "project": project,
            "time": clock(booking.at_ms),
            "form": booking.form,
            "amount": booking.amount,
        }
        yield _item(DEPOSITS, project, booking.at_ms, booking.filed_ms, record)
    if site.account_ms is not None and site.account_ms < (site.ended_ms or site.account_ms + 1):
        record = {
            "record": f"ZH-{project}",
            "project": project,
            "time": clock(site.account_ms),
            "status": "open",
            "bank": "演示银行",
        }
        yield _item(ACCOUNTS, project, site.account_ms, site.account_ms, record)
    for number, booking in enumerate(site.payments, 1):
        record = {
            "record": f"RGF-{project}-{number}",
            "project": project,
            "time": clock(booking.at_ms),
            "purpose": "labour-cost",
            "amount": booking.amount,
        }
        yield _item(PAYMENTS, project, booking.at_ms, booking.filed_ms, record)


def _gates(site: Site, end_ms: int, rng: Random) -> Iterator[Item]:
    """Each gate reports its workers in the evening; nobody comes while work stands still."""
    until = min(site.ended_ms or end_ms, end_ms)
    day = day_of(site.permitted_ms) + timedelta(days=2)
    crew = [rng.randint(6, 60) for _ in range(site.gates)]
    while at(day, 18) < until:
        if is_open(day):
            still = any(first <= day <= last for first, last in site.still)
            for gate, usual in enumerate(crew, 1):
                when = at(day, 18, gate)
                name = f"{site.project}-G{gate}"
                record = {
                    "gate": name,
                    "project": site.project,
                    "time": clock(when),
                    "workers": 0 if still else max(1, usual + rng.randint(-5, 5)),
                }
                if when < until:
                    yield _item(ATTENDANCE, name, when, when, record)
        day += timedelta(days=1)
