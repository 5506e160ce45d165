"""`forewarn backtest`: rules tried on recorded feeds, alone or against another version of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.backtest.compare import compare
from engine.backtest.declared import edits
from engine.backtest.figures import count
from engine.backtest.report import Against, Report, plain
from engine.backtest.run import Ran, Watched
from engine.edge.cli.backtest_report import as_text
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.meter import Meter
from engine.edge.cli.projects import Found, find
from engine.edge.cli.recordings import Recording, recordings, table_rows
from engine.edge.cli.replaying import file_sources, instant_of, zone_of
from engine.edge.cli.voice import Voice, speak_as, voice
from engine.edge.lineup import TimeOf, lineup
from engine.edge.wiring import time_reader
from engine.errors import EnvironmentUnusable
from engine.ports import Batch, Source
from engine.ruleset.compile import compile_project
from engine.ruleset.spec import Project

_WAIT_S = 0.25
_PACKED = ".gz"
_TRAILER = 4
_FORMS = ("text", "json")


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of one command line."""

    rules: Path
    data: tuple[str, ...]
    against: Path | None = None
    since: str | None = None
    until: str | None = None
    form: str = ""
    sort: bool = False


def backtest_rules(asked: Asked) -> int:
    """Run, compare, tell; answers the exit code.

    Raises:
        Misuse: The words make no sense together.

    """
    if asked.form not in {"", *_FORMS}:
        raise Misuse(voice().say("bt-format", form=asked.form))
    if asked.form == "json":
        speak_as(Voice(voice().lang, json=True))
    new, inputs = _version(asked.rules, asked.data)
    old = None if asked.against is None else _version(asked.against, asked.data, inputs)
    zone = zone_of(new.usable())
    since_ms, until_ms = _span(asked, zone)
    ran = _run(new.usable(), inputs, asked, since_ms, until_ms, "bt-running")
    figures = count(ran.episodes, ran.rules, zone)
    report = Report(new.usable(), ran, figures, since_ms)
    if old is not None and asked.against is not None:
        report = replace(report, against=_against(new, old, asked, ran, (since_ms, until_ms)))
    if voice().json:
        voice().data(plain(report))
    else:
        voice().line(as_text(report, voice().lang))
    return Exit.FINE


def _version(
    rules: Path, data: Sequence[str], known: Sequence[Recording] = ()
) -> tuple[Found, list[Recording]]:
    """The rules under a path, and the recordings that they read.

    Of a second version those that the first one named are taken, as far as it has their feeds, and
    what folders hold for feeds that only the second one has.
    """
    found = find([rules], table_rows(data))
    project = found.usable()
    if not known:
        return found, recordings(data, project)
    inputs = [one for one in known if one.feed in project.feeds]
    folders = [text for text in data if Path(text).is_dir()]
    try:
        more = recordings(folders, project) if folders else []
    except EnvironmentUnusable:
        more = []
    paths = {one.path for one in known}
    return found, [*inputs, *(one for one in more if one.path not in paths)]


def _span(asked: Asked, zone: str) -> tuple[int | None, int | None]:
    """From when to when (UTC ms)."""
    since_ms = None if asked.since is None else instant_of(asked.since, zone)
    until_ms = None if asked.until is None else instant_of(asked.until, zone)
    if since_ms is not None and until_ms is not None and until_ms <= since_ms:
        raise Misuse(voice().say("bt-span", since=asked.since, until=asked.until))
    return since_ms, until_ms


def _against(
    new: Found,
    old: tuple[Found, list[Recording]],
    asked: Asked,
    ran: Ran,
    span: tuple[int | None, int | None],
) -> Against:
    """Run the other version over the same records, up to the same instant, and compare."""
    found, inputs = old
    project = found.usable()
    end_ms = ran.end_ms if span[1] is None else span[1]
    other = _run(project, inputs, asked, span[0], end_ms, "bt-running-old")
    comparison = compare(ran.episodes, other.episodes)
    changed = edits(new.files, new.usable(), found.files, project)
    return Against(str(asked.against), other, project, comparison, changed)


def _run(
    project: Project,
    inputs: Sequence[Recording],
    asked: Asked,
    since_ms: int | None,
    until_ms: int | None,
    title: str,
) -> Ran:
    """One pass of the recordings through one version of the rules."""
    program = compile_project(project)
    zone = zone_of(project)
    sources = file_sources(project, program, inputs, sort=asked.sort)
    sizes = [_size(one) for one in inputs]
    total = sum(sizes) if all(sizes) else None

    async def going() -> Ran:
        for source in sources:
            await source.open({})
        streams = [stream for source in sources for stream in source.ids]
        watched = Watched(program, streams, zone, since_ms)
        with Meter(voice().say(title), total, zone) as meter:
            await _feed(watched, sources, until_ms, meter)
        return watched.close(until_ms)

    return asyncio.run(going())


async def _feed(
    watched: Watched, sources: Sequence[Source], until_ms: int | None, meter: Meter
) -> None:
    """Give all recordings to the rules, in step with each other, up to an instant."""
    feeds = {source.ids[0].feed: source for source in sources if source.ids}
    times = {
        name: time_reader(feed.decoder)
        for name, feed in watched.program.feeds.items()
        if name in feeds
    }
    lines = lineup(sources, times)
    stop = asyncio.Event()
    try:
        while not lines.all_ended:
            line = await lines.next(_WAIT_S, stop)
            if line is None:
                continue
            batch = line.take()
            if batch is None:
                for stream in line.source.ids:
                    watched.rest(stream)
                continue
            size = sum(len(record.value) + 1 for record in batch.records)
            records = len(batch.records)
            if until_ms is not None:
                batch = _before(batch, until_ms, times[batch.source.feed])
            if batch.records:
                watched.see(batch)
            meter.step(size, records, watched.tally.last_ms)
    finally:
        await lines.close()


def _before(batch: Batch, until_ms: int, time_of: TimeOf) -> Batch:
    """The batch without what lies after an instant; what has no time stays, to be counted."""
    kept = [
        record
        for record in batch.records
        if (at_ms := time_of(record.value)) is None or at_ms <= until_ms
    ]
    return batch._replace(records=kept)


def _size(one: Recording) -> int:
    """How many bytes a recording unpacks to; 0 where that is not known."""
    if one.size or one.path.suffix != _PACKED:
        return one.size
    with one.path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() < _TRAILER:
            return 0
        file.seek(-_TRAILER, 2)
        said = int.from_bytes(file.read(_TRAILER), "little")
        return said if said >= file.tell() else 0
