"""`forewarn backtest`: rules tried on recorded feeds, alone or against another version of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from engine.backtest.compare import compare
from engine.backtest.declared import edits
from engine.backtest.figures import count
from engine.backtest.page import Track, chosen, page
from engine.backtest.report import Against, Report, plain
from engine.backtest.run import Ran, Watched
from engine.backtest.tracks import Tracks
from engine.edge.cli.backtest_report import as_text
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.meter import Meter
from engine.edge.cli.projects import Found, find
from engine.edge.cli.recordings import Recording, recordings, table_rows
from engine.edge.cli.replaying import file_sources, instant_of, up_to, zone_of
from engine.edge.cli.versions import own_version
from engine.edge.cli.voice import Voice, speak_as, voice
from engine.edge.cli.whole_files import must_be_writable, write_whole
from engine.edge.lineup import in_step, lineup
from engine.edge.wiring import time_reader
from engine.errors import EnvironmentUnusable
from engine.ports import Batch, SourceId
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.spec import Project

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
    out: Path | None = None
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
    if asked.out is not None:
        must_be_writable(asked.out)
    new, inputs = _version(asked.rules, asked.data)
    old = None if asked.against is None else _version(asked.against, asked.data, inputs)
    zone = zone_of(new.usable())
    since_ms, until_ms = _span(asked, zone)
    ran = _run(new.usable(), inputs, asked, since_ms, until_ms, "bt-running")
    figures = count(ran.episodes, ran.rules, zone)
    report = Report(new.usable(), ran, figures, since_ms)
    if old is not None and asked.against is not None:
        report = replace(report, against=_against(new, old, asked, ran, (since_ms, until_ms)))
    if asked.out is not None:
        tracks = _tracks(report, inputs, asked)
        write_whole(asked.out, page(report, tracks, voice().lang, own_version()))
    if voice().json:
        voice().data(plain(report))
        return Exit.FINE
    voice().line(as_text(report, voice().lang))
    if asked.out is not None:
        voice().line(voice().say("bt-written", path=asked.out))
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
    reading = _Reading(project, program, inputs, sort=asked.sort)

    async def going() -> Ran:
        watched = Watched(program, await reading.open(), zone, since_ms)
        with Meter(voice().say(title), reading.total, zone) as meter:
            async for item in reading:
                if isinstance(item, Batch):
                    seen = item
                    if until_ms is not None:
                        seen = up_to(item, reading.times[item.source.feed], until_ms)
                    if seen.records:
                        watched.see(seen)
                    meter.step(_bytes(item), len(item.records), watched.tally.last_ms)
                else:
                    watched.rest(item)
        return watched.close(until_ms)

    return asyncio.run(going())


def _tracks(report: Report, inputs: Sequence[Recording], asked: Asked) -> list[Track]:
    """Read the recordings once more for the ways of some keys."""
    if report.ran.end_ms is None:
        return []
    tracks = Tracks(report.project, chosen(report), report.ran.end_ms)
    some = [one for one in inputs if one.feed in tracks.feeds]
    if not some:
        return []
    program = compile_project(report.project)
    reading = _Reading(report.project, program, some, sort=asked.sort)

    async def going() -> None:
        await reading.open()
        with Meter(voice().say("bt-tracks"), reading.total, report.zone) as meter:
            async for item in reading:
                if isinstance(item, Batch):
                    tracks.take(item)
                    meter.step(_bytes(item), len(item.records), reading.reached_ms)

    asyncio.run(going())
    return tracks.found()


class _Reading:
    """Recordings in step with each other: batches, and each source when it has ended."""

    def __init__(
        self, project: Project, program: Program, inputs: Sequence[Recording], *, sort: bool
    ) -> None:
        self._sources = file_sources(project, program, inputs, sort=sort)
        feeds = {one.feed for one in inputs}
        self.times = {
            name: time_reader(feed.decoder) for name, feed in program.feeds.items() if name in feeds
        }
        self._lines = lineup([], {})
        sizes = [_size(one) for one in inputs]
        self.total = sum(sizes) if all(sizes) else None

    async def open(self) -> list[SourceId]:
        """Open all recordings; answers their streams."""
        for source in self._sources:
            await source.open({})
        self._lines = lineup(self._sources, self.times)
        return [stream for source in self._sources for stream in source.ids]

    @property
    def reached_ms(self) -> int | None:
        """The event time that was reached."""
        reached = [line.reach_ms for line in self._lines.lines if line.reach_ms is not None]
        return max(reached, default=None)

    async def __aiter__(self) -> AsyncIterator[Batch | SourceId]:
        async with aclosing(in_step(self._lines)) as steps:
            async for step in steps:
                yield step


def _bytes(batch: Batch) -> int:
    return sum(len(record.value) + 1 for record in batch.records)


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
