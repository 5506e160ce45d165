"""sequence: steps of one key, one after the other, each in time; some of them must not happen.

    steps   a      b        c                a      not b within 30m
            x------x--------x  seen: fires   x- - - - - - - - - - - -!  fires by its own timer
            | <= within of b|                                        :
            |<-- within of the whole -->|                b comes late: clears

Every event that fits the first step begins a run. A run takes the first event that fits its next
step and passes the others by (`strict`: is broken by them). Runs that have come equally far fare
alike, so only the youngest of them is kept, where that is certain.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.alerts.lifecycle import Judge, Life, Phase
from engine.operators.base import Event, EventCodec, Host, load_event, save_event
from engine.operators.sequence_runs import Fate, Path, Run, Step, Taken, fits
from engine.operators.specs.base import mark_of
from engine.operators.specs.sequence import Again, SequenceSpec


class Book:
    """What is remembered of one key.

    Attributes:
        runs: Unfinished runs in the order in which they began.
        told: Runs whose missing event makes the open alert.
        part: Which run's alert is open, of those that began at one instant.
        rest: Until when nothing begins; 0 for no rest.
        quiet: When the open alert ends by itself; 0 for never.
        last: When the newest run began, and how many had begun at that instant before it.
        dropped: How many runs gave way because there were too many.
        wake: The instant of the timer that counts, or 0.

    """

    __slots__ = ("dropped", "last", "part", "quiet", "rest", "runs", "told", "wake")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.told: list[Run] = []
        self.part = ""
        self.rest = self.quiet = self.wake = self.dropped = 0
        self.last = (0, 0)


class SequenceLogic:
    """All keys of one `sequence` rule in one partition.

    State: one `Book` a key while a run is open, an alert is, or nothing may begin yet; of each run
    the fields of its steps' events. At most `runs` runs a key: the oldest gives way and is counted.
    """

    def __init__(
        self,
        spec: SequenceSpec,
        steps: Sequence[Step],
        scope: Callable[[str, Event, int], Any],
        judge: Judge,
        host: Host,
        codec: EventCodec,
    ) -> None:
        self.spec = spec
        self.mark = mark_of(spec)
        self.path = Path(spec, steps)
        self.scope = scope
        self.life = Life(judge, host, codec)
        self.host = host
        self.codec = codec
        self.keys: dict[str, Book] = {}

    def handler(self, feed: str) -> Callable[[str, Event, int], None]:
        """Take one event: what it ends, breaks, goes on with and begins."""
        keys, opened, first = self.keys, self.life.open, self.path.musts[0]
        names, starts = self._names, first.feed == feed
        nobody = Run(0, "")

        def on_event(key: str, event: Event, at_ms: int) -> None:
            book = keys.get(key)
            fresh = starts and fits(first, event, nobody, lambda run: names(key, event, at_ms, run))
            if book is None:
                if not fresh:
                    return
                book = keys[key] = Book()
            self._take(feed, key, book, event, at_ms, fresh=fresh)
            if key in opened:
                self.life.event(key, event, at_ms)
            self._tidy(key, book, at_ms)

        return on_event

    def late(self, feed: str) -> None:
        """A sequence is never revised by late records."""

    def _names(self, key: str, event: Event, at_ms: int, run: Run) -> Any:
        """What a condition may read beside the event: look-ups, and the steps that happened."""
        names = self.scope(key, event, at_ms)
        names.update(self.path.names(run))
        return names

    def _take(
        self, feed: str, key: str, book: Book, event: Event, at_ms: int, *, fresh: bool
    ) -> None:
        """Show an event to every run of its key, the oldest first, then begin one with it."""
        spec, path = self.spec, self.path

        def names(run: Run) -> Any:
            return self._names(key, event, at_ms, run)

        barred = at_ms < book.rest or (spec.again is Again.AFTER_END and key in self.life.open)
        self._come(feed, key, book, event, at_ms, names)
        done, used = None, False
        kept: list[Run] = []
        for run in book.runs:
            fate = path.offer(run, feed, event, at_ms, names, self.codec.fields)
            if fate is not Fate.KEPT:
                self.host.touch(key)
            used = used or fate in {Fate.TAKEN, Fate.DONE}
            if fate is Fate.DONE:
                done = run
            elif fate is not Fate.BROKEN:
                kept.append(run)
        book.runs = kept
        if done is not None:
            self._seen(key, book, [done], at_ms)
            barred = barred or spec.again is not Again.AT_ONCE
        if fresh and not barred and (spec.overlap or not (used or kept)):
            self._begin(feed, key, book, event, at_ms)
        self._thin(key, book, at_ms)

    def _come(
        self,
        feed: str,
        key: str,
        book: Book,
        event: Event,
        at_ms: int,
        names: Callable[[Run], Any],
    ) -> None:
        """End the alert when all that was missed has come after all."""
        if not book.told:
            return
        left = [run for run in book.told if not self.path.undone(run, feed, event, names)]
        if len(left) < len(book.told):
            book.told = left
            self.host.touch(key)
            if not left:
                book.quiet = 0
                self._note(key, book, feed, event, at_ms)
                self.life.gone(key, at_ms, None, book.part)

    def _note(self, key: str, book: Book, feed: str, event: Event, at_ms: int) -> None:
        """Put into the evidence of an alert what ended it."""
        episode = self.life.find(key, book.part)
        if episode is not None:
            came = {"feed": feed, "at": at_ms, "fields": self.codec.fields(event)}
            episode.facts["came"] = came

    def _begin(self, feed: str, key: str, book: Book, event: Event, at_ms: int) -> None:
        """Begin a run with an event that fits the first step."""
        count = book.last[1] + 1 if book.last[0] == at_ms else 0
        book.last = (at_ms, count)
        run = Run(at_ms, str(count) if count else "")
        book.runs.append(run)
        self.path.take(run, feed, event, at_ms, self.codec.fields(event))
        self.host.touch(key)

    def _thin(self, key: str, book: Book, at_ms: int) -> None:
        """Keep of runs that fare alike only one, and of all no more than the rule allows."""
        if self.path.alike and len(book.runs) > 1:
            book.runs = self._distinct(book.runs)
        while len(book.runs) > self.spec.runs:
            del book.runs[0]
            if not book.dropped:
                self.host.tell("too-many-runs", f"{key}: {self.spec.runs}", at_ms)
            book.dropped += 1

    def _distinct(self, runs: list[Run]) -> list[Run]:
        """Of runs that are equally far the youngest; of those that only wait, the first due.

        A younger run can do whatever an older one at the same place can, and for longer. Of two
        that wait for an event that must not come, the one that is due first fires first, and then
        the other counts no more, unless the rule says `at-once`.
        """
        youngest: dict[tuple[int, int], Run] = {}
        waiting: dict[int, Run] = {}
        for run in runs:
            if run.due:
                waiting[run.due] = run
            else:
                youngest[run.state()] = run
        if waiting and self.spec.again is not Again.AT_ONCE:
            waiting = {min(waiting): waiting[min(waiting)]}
        kept = {id(run) for run in (*youngest.values(), *waiting.values())}
        return [run for run in runs if id(run) in kept]

    def _seen(self, key: str, book: Book, done: list[Run], at_ms: int) -> None:
        """The sequence was seen: tell the youngest of the runs that are done at this instant."""
        spec, run = self.spec, done[-1]
        if spec.again is not Again.AT_ONCE:
            book.runs = []
        if spec.again is Again.NEVER_FOR:
            book.rest = at_ms + spec.rest_ms
        if key not in self.life.open:
            book.part, book.told = run.part, []
        facts: dict[str, Any] = {"size": sum(taken.count for taken in run.steps), "feed": run.feed}
        facts |= {"last": run.before, "steps": self.path.told(run)}
        if run.due:
            facts["due"] = run.due
        if book.dropped:
            facts["dropped"] = book.dropped
        self.life.hold(key, run.start, at_ms, run.event, facts, book.part)
        self.host.touch(key)
        if self.path.closing:
            book.told = [*book.told, *done][-self.spec.runs :]
            if self.path.alike:
                del book.told[:-1]
        if spec.quiet_ms:
            book.quiet = at_ms + spec.quiet_ms
        elif not self.path.closing:
            self.life.gone(key, at_ms, run.event, book.part)

    def on_timer(self, key: str, at_ms: int) -> None:
        """A run is over or done, a rest ends, or the alert does."""
        book = self.keys.get(key)
        if book is not None and book.wake == at_ms:
            book.wake = 0
            self.host.touch(key)
            self._ring(key, book, at_ms)
        if key in self.life.open:
            self.life.on_timer(key, at_ms)
        if book is not None:
            self._tidy(key, book, at_ms, over=True)

    def _ring(self, key: str, book: Book, at_ms: int) -> None:
        """Do what the timer of a key was set for."""
        if book.quiet and at_ms >= book.quiet:
            book.quiet, book.told = 0, []
            self.life.gone(key, at_ms, None, book.part)
        elif book.told and self._pending(key, book):
            self.life.hold(key, 0, at_ms, None, {}, book.part)  # an exception may be over by now
        done = [run for run in book.runs if run.due and run.due <= at_ms]
        book.runs = [run for run in book.runs if self.path.limit(run) > at_ms]
        if done:
            self._seen(key, book, done, at_ms)

    def _pending(self, key: str, book: Book) -> bool:
        """Whether the key's alert waits for its `for`, or is kept back by an exception."""
        episode = self.life.find(key, book.part)
        return episode is not None and episode.phase is Phase.PENDING

    def _tidy(self, key: str, book: Book, at_ms: int, *, over: bool = False) -> None:
        """Forget what is over, ask for the next timer, and forget a key of which nothing is left.

        `over` says that all events of this instant were seen.
        """
        if key not in self.life.open and (book.told or book.quiet):
            book.told, book.quiet = [], 0
            self.host.touch(key)
        instants = [self.path.limit(run) for run in book.runs]
        instants += [one for one in (book.quiet, book.rest) if one > at_ms]
        if book.told and self._pending(key, book):
            instants.append(at_ms + max(self.path.watched_ms, 60_000))
        if not over and book.last[0] == at_ms:
            instants.append(at_ms)  # another run of this instant must not look like this one
        if not instants and key not in self.life.open:
            del self.keys[key]
            self.host.touch(key)
            return
        wake = min(instants, default=0)
        if wake and (not book.wake or wake < book.wake):
            book.wake = wake
            self.host.wake(wake, key)
            self.host.touch(key)

    def begin(self, since_ms: int) -> None:
        """Nothing is due before the first event."""

    def save(self, key: str) -> Any:
        """Runs and episodes of a key, or None."""
        book = self.keys.get(key)
        episodes = self.life.save(key)
        if book is None:
            return [None, episodes] if episodes else None
        runs = [[self._plain(run) for run in runs] for runs in (book.runs, book.told)]
        small = [book.part, book.rest, book.quiet, list(book.last), book.dropped, book.wake]
        return [[*runs, small, self.mark], episodes]

    def _plain(self, run: Run) -> list[Any]:
        """A run as plain values."""
        steps = [[taken.first, taken.at, taken.count, taken.fields] for taken in run.steps]
        event = save_event(self.codec, run.feed, run.event)
        return [run.start, run.part, steps, run.at, run.before, run.due, event]

    def _run(self, plain: list[Any]) -> Run:
        """The run that `_plain` wrote down."""
        run = Run(plain[0], plain[1])
        run.steps = [Taken(*taken) for taken in plain[2]]
        run.at, run.before, run.due = plain[3:6]
        run.feed, run.event = load_event(self.codec, plain[6])
        return run

    def load(self, key: str, saved: Any) -> None:
        """Take up a saved key and ask for its timers again."""
        plain, episodes = saved
        if plain is not None:
            book = self.keys[key] = Book()
            book.runs, book.told = ([self._run(run) for run in runs] for runs in plain[:2])
            book.part, book.rest, book.quiet, last, book.dropped, book.wake = plain[2]
            book.last = (last[0], last[1])
            if book.wake:
                self.host.wake(book.wake, key)
        self.life.load(key, episodes)

    def size(self) -> int:
        """How many keys hold state."""
        return len(self.keys.keys() | self.life.open.keys())
