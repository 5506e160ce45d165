"""One pass of recorded feeds through a set of rules, watched for what a backtest tells."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from engine.backtest.episodes import Episodes
from engine.backtest.near import Nearest
from engine.model.change import Change
from engine.model.progress import Note
from engine.ports import Batch, Outcome, SourceId
from engine.replay import Replay, Tally
from engine.ruleset.compile import Program


class Watched(Replay):
    """A replay that also counts which records the rules wanted, and keeps every episode.

    State: as a replay has, and one small value an episode.
    """

    def __init__(
        self,
        program: Program,
        sources: Collection[SourceId],
        zone: str,
        since_ms: int | None = None,
    ) -> None:
        """Begin; episodes that fire before `since_ms` are left out."""
        super().__init__(program, sources, zone)
        self.program = program
        self.zone = zone
        self.rules = tuple(sorted({name.partition("/")[0] for name in program.rules}))
        self._in_parts = {name.partition("/")[0] for name in program.rules if "/" in name}
        self.nearest = Nearest()
        self.episodes = Episodes(since_ms)
        self.wanted: Counter[str] = Counter()
        for space in self._spaces.values():
            space.counts_matches = True

    def see(self, batch: Batch) -> None:
        """Let the rules see a batch."""
        self.episodes.take(self.take(batch))

    def rest(self, source: SourceId) -> None:
        """A recording is over."""
        self.episodes.take(self.ended(source))

    def close(self, until_ms: int | None) -> "Ran":
        """The end of the input: timers fire up to `until_ms`; answers what was seen."""
        self.episodes.take(self.finish(until_ms))
        end_ms = until_ms if until_ms is not None else self.tally.last_ms
        silent = set(self.rules) - {episode.rule for episode in self.episodes}
        if end_ms is not None:
            self.nearest.look(self.spaces, silent, end_ms)
        near = {rule: self.nearest.by_rule[rule] for rule in silent & set(self.nearest.by_rule)}
        wanted = {rule: self.wanted[rule] for rule in self.rules}
        return Ran(self.episodes, self.tally, self.rules, wanted, near, self.zone, end_ms)

    def _keep(self, outcome: Outcome) -> list[Change]:
        self.nearest.take(outcome.notes)
        for name, label in [one for one in outcome.counts if one[0] == "matches"]:
            count = outcome.counts.pop((name, label))
            # Of a rule in several key spaces only the part that reads the feeds is counted.
            if label not in self._in_parts:
                self.wanted[label.partition("/")[0]] += count
        return super()._keep(outcome)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run over recorded feeds gave.

    Attributes:
        rules: All rules, whether they fired or not.
        wanted: How many records each rule took up, as far as that is told without look-ups.
        nearest: For rules that never fired the try that came nearest, where there was one.
        end_ms: The instant at which it ended (UTC ms); None if there was no event.

    """

    episodes: Episodes
    tally: Tally
    rules: tuple[str, ...]
    wanted: dict[str, int]
    nearest: dict[str, Note]
    zone: str
    end_ms: int | None
