"""`forewarn explain RULE --key KEY --data DATA`: the rule over recorded feeds, watched."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.explaining import Asked, unknown
from engine.edge.cli.progress import Progress
from engine.edge.cli.projects import find
from engine.edge.cli.recordings import recordings, table_rows
from engine.edge.cli.replaying import file_sources, instant_of, zone_of
from engine.edge.cli.voice import voice
from engine.edge.lineup import in_step, lineup
from engine.edge.wiring import time_reader
from engine.explain.course import Course
from engine.explain.funnel import Funnel, data_of
from engine.explain.words import as_text
from engine.ports import Source, SourceId
from engine.replay import Replay
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.spec import Project
from engine.ruleset.stages import with_lower


def explain_recorded(asked: Asked, key: str) -> int:
    """Run the rule over recorded feeds up to the instant, and look."""
    project = only(find(asked.rules, table_rows(asked.data)).usable(), asked.what)
    if project.rules[asked.what].status == "retired":
        raise Misuse(voice().say("explain-retired", rule=asked.what))
    inputs = [one for one in recordings(asked.data, project) if one.feed in _feeds(project)]
    program = compile_project(project)
    zone = zone_of(project)
    end = None if asked.at is None else instant_of(asked.at, zone)
    sources = file_sources(project, program, inputs, sort=asked.sort)
    course = Course(program, asked.what, key)
    total = sum(one.size for one in inputs) if all(one.size for one in inputs) else None
    with Progress(voice().say("progress-replay"), total, counted=False) as progress:
        at_ms = asyncio.run(_run(course, program, sources, end, zone, progress))
    if at_ms is None:
        raise Misuse(voice().say("explain-no-records", data=" ".join(asked.data)))
    funnel = course.funnel(at_ms)
    show(funnel)
    return answered(funnel, course.keys)


def only(project: Project, rule: str) -> Project:
    """The project with one rule, and those whose alerts it reads.

    Raises:
        Misuse: there is no such rule.

    """
    if rule not in project.rules:
        raise Misuse(unknown("explain-no-rule", rule, project.rules))
    names = with_lower((rule,), project.rules)
    return replace(project, rules={name: project.rules[name] for name in names})


def show(funnel: Funnel) -> None:
    """Print an answer."""
    if voice().json:
        voice().data(data_of(funnel))
    else:
        voice().line(as_text(funnel, voice().lang))


def answered(funnel: Funnel, keys: Iterable[str]) -> int:
    """The exit code: 1 where nothing at all is known of the key, with the nearest keys."""
    known = any(one.records for one in funnel.intakes) or funnel.fired or funnel.misses
    if known or any(step.met for one in funnel.tries for step in one.steps):
        return Exit.FINE
    voice().note(unknown("explain-no-key", funnel.key, keys))
    return Exit.FAILED


def _feeds(project: Project) -> set[str]:
    return {feed for rule in project.rules.values() for feed in rule.feeds}


async def _run(
    course: Course,
    program: Program,
    sources: Sequence[Source],
    until_ms: int | None,
    zone: str,
    progress: Progress,
) -> int | None:
    """Read the recordings in step with each other; answers the instant they came to."""
    for source in sources:
        await source.open({})
    replay = Replay(program, [stream for source in sources for stream in source.ids], zone)
    course.watch(replay.spaces)
    times = {name: time_reader(feed.decoder) for name, feed in program.feeds.items()}
    lines = lineup(sources, times)
    async with aclosing(in_step(lines)) as steps:
        async for step in steps:
            if isinstance(step, SourceId):
                course.note(replay.ended(step))
                continue
            progress.step(sum(len(record.value) + 1 for record in step.records), things=1)
            course.note(replay.take(course.take(step, until_ms)))
    course.note(replay.finish(until_ms))
    return replay.tally.last_ms if until_ms is None else until_ms
