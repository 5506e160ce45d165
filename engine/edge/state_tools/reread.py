"""What waited for its turn when a partition was saved, found by reading its logs once more."""

from collections.abc import Mapping, Sequence

from engine.edge.state_tools.file import LogEnd, Part
from engine.pipeline import Space
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import SpaceProgram
from engine.state.codec import Meta, pack_meta, unpack_meta
from engine.state.taking import waiting_row


class Rereading:
    """One saved partition without its rows: takes records in as the real one would, runs no rule.

    State: the records that the rules still have to see, as rows that travel with the state.
    """

    def __init__(self, program: SpaceProgram, meta: bytes) -> None:
        """Stand where the partition's record says."""
        self.program = program
        self.meta = unpack_meta(meta)
        self.space = Space(program, saves=False)
        self.space.restore(meta, ())
        self.waiting: list[Write] = []
        self.ends: dict[str, int] = {}

    def wanted(self, log: str) -> tuple[int, int] | None:
        """From which offset up to which a log must be read; None if nothing of it waits."""
        place = self.meta.positions.get(log)
        if place is None or place[0] >= place[1]:
            return None
        return place[0], place[1]

    def take(self, log: str, source: SourceId, records: Sequence[Record]) -> None:
        """Take records of a log in; those that still wait, or were never told of, are kept."""
        space = self.space
        known = self.meta.positions.get(log)
        frontier = 0 if known is None else known[1]
        for record in records:
            place = space.log(log)
            held, told = len(space.buffer.waiting), _told(space)
            before = place.mark if record.before_ms is None else record.before_ms
            space.ingest(log, source, [record])
            key = None
            if len(space.buffer.waiting) > held:
                key = space.buffer.waiting[-1][2]
            elif record.offset >= frontier and _told(space) > told:
                key = ""
            if key is not None:
                kept = record._replace(before_ms=before)
                self.waiting.append(waiting_row(key, source.feed, source.partition, kept))
            self.ends[log] = record.offset + 1

    def reached(self) -> dict[str, tuple[int, int]]:
        """For each log that was read again: the offset after it, and the source's watermark."""
        return {log: (end, self.space.log(log).mark) for log, end in self.ends.items()}

    def sources(self) -> dict[str, int]:
        """Watermark of each source now, by `partition/feed`."""
        return {f"{one.partition}/{one.feed}": w for one, w in self.space.progress.sources.items()}


def part_of(
    space: str,
    partition: int,
    meta: Meta,
    topics: Mapping[str, tuple[str, int]],
    unread: Mapping[str, int],
    ends: Mapping[str, tuple[int, int]],
    sources: Mapping[str, int],
) -> Part:
    """A partition as the file has it.

    Args:
        space: The key space.
        partition: The partition.
        meta: Its record as it was saved.
        topics: For logs that are Kafka partitions, topic and number.
        unread: Records of a log that nobody had read.
        ends: For logs that were read again, where that ended and the watermark there.
        sources: Watermarks that were found while reading again.

    """
    logs: dict[str, LogEnd] = {}
    for log, position in meta.positions.items():
        end, mark = ends.get(log, (position[1], position[2]))
        topic, number = topics.get(log, ("", 0))
        logs[log] = LogEnd(
            max(end, position[1]), mark, meta.origins.get(log, ""), topic, number,
            unread.get(log, 0),
        )  # fmt: skip
    known = {name: max(w, sources.get(name, w)) for name, w in meta.sources.items()}
    return Part(
        space, partition, meta.watermark, known, list(meta.idle), logs, pack_meta(_rest(meta))
    )


def _rest(meta: Meta) -> Meta:
    """What the file does not spell out."""
    return Meta(
        watermark=meta.watermark, seen=meta.seen, troubled=meta.troubled, fired=meta.fired,
        rulesets=meta.rulesets,
    )  # fmt: skip


def _told(space: Space) -> int:
    return len(space.outcome.rejected) + len(space.outcome.late)
