"""The common case of taking in: a lot of records that are all good, and none of them behind.

What `Space.ingest` does record by record is done here for a lot at once, with the same result.
Whatever is out of the ordinary (a bad record, a late one, one without a key) is left to the
careful way: then nothing has happened here.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, compress, repeat
from operator import attrgetter, ge
from typing import Any, NamedTuple

from engine.decode.bulk import LOT as LOT  # noqa: PLC0414 - the pipeline cuts by it
from engine.decode.generate import Check, Settle
from engine.ports import Record
from engine.ruleset.compile import SpaceProgram
from engine.ruleset.missing import unknown_without
from engine.state.buffer import Entry


class Gap:
    """A field that rules compare: in how many events it was missing since that was last told.

    Attributes:
        of: Reads the field of an event.
        labels: The rules that compare it, each with the field: `<rule>/<field>`.

    """

    __slots__ = ("count", "labels", "of")

    def __init__(self, field: str, rules: Sequence[str]) -> None:
        self.of: Callable[[Any], Any] = attrgetter(field)
        self.labels = tuple(f"{rule}/{field}" for rule in rules)
        self.count = 0

    def tell(self, counts: dict[tuple[str, str], int]) -> None:
        """Put what was counted under every rule that it concerns, and begin anew."""
        if self.count:
            for label in self.labels:
                counts["unknown", label] = counts.get(("unknown", label), 0) + self.count
            self.count = 0


class Intake(NamedTuple):
    """How the records of one feed are taken into one key space.

    Attributes:
        number: The feed's place in the order of the key space's feeds.
        ahead_ms: How far an event may lie after its arrival.
        asked: Whether `check` must be asked about every event.
        settle_first: Admission asks for the position, so it is converted before.
        gaps: Fields of which it is counted how often they are missing.

    """

    number: int
    lateness_ms: int
    ahead_ms: int
    bulk: Callable[[Sequence[bytes]], list[Any] | None] | None
    time_of: Callable[[Any], int]
    check: Check
    asked: bool
    admit: Callable[[Any, int], tuple[int, ...]]
    key_of: Callable[[Any], str]
    rank_of: Callable[[Any, bytes], str] | None
    settle: Settle | None
    settle_first: bool
    gaps: tuple[Gap, ...] = ()


def take_lot(
    lot: Sequence[Record],
    intake: Intake,
    log: int,
    mark: int,
    passed: int,
    waiting: list[Entry],
) -> int | None:
    """Put the lot's events that a rule wants into the buffer.

    Args:
        lot: Records of one log, in their order.
        intake: How this feed's records are taken.
        log: Number of the log.
        mark: The source's watermark before the lot (ms).
        passed: The partition's watermark (ms).
        waiting: The reorder buffer.

    Returns:
        The source's watermark after the lot, or None if it needs the careful way.

    """
    if intake.bulk is None or lot[0].before_ms is not None:
        return None
    offsets, values, arrivals, _ = zip(*lot, strict=True)
    events = intake.bulk(values)
    if events is None:
        return None
    times = list(map(intake.time_of, events))
    if (intake.asked or not _timely(times, arrivals, intake.ahead_ms)) and any(
        map(intake.check, events, times, arrivals)
    ):
        return None
    marks = _marks(times, mark, intake.lateness_ms)
    if marks is None or min(times) < passed:
        return None
    settle, rank_of = intake.settle, intake.rank_of
    if settle is not None and intake.settle_first:
        for event in events:
            settle(event)
    hits = list(map(intake.admit, events, times))
    # What nobody wants is dropped before any more is asked about it.
    wanted = events if all(hits) else list(compress(events, hits))
    keys = list(map(intake.key_of, wanted))
    if "" in keys:
        return None
    if settle is not None and not intake.settle_first:
        for event in wanted:
            settle(event)
    for gap in intake.gaps:
        gap.count += list(map(gap.of, events)).count(None)
    ranks = repeat("") if rank_of is None else map(rank_of, wanted, compress(values, hits))
    waiting += zip(
        compress(times, hits), repeat(intake.number), keys, ranks, repeat(log),
        compress(offsets, hits), compress(marks, hits), filter(None, hits), wanted,
        strict=False,
    )  # fmt: skip
    return marks[-1]


def _timely(times: list[int], arrivals: Sequence[int | None], ahead_ms: int) -> bool:
    """Whether all arrivals are known, or none, and surely no event is too far ahead of its own."""
    unknown = arrivals.count(None)
    if unknown:
        return unknown == len(arrivals)
    return max(times) <= min(arrivals) + ahead_ms  # type: ignore[type-var,operator]


def _marks(times: list[int], mark: int, lateness_ms: int) -> list[int] | None:
    """What the watermark was before each event, and after the last; None if one is behind it."""
    newest = mark + lateness_ms
    if times[0] >= newest and sorted(times) == times:
        marks = [newest, *times]
        return [at_ms - lateness_ms for at_ms in marks] if lateness_ms else marks
    marks = list(accumulate(times, max, initial=newest))
    marks = [at_ms - lateness_ms for at_ms in marks] if lateness_ms else marks
    return marks if all(map(ge, times, marks)) else None


def make_intake(program: SpaceProgram, number: int) -> Intake:
    """How a key space takes in the records of its feed with this number."""
    feed = program.feeds[number]
    spec, decoder = program.programs[feed].spec, program.programs[feed].decoder
    return Intake(
        number,
        spec.lateness_ms,
        spec.ahead_ms,
        decoder.bulk,
        decoder.time_of,
        decoder.check,
        decoder.bulk_checks,
        program.admit[feed],
        program.key_of[feed],
        program.rank_of[feed],
        decoder.settle,
        feed in program.settle_first,
        _gaps(program, feed),
    )


def _gaps(program: SpaceProgram, feed: str) -> tuple[Gap, ...]:
    """The fields of a feed that rules of the key space compare though they may be missing."""
    rules: dict[str, list[str]] = {}
    decoded = program.programs[feed].decoder.struct.__struct_fields__
    for rule in program.rules:
        if feed in rule.spec.feeds and feed not in program.upstream:
            for field in unknown_without(rule.spec, feed):
                if field not in decoded:
                    continue
                rules.setdefault(field, []).append(rule.spec.id.partition("/")[0])
    return tuple(Gap(field, names) for field, names in sorted(rules.items()))
