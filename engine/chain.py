"""What one key space hands to another inside one process: logs between them, in event order.

    vehicle-gps --> space `vehicle` --alerts--> space `key-over-1` --> changes
    paid        --> space `account` --alerts-----^

The sender's outcome holds what it sends (`Outcome.sent`) and how far it is complete; the receiver
reads these as records of a derived feed, of which each sender is one source with the sender's
watermark. `Chain.advance` hands on after each sender has gone on, and only then lets the receivers
go on, so one step of the driver carries an event through the whole chain. What a receiver has not
released yet must be kept with the sender's outcome, because nobody can send it again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from engine.feeds.derived import log_of, source_of
from engine.ports import Core, Outcome, Record
from engine.state.watermark import NEVER

if TYPE_CHECKING:
    from engine.ruleset.compile import SpaceProgram


class Handed(NamedTuple):
    """A record on its way between two key spaces: the receiver, the log, the record."""

    space: str
    log: str
    record: Record


@dataclass(slots=True)
class Chain:
    """The links between the key spaces of a program, in one partition.

    Attributes:
        spaces: The program's key spaces, each after those it reads from.
        next_offset: Place of the next record that is handed on; places grow over all links.
        keeps: Whether what was handed on is remembered until it was released; a run that nobody
            resumes need not.
        waiting: Records that a receiver has not released for good, by (receiver, log).

    """

    spaces: "Mapping[str, SpaceProgram]"
    next_offset: int = 0
    keeps: bool = True
    waiting: dict[tuple[str, str], list[Record]] = field(default_factory=dict)

    def resume(self, next_offset: int, handed: Iterable[Handed]) -> None:
        """Go on after a restart, past every place ever given, with what was not released."""
        self.next_offset = next_offset
        for space, log, record in handed:
            self.waiting.setdefault((space, log), []).append(record)

    def announce(self, cores: Mapping[str, Core]) -> None:
        """Let every sender hold its readers back until it speaks."""
        for name, feed, sender in self._links():
            cores[name].announce(source_of(feed, sender))

    def advance(
        self,
        cores: Mapping[str, Core],
        touched: Iterable[str],
        until_ms: int | None = None,
        held: Collection[str] = (),
    ) -> Iterator[tuple[str, Outcome, list[Handed]]]:
        """Let key spaces go on, and behind each those that read what it sends.

        Args:
            cores: The key spaces of one partition, each after those it reads from.
            touched: Those that were given something.
            until_ms: At the end of the input, the event time up to which all is released.
            held: Those that must wait all the same; what they are sent waits with them.

        Yields:
            Each key space that went on, what it did, and the records it handed on.

        """
        moving = set(touched).difference(held)
        for name, core in cores.items():
            if name in moving:
                outcome = core.advance(until_ms)
                readers, handed = self._hand_on(name, outcome, cores)
                moving.update(set(readers).difference(held))
                self._released(name, outcome)
                yield name, outcome, handed

    def _hand_on(
        self, sender: str, outcome: Outcome, cores: Mapping[str, Core]
    ) -> tuple[list[str], list[Handed]]:
        """Give what a key space sent to its readers, with how far it is complete.

        Answers the readers, which must now advance, and the records that were handed on.
        """
        handed: list[Handed] = []
        lots: dict[tuple[str, str], list[Record]] = {}
        for sent in outcome.sent:
            record = Record(self.next_offset, sent.value)
            self.next_offset += 1
            handed.append(Handed(sent.space, log_of(sent.feed, sender), record))
            lots.setdefault((sent.space, sent.feed), []).append(record)
        readers: list[str] = []
        for name, feed, origin in self._links():
            if origin != sender:
                continue
            source, log = source_of(feed, sender), log_of(feed, sender)
            if records := lots.get((name, feed)):
                cores[name].ingest(log, source, records)
                if self.keeps:
                    self.waiting.setdefault((name, log), []).extend(records)
            if outcome.watermark_ms > NEVER:
                cores[name].mark(source, outcome.watermark_ms)
            readers.append(name)
        return list(dict.fromkeys(readers)), handed

    def _released(self, name: str, outcome: Outcome) -> None:
        """Forget records that this reader will never ask for again."""
        for log, position in outcome.positions.items():
            records = self.waiting.get((name, log))
            if records:
                kept = [record for record in records if record.offset >= position.committed]
                self.waiting[name, log] = kept

    def holds(self, one: Handed) -> bool:
        """Whether a record that was handed on is still to be released."""
        waiting = self.waiting.get((one.space, one.log), [])
        return bool(waiting) and one.record.offset >= waiting[0].offset

    def restore(self, cores: Mapping[str, Core]) -> None:
        """Put back, into cores that were just restored, what waits to be released."""
        for name, feed, sender in self._links():
            log = log_of(feed, sender)
            if records := self.waiting.get((name, log)):
                cores[name].ingest(log, source_of(feed, sender), records)

    def rest(self, present: Collection[str], cores: Mapping[str, Core]) -> None:
        """Let what no feed that is present can reach hold its readers back no longer."""
        quiet: set[str] = set()
        for name, space in self.spaces.items():
            senders = {sender for senders in space.upstream.values() for sender in senders}
            for feed, origins in space.upstream.items():
                for sender in quiet.intersection(origins):
                    cores[name].idle(source_of(feed, sender))
            if set(present).isdisjoint(space.feeds) and senders <= quiet:
                quiet.add(name)

    def _links(self) -> Iterator[tuple[str, str, str]]:
        """Every (reader, derived feed, sender)."""
        for name, space in self.spaces.items():
            for feed, senders in space.upstream.items():
                for sender in senders:
                    yield name, feed, sender
