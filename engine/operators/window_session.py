"""window over sessions: samples that follow each other within a gap are one window.

    samples    . . ..  .               . .
    session   [---------]-- gap --|   [---
                                  ends here, by its own timer, unless a sample came

A session's value is judged at every sample, because its one bucket is exact at all times; what
it fires ends with the session.
"""

from collections.abc import Callable
from typing import Any

from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host
from engine.operators.buckets import Aggregate, Cell
from engine.operators.specs.base import mark_of
from engine.operators.specs.window import WindowSpec
from engine.operators.window import Limit, Scope, Value


class Session:
    """One key's open session: its first and its newest sample, and one bucket."""

    __slots__ = ("begin", "cell", "event", "feed", "known", "last", "wake")

    def __init__(self, begin: int, cell: Cell) -> None:
        self.begin = begin
        self.last = begin
        self.cell = cell
        self.event: Event = None
        self.feed = ""
        self.wake = 0
        self.known = False


class SessionLogic:
    """All keys of one `window` rule with a `gap` in one partition.

    State: one bucket, the session's first and last instant and its newest sample; forgotten when
    the session ends.
    """

    def __init__(
        self,
        spec: WindowSpec,
        aggregate: Aggregate,
        of: Value | None,
        limit: Limit,
        scope: Scope,
        extras: Scope | None,
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.mark = mark_of(spec)
        self.aggregate = aggregate
        self.of = of
        self.limit = limit
        self.scope = scope
        self.extras = extras
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Session] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one sample in and judge its session."""
        of, extras, opened = self.of, self.extras, self.life.open

        def on_event(key: str, event: Event, at_ms: int) -> None:
            value: Any = 1
            if of is not None:
                value = of(event, None if extras is None else extras(key, event, at_ms))
            if value is not None:
                self._sample(feed, key, event, at_ms, value)
            if key in opened:
                self.life.event(key, event, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A session is never revised by late records."""

    def _sample(self, feed: str, key: str, event: Event, at_ms: int, value: Any) -> None:
        """Continue a session or begin one."""
        spec, session = self.spec, self.keys.get(key)
        self.host.touch(key)
        if session is not None and (
            at_ms - session.last > spec.gap_ms
            or (spec.over_ms and at_ms - session.begin >= spec.over_ms)
        ):
            self._end(key, at_ms, session)
            session = None
        if session is None:
            session = self.keys[key] = Session(at_ms, self.aggregate.fresh())
            session.wake = at_ms + spec.gap_ms
            self.host.wake(session.wake, key)
        session.last, session.event, session.feed = at_ms, event, feed
        self.aggregate.add(session.cell, value, at_ms)
        self._judge(key, session, at_ms)

    def _judge(self, key: str, session: Session, at_ms: int) -> None:
        """Tell the alert's life what the session shows so far."""
        life, event = self.life, session.event
        count, found = self.aggregate.merged([session.cell])
        holds, limit = None, None
        if found is not None and count >= self.spec.min_samples:
            names = self.scope(key, event, at_ms)
            names.update(value=found, baseline=None, spread=None)
            holds, limit = self.limit.judge(found, event, names)
        session.known = holds is not None
        episode = life.find(key)
        if holds is None:
            if episode is not None and episode.phase is Phase.PENDING:
                life.gone(key, at_ms, event)
            return
        facts = {
            "value": found,
            "size": count,
            "reach": limit,
            "from": session.begin,
            "to": at_ms,
            "feed": session.feed,
        }
        if holds:
            life.hold(key, at_ms, at_ms, event, facts)
        elif episode is not None:
            episode.facts.update(facts)
            life.gone(key, at_ms, event)

    def _end(self, key: str, at_ms: int, session: Session) -> None:
        """The session is over, and what it fired with it."""
        self.life.gone(key, at_ms, session.event)
        del self.keys[key]

    def on_timer(self, key: str, at_ms: int) -> None:
        """The gap is over, or an alert asked for this instant."""
        session = self.keys.get(key)
        if session is not None and session.wake == at_ms:
            self.host.touch(key)
            if at_ms - session.last >= self.spec.gap_ms:
                self._end(key, at_ms, session)
            else:
                session.wake = session.last + self.spec.gap_ms
                self.host.wake(session.wake, key)
        if key in self.life.open:
            self.life.on_timer(key, at_ms, known=session is None or session.known)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first sample."""

    def save(self, key: str) -> Any:
        """Session and episodes of a key, or None."""
        session, episodes = self.keys.get(key), self.life.save(key)
        if session is None:
            return [None, episodes] if episodes else None
        kept = [
            session.begin,
            session.last,
            self.aggregate.plain(session.cell),
            session.wake,
            session.known,
            session.feed,
            self.codec.plain(session.event),
            self.mark,
        ]
        return [kept, episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timer again."""
        kept, episodes = saved
        if kept is not None:
            session = self.keys[key] = Session(kept[0], self.aggregate.taken(kept[2]))
            session.last, session.wake, session.known = kept[1], kept[3], kept[4]
            session.feed, session.event = kept[5], self.codec.event(kept[5], kept[6])
            self.host.wake(session.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
