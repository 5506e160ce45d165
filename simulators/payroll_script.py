"""What happens on one construction site: contract, permit, account, deposit, labour cost, gates.

Each site plays one plot for each of three rules. Limits are counted by `workdays.py`.

`wage-account-missing` (30 days after the contract): hits `account-never`, `account-late`,
`account-a-minute-late`; near misses `account-last-minute`, `account-withdrawn`; ordinary
`account-early`.
`wage-deposit-missing` (20 working days after the permit, contract x rate; orange 10 working days
later): hits `deposit-never`, `deposit-late`, `deposit-a-minute-late`, `deposit-one-yuan-short`
(topped up later), `deposit-filed-late` (paid in time, the record comes days after the limit, so
the alert is taken back); near misses `deposit-last-minute`, `deposit-in-two-parts`,
`guarantee-last-day`, `deposit-exempt`, `deposit-withdrawn`; ordinary `deposit-early`.
`labour-cost-unpaid` (each month from the permit, 1 month + 5 working days, at least 80 % of the
month's labour cost, only months with attendance; orange a month later): hits `labour-skipped`
(paid late), `labour-a-minute-late`, `labour-one-yuan-short`, `labour-stopped` (never again),
`labour-filed-late`; near misses `labour-last-minute`, `labour-just-80-percent`, `labour-paused`
(nobody at the gates), `labour-completed`; ordinary `labour-monthly`.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from simulators.scenario import DAY, MINUTE
from simulators.workdays import at, day_of, days_after, midnight_after, month_on, workdays_after

ACCOUNT_DECK = (
    "account-never", "account-last-minute", "account-early", "account-late", "account-withdrawn",
    "account-early", "account-a-minute-late", "account-last-minute",
)  # fmt: skip
DEPOSIT_DECK = (
    "deposit-never", "deposit-last-minute", "deposit-early", "deposit-late", "deposit-in-two-parts",
    "deposit-early", "deposit-one-yuan-short", "guarantee-last-day", "deposit-early",
    "deposit-a-minute-late", "deposit-exempt", "deposit-early", "deposit-filed-late",
    "deposit-withdrawn", "deposit-early",
)  # fmt: skip
LABOUR_DECK = (
    "labour-skipped", "labour-last-minute", "labour-monthly", "labour-a-minute-late",
    "labour-paused", "labour-one-yuan-short", "labour-just-80-percent", "labour-stopped",
    "labour-completed", "labour-monthly", "labour-filed-late", "labour-paused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Booking:
    """Money or a letter of guarantee put into a ledger; `filed_ms` is when it reaches the city."""

    at_ms: int
    filed_ms: int
    amount: float
    form: str = "cash"


@dataclass(slots=True)
class Month:
    """One month of labour cost, from `begin_ms` to `end_ms`, due at `due_ms`."""

    number: int
    begin_ms: int
    end_ms: int
    due_ms: int
    plot: str
    worked: bool = True


@dataclass(slots=True)
class Site:
    """Everything about one project. Instants are UTC ms; None means it does not happen.

    Attributes:
        stages: (instant, stage) of the project: signed, permitted, paused, resumed, completed,
            withdrawn.
        ended_ms: When the project is completed or withdrawn.
        still: First and last day on which nobody comes through the gates.

    """

    project: str
    contractor: str
    owner: str
    county: str
    contract_sum: float
    rate: float
    exempt: bool
    labour: float
    signed_ms: int
    permitted_ms: int
    gates: int
    plots: tuple[str, str, str]
    stages: list[tuple[int, str]] = field(default_factory=list)
    ended_ms: int | None = None
    account_ms: int | None = None
    deposits: list[Booking] = field(default_factory=list)
    payments: list[Booking] = field(default_factory=list)
    months: list[Month] = field(default_factory=list)
    still: list[tuple[date, date]] = field(default_factory=list)

    @property
    def required(self) -> float:
        """The deposit that is due."""
        return round(self.contract_sum * self.rate, 2)

    @property
    def account_due_ms(self) -> int:
        """24:00 of the 30th day after the contract, or of the next working day."""
        return midnight_after(days_after(day_of(self.signed_ms), 30))

    @property
    def deposit_due_ms(self) -> int:
        """24:00 of the 20th working day after the permit."""
        return midnight_after(workdays_after(day_of(self.permitted_ms), 20))


def write_site(seed: int, number: int, start_ms: int, days: int) -> Site:
    """Invent site `number` of a world."""
    rng = Random(f"{seed}/payroll/{number}")
    first = day_of(start_ms) + timedelta(days=1)
    signed = first + timedelta(days=rng.randrange(max(1, days * 45 // 100)))
    permitted = signed + timedelta(days=rng.randint(3, 30))
    account = ACCOUNT_DECK[number % len(ACCOUNT_DECK)]
    deposit, labour = rng.choice(DEPOSIT_DECK), rng.choice(LABOUR_DECK)
    exempt = deposit == "deposit-exempt"
    site = Site(
        project=f"XM{number:06d}",
        contractor=f"演示建设{number % 97 + 1}公司",
        owner=f"演示置业{number % 53 + 1}公司",
        county=f"演示{number % 4 + 1}县",
        contract_sum=float(rng.randint(12, 28) if exempt else rng.randint(40, 4000)) * 100_000,
        rate=rng.choice((0.01, 0.015, 0.02, 0.03)),
        exempt=exempt,
        labour=float(rng.randint(8, 90)) * 10_000,
        signed_ms=at(signed, rng.randint(9, 16), rng.randrange(60)),
        permitted_ms=at(permitted, rng.randint(9, 16), rng.randrange(60)),
        gates=rng.randint(2, 4),
        plots=(account, deposit, labour),
    )
    _money_and_stages(site, start_ms + days * DAY, rng)
    return site


def _money_and_stages(site: Site, end_ms: int, rng: Random) -> None:
    """Play the three plots."""
    site.stages = [(site.signed_ms, "signed"), (site.permitted_ms, "permitted")]
    _play_account(site, rng)
    _play_deposit(site, rng)
    _play_labour(site, end_ms, rng)
    ended = site.ended_ms
    if ended is not None:
        site.stages = [stage for stage in site.stages if stage[0] <= ended]
        site.deposits = [booking for booking in site.deposits if booking.at_ms < ended]
        site.payments = [booking for booking in site.payments if booking.at_ms < ended]


def _play_account(site: Site, rng: Random) -> None:
    due = site.account_due_ms
    match site.plots[0]:
        case "account-never":
            site.account_ms = None
        case "account-late":
            site.account_ms = due + rng.randint(1, 25) * DAY + 10 * 60 * MINUTE
        case "account-a-minute-late":
            site.account_ms = due + MINUTE
        case "account-last-minute":
            site.account_ms = due - MINUTE
        case "account-withdrawn":
            _end(site, due - rng.randint(1, 10) * 60 * MINUTE, "withdrawn")
        case _:
            site.account_ms = site.signed_ms + rng.randint(1, 20) * DAY


def _end(site: Site, at_ms: int, stage: str) -> None:
    """Complete or withdraw the project, unless that has happened before."""
    if site.ended_ms is None or at_ms < site.ended_ms:
        site.stages = [old for old in site.stages if old[1] not in {"completed", "withdrawn"}]
        site.stages.append((at_ms, stage))
        site.ended_ms = at_ms


def _play_deposit(site: Site, rng: Random) -> None:
    due, full = site.deposit_due_ms, site.required
    early = site.permitted_ms + rng.randint(1, 10) * DAY
    later = due + rng.randint(2, 30) * DAY + 9 * 60 * MINUTE

    def book(at_ms: int, amount: float, form: str = "cash", filed_ms: int = 0) -> None:
        site.deposits.append(Booking(at_ms, max(at_ms, filed_ms), amount, form))

    match site.plots[1]:
        case "deposit-never" | "deposit-exempt":
            pass
        case "deposit-late":
            book(later, full)
        case "deposit-a-minute-late":
            book(due + MINUTE, full)
        case "deposit-one-yuan-short":
            book(early, full - 1)
            book(later, 1)
        case "deposit-filed-late":
            book(due - DAY, full, filed_ms=due + rng.randint(3, 9) * DAY)
        case "deposit-last-minute":
            book(due - MINUTE, full)
        case "deposit-in-two-parts":
            book(early, full // 2)
            book(due - 2 * MINUTE, full - full // 2)
        case "guarantee-last-day":
            book(due - rng.randint(2, 600) * MINUTE, full, "guarantee")
        case "deposit-withdrawn":
            _end(site, due - rng.randint(1, 600) * MINUTE, "withdrawn")
        case _:
            book(early, full, rng.choice(("cash", "guarantee", "insurance")))


def _play_labour(site: Site, end_ms: int, rng: Random) -> None:
    """Pay month after month; the plot plays in one of them."""
    begun = day_of(site.permitted_ms)
    plot, number = site.plots[2], 0
    special = rng.randint(0, 2)
    begin_ms, paid_ms = site.permitted_ms, 0
    while begin_ms < min(end_ms, site.ended_ms or end_ms):
        last = month_on(begun, number + 1)
        due = midnight_after(workdays_after(last, 5))
        now = number == special or (plot == "labour-stopped" and number >= special)
        month = Month(
            number, begin_ms, midnight_after(last), due, plot if now else "labour-monthly"
        )
        site.months.append(month)
        paid_ms = _pay(site, month, paid_ms, rng)
        begin_ms, number = month.end_ms, number + 1


def _pay(site: Site, month: Month, before_ms: int, rng: Random) -> int:
    """Pay one month (or not); answers when, so that the next payment comes later."""
    usual = month.begin_ms + rng.randint(19, 26) * DAY + rng.randint(0, 300) * MINUTE
    usual = max(usual, before_ms + DAY)
    enough = round(site.labour * 0.8, 2)
    due = month.due_ms

    def book(at_ms: int, amount: float, filed_ms: int = 0) -> int:
        site.payments.append(Booking(at_ms, max(at_ms, filed_ms), amount))
        return at_ms

    match month.plot:
        case "labour-skipped":
            return book(due + rng.randint(1, 9) * DAY + 600 * MINUTE, site.labour)
        case "labour-a-minute-late":
            return book(due + MINUTE, site.labour)
        case "labour-one-yuan-short":
            book(usual, enough - 1)
            return book(due + rng.randint(1, 9) * DAY + 600 * MINUTE, site.labour - enough + 1)
        case "labour-stopped":
            return due
        case "labour-filed-late":
            book(due - 30 * MINUTE, site.labour, due + rng.randint(3, 8) * DAY)
            return due + 9 * DAY
        case "labour-last-minute":
            return book(due - MINUTE, site.labour)
        case "labour-just-80-percent":
            return book(usual, enough)
        case "labour-paused":
            month.worked = False
            first = day_of(month.begin_ms)
            site.still.append((first, day_of(month.end_ms) - timedelta(days=1)))
            site.stages.append((month.begin_ms + MINUTE, "paused"))
            site.stages.append((month.end_ms - MINUTE, "resumed"))
            return due
        case "labour-completed":
            _end(site, due - rng.randint(1, 2000) * MINUTE, "completed")
            return due
        case _:
            return book(usual, site.labour)
