"""What a deadline remembers of a key, and the compiled parts that tell what its events mean."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from engine.model.calendar import WorkCalendar
from engine.operators import limits
from engine.operators.base import Event, EventCodec
from engine.operators.specs.deadline import DeadlineSpec

ATTENDED = -1
"""In what came before the start: not the number of a need, but that something was going on."""

CANCELLED = -2
"""Likewise, that everything was called off."""

HOUR_MS = 3_600_000

FORGET_AFTER_MS = 400 * 86_400_000
"""A single deadline that was met is remembered this long after its due instant, so that a start
event that is sent again does not start it anew."""

Test = Callable[[Event, Any], Any] | None
Steps = list[tuple[int, int]]
"""Instants and the severity rank that each asks for, in order."""


class Cycle:
    """One run of the limit: what was seen in it, when it is due, days `lost` to pauses."""

    __slots__ = ("begin", "due", "end", "got", "lost", "met", "number", "seen", "step", "steps")

    def __init__(self, number: int, begin: int, needs: int) -> None:
        self.number = number
        self.begin = begin
        self.end = 0
        self.due = 0
        self.got: list[float] = [0.0] * needs
        self.lost = 0
        self.met = False
        self.seen = 0
        self.step = 0
        self.steps: Steps = []

    def save(self) -> list[Any]:
        """Plain values, in a fixed order; the steps follow from the due instant."""
        numbers = [self.number, self.begin, self.end, self.due]
        return [*numbers, self.got, self.met, self.seen, self.step, self.lost]

    @classmethod
    def load(cls, saved: list[Any]) -> "Cycle":
        """The cycle that `save` wrote down."""
        number, begin, end, due, got, met, seen, step, *lost = saved
        cycle = cls(number, begin, len(got))
        cycle.end, cycle.due, cycle.got = end, due, list(got)
        cycle.met, cycle.seen, cycle.step = met, seen, step
        cycle.lost = lost[0] if lost else 0
        return cycle


class Clock:
    """What is remembered of one key.

    Attributes:
        start: Fields of the start event or roster row, as plain values; None before the start.
        cycles: Open cycles by number; a single deadline has number 0 only.
        last: Number of the newest cycle that was opened, and `last_end` when it ends (0: never).
        paused: Since when the clock stands still, or 0.
        wake: The instant of the timer that counts, or 0.
        early: Of a rule that retracts, what came before the start was known: instant, need (or
            that it was attended or cancelled), amount, and the event.
        counted: Of a rule that retracts, what was counted, for as long as it may be told again:
            what it was counted for and its fingerprint, and when it happened.

    """

    __slots__ = (
        "counted",
        "cycles",
        "early",
        "feed",
        "last",
        "last_end",
        "paused",
        "start",
        "start_ms",
        "wake",
    )

    def __init__(self) -> None:
        self.start: dict[str, Any] | None = None
        self.start_ms = 0
        self.feed = ""
        self.cycles: dict[int, Cycle] = {}
        self.last = 0
        self.last_end = 0
        self.paused = 0
        self.wake = 0
        self.early: list[list[Any]] = []
        self.counted: dict[tuple[int, int], int] = {}

    def told_before(self, what: int, identity: int, at_ms: int, oldest_ms: int) -> bool:
        """Whether an event was counted for this before; it is noted, what is too old forgotten."""
        if (what, identity) in self.counted:
            return True
        self.counted = {one: at for one, at in self.counted.items() if at >= oldest_ms}
        self.counted[what, identity] = at_ms
        return False

    def due_after(
        self, cycle: Cycle, pause: tuple[int, int], spec: DeadlineSpec, calendar: WorkCalendar
    ) -> int:
        """When a cycle is due after another pause; days are counted from the whole limit."""
        begun, ended = pause
        at = (calendar, spec.zone)
        if not limits.in_days(spec.within):
            return limits.after_pause(cycle.due, begun, ended, spec.within, at)
        cycle.lost += (limits.day_of(ended, spec.zone) - limits.day_of(begun, spec.zone)).days
        begin = (self.start_ms, cycle.begin, cycle.number)
        return limits.after_days(begin, spec.every, spec.within, cycle.lost, at)

    def remember(self, seen: list[Any], most: int) -> bool:
        """Keep what came before the start; of attendances only the last `most` of an hour."""
        if seen[1] == ATTENDED:
            hour = seen[0] // HOUR_MS
            alike = [one for one in self.early if one[1] == ATTENDED and one[0] // HOUR_MS == hour]
            if len(alike) >= most:
                first = min(alike)
                if first[0] >= seen[0]:
                    return False
                self.early.remove(first)
        self.early.append(seen)
        return True

    def first_passing(self, *, every: bool) -> int | None:
        """The oldest of what counts only for starts that are told late.

        Of a single deadline that is what was called off; a payment counts for any later start.
        """
        return min((seen[0] for seen in self.early if every or seen[1] < 0), default=None)

    def forget(self, until_ms: int, *, every: bool) -> None:
        """Forget what came up to an instant and counts only for starts that are told late."""
        ended = called_off(self.early, until_ms + 1)
        self.early = [
            seen
            for seen in self.early
            if seen[0] > until_ms or not (every or seen[1] < 0 or seen[0] <= ended)
        ]

    def save(self, codec: EventCodec) -> list[Any]:
        """Plain values, in a fixed order."""
        early = [
            [*seen, None if event is None else codec.plain(event)] for *seen, event in self.early
        ]
        newest = [self.last, self.last_end, self.paused, self.wake, early]
        if self.counted:
            newest.append(sorted([*one, at_ms] for one, at_ms in self.counted.items()))
        cycles = [cycle.save() for _, cycle in sorted(self.cycles.items())]
        return [self.start, self.start_ms, self.feed, newest, cycles]

    @classmethod
    def load(cls, saved: list[Any], codec: EventCodec, parts: "Parts") -> "Clock":
        """The clock that `save` wrote down; older ones had nothing that came early."""
        clock = cls()
        clock.start, clock.start_ms, clock.feed, newest, cycles = saved
        clock.last, clock.last_end, clock.paused, clock.wake, *lists = newest
        early, counted = [*lists, [], []][:2]
        clock.early = [
            [*seen, None if plain is None else codec.event(parts.feed_of(seen[1]), plain)]
            for *seen, plain in early
        ]
        clock.counted = {(what, identity): at_ms for what, identity, at_ms in counted}
        for plain in cycles:
            cycle = Cycle.load(plain)
            clock.cycles[cycle.number] = cycle
        return clock


class NeedTest:
    """A need, compiled: which events meet it, what they add, how much is enough."""

    def __init__(self, feed: str, test: Test, amount: Test, reach: Test, name: str) -> None:
        self.feed = feed
        self.test = test
        self.amount = amount
        self.reach = reach
        self.name = name


class Parts:
    """The compiled parts of a deadline: a test per role."""

    def __init__(self, needs: list[NeedTest], tests: Mapping[str, tuple[str, Test]]) -> None:
        self.needs = needs
        self.tests = tests
        self._of: dict[str, tuple[list[tuple[str, Test]], list[tuple[int, Test]]]] = {}

    def feed_of(self, number: int) -> str:
        """The feed of a need; of what cancels, if it is no need's number."""
        return self.needs[number].feed if number >= 0 else self.tests["cancel"][0]

    def of(self, feed: str) -> tuple[list[tuple[str, Test]], list[tuple[int, Test]]]:
        """The roles and the needs that events of a feed may play and meet, with their tests."""
        found = self._of.get(feed)
        if found is None:
            found = self._of[feed] = (
                [(role, test) for role, (of, test) in self.tests.items() if of == feed],
                [(n, need.test) for n, need in enumerate(self.needs) if need.feed == feed],
            )
        return found


def called_off(early: Iterable[Sequence[Any]], before_ms: int) -> int:
    """The last instant before another at which everything was called off; 0 if it never was."""
    return max(
        (seen[0] for seen in early if seen[1] == CANCELLED and seen[0] < before_ms), default=0
    )
