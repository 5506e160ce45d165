"""deadline: after a start, something must happen within a period; once, or every cycle.

    start        need met here: nothing         unmet at due: fires, climbs when overdue
      |-----------------x-------|                  |------------------|!-----!-----
      0         within          due                0     (warn)      due  overdue

A need is an event, or a sum of events that reaches a limit. What is seen before the start of a
single deadline counts (a deposit may precede the permit). With `every`, an event goes to the
oldest cycle whose need is unmet; a cycle that ended without anything owed is passed over.
With `late: retract` a record that is told late gives what it would have given in time.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.alerts.lifecycle import Judge, Life
from engine.model.calendar import WorkCalendar
from engine.operators import limits
from engine.operators.base import Event, EventCodec, Host
from engine.operators.deadline_clock import (
    ATTENDED,
    CANCELLED,
    FORGET_AFTER_MS,
    Clock,
    Cycle,
    Parts,
    Steps,
    called_off,
)
from engine.operators.specs.deadline import DeadlineSpec
from engine.ruleset.spec import LevelSpec


class DeadlineLogic:
    """All keys of one `deadline` rule in one partition.

    State: one `Clock` per key from its first event until it is cancelled; a single deadline that
    was met is forgotten 400 days after its due instant. With `late: retract` a cycle in which
    nothing was owed is kept, and what came before a start of a repeating deadline, for as long as
    late records are taken.
    """

    def __init__(
        self,
        spec: DeadlineSpec,
        parts: Parts,
        levels: tuple[LevelSpec, ...],
        calendar: WorkCalendar,
        roster: Iterable[tuple[str, int, Mapping[str, Any]]],
        scope: Callable[[str, Event, int, Mapping[str, Any]], Any],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.parts = parts
        self.overdue = [
            (level.overdue, level.severity.rank) for level in levels if level.overdue is not None
        ]
        self.calendar = calendar
        self.late_ms = (spec.late_ms or FORGET_AFTER_MS) if spec.retract else 0
        self.roster = {key: (start, row) for key, start, row in roster}
        self.scope = scope
        self.base_rank = judge.base_rank
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Clock] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one event in every role that its feed plays."""
        opened = self.life.open

        def on_event(key: str, event: Event, at_ms: int) -> None:
            self._take(feed, key, event, at_ms, at_ms)
            if key in opened:
                self.life.event(key, event, at_ms)
                self._let_go(key, at_ms)

        return on_event

    def late(self, feed: str) -> Callable[[str, Event, int, int], None] | None:
        """Late records count by their own event time, where the rule retracts."""
        if not self.spec.retract:
            return None

        def on_late(key: str, event: Event, event_ms: int, order_ms: int) -> None:
            self._take(feed, key, event, event_ms, order_ms)

        return on_late

    def _take(self, feed: str, key: str, event: Event, event_ms: int, now_ms: int) -> None:
        clock = self.keys.get(key)
        scope = self.scope(key, event, event_ms, {"start": None if clock is None else clock.start})
        roles, wanted = self.parts.of(feed)
        played = [role for role, test in roles if test is None or test(event, scope) is True]
        needs = [number for number, test in wanted if test is None or test(event, scope) is True]
        if not played and not needs:
            return
        if played == ["while"] and not needs:
            self._attend(key, event_ms)
            if event_ms < now_ms:
                self._advance(key, now_ms - 1, event_ms - 1)
            return
        self.host.touch(key)
        if "start" in played and (clock is None or clock.start is None):
            fields = self.codec.fields(event)
            self._start(key, event_ms, fields, feed)
            clock = self.keys.get(key)
        if clock is not None and clock.start is not None:
            if "pause" in played and not clock.paused:
                clock.paused = event_ms
            if "resume" in played and clock.paused:
                self._resume(clock, event_ms)
            if "while" in played:
                self._attend(key, event_ms)
        if "cancel" in played:
            self._cancel(key, event, event_ms, now_ms)
            return
        for number in needs:
            self._need(key, number, event, event_ms, now_ms)
        self._advance(key, now_ms - 1, event_ms - 1)

    def _attend(self, key: str, event_ms: int) -> None:
        """Note in its cycle that something was going on; the commonest event of all.

        The event with which a cycle is one to be judged brings back what it passed over since.
        """
        clock = self.keys.get(key)
        if clock is None or clock.start is None:
            if self.spec.retract:
                self._remember(key, [event_ms, ATTENDED, 1.0, None])
            return
        for cycle in clock.cycles.values():
            if cycle.begin <= event_ms < (cycle.end or event_ms + 1):
                cycle.seen += 1
                if cycle.seen == self.spec.while_count:
                    ahead = sum(instant < event_ms for instant, _ in cycle.steps)
                    cycle.step = min(cycle.step, ahead)
                self.host.touch(key)

    def _remember(self, key: str, seen: list[Any]) -> None:
        """Keep what came before the start of its key; the start may be told late."""
        clock = self.keys.setdefault(key, Clock())
        if not clock.remember(seen, self.spec.while_count):
            return
        self.host.touch(key)
        if not clock.wake:
            self._ask_to_forget(key, clock)

    def _ask_to_forget(self, key: str, clock: Clock) -> None:
        """Ask for the instant from which something needs to be remembered no longer."""
        first = clock.first_passing(every=self.spec.every is not None)
        if first is not None:
            clock.wake = first + self.late_ms
            self.host.wake(clock.wake, key)

    def _forget_early(self, key: str, clock: Clock, at_ms: int) -> None:
        """Let go of what no start that is still taken could make count."""
        clock.forget(at_ms - self.late_ms, every=self.spec.every is not None)
        if clock.early:
            self._ask_to_forget(key, clock)
        else:
            del self.keys[key]

    def _start(self, key: str, at_ms: int, fields: Mapping[str, Any], feed: str) -> None:
        """Start the clock of a key; what came before counts for a single deadline, in order."""
        clock = self.keys.get(key)
        if clock is None:
            clock = self.keys[key] = Clock()
        clock.start, clock.start_ms, clock.feed = dict(fields), at_ms, feed
        early = clock.cycles.get(0)
        self._open(clock, 0)
        if early is not None:
            clock.cycles[0].got = early.got
            self._settle(key, clock, clock.cycles[0], at_ms, at_ms, None)
        told, clock.early = sorted(clock.early, key=lambda seen: seen[0]), []
        ended = called_off(told, at_ms)
        for place, (seen_ms, number, amount, event) in enumerate(told):
            if seen_ms >= at_ms:
                self._advance(key, seen_ms - 1, at_ms - 1)
            elif self.spec.every is not None or number < 0 or seen_ms <= ended:
                continue
            if number == ATTENDED:
                self._attend(key, seen_ms)
                continue
            if number == CANCELLED:
                self._cancel(key, event, seen_ms, seen_ms)
                for later in told[place + 1 :]:
                    self._remember(key, later)
                return
            self._count(key, clock, number, amount, event, (seen_ms, seen_ms))

    def _open(self, clock: Clock, number: int) -> None:
        """Open one cycle: when it begins, ends and is due, and what happens at which instant."""
        spec, zone = self.spec, self.spec.zone
        every = spec.every
        begin = clock.start_ms
        if every is not None:
            begin = limits.cycle_begin(clock.start_ms, every, number, zone)
        cycle = clock.cycles[number] = Cycle(number, begin, len(self.parts.needs))
        if every is not None:
            cycle.end = limits.cycle_begin(clock.start_ms, every, number + 1, zone)
        clock.last, clock.last_end = number, cycle.end
        counted, within = limits.counted(clock.start_ms, begin, number, every, spec.within)
        cycle.due = self.calendar.add(counted, within, zone)
        cycle.steps = self._steps(cycle.due)

    def _steps(self, due: int) -> Steps:
        """Warnings before, the deadline itself, and the levels after it."""
        zone = self.spec.zone
        steps = [
            (limits.before(due, warning.left, self.calendar, zone), warning.severity.rank)
            for warning in self.spec.warnings
        ]
        steps.append((due, self.base_rank))
        for period, rank in self.overdue:
            steps.append((self.calendar.add(due - limits.by_days(period), period, zone), rank))
        return sorted(steps)

    def _resume(self, clock: Clock, at_ms: int) -> None:
        """Let the clock go on: what was left when it stopped is left now."""
        for cycle in clock.cycles.values():
            begun = max(clock.paused, cycle.begin)
            if not cycle.met and begun < at_ms:
                cycle.due = clock.due_after(cycle, (begun, at_ms), self.spec, self.calendar)
                cycle.steps = self._steps(cycle.due)
        clock.paused = 0

    def _cancel(self, key: str, event: Event, event_ms: int, now_ms: int) -> None:
        """Nothing is due any more: what fired is cleared, or withdrawn if this was told late."""
        clock = self.keys.get(key)
        if clock is not None and clock.start is not None and event_ms < clock.start_ms:
            return
        if self.spec.retract and (clock is None or clock.start is None):
            self._remember(key, [event_ms, CANCELLED, 0.0, event])
            return
        if clock is None:
            return
        del self.keys[key]
        for _, cycle in sorted(clock.cycles.items()):
            self._end(key, cycle, event, event_ms, now_ms)

    def _need(self, key: str, number: int, event: Event, event_ms: int, now_ms: int) -> None:
        """See what an event adds, and count it."""
        clock = self.keys.get(key)
        unknown = clock is None or clock.start is None
        if unknown and self.spec.every is not None and not self.spec.retract:
            return
        need = self.parts.needs[number]
        amount: float | None = 1.0
        if need.amount is not None:
            start = None if clock is None else clock.start
            amount = need.amount(event, self.scope(key, event, event_ms, {"start": start}))
        if amount is None:
            return
        if self.spec.retract:
            identity = self.host.turn.identity(need.feed, event_ms, late=event_ms < now_ms)
            clock = self.keys.setdefault(key, Clock())
            if clock.told_before(number, identity, event_ms, now_ms - self.late_ms):
                return
        if unknown and self.spec.retract:
            self._remember(key, [event_ms, number, amount, event])
            return
        if clock is None:
            clock = self.keys[key] = Clock()
        if unknown and 0 not in clock.cycles:
            clock.cycles[0] = Cycle(0, 0, len(self.parts.needs))
        self._count(key, clock, number, amount, event, (event_ms, now_ms))

    def _count(
        self,
        key: str,
        clock: Clock,
        number: int,
        amount: float,
        event: Event,
        at: tuple[int, int],
    ) -> None:
        """Count an amount towards the oldest cycle that still needs it; `at` event and order."""
        event_ms, now_ms = at
        for cycle in sorted(clock.cycles.values(), key=lambda cycle: cycle.number):
            if cycle.end and cycle.end <= event_ms and not self._judged(cycle):
                continue  # nothing was owed in that cycle
            if not cycle.met and not self.is_met(key, clock, cycle, number, event_ms):
                cycle.got[number] += amount
                if clock.start is not None:
                    self._settle(key, clock, cycle, event_ms, now_ms, event)
                return

    def is_met(self, key: str, clock: Clock, cycle: Cycle, number: int, at_ms: int) -> bool:
        """Whether one need of a cycle is met."""
        got, reach = cycle.got[number], self.reach(key, clock, number, at_ms)
        return got > 0 if reach is None else got >= reach - 1e-6

    def reach(self, key: str, clock: Clock, number: int, at_ms: int) -> float | None:
        """How much is enough; None when one event is, or when it cannot be told yet."""
        reach = self.parts.needs[number].reach
        if reach is None or clock.start is None:
            return None if reach is None else float("inf")
        value: float | None = reach(None, self.scope(key, None, at_ms, {"start": clock.start}))
        return float("inf") if value is None else value

    def _settle(
        self, key: str, clock: Clock, cycle: Cycle, event_ms: int, now_ms: int, event: Event
    ) -> None:
        """See whether a cycle is met now, and end or withdraw its alert."""
        if not all(
            self.is_met(key, clock, cycle, number, event_ms) for number in range(len(cycle.got))
        ):
            return
        cycle.met = True
        self._end(key, cycle, event, event_ms, now_ms)
        if self.spec.every is not None and cycle.end <= now_ms:
            del clock.cycles[cycle.number]

    def _end(self, key: str, cycle: Cycle, event: Event, event_ms: int, now_ms: int) -> None:
        """End a cycle's alert; one that fired only because this was told late is withdrawn."""
        part = self._part(cycle.number)
        episode = self.life.find(key, part)
        if episode is None:
            return
        if event_ms < now_ms and event_ms <= min(cycle.due, episode.said):
            self.life.retract(key, event_ms, event, part)
        else:
            self.life.gone(key, event_ms, event, part)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A limit, a warning, a cycle's end or a roster's start has come."""
        clock = self.keys.get(key)
        waits = clock is None or clock.start is None
        if waits and key in self.roster and self.roster[key][0] == at_ms:
            start, row = self.roster[key]
            self.host.touch(key)
            self._start(key, start, row, "")
            self._advance(key, at_ms)
        elif clock is not None and clock.wake == at_ms:
            clock.wake = 0
            self.host.touch(key)
            if waits:
                self._forget_early(key, clock, at_ms)
            else:
                self._advance(key, at_ms)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)
            self._let_go(key, at_ms)

    def _advance(self, key: str, at_ms: int, known_ms: int | None = None) -> None:
        """Do what is due by `at_ms`, then ask for the next instant.

        What a late record makes due is dated by its own instant, but not before `known_ms`.
        """
        clock = self.keys.get(key)
        if clock is None or clock.start is None:
            return
        while clock.last_end and clock.last_end <= at_ms:
            self._open(clock, clock.last + 1)
        for number in sorted(clock.cycles):
            cycle = clock.cycles[number]
            if not clock.paused:
                self._climb(key, clock, cycle, at_ms, at_ms if known_ms is None else known_ms)
            over = cycle.met or (cycle.due + self.late_ms <= at_ms and not self._judged(cycle))
            if cycle.end and cycle.end <= at_ms and over:
                del clock.cycles[number]
        if not self._let_go(key, at_ms):
            self._plan(key, clock, at_ms)

    def _climb(self, key: str, clock: Clock, cycle: Cycle, until_ms: int, known_ms: int) -> None:
        """Announce the warnings, the miss and the overdue levels whose instants have come."""
        while cycle.step < len(cycle.steps) and cycle.steps[cycle.step][0] <= until_ms:
            instant, rank = cycle.steps[cycle.step]
            at_ms = max(instant, known_ms)
            cycle.step += 1
            if cycle.met or not self._judged(cycle):
                continue
            facts = {
                "start": clock.start,
                "due": cycle.due,
                "cycle": cycle.number,
                "value": cycle.got[0],
                "reach": self.reach(key, clock, 0, at_ms),
                "feed": clock.feed,
            }
            self.life.hold(
                key, cycle.begin, at_ms, None, facts, self._part(cycle.number), floor=rank
            )

    def _judged(self, cycle: Cycle) -> bool:
        """Whether the cycle is one in which something was owed at all."""
        return self.spec.while_ is None or cycle.seen >= self.spec.while_count

    def _let_go(self, key: str, at_ms: int) -> bool:
        """Forget a single deadline that lies far back, unless its alert goes on."""
        clock = self.keys.get(key)
        if clock is None or clock.start is None or self.spec.every is not None:
            return False
        if key in self.life.open or clock.cycles[0].due + FORGET_AFTER_MS > at_ms:
            return False
        del self.keys[key]
        self.host.touch(key)
        return True

    def _plan(self, key: str, clock: Clock, at_ms: int) -> None:
        """Ask for the nearest instant at which something happens."""
        instants = [max(clock.last_end, at_ms + 1)] if clock.last_end else []
        for cycle in clock.cycles.values():
            if not clock.paused and cycle.step < len(cycle.steps):
                instants.append(max(cycle.steps[cycle.step][0], at_ms + 1))
            if cycle.end and cycle.end > at_ms:
                instants.append(cycle.end)
            forgotten = cycle.due + FORGET_AFTER_MS
            if not cycle.end and cycle.step == len(cycle.steps) and forgotten > at_ms:
                instants.append(forgotten)  # later, it is its alert's end that lets it go
        wake = min(instants, default=0)
        if wake and wake != clock.wake:
            clock.wake = wake
            self.host.wake(wake, key)

    def _part(self, number: int) -> str:
        return "" if self.spec.every is None else str(number)

    def begin(self, since_ms: int) -> None:
        """Ask for the start of every roster row that has not started yet."""
        for key, (start, _) in self.roster.items():
            if start >= since_ms and key not in self.keys:
                self.host.wake(start, key)

    def save(self, key: str) -> Any:
        """Clock and episodes of a key, or None."""
        clock = self.keys.get(key)
        episodes = self.life.save(key)
        if clock is None:
            return [None, episodes] if episodes else None
        return [clock.save(self.codec), episodes]

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None:
            clock = self.keys[key] = Clock.load(plain, self.codec, self.parts)
            for cycle in clock.cycles.values() if clock.start is not None else ():
                cycle.steps = self._steps(cycle.due)
            if clock.wake:
                self.host.wake(clock.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
