"""What a late sample makes of windows that were judged without it, where the rule retracts.

    edges      e1    e2    e3    e4 (last judged)
    before     .     below below below            the alert fired at e2
    with it    .     .     .     .                 it never held: withdrawn
    with it    .     .     .     below            it holds still: it goes on, its start is frozen

Windows only count, so a sample may be put into its bucket at any time. The edges that it concerns
are judged again from the buckets; an alert that should have been is told late, dated by its edge.
What is told about an edge holds the newest sample before that edge, whenever that one came.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.alerts.lifecycle import Episode, Phase
from engine.operators.base import Event, EventCodec

if TYPE_CHECKING:
    from engine.operators.window import Series, WindowLogic


class Shown(NamedTuple):
    """What a window shows: whether the limit is passed (None: unknown), and the facts."""

    holds: bool | None
    facts: dict[str, Any]


class Note:
    """What is known of a bucket beside its numbers, where late samples are taken.

    Attributes:
        ids: Its samples, each by a fingerprint: one that is told again is known.
        place, feed, event: Its newest sample: time and identity, feed, and the event.

    """

    __slots__ = ("event", "feed", "ids", "place")

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.place: tuple[int, int] | None = None
        self.feed = ""
        self.event: Event = None

    def take(self, sample: tuple[str, Event], at_ms: int, identity: int) -> bool:
        """Note a sample; answers whether it is one that was not told before."""
        if identity in self.ids:
            return False
        self.ids.add(identity)
        if self.place is None or (at_ms, identity) > self.place:
            self.place = (at_ms, identity)
            self.feed, self.event = sample
        return True

    def save(self, codec: EventCodec) -> list[Any]:
        """Plain values, in a fixed order."""
        return [sorted(self.ids), self.place, self.feed, codec.plain(self.event)]

    @classmethod
    def load(cls, saved: list[Any], codec: EventCodec) -> "Note":
        """What `save` wrote down."""
        note = cls()
        ids, (at_ms, identity), note.feed, event = saved
        note.ids, note.place, note.event = set(ids), (at_ms, identity), codec.event(saved[2], event)
        return note


def newest(series: "Series", end: int) -> tuple[str, Event]:
    """Feed and event of the newest sample before an edge: the same, whenever the samples came."""
    if series.notes:
        number = max((number for number in series.notes if number < end), default=None)
        if number is not None:
            return series.notes[number].feed, series.notes[number].event
    return series.feed, series.event


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
    identity = logic.host.turn.identity(feed, event_ms, late=True)
    if series.notes.setdefault(number, Note()).take((feed, event), event_ms, identity):
        cell = series.cells.setdefault(number, logic.aggregate.fresh())
        logic.aggregate.add(cell, value, event_ms)
        if series.event is None:
            series.event, series.feed = event, feed
        after = [_shown(logic, key, series, edge, event) for edge in edges]
        logic.host.touch(key)
        _revise(logic, key, series, list(zip(edges, before, after, strict=True)), (event, event_ms))
    logic.expect(key, last + 1)


def _shown(logic: "WindowLogic", key: str, series: "Series", edge: int, event: Event) -> Shown:
    """What the window that ends at an edge shows with the buckets as they are."""
    at_ms = _instant(logic, edge)
    count, value = logic.over(series, edge, logic.length)
    if value is None or count < logic.spec.min_samples:
        return Shown(None, {"size": count})
    feed, last = newest(series, edge)
    names = logic.scope(key, event if last is None else last, at_ms)
    names.update(value=value, baseline=None, spread=None)
    holds, limit = logic.limit.judge(value, last, names)
    facts = {"value": value, "size": count, "reach": limit, "feed": feed}
    facts |= {"baseline": None, "spread": None}
    return Shown(holds, {**facts, "from": at_ms - logic.spec.over_ms, "to": at_ms})


def _revise(
    logic: "WindowLogic",
    key: str,
    series: "Series",
    edges: list[tuple[int, Shown, Shown]],
    sample: tuple[Event, int],
) -> None:
    """Tell alerts that should have been, and withdraw or end what should not.

    What is pending was told to nobody: it begins anew where the edges say so now.
    """
    life, panel = logic.life, logic.keys[key]
    episode, anew = life.find(key), None
    if episode is not None and edges:
        since = _edge_of(logic, episode.since)
        if episode.phase is not Phase.PENDING:
            after = [(edge, now) for edge, _, now in edges if edge >= since]
            _set_right(logic, key, series, after, sample, began=since >= edges[0][0])
            return
        if since >= edges[0][0]:
            life.retract(key, sample[1], sample[0])
            anew = since
    wake, own = panel.wake, life.find(key) is not None
    for edge, was, now in edges:
        at_ms, event = _instant(logic, edge), newest(series, edge)[1]
        panel.wake = at_ms  # for a trace: the window that ends here is the one that is judged
        while (pends := _pending(logic, key)) is not None and 0 < pends.wake <= at_ms:
            life.on_timer(key, pends.wake)
        episode = life.find(key)
        if episode is not None and own:
            if _ends(now) or (now.holds is None and episode.phase is Phase.PENDING):
                episode.facts.update(now.facts)
                life.gone(key, at_ms, event)
                own = life.find(key) is not None
            elif now.holds:
                life.hold(key, at_ms, at_ms, event, now.facts)
        elif episode is None and now.holds is True:
            own = was.holds is not True or (anew is not None and edge >= anew)
            if own:
                life.hold(key, at_ms, at_ms, event, now.facts)
    panel.wake = wake


def _set_right(
    logic: "WindowLogic",
    key: str,
    series: "Series",
    edges: list[tuple[int, Shown]],
    sample: tuple[Event, int],
    *,
    began: bool,
) -> None:
    """Let an announced alert be what the edges since it began say now.

    A withdrawal is told with the sample that brought it and dated by it; `began` tells whether
    the alert began at one of these edges, so that it holds at no other.
    """
    life, panel = logic.life, logic.keys[key]
    held = [edge for edge, now in edges if now.holds]
    if began and not held:
        life.retract(key, sample[1], sample[0])
        return
    wake, last, over = panel.wake, max(held, default=0), False
    for edge, now in edges:
        episode, at_ms = life.find(key), _instant(logic, edge)
        if episode is None:
            break
        panel.wake = at_ms
        event = newest(series, edge)[1]
        if now.holds:
            life.hold(key, at_ms, at_ms, event, now.facts)
        elif edge > last and (over or _ends(now)):
            over = True
            episode.facts.update(now.facts)
            episode.event = event
            life.gone(key, at_ms, event)
    panel.wake = wake


def _ends(now: Shown) -> bool:
    """Whether an alert ends at such an edge."""
    return now.holds is False or not now.facts["size"]


def _pending(logic: "WindowLogic", key: str) -> Episode | None:
    """The key's alert, if nobody was told of it yet."""
    episode = logic.life.find(key)
    return episode if episode is not None and episode.phase is Phase.PENDING else None


def _instant(logic: "WindowLogic", edge: int) -> int:
    return edge * logic.spec.every_ms - logic.offset_ms


def _edge_of(logic: "WindowLogic", at_ms: int) -> int:
    return (at_ms + logic.offset_ms) // logic.spec.every_ms
