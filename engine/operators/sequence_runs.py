"""One attempt at a sequence: how far it has come, and what an event does to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from engine.operators.base import Event
from engine.operators.specs.sequence import SequenceSpec

Names = Mapping[str, Any] | None
Test = Callable[[Event, Any], Any] | None


class Fate(Enum):
    """What an event did to a run."""

    KEPT = 0
    TAKEN = 1
    BROKEN = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A step, compiled.

    Attributes:
        number: Its place in the declaration, from 1.
        asks: Its condition reads more than the event's own fields.

    """

    number: int
    feed: str
    test: Test
    name: str = ""
    within_ms: int = 0
    times: int = 1
    asks: bool = False


class Taken:
    """What is kept of a step that happened: its last event, and when its first one was."""

    __slots__ = ("at", "count", "fields", "first")

    def __init__(self, first: int, at: int, count: int, fields: dict[str, Any]) -> None:
        self.first, self.at, self.count, self.fields = first, at, count, fields


class Run:
    """One attempt at the sequence.

    Attributes:
        start: Event time of its first event, UTC ms; `part` tells it from others of that instant.
        steps: The steps taken so far, the last one perhaps not with all its events.
        at: How many steps are complete.
        before: When the last complete step was; the start while there is none.
        due: When the last event that must not come may come, once all steps happened; else 0.
        feed, event: The last event, once only events that must not come are left.

    """

    __slots__ = ("at", "before", "due", "event", "feed", "part", "start", "steps")

    def __init__(self, start: int, part: str) -> None:
        self.start, self.part = start, part
        self.steps: list[Taken] = []
        self.at = 0
        self.before = start
        self.due = 0
        self.feed = ""
        self.event: Event | None = None

    def state(self) -> tuple[int, int]:
        """How far it is: complete steps, and events of the step that is not complete."""
        return self.at, self.steps[-1].count if len(self.steps) > self.at else 0


class Path:
    """The steps of a rule, sorted for the walk: what must come, and what must not in between.

    Attributes:
        musts: The steps that must happen.
        nots: Before each of them, the steps that must not; behind the last, those at the end.
        alike: Two runs that are equally far fare alike, but for how long they may yet take.

    """

    def __init__(self, spec: SequenceSpec, steps: Sequence[Step]) -> None:
        self.spec = spec
        self.musts: list[Step] = []
        self.nots: list[list[Step]] = [[]]
        for step, declared in zip(steps, spec.steps, strict=True):
            if declared.absent:
                self.nots[-1].append(step)
            else:
                self.musts.append(step)
                self.nots.append([])
        self.closing = self.nots[-1]
        self.alike = not (
            any(step.refers for step in spec.steps)
            or any(step.within_ms for nots in self.nots[:-1] for step in nots)
            or any(not step.within_ms for step in self.closing)
        )
        self.watched_ms = max(
            (step.within_ms or spec.within_ms for step in self.closing), default=0
        )

    def limit(self, run: Run) -> int:
        """The last instant at which a run may go on, or at which it is done."""
        if run.due:
            return run.due
        step = self.musts[run.at].within_ms
        whole = self.spec.within_ms
        if step and whole:
            return min(run.before + step, run.start + whole)
        return run.before + step if step else run.start + whole

    def names(self, run: Run | None) -> dict[str, Any]:
        """The records of the named steps that happened."""
        if run is None:
            return {}
        return {
            step.name: {**taken.fields, "event_time": taken.at}
            for step, taken in zip(self.musts, run.steps, strict=False)
            if step.name
        }

    def offer(
        self,
        run: Run,
        feed: str,
        event: Event,
        at_ms: int,
        names: Callable[[Run], Any],
        fields: Callable[[Event], dict[str, Any]],
    ) -> Fate:
        """Let a run see an event: it is taken as the next step, breaks the run, or is passed by."""
        if not run.due:
            step = self.musts[run.at]
            if step.feed == feed and fits(step, event, run, names):
                return self.take(run, feed, event, at_ms, fields(event))
        for step in self.nots[run.at]:
            watched = not step.within_ms or at_ms <= run.before + step.within_ms
            if watched and step.feed == feed and fits(step, event, run, names):
                return Fate.BROKEN
        return Fate.BROKEN if self.spec.strict and not run.due else Fate.KEPT

    def take(self, run: Run, feed: str, event: Event, at_ms: int, fields: dict[str, Any]) -> Fate:
        """The event is (one of) the next step; all may have happened now."""
        step = self.musts[run.at]
        if len(run.steps) == run.at:
            run.steps.append(Taken(at_ms, at_ms, 1, fields))
        else:
            taken = run.steps[-1]
            taken.at, taken.count, taken.fields = at_ms, taken.count + 1, fields
        if run.steps[-1].count < step.times:
            return Fate.TAKEN
        run.at += 1
        run.before = at_ms
        if run.at < len(self.musts):
            return Fate.TAKEN
        run.feed, run.event = feed, event
        if not self.closing:
            return Fate.DONE
        run.due = max(
            at_ms + one.within_ms if one.within_ms else run.start + self.spec.within_ms
            for one in self.closing
        )
        return Fate.TAKEN

    def undone(self, run: Run, feed: str, event: Event, names: Callable[[Run], Any]) -> bool:
        """Whether what had not come in time has come now."""
        return any(step.feed == feed and fits(step, event, run, names) for step in self.closing)

    def told(self, run: Run) -> list[dict[str, Any]]:
        """The steps of a run for the evidence: name, feed, time, and the fields of its event."""
        found: list[dict[str, Any]] = []
        for step, taken in zip(self.musts, run.steps, strict=False):
            one: dict[str, Any] = {"step": step.name or step.number, "feed": step.feed}
            if taken.count > 1:
                one |= {"times": taken.count, "first": taken.first}
            found.append({**one, "at": taken.at, "fields": taken.fields})
        return found


def fits(step: Step, event: Event, run: Run, names: Callable[[Run], Any]) -> bool:
    """Whether an event is the event of a step; unknown is not."""
    if step.test is None:
        return True
    return step.test(event, names(run) if step.asks else None) is True
