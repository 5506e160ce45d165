"""The funnel of a rule test: what became of each key that a case speaks of."""

from collections.abc import Mapping, Sequence

from engine.explain.course import Course
from engine.explain.funnel import Funnel
from engine.ports import Batch, Record, SourceId
from engine.replay import Replay
from engine.ruleset.compile import Program


def funnels(
    program: Program,
    asked: Sequence[tuple[str, str]],
    records: Mapping[str, Sequence[bytes]],
    until_ms: int,
) -> list[Funnel]:
    """Run records of feeds through a program, once for each (rule, key) that is asked for."""
    found: list[Funnel] = []
    for rule, key in asked:
        course = Course(program, rule, key)
        sources = [SourceId(feed) for feed in records]
        replay = Replay(program, sources)
        course.watch(replay.spaces)
        for source in sources:
            values = records[source.feed]
            batch = Batch(source.feed, source, [Record(n, raw) for n, raw in enumerate(values)])
            course.note(replay.take(course.take(batch, until_ms)))
        course.note(replay.finish(until_ms))
        found.append(course.funnel(until_ms))
    return found
