"""`forewarn replay`: recordings or a simulated folder through the rules, and what they set off."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import TextIO

import msgspec

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.progress import Progress
from engine.edge.cli.projects import find
from engine.edge.cli.recordings import Recording, recordings, table_rows
from engine.edge.cli.replay_report import as_json, as_text
from engine.edge.cli.voice import voice
from engine.edge.lineup import in_step, lineup
from engine.edge.settings import read_settings
from engine.edge.wiring import make_sources, plan_connectors, time_reader
from engine.errors import EnvironmentUnusable
from engine.model.change import Change
from engine.ports import Batch, InboxRow, Rejected, Source, SourceId
from engine.replay import Replay
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.spec import Project
from engine.ruletest.moments import Moments, Unreadable


def replay_recordings(
    data: Sequence[str],
    rules: Sequence[Path],
    *,
    out: Path | None,
    until: str | None,
    sort: bool,
    rejected: Path | None,
) -> int:
    """Replay and count; answers the exit code."""
    found = find(rules, table_rows(data))
    project = found.usable()
    inputs = recordings(data, project)
    program = compile_project(project)
    zone = zone_of(project)
    end = None if until is None else instant_of(until, zone)
    sources = file_sources(project, program, inputs, sort=sort)
    with ExitStack() as stack:
        changes = stack.enter_context(_writer(out))
        refused = stack.enter_context(_writer(rejected))
        total = sum(one.size for one in inputs) if all(one.size for one in inputs) else None
        bar = Progress(voice().say("progress-replay"), total, counted=False)
        progress = stack.enter_context(bar)
        replay = asyncio.run(_run(program, sources, end, zone, changes, progress))
        if refused is not None:
            for one in replay.rejected:
                refused.write(json.dumps(_plain(one), ensure_ascii=False) + "\n")
    if voice().json:
        voice().data(as_json(replay.tally))
    else:
        put = voice().note if out == Path("-") else voice().line
        put(as_text(replay.tally, voice().lang, zone))
    return Exit.FINE


async def _run(
    program: Program,
    sources: Sequence[Source],
    until_ms: int | None,
    zone: str,
    out: TextIO | None,
    progress: Progress,
) -> Replay:
    """Read all recordings in step with each other."""
    for source in sources:
        await source.open({})
    streams = [stream for source in sources for stream in source.ids]
    replay = Replay(program, streams, zone)
    times = {name: time_reader(feed.decoder) for name, feed in program.feeds.items()}
    lines = lineup(sources, times)
    async with aclosing(in_step(lines)) as steps:
        async for step in steps:
            if isinstance(step, SourceId):
                _write(out, replay.ended(step))
                continue
            seen = step if until_ms is None else up_to(step, times[step.source.feed], until_ms)
            _write(out, replay.take(seen))
            size = sum(len(record.value) + 1 for record in step.records)
            progress.step(size, things=len(step.records))
    _write(out, replay.finish(until_ms))
    return replay


def up_to(batch: Batch, time_of: Callable[[bytes], int | None], until_ms: int) -> Batch:
    """The batch up to an instant; what has no time stays, to be counted."""
    kept = [
        record
        for record in batch.records
        if (at_ms := time_of(record.value)) is None or at_ms <= until_ms
    ]
    return batch._replace(records=kept)


def _write(out: TextIO | None, changes: Sequence[Change]) -> None:
    if out is not None:
        for change in changes:
            out.write(msgspec.json.encode(change).decode() + "\n")


def file_sources(
    project: Project, program: Program, inputs: Sequence[Recording], *, sort: bool
) -> list[Source]:
    """File sources for the recordings, made as the daemon makes them."""
    flags: dict[str, object] = {}
    for number, one in enumerate(inputs):
        name = f"sources.recording-{number}"
        flags |= {f"{name}.kind": "file", f"{name}.feed": one.feed, f"{name}.path": str(one.path)}
        flags |= {f"{name}.sort": True} if sort else {}
    with tempfile.TemporaryDirectory() as empty:
        configured = read_settings(Path(empty), {}, flags)
        plan = plan_connectors(configured, project, voice().lang)
        decoders = {name: feed.decoder for name, feed in program.feeds.items()}
        return make_sources(plan, decoders, configured.folder, _NoJournal())


class _NoJournal:
    """A replay keeps nothing: files come in the order of their names."""

    async def order_files(self, source: str, names: Sequence[str]) -> Sequence[str]:
        """The names as they are."""
        del source
        return names

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        """Recordings are not posted."""
        raise NotImplementedError

    async def mark(self, source: str) -> str | None:
        """Recordings are not posted."""
        raise NotImplementedError

    async def inbox_read(self, feed: str, start: int, limit: int) -> Sequence[InboxRow]:
        """Recordings are not posted."""
        raise NotImplementedError

    async def inbox_depth(self, feed: str, start: int = 0) -> int:
        """Recordings are not posted."""
        raise NotImplementedError

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        """Recordings are not posted."""
        raise NotImplementedError


@contextmanager
def _writer(path: Path | None) -> Iterator[TextIO | None]:
    """A file to write lines to; `-` is standard output, None is nowhere."""
    if path is None:
        yield None
    elif path == Path("-"):
        yield sys.stdout
        sys.stdout.flush()
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w", encoding="utf-8")
        except OSError as error:
            sentence = voice().say("init-unwritable", path=path, why=error.strerror)
            raise EnvironmentUnusable(sentence) from error
        with file:
            yield file


def _plain(one: Rejected) -> dict[str, object]:
    return {
        "feed": one.source.feed,
        "offset": one.offset,
        "reason": one.reason,
        "detail": one.detail,
        "value": one.value.decode("utf-8", "backslashreplace"),
    }


def zone_of(project: Project) -> str:
    """The zone in which a project's times are read and told."""
    return next((feed.time.zone for feed in project.feeds.values()), "Asia/Shanghai")


def instant_of(text: str, zone: str) -> int:
    """An instant as people write it (UTC ms).

    Raises:
        Misuse: it is none.

    """
    try:
        return Moments(0, zone).at(text)
    except Unreadable as problem:
        sentence = voice().say(problem.code, **problem.found)
        raise Misuse(sentence) from problem
