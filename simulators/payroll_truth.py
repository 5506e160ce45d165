"""What the three wage rules should make of a site, worked out from its script alone."""

from collections.abc import Iterator

from simulators.payroll_script import Booking, Month, Site
from simulators.scenario import Kind, Story
from simulators.workdays import (
    day_of,
    days_after,
    midnight_after,
    month_on,
    workdays_after,
    working,
)

ACCOUNT = "wage-account-missing"
DEPOSIT = "wage-deposit-missing"
LABOUR = "labour-cost-unpaid"

_WHAT = {
    "account-never": "no special account is ever opened",
    "account-late": "the special account is opened days after the limit",
    "account-a-minute-late": "the special account is opened at 00:01 after the last day",
    "account-last-minute": "the special account is opened at 23:59 of the last day",
    "account-withdrawn": "the project is withdrawn hours before the limit",
    "account-early": "the special account is opened in good time",
    "deposit-never": "no deposit is ever stored",
    "deposit-late": "the deposit is stored days after the limit",
    "deposit-a-minute-late": "the deposit is stored at 00:01 after the 20th working day",
    "deposit-one-yuan-short": "the deposit is one yuan short until it is topped up",
    "deposit-filed-late": "the deposit is stored in time, its record arrives days later",
    "deposit-last-minute": "the deposit is stored at 23:59 of the 20th working day",
    "deposit-in-two-parts": "the second half is stored at 23:58 of the 20th working day",
    "guarantee-last-day": "a letter of guarantee comes on the 20th working day",
    "deposit-exempt": "the project is exempt",
    "deposit-withdrawn": "the permit is withdrawn before the limit",
    "deposit-early": "the deposit is stored in good time",
    "labour-skipped": "the month's labour cost comes days after the limit",
    "labour-a-minute-late": "the month's labour cost comes at 00:01 after the limit",
    "labour-one-yuan-short": "the month's labour cost is one yuan below 80 %",
    "labour-stopped": "the owner stops paying while people work",
    "labour-filed-late": "the month is paid in time, its record arrives days later",
    "labour-last-minute": "the month's labour cost comes at 23:59 of the last day",
    "labour-just-80-percent": "just 80 % of the month's labour cost is paid",
    "labour-paused": "nothing is paid, but nobody was at the gates that month",
    "labour-completed": "the project is completed before the limit",
    "labour-monthly": "the month's labour cost is paid in the month",
}
_NEAR = {
    "account-last-minute", "account-withdrawn", "deposit-last-minute", "deposit-in-two-parts",
    "guarantee-last-day", "deposit-exempt", "deposit-withdrawn", "labour-last-minute",
    "labour-just-80-percent", "labour-paused", "labour-completed",
}  # fmt: skip


def stories(site: Site, end_ms: int) -> Iterator[Story]:
    """The truth of one site: one story for the account, one for the deposit, one a month."""
    opened = None if site.account_ms is None else Booking(site.account_ms, site.account_ms, 1)
    met = [opened] if opened and _before_end(site, opened.at_ms) else []
    yield _story(
        site, ACCOUNT, site.plots[0], (site.signed_ms, site.account_due_ms), met, 1, end_ms
    )
    if site.ended_ms is None or site.permitted_ms < site.ended_ms:
        reach = 0.0 if site.exempt else site.required
        span = (site.permitted_ms, site.deposit_due_ms)
        yield _story(site, DEPOSIT, site.plots[1], span, site.deposits, reach, end_ms)
    paid = list(site.payments)
    for month in site.months:
        mine = _taken(paid, month, round(site.labour * 0.8, 2))
        reach = round(site.labour * 0.8, 2) if month.worked else 0.0
        span = (month.begin_ms, month.due_ms)
        if month.due_ms < end_ms:
            yield _story(site, LABOUR, month.plot, span, mine, reach, end_ms)


def _before_end(site: Site, at_ms: int) -> bool:
    return site.ended_ms is None or at_ms < site.ended_ms


def _taken(paid: list[Booking], month: Month, reach: float) -> list[Booking]:
    """Take the bookings of one month out of the ledger, oldest first, as arrears are settled."""
    mine: list[Booking] = []
    if not month.worked or month.plot == "labour-stopped":
        return mine
    while paid and sum(booking.amount for booking in mine) < reach - 1e-6:
        mine.append(paid.pop(0))
    return mine


def _story(
    site: Site,
    rule: str,
    plot: str,
    span: tuple[int, int],
    bookings: list[Booking],
    reach: float,
    end_ms: int,
) -> Story:
    """Decide from begin, due and bookings whether and when the rule fires and clears."""
    begin, due = span
    met = _met(bookings, reach, begin)
    gone = min(site.ended_ms or end_ms, end_ms)
    fires = (met is None or met.filed_ms > due) and due < gone and begin < gone
    ends = [at for at in (None if met is None else met.filed_ms, site.ended_ms) if at is not None]
    over = min((at for at in ends if at > due), default=None)
    retracted = met is not None and met.at_ms <= due < met.filed_ms and over == met.filed_ms
    known = over is not None and over < end_ms
    kind = Kind.HIT if fires else Kind.NEAR_MISS if plot in _NEAR else Kind.NEVER
    climbs = tuple(
        (at, "orange") for at in _orange(rule, due) if at < end_ms and (over is None or at < over)
    )
    return Story(
        rule=rule,
        key=site.project,
        kind=kind,
        story=plot,
        what=_WHAT[plot],
        begin_ms=begin,
        end_ms=over if known else None,
        fire_ms=due if fires else None,
        since_ms=begin if fires else None,
        severity="yellow" if fires else "",
        climbs=climbs if fires else (),
        clear_ms=over if fires and known and not retracted else None,
        retract_ms=over if fires and known and retracted else None,
        also={"due_ms": due, "reach": reach, "met_ms": None if met is None else met.at_ms},
    )


def _met(bookings: list[Booking], reach: float, begin_ms: int) -> Booking | None:
    """The booking with which enough is there; a limit of nothing is met from the beginning."""
    if reach == 0:
        return Booking(begin_ms, begin_ms, 0.0)
    total = 0.0
    for booking in bookings:
        total += booking.amount
        if total >= reach - 1e-6:
            return booking
    return None


def _orange(rule: str, due_ms: int) -> list[int]:
    """When the alert climbs: 10 working days, or a month, after the due day."""
    day = day_of(due_ms - 1)
    match rule:
        case "wage-deposit-missing":
            return [midnight_after(workdays_after(day, 10))]
        case "labour-cost-unpaid":
            return [midnight_after(working(month_on(day)))]
        case _:
            return [midnight_after(days_after(day, 30))]
