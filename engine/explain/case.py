"""The funnels of a rule test: how far the keys that it tells of have come, and why no further."""

from collections.abc import Sequence
from itertools import groupby

from engine.explain.course import Course
from engine.explain.funnel import Funnel
from engine.ports import Batch, Record, SourceId
from engine.replay import Replay
from engine.ruleset.compile import Program

Told = Sequence[tuple[str, bytes]]
"""Records with their feeds, in the order in which they come in."""

_SHOWN = 2


def funnel_of(program: Program, rule: str, key: str, told: Told, until_ms: int) -> Funnel:
    """How far a key of a rule is, once all records are in and timers up to then have fired."""
    return _run(program, rule, key, told, until_ms).funnel(until_ms)


def keys_of(program: Program, rule: str, told: Told, until_ms: int) -> list[str]:
    """The keys that a rule saw most of, in that order."""
    keys = _run(program, rule, "", told, until_ms).keys
    return sorted((key for key in keys if key), key=lambda key: (-keys[key], key))[:_SHOWN]


def _run(program: Program, rule: str, key: str, told: Told, until_ms: int) -> Course:
    course = Course(program, rule, key)
    sources = [SourceId(feed) for feed in dict.fromkeys(feed for feed, _ in told)]
    replay = Replay(program, sources)
    course.watch(replay.spaces)
    number = 0
    for feed, some in groupby(told, key=lambda one: one[0]):
        records = [Record(number + place, value) for place, (_, value) in enumerate(some)]
        number += len(records)
        batch = course.take(Batch(feed, SourceId(feed), records), until_ms)
        course.note(replay.take(batch))
    course.note(replay.finish(until_ms))
    return course
