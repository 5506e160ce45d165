"""window: an aggregate over a window of event time passes a limit.

    samples     .  . .   ..  .      . . . .. .
    buckets   |  2 | 1  |  3  |  0  |  3  | 2 ...     `every` long, from edge to edge
    at edge e            [------ over ------)e        e itself belongs to the next bucket

At every edge, by its own timer, the buckets of the window are merged and the value is judged.
A window with fewer than `min_samples` is unknown: nothing fires or climbs, and what fires goes
on; a window without any sample ends it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.alerts.context import Names
from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host
from engine.operators.baselines import WEEK_MS, Compared, weekly
from engine.operators.buckets import Aggregate, Cell
from engine.operators.specs.base import mark_of
from engine.operators.specs.window import WindowSpec
from engine.operators.window_late import Note, newest, take_late

Value = Callable[[Event, Any], Any]
Scope = Callable[[str, Event, int], Names]


class Limit:
    """The declared limit, compiled: exactly one of the three is given."""

    __slots__ = ("above", "below", "needs_baseline", "passes")

    def __init__(
        self,
        above: Value | None,
        below: Value | None,
        passes: Value | None,
        *,
        needs_baseline: bool = False,
    ) -> None:
        self.above = above
        self.below = below
        self.passes = passes
        self.needs_baseline = needs_baseline

    def judge(self, value: float, event: Event, names: Names) -> tuple[bool | None, Any]:
        """Whether the value is past its limit (None: unknown), and the limit."""
        if self.needs_baseline and names["baseline"] is None:
            return None, None
        if self.passes is not None:
            return self.passes(event, names) is True, None
        limit = (self.above or self.below or _none)(event, names)
        if limit is None:
            return None, None
        return value > limit if self.above is not None else value < limit, limit


def _none(_event: Event, _names: Any) -> None:
    """No limit."""


class Series:
    """What is remembered of one key, or of one member of a group.

    Attributes:
        cells: Buckets by their number; a bucket ends at edge (number + 1).
        event, feed: The newest sample, for the words of an alert.
        weeks: For `weeks`: by hour of the week, [week, windows, sum of their values].
        notes: Where late samples are taken, what is known of each bucket beside its numbers.

    """

    __slots__ = ("cells", "event", "feed", "notes", "weeks")

    def __init__(self) -> None:
        self.cells: dict[int, Cell] = {}
        self.event: Event = None
        self.feed = ""
        self.weeks: dict[int, list[list[Any]]] = {}
        self.notes: dict[int, Note] = {}


class Panel:
    """The members of one key, and the instant of the timer that counts."""

    __slots__ = ("known", "members", "wake")

    def __init__(self) -> None:
        self.members: dict[str, Series] = {}
        self.wake = 0
        self.known = True


class WindowLogic:
    """All keys of one `window` rule in one partition.

    State: per key (and neighbour) one small bucket for each `every` in which a sample came, as far
    back as the window and its baseline reach; the newest sample; for `weeks` one number for each
    hour and week; with `late: retract` also the newest sample of each bucket and eight bytes for
    each sample, by which one that is told again is known. Forgotten when the last bucket is out of
    reach.
    """

    def __init__(
        self,
        spec: WindowSpec,
        aggregate: Aggregate,
        of: Value | None,
        limit: Limit,
        scope: Scope,
        extras: Scope | None,
        offset_ms: int,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.aggregate = aggregate
        self.of = of
        self.limit = limit
        self.scope = scope
        self.extras = extras
        self.offset_ms = offset_ms
        self.mark = mark_of(spec, offset_ms)
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Panel] = {}
        self.length = spec.over_ms // spec.every_ms
        base = spec.baseline
        self.earlier = 0 if base is None else base.earlier_ms // spec.every_ms
        self.earlier_length = 0 if base is None else base.over_ms // spec.every_ms
        self.keep = max(self.length, self.earlier + self.earlier_length)
        self.late_buckets = -(-spec.late_ms // spec.every_ms) if spec.late_ms else 0
        self.keep += self.late_buckets
        self.member_field = "" if base is None else base.neighbours

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one sample into its bucket."""
        of, extras, keys, opened = self.of, self.extras, self.keys, self.life.open
        every, offset, field = self.spec.every_ms, self.offset_ms, self.member_field
        add, fresh, touch = self.aggregate.add, self.aggregate.fresh, self.host.dirty.add
        listens, late, turn = self.life.listens, self.spec.late_ms, self.host.turn

        def on_event(key: str, event: Event, at_ms: int) -> None:
            value: Any = 1
            if of is not None:
                value = of(event, None if extras is None else extras(key, event, at_ms))
            member = "" if not field else getattr(event, field)
            if value is not None and member is not None:
                member = str(member)
                panel = keys.get(key)
                if panel is None:
                    panel = keys[key] = Panel()
                series = panel.members.get(member)
                if series is None:
                    series = panel.members[member] = Series()
                number = (at_ms + offset) // every
                if late and not series.notes.setdefault(number, Note()).take(
                    (feed, event), at_ms, turn.identity(feed, at_ms)
                ):
                    return
                cell = series.cells.get(number)
                if cell is None:
                    cell = series.cells[number] = fresh()
                    edge = (number + 1) * every - offset
                    if not panel.wake or panel.wake > edge:
                        panel.wake = edge
                        self.host.wake(edge, key)
                add(cell, value, at_ms)
                series.event, series.feed = event, feed
                touch(key)
            if listens and key in opened:
                self.life.event(key, event, at_ms, None if not field else str(member))

        return on_event

    def late(self, feed: str) -> Callable[[str, Event, int, int], None] | None:
        """A late sample revises the windows it belongs to, where the rule retracts."""
        if not self.spec.late_ms:
            return None

        def on_late(key: str, event: Event, event_ms: int, order_ms: int) -> None:
            value: Any = 1
            if self.of is not None:
                names = None if self.extras is None else self.extras(key, event, event_ms)
                value = self.of(event, names)
            if value is not None:
                take_late(self, key, (feed, event, value), event_ms, order_ms)

        return on_late

    def series(self, key: str) -> Series:
        """What is remembered of a key that has no members."""
        panel = self.keys.get(key)
        if panel is None:
            panel = self.keys[key] = Panel()
        return panel.members.setdefault("", Series())

    def expect(self, key: str, edge: int) -> None:
        """Look at a key at an edge, unless that was asked for."""
        panel, at_ms = self.keys[key], edge * self.spec.every_ms - self.offset_ms
        if not panel.wake or panel.wake > at_ms:
            panel.wake = at_ms
            self.host.wake(at_ms, key)
            self.host.touch(key)

    def on_timer(self, key: str, at_ms: int) -> None:
        """An edge was reached, or an alert asked for this instant."""
        panel = self.keys.get(key)
        if panel is not None and panel.wake == at_ms:
            self._edge(key, panel, at_ms)
        if key in self.life.open:
            self.life.on_timer(key, at_ms, known=panel is None or panel.known)

    def _edge(self, key: str, panel: Panel, at_ms: int) -> None:
        """Judge the windows that end here, and forget what no window will reach again."""
        self.host.touch(key)
        end = (at_ms + self.offset_ms) // self.spec.every_ms
        values = {
            member: self.over(series, end, self.length)
            for member, series in sorted(panel.members.items())
        }
        panel.known = True
        for member, (count, value) in values.items():
            series = panel.members[member]
            enough = value if count >= self.spec.min_samples else None
            compared = self.compared(series, member, values, end, at_ms, enough)
            known = self._decide(key, member, series, at_ms, count, enough, compared)
            panel.known = panel.known and known
        for member in list(panel.members):
            series = panel.members[member]
            series.cells = {n: c for n, c in series.cells.items() if n > end - self.keep}
            if series.notes:
                series.notes = {n: c for n, c in series.notes.items() if n > end - self.keep}
            if not series.cells and not series.weeks and not values[member][0]:
                del panel.members[member]
        self._ask(key, panel, end, at_ms, lasts=any(count for count, _ in values.values()))

    def over(self, series: Series, end: int, length: int) -> tuple[int, float | None]:
        """Samples and value of the window of `length` buckets that ends at an edge."""
        get = series.cells.get
        if length > len(series.cells):
            numbers = sorted(n for n in series.cells if end - length <= n < end)
            cells = [series.cells[n] for n in numbers]
        else:
            found = (get(number) for number in range(end - length, end))
            cells = [cell for cell in found if cell is not None]
        return self.aggregate.merged(cells) if cells else (0, None)

    def compared(
        self,
        series: Series,
        member: str,
        values: Mapping[str, tuple[int, float | None]],
        end: int,
        at_ms: int,
        value: float | None,
    ) -> Compared:
        """The baseline of a window and its spread, as far as they are known."""
        base, least = self.spec.baseline, self.spec.min_samples
        if base is None:
            return Compared(None, None)
        if base.weeks:
            return weekly(series.weeks, at_ms + self.offset_ms, value, base)
        if base.earlier_ms:
            count, before = self.over(series, end - self.earlier, self.earlier_length)
            return Compared(before if count >= least else None, None)
        others = [
            other
            for name, (count, other) in values.items()
            if name != member and count >= least and other is not None
        ]
        return Compared.of(others, base)

    def _decide(
        self,
        key: str,
        member: str,
        series: Series,
        at_ms: int,
        count: int,
        value: float | None,
        compared: Compared,
    ) -> bool:
        """Tell the alert's life what a window shows; answers whether it shows anything."""
        life, (feed, event) = self.life, self.newest(series, at_ms)
        names, holds, limit = None, None, None
        if value is not None:
            names = self.scope(key, event, at_ms)
            names.update(value=value, baseline=compared.mean, spread=compared.spread)
            holds, limit = self.limit.judge(value, event, names)
        episode = life.find(key, member)
        if holds is None:
            if episode is not None and (count == 0 or episode.phase is Phase.PENDING):
                life.gone(key, at_ms, event, member)
            return False
        facts = {
            "value": value,
            "size": count,
            "reach": limit,
            "baseline": compared.mean,
            "spread": compared.spread,
            "from": at_ms - self.spec.over_ms,
            "to": at_ms,
            "feed": feed,
        }
        if holds:
            life.hold(key, at_ms, at_ms, event, facts, member)
        elif episode is not None:
            episode.facts.update(facts)
            episode.event = event
            life.gone(key, at_ms, event, member)
        if life.listens and life.find(key, member) is not None:
            life.event(key, event, at_ms, member)
        return True

    def newest(self, series: Series, at_ms: int) -> tuple[str, Event]:
        """Feed and event of the newest sample of the windows that end at an edge."""
        return newest(series, (at_ms + self.offset_ms) // self.spec.every_ms)

    def _ask(self, key: str, panel: Panel, end: int, at_ms: int, *, lasts: bool) -> None:
        """Ask for the next edge at which anything can change, or forget the key.

        A window that holds samples (`lasts`) is followed by one that may hold fewer. After an
        empty one nothing changes until a sample comes, or the last bucket is out of reach.
        """
        spec, newest = self.spec, -(2**62)
        for series in panel.members.values():
            newest = max(newest, max(series.cells, default=newest))
        base = spec.baseline
        if not panel.members:
            del self.keys[key]
            return
        if lasts or newest >= end:
            panel.wake = at_ms + spec.every_ms
        elif newest >= end - self.keep:
            panel.wake = (newest + self.keep + 1) * spec.every_ms - self.offset_ms
        elif base is not None:
            panel.wake = self._forget_weeks(panel, at_ms, base.weeks)
            if not panel.members:
                del self.keys[key]
                return
        self.host.wake(panel.wake, key)

    def _forget_weeks(self, panel: Panel, at_ms: int, weeks: int) -> int:
        """Forget members whose past is too old to be compared with; answers when to look again."""
        long = WEEK_MS * (weeks + 1)
        newest = {
            member: max(entry[0] for entries in series.weeks.values() for entry in entries)
            for member, series in panel.members.items()
            if series.weeks
        }
        due = {
            member: number * WEEK_MS + long - self.offset_ms for member, number in newest.items()
        }
        for member, at in due.items():
            if at <= at_ms:
                del panel.members[member]
        left = [at for at in due.values() if at > at_ms]
        every = self.spec.every_ms
        return -(-(min(left, default=at_ms) + self.offset_ms) // every) * every - self.offset_ms

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first sample."""

    def save(self, key: str) -> Any:
        """Buckets and episodes of a key, or None."""
        panel, episodes = self.keys.get(key), self.life.save(key)
        if panel is None:
            return [None, episodes] if episodes else None
        plain = self.aggregate.plain
        members = [
            [
                member,
                [[number, plain(cell)] for number, cell in sorted(series.cells.items())],
                series.feed,
                self.codec.plain(series.event),
                sorted([slot, *entries] for slot, entries in series.weeks.items()),
                *self._noted(series),
            ]
            for member, series in sorted(panel.members.items())
        ]
        return [[members, panel.wake, panel.known, self.mark], episodes]

    def _noted(self, series: Series) -> list[Any]:
        """What is known of the buckets, as plain values, where late samples are taken."""
        notes = sorted(series.notes.items())
        return [[[number, note.save(self.codec)] for number, note in notes]] if notes else []

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        kept, episodes = saved
        if kept is not None:
            panel = self.keys[key] = Panel()
            for member, cells, feed, event, weeks, *noted in kept[0]:
                series = panel.members[member] = Series()
                series.cells = {number: self.aggregate.taken(cell) for number, cell in cells}
                series.feed, series.event = feed, self.codec.event(feed, event)
                series.weeks = {slot: [list(one) for one in entries] for slot, *entries in weeks}
                notes = noted[0] if noted and self.spec.late_ms else ()
                series.notes = {number: Note.load(note, self.codec) for number, note in notes}
            panel.wake, panel.known = kept[1], kept[2]
            self.host.wake(panel.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
