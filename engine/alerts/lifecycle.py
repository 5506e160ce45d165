"""An alert's life: pending, firing, clearing; every step in event time.

An operator says `hold` while its condition holds for a key and `gone` when it does not. This
module makes alerts of that: it waits for `for`, asks the exceptions, climbs the levels, waits
for `keep_firing_for`, and numbers the transitions.

    (none) --hold--> PENDING --for, no exception--> FIRING --gone / clear--> CLEARING --> (none)
                        |gone                          ^-------- hold ----------'
                      (none)
"""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from engine.alerts.budget import Budget
from engine.model.change import Transition

if TYPE_CHECKING:
    from engine.operators.base import EventCodec, Host


class Phase(IntEnum):
    """Where an episode stands. Silenced and acknowledged are not phases: they belong to people."""

    PENDING = 0
    FIRING = 1
    CLEARING = 2


class Episode:
    """One run of an alert about one key (and one cycle of it).

    Attributes:
        id: Its identity, once it was asked for.
        part: Which cycle of the key; empty where there is only one.
        since: Start of the episode, frozen; part of its identity.
        hold_from: When the condition began to hold; `for` counts from here.
        clear_from: When it ceased; `keep_firing_for` counts from here.
        by_clear: Whether the rule's `clear` ended it (not the operator).
        rank: Severity last announced, 1 blue to 4 red; 0 before it fired.
        floor: Least severity the operator asks for.
        ordinal: Number of the next transition.
        said: When the last transition happened; none is dated before it.
        wake: Instant of the timer that counts, or 0.
        facts: What the operator knows: anchor, size, start, ...; plain values.
        event: The newest event of the episode, for its words and evidence; its feed is a fact.

    """

    __slots__ = (
        "by_clear",
        "clear_from",
        "event",
        "facts",
        "floor",
        "hold_from",
        "id",
        "ordinal",
        "part",
        "phase",
        "rank",
        "said",
        "since",
        "wake",
    )

    def __init__(self, part: str, since: int, hold_from: int, floor: int) -> None:
        self.id = ""
        self.part = part
        self.since = since
        self.hold_from = hold_from
        self.floor = floor
        self.phase = Phase.PENDING
        self.clear_from = 0
        self.by_clear = False
        self.rank = 0
        self.ordinal = 0
        self.said = since
        self.wake = 0
        self.facts: dict[str, Any] = {}
        self.event: Any = None

    def save(self, codec: "EventCodec") -> list[Any]:
        """Plain values, in a fixed order."""
        event = None if self.event is None else codec.plain(self.event)
        return [
            self.part,
            self.since,
            self.hold_from,
            self.floor,
            int(self.phase),
            self.clear_from,
            self.by_clear,
            self.rank,
            self.ordinal,
            self.said,
            self.wake,
            self.facts,
            event,
        ]

    @classmethod
    def load(cls, saved: list[Any], codec: "EventCodec") -> "Episode":
        """The episode that `save` wrote down."""
        episode = cls(saved[0], saved[1], saved[2], saved[3])
        episode.phase = Phase(saved[4])
        episode.clear_from, episode.by_clear = saved[5], saved[6]
        episode.rank, episode.ordinal, episode.said, episode.wake = saved[7:11]
        episode.facts = saved[11]
        if saved[12] is not None:
            episode.event = codec.event(episode.facts["feed"], saved[12])
        return episode


class Judge(Protocol):
    """The rule's own words about an episode, compiled: exceptions, levels, clear, texts."""

    for_ms: int
    keep_ms: int
    has_clear: bool
    asks: bool
    """Whether a level depends on the event, so that a firing alert must see every one."""
    base_rank: int
    budget: Budget
    steps: tuple[tuple[int, int], ...]
    """(held for ms, rank) of the levels that climb by time."""

    def excepted(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether an exception or the schedule keeps this quiet now."""

    def level(self, key: str, episode: Episode, event: Any, at_ms: int) -> int:
        """The highest rank that a level expression asks for now, or 0."""

    def cleared(self, key: str, episode: Episode, event: Any, at_ms: int) -> bool:
        """Whether the rule's `clear` holds now."""

    def announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> None:
        """Put the transition into words and hand it out."""


class Life:
    """The episodes of one rule in one partition.

    State: one `Episode` per key (and cycle) while it is pending, firing or clearing.

    Attributes:
        listens: Whether an event alone can change an open episode.

    """

    __slots__ = ("_codec", "_host", "judge", "listens", "open")

    def __init__(self, judge: Judge, host: "Host", codec: "EventCodec") -> None:
        self.judge = judge
        self._host = host
        self._codec = codec
        self.open: dict[str, dict[str, Episode]] = {}
        self.listens = judge.has_clear or judge.asks or bool(judge.steps)

    def find(self, key: str, part: str = "") -> Episode | None:
        """The open episode of a key, if any."""
        episodes = self.open.get(key)
        return None if episodes is None else episodes.get(part)

    def hold(
        self,
        key: str,
        since: int,
        at_ms: int,
        event: Any,
        facts: dict[str, Any],
        part: str = "",
        floor: int | None = None,
    ) -> None:
        """The condition holds at `at_ms`; call it when it begins and whenever facts change."""
        judge = self.judge
        episode = self.find(key, part)
        if episode is None:
            episode = Episode(part, since, at_ms, judge.base_rank if floor is None else floor)
            self.open.setdefault(key, {})[part] = episode
        elif floor is not None:
            episode.floor = floor
        episode.facts.update(facts)
        if event is not None:
            episode.event = event
        self._host.touch(key)
        if episode.phase is Phase.CLEARING and not episode.by_clear:
            episode.phase = Phase.FIRING
            episode.clear_from = 0
        self._forward(key, episode, event, at_ms)

    def event(self, key: str, event: Any, at_ms: int, part: str | None = None) -> None:
        """Let `clear` and the level expressions see an event of a key with an open episode.

        With `part` only that cycle, or that member of a group, is meant.
        """
        if not self.listens:
            return
        judge = self.judge
        for episode in list(self.open.get(key, {}).values()):
            if episode.phase is Phase.PENDING or part not in {None, episode.part}:
                continue
            if judge.has_clear:
                self._host.touch(key)
                if judge.cleared(key, episode, event, at_ms):
                    if episode.phase is Phase.FIRING:
                        episode.by_clear = True
                        self._begin_clearing(key, episode, event, at_ms)
                elif episode.phase is Phase.CLEARING:
                    episode.phase, episode.by_clear, episode.clear_from = Phase.FIRING, False, 0
            if episode.phase is Phase.FIRING:
                self._climb(key, episode, event, at_ms)

    def tell(self, key: str, at_ms: int, event: Any, part: str = "") -> None:
        """Announce again an alert that goes on, because what it is about has grown."""
        episode = self.find(key, part)
        if episode is not None and episode.phase is Phase.FIRING:
            self._host.touch(key)
            self._announce(key, episode, Transition.UPDATED, at_ms, event)

    def gone(self, key: str, at_ms: int, event: Any, part: str = "", *, over: bool = False) -> None:
        """The condition holds no longer.

        A rule with a `clear` goes on until that holds, unless what the alert is about is `over`.
        """
        episode = self.find(key, part)
        if episode is None:
            return
        self._host.touch(key)
        if episode.phase is Phase.PENDING:
            self._forget(key, part)
        elif episode.phase is Phase.FIRING and (over or not self.judge.has_clear):
            self._begin_clearing(key, episode, event, at_ms)

    def retract(self, key: str, at_ms: int, event: Any, part: str = "") -> None:
        """A late record shows that the condition never held: the alert is withdrawn.

        `at_ms` is the record's own event time, so that the withdrawal is dated alike wherever and
        however late the record arrived.
        """
        episode = self.find(key, part)
        if episode is None:
            return
        self._host.touch(key)
        if episode.phase is not Phase.PENDING:
            self._announce(key, episode, Transition.RETRACTED, at_ms, event)
        self._forget(key, part)

    def on_timer(self, key: str, at_ms: int, *, known: bool = True) -> None:
        """An instant asked for by one of the key's episodes has passed.

        While the operator does not know whether its condition still holds (`known` is false: the
        signal is lost), nothing fires and nothing climbs; clearing goes on.
        """
        for episode in list(self.open.get(key, {}).values()):
            if episode.wake == 0 or episode.wake > at_ms:
                continue
            episode.wake = 0
            self._host.touch(key)
            if episode.phase is Phase.CLEARING:
                if at_ms - episode.clear_from >= self.judge.keep_ms:
                    self._announce(key, episode, Transition.CLEARED, at_ms, episode.event)
                    self._forget(key, episode.part)
                else:
                    self._ask(key, episode, episode.clear_from + self.judge.keep_ms)
            elif known:
                self._forward(key, episode, episode.event, at_ms)

    def save(self, key: str) -> list[Any]:
        """The key's episodes as plain values."""
        episodes = self.open.get(key, {})
        return [episodes[part].save(self._codec) for part in sorted(episodes)]

    def load(self, key: str, saved: list[Any]) -> None:
        """Take up what `save` wrote, timers included."""
        for plain in saved:
            episode = Episode.load(plain, self._codec)
            self.open.setdefault(key, {})[episode.part] = episode
            if episode.wake:
                self._host.wake(episode.wake, key)

    def _forward(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """Fire a pending episode whose time has come; climb a firing one."""
        judge = self.judge
        if episode.phase is Phase.PENDING:
            due = episode.hold_from + judge.for_ms
            if at_ms < due:
                self._ask(key, episode, due)
                return
            if judge.excepted(key, episode, event, at_ms):
                return
            episode.phase = Phase.FIRING
            episode.rank = max(episode.floor, self._reached(episode, at_ms))
            episode.rank = max(episode.rank, judge.level(key, episode, event, at_ms))
            self._announce(key, episode, Transition.FIRED, at_ms, event)
            self._ask_next_step(key, episode, at_ms)
        elif episode.phase is Phase.FIRING:
            self._climb(key, episode, event, at_ms)

    def _climb(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """Announce a higher severity when time, the operator or an expression asks for it."""
        rank = max(episode.floor, self._reached(episode, at_ms))
        rank = max(rank, self.judge.level(key, episode, event, at_ms))
        if rank > episode.rank:
            episode.rank = rank
            self._host.touch(key)
            self._announce(key, episode, Transition.RAISED, at_ms, event)
        self._ask_next_step(key, episode, at_ms)

    def _reached(self, episode: Episode, at_ms: int) -> int:
        """The rank of the highest level whose time has passed."""
        held = at_ms - episode.since
        return max((rank for least, rank in self.judge.steps if held >= least), default=0)

    def _ask_next_step(self, key: str, episode: Episode, at_ms: int) -> None:
        """Ask for a timer at the next level that climbs by time."""
        held = at_ms - episode.since
        ahead = [least for least, rank in self.judge.steps if held < least and rank > episode.rank]
        if ahead:
            self._ask(key, episode, episode.since + min(ahead))

    def _begin_clearing(self, key: str, episode: Episode, event: Any, at_ms: int) -> None:
        """The condition ceased: clear at once, or wait to see whether it comes back."""
        if self.judge.keep_ms == 0:
            self._announce(key, episode, Transition.CLEARED, at_ms, event)
            self._forget(key, episode.part)
            return
        episode.phase = Phase.CLEARING
        episode.clear_from = at_ms
        self._ask(key, episode, at_ms + self.judge.keep_ms)

    def _announce(
        self, key: str, episode: Episode, transition: Transition, at_ms: int, event: Any
    ) -> None:
        episode.said = max(episode.said, at_ms)
        self.judge.announce(key, episode, transition, episode.said, event)
        episode.ordinal += 1

    def _ask(self, key: str, episode: Episode, at_ms: int) -> None:
        if episode.wake != at_ms:
            episode.wake = at_ms
            self._host.wake(at_ms, key)
            self._host.touch(key)

    def _forget(self, key: str, part: str) -> None:
        episodes = self.open[key]
        del episodes[part]
        if not episodes:
            del self.open[key]
