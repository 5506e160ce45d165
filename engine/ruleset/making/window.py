"""`window` made ready: its aggregate, its limit, and how local time is cut into buckets."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.operators.buckets import aggregate_of
from engine.operators.specs.window import WindowSpec
from engine.operators.window import Limit, WindowLogic
from engine.operators.window_session import SessionLogic
from engine.ruleset.making.base import Make, Making

_A_DAY = datetime(2000, 1, 1, tzinfo=UTC)


def make(when: WindowSpec, at: Making) -> Make:
    """The function that makes the operator for one partition."""
    limits = [typed for typed in (when.above, when.below, when.passes) if typed is not None]
    limit = Limit(
        at.maybe(when.above),
        at.maybe(when.below),
        at.maybe(when.passes),
        needs_baseline=any("baseline" in typed.names for typed in limits),
    )
    of = at.maybe(when.of)
    extras = at.names if when.of is not None and at.asks_more(when.of) else None
    aggregate = aggregate_of(
        when.aggregate,
        counts=when.of is None,
        over_ms=when.over_ms,
        per_ms=when.per_ms,
        percent=when.percentile,
    )
    if when.gap_ms:
        return lambda host, emit, overflow, _owns: SessionLogic(
            when, aggregate, of, limit, at.names, extras, at.judge(emit, overflow), host, at.codec
        )
    offset = standard_offset_ms(at.project.feeds[at.rule.feeds[0]].time.zone)
    return lambda host, emit, overflow, _owns: WindowLogic(
        when,
        aggregate,
        of,
        limit,
        at.names,
        extras,
        offset,
        at.judge(emit, overflow),
        host,
        at.codec,
    )


def standard_offset_ms(zone: str) -> int:
    """How far a zone's standard time is ahead of UTC; summer time does not move windows."""
    local = _A_DAY.astimezone(ZoneInfo(zone))
    offset = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    return round(offset.total_seconds() * 1000)
