"""What a late sample makes of windows that were judged without it, where the rule retracts.

    edges      e1    e2    e3    e4 (last judged)
    before     .     below below below            the alert fired at e2
    with it    .     .     .     .                 it never held: withdrawn
    with it    .     .     .     below            it holds still: it goes on, its start is frozen

Windows only count, so a sample may be put into its bucket at any time. The edges that it concerns
are judged again from the buckets; an alert that should have been is told late, dated by its edge.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.alerts.lifecycle import Phase
from engine.operators.base import Event

if TYPE_CHECKING:
    from engine.operators.window import Series, WindowLogic


class Shown(NamedTuple):
    """What a window shows: whether the limit is passed (None: unknown), and the facts."""

    holds: bool | None
    facts: dict[str, Any]


def take_late(
    logic: "WindowLogic", key: str, sample: tuple[str, Event, Any], event_ms: int, order_ms: int
) -> None:
    """Put a sample into its bucket and judge the edges again that were judged without it.

    Args:
        logic: The rule's windows; they count and have no baseline.
        key: Whose sample it is.
        sample: Its feed, the event and the value.
        event_ms: When it was measured.
        order_ms: The place in the order at which it is known; edges before it were judged.

    """
    every, offset = logic.spec.every_ms, logic.offset_ms
    number = (event_ms + offset) // every
    last = (order_ms - 1 + offset) // every
    if number <= last - logic.keep:
        return
    feed, event, value = sample
    series = logic.series(key)
    edges = range(number + 1, last + 1)
    before = [_shown(logic, key, series, edge, event) for edge in edges]
    logic.aggregate.add(series.cells.setdefault(number, logic.aggregate.fresh()), value, event_ms)
    if series.event is None:
        series.event, series.feed = event, feed
    after = [_shown(logic, key, series, edge, event) for edge in edges]
    logic.host.touch(key)
    _revise(logic, key, series, list(zip(edges, before, after, strict=True)), event_ms)
    logic.expect(key, last + 1)


def _shown(logic: "WindowLogic", key: str, series: "Series", edge: int, event: Event) -> Shown:
    """What the window that ends at an edge shows with the buckets as they are."""
    at_ms = edge * logic.spec.every_ms - logic.offset_ms
    count, value = logic.over(series, edge, logic.length)
    if value is None or count < logic.spec.min_samples:
        return Shown(None, {"size": count})
    names = logic.scope(key, series.event if series.event is not None else event, at_ms)
    names.update(value=value, baseline=None, spread=None)
    holds, limit = logic.limit.judge(value, series.event, names)
    facts = {"value": value, "size": count, "reach": limit, "feed": series.feed}
    return Shown(holds, {**facts, "from": at_ms - logic.spec.over_ms, "to": at_ms})


def _revise(
    logic: "WindowLogic",
    key: str,
    series: "Series",
    edges: list[tuple[int, Shown, Shown]],
    event_ms: int,
) -> None:
    """Tell alerts that should have been, and withdraw or end what should not."""
    life, every, offset = logic.life, logic.spec.every_ms, logic.offset_ms
    own = False
    for edge, was, now in edges:
        at_ms = edge * every - offset
        episode = life.find(key)
        if own and episode is not None:
            while episode.phase is Phase.PENDING and 0 < episode.wake <= at_ms:
                life.on_timer(key, episode.wake)
            ends = now.holds is False or not now.facts["size"]
            if ends or (now.holds is None and episode.phase is Phase.PENDING):
                life.gone(key, at_ms, series.event)
                own = False
            elif now.holds:
                life.hold(key, at_ms, at_ms, series.event, now.facts)
        elif episode is None and now.holds is True and was.holds is not True:
            life.hold(key, at_ms, at_ms, series.event, now.facts)
            own = True
    episode = life.find(key)
    if own or episode is None or not edges:
        return
    first = edges[0][0]
    since = (episode.since + offset) // every
    if since >= first and not any(now.holds for edge, _, now in edges if edge >= since):
        life.retract(key, event_ms, series.event)
    elif edges[-1][2].holds is False and edges[-1][1].holds is not False:
        episode.facts.update(edges[-1][2].facts)
        life.gone(key, event_ms, series.event)
