"""A driver of the core without a world: logs in memory, state rows in a dict, restarts at will."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.chain import Chain
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Core, Outcome, Record, Rejected, SourceId, Trouble, Write
from engine.ruleset.compile import Program
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

Maker = Callable[[Program], Mapping[str, Core]]


def make_spaces(program: Program) -> Mapping[str, Core]:
    """The key spaces as they run in production."""
    return Engine(program).spaces


@dataclass(slots=True)
class Played:
    """What left the engine in one run."""

    changes: list[Change] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


@dataclass(slots=True)
class _Saved:
    """What would be on disk of one key space: its record and its state rows."""

    meta: bytes | None = None
    rows: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def apply(self, outcome: Outcome) -> None:
        """Save what an outcome says, all of it."""
        self.meta = outcome.meta
        for write in outcome.writes:
            if write.value is None:
                self.rows.pop((write.rule, write.key), None)
            else:
                self.rows[write.rule, write.key] = write.value


class Bench:
    """Runs scripts through fresh engines of one program."""

    def __init__(self, program: Program, until_ms: int, make: Maker = make_spaces) -> None:
        """Take a compiled program and the event time at which a run ends, inclusive.

        `make` makes the cores; a test that wants to see a fault found hands in a faulty one.
        """
        self.program = program
        self.make = make
        self.until_ms = until_ms

    def play(self, script: Script) -> Played:
        """Run one script from nothing to its end; restarts lose all that was not saved."""
        run = _Run(self.program, self.make, sorted({letter.feed for letter in script.letters}))
        for number, start in enumerate(range(0, len(script.letters), script.batch)):
            if number in script.restarts:
                run.restart()
            run.take(script.letters[start : start + script.batch])
        run.finish(self.until_ms)
        return run.played


class _Run:
    """One run: the logs so far, a live engine, and what would be on disk."""

    def __init__(self, program: Program, make: Maker, feeds: Sequence[str]) -> None:
        self.program = program
        self.make = make
        self.feeds = feeds
        self.played = Played()
        self.logs: dict[str, list[Record]] = {feed: [] for feed in feeds}
        self.saved = {name: _Saved() for name in program.spaces}
        self.chain = Chain(program.spaces)
        self.read: dict[tuple[str, str], int] = {}
        self.spaces = make(program)
        self._announce()

    def take(self, letters: Sequence[Letter]) -> None:
        """Put records at the end of their logs and let every key space read them."""
        for letter in letters:
            log = self.logs[letter.feed]
            log.append(Record(len(log), letter.value))
        for name, space in self.spaces.items():
            for feed in self._feeds_of(name):
                start = self.read.get((name, feed), 0)
                fresh = self.logs[feed][start:]
                if fresh:
                    space.ingest(feed, SourceId(feed), fresh)
                    self.read[name, feed] = start + len(fresh)
        self._advance()

    def restart(self) -> None:
        """Throw the engine away and take up from what was saved."""
        self.spaces = self.make(self.program)
        self.read = {}
        for name, space in self.spaces.items():
            saved = self.saved[name]
            rows = [Write(rule, key, value) for (rule, key), value in saved.rows.items()]
            for log, position in space.restore(saved.meta, rows).items():
                self.read[name, log] = position.committed
        self._announce()
        self.chain.restore(self.spaces)

    def finish(self, until_ms: int) -> None:
        """End of input: everything up to `until_ms` is released and timers up to it fire."""
        self.take(())
        self._advance(until_ms)

    def _advance(self, until_ms: int | None = None) -> None:
        """Let every key space go on; save what each did."""
        for name, outcome, _ in self.chain.advance(self.spaces, self.spaces, until_ms):
            self._keep(name, outcome)

    def _feeds_of(self, name: str) -> list[str]:
        wanted = self.program.spaces[name].feeds
        return [feed for feed in self.feeds if feed in wanted]

    def _announce(self) -> None:
        """Feeds of the case hold time back until they speak; those it never uses do not."""
        for name, space in self.spaces.items():
            for feed in self.program.spaces[name].feeds:
                if feed in self.feeds:
                    space.announce(SourceId(feed))
                elif feed in self.program.feeds:
                    space.idle(SourceId(feed))
        self.chain.announce(self.spaces)
        self.chain.rest(self.feeds, self.spaces)

    def _keep(self, name: str, outcome: Outcome) -> None:
        self.saved[name].apply(outcome)
        self.played.changes += outcome.changes
        self.played.rejected += outcome.rejected
        self.played.troubles += outcome.troubles
