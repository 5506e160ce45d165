"""A recording through the rules: what it set off, what was rejected, what came too late.

The core is the one that runs live; only the end differs, because a recording has one: then timers
fire up to `until`, by default the last event's time.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from engine.chain import Chain
from engine.decode.record import FeedDecoder
from engine.model.change import Change, Transition
from engine.pipeline import Engine, Space
from engine.ports import Batch, Outcome, Rejected, SourceId, Trouble
from engine.ruleset.compile import Program

_NEVER = -(2**62)


@dataclass(slots=True)
class Tally:
    """What a replay counted.

    Attributes:
        records: Records read, by feed.
        alerts: Changes, by (rule, transition).
        days: New alerts, by (rule, local day).
        rejected: Records that were no events, by (feed, reason).
        late: Events behind the watermark, by feed.
        other: What else the core counted, by (name, label).
        first_ms, last_ms: First and last event time seen (UTC ms); None without events.

    """

    records: Counter[str] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    other: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)
    first_ms: int | None = None
    last_ms: int | None = None


class Replay:
    """Takes batches of recordings in step with each other and answers what they set off."""

    def __init__(
        self, program: Program, sources: Collection[SourceId], zone: str = "Asia/Shanghai"
    ) -> None:
        """Begin a replay of these recordings; days are counted in `zone`."""
        feeds = {source.feed for source in sources}
        self.tally = Tally()
        self.rejected: list[Rejected] = []
        self._program = program
        self._zone = ZoneInfo(zone)
        self._spaces = Engine(program, saves=False).spaces
        self._chain = Chain(program.spaces, keeps=False)
        self._refused: set[tuple[SourceId, int]] = set()
        self._times = {
            name: FeedDecoder(program.feeds[name].spec, ())
            for name in feeds
            if name in program.feeds
        }
        for name, space in self._spaces.items():
            for source in sources:
                if source.feed in program.spaces[name].feeds:
                    space.announce(source)
            for feed in program.spaces[name].feeds:
                if feed not in feeds and feed in program.feeds:
                    space.idle(SourceId(feed))
        self._chain.announce(self._spaces)
        self._chain.rest(feeds, self._spaces)

    @property
    def spaces(self) -> Mapping[str, Space]:
        """The key spaces, for those who watch how they work."""
        return self._spaces

    def take(self, batch: Batch) -> list[Change]:
        """Let every key space that reads this feed see a batch; answers what happened."""
        feed = batch.source.feed
        self.tally.records[feed] += len(batch.records)
        self._note_times(batch)
        readers = self._readers(feed)
        for name in readers:
            self._spaces[name].ingest(batch.log, batch.source, batch.records)
        return self._advance(readers)

    def ended(self, source: SourceId) -> list[Change]:
        """A recording is over and holds the others back no longer."""
        readers = self._readers(source.feed)
        for name in readers:
            self._spaces[name].idle(source)
        return self._advance(readers)

    def finish(self, until_ms: int | None = None) -> list[Change]:
        """Release everything at the end; timers fire up to `until_ms`, inclusive."""
        until = until_ms if until_ms is not None else self.tally.last_ms
        return [] if until is None else self._advance(list(self._spaces), until)

    def _readers(self, feed: str) -> list[str]:
        """The key spaces that read a feed."""
        return [name for name, space in self._program.spaces.items() if feed in space.feeds]

    def _advance(self, touched: Sequence[str], until_ms: int | None = None) -> list[Change]:
        """Let key spaces go on; answers what happened."""
        moved = self._chain.advance(self._spaces, touched, until_ms)
        return [change for _, outcome, _ in moved for change in self._keep(outcome)]

    def _note_times(self, batch: Batch) -> None:
        """Learn the first and last event time; records that are no events say nothing."""
        decoder = self._times.get(batch.source.feed)
        if decoder is None:
            return
        first = self.tally.first_ms
        last = _NEVER if self.tally.last_ms is None else self.tally.last_ms
        for record in batch.records:
            seen = decoder.decode(record.value, record.arrived_ms)
            if isinstance(seen[0], str):
                continue
            at_ms = seen[0]
            first = at_ms if first is None or at_ms < first else first
            last = max(last, at_ms)
        self.tally.first_ms = first
        self.tally.last_ms = None if last == _NEVER else last

    def _keep(self, outcome: Outcome) -> list[Change]:
        """Count an outcome; what several key spaces read alike is counted once."""
        tally = self.tally
        for change in outcome.changes:
            tally.alerts[change.rule, str(change.transition)] += 1
            if change.transition is Transition.FIRED:
                day = datetime.fromtimestamp(change.at_ms / 1000, UTC).astimezone(self._zone)
                tally.days[change.rule, f"{day:%Y-%m-%d}"] += 1
        for rejected in outcome.rejected:
            place = (rejected.source, rejected.offset)
            if place not in self._refused:
                self._refused.add(place)
                self.rejected.append(rejected)
                tally.rejected[rejected.source.feed, rejected.reason] += 1
        for (name, label), count in outcome.counts.items():
            if name == "late":
                tally.late[label] += count
            elif name not in ("events", "rejected") and not name.startswith("alerts-"):
                tally.other[name, label] += count
        tally.troubles += outcome.troubles
        return outcome.changes
