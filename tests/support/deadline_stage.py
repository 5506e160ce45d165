"""A stage for `deadline`: one rule about payments, in hours from a Monday."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from operator_stage import Stage

from engine.model.calendar import WorkCalendar
from engine.model.period import Period, PeriodUnit
from engine.operators.deadline import DeadlineLogic
from engine.operators.deadline_clock import NeedTest, Parts
from engine.operators.specs.deadline import DeadlineSpec, Warning_
from engine.ruleset.spec import LevelSpec, Severity

ORIGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY_H = 24


@cache
def weekends_only() -> WorkCalendar:
    return WorkCalendar("plain", date(2020, 1, 1), date(2030, 1, 1))


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def hour(hours: int) -> int:
    return ms(ORIGIN + timedelta(hours=hours))


def workdays(count: int) -> Period:
    return Period(((count, PeriodUnit.WORKDAYS),))


MONTH = Period(((1, PeriodUnit.MONTHS),))
MONTH_AND_5 = Period(((1, PeriodUnit.MONTHS), (5, PeriodUnit.WORKDAYS)))


def role(name: str) -> Any:
    return ("feed", lambda e, _x: e["role"] == name)


def stage(
    within: Period,
    *,
    reach: float | None = None,
    every: Period | None = None,
    attended: bool = False,
    retract: bool = False,
    late_days: int = 0,
    warnings: tuple[Warning_, ...] = (),
    overdue: tuple[tuple[Period, Severity], ...] = (),
    roster: tuple[Any, ...] = (),
) -> Stage:
    spec = DeadlineSpec(
        within=within, needs=(), every=every, retract=retract, zone="UTC", calendar="plain",
        late_ms=late_days * 86_400_000, warnings=warnings, while_=object() if attended else None,  # type: ignore[arg-type]
    )  # fmt: skip
    need = NeedTest(
        "feed",
        role("pay")[1],
        None if reach is None else lambda e, _x: e["amount"],
        None if reach is None else lambda _e, _x: reach,
        "pay",
    )
    tests = {name: role(name) for name in ("start", "pause", "resume", "cancel")}
    if attended:
        tests["while"] = role("attend")
    levels = tuple(LevelSpec(severity, overdue=period) for period, severity in overdue)

    def make(judge: Any, host: Any, codec: Any) -> DeadlineLogic:
        return DeadlineLogic(
            spec, Parts([need], tests), levels, weekends_only(), roster,
            lambda _k, _e, _t, facts: facts, judge, host, codec,
        )  # fmt: skip

    return Stage(make)


def at_hours(told: list[tuple[str, int]]) -> list[tuple[str, float]]:
    return [(what, (at - ms(ORIGIN)) / 3_600_000) for what, at in told]
