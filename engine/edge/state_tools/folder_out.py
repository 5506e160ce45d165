"""Export of the data folder of an embedded daemon: one moment of it, whole."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.edge.settings import Configured
from engine.edge.state_tools.file import (
    Counted,
    Head,
    Origin,
    SpaceHead,
    StateWriter,
)
from engine.edge.state_tools.reread import Rereading, part_of
from engine.edge.store import connect_reader, inbox
from engine.edge.store.schema import FILE_NAME, VERSION
from engine.edge.wiring import FEED_PARTITIONS, Plan, make_sources, plan_connectors
from engine.errors import EnvironmentUnusable, StateError
from engine.feeds.derived import PREFIX, log_of, source_of
from engine.ports import InboxRow, Record, Source, SourceId
from engine.ruleset.compile import Program
from engine.saved import ruleset
from engine.state.codec import unpack_meta
from engine.text import say

PATIENCE_S = 60.0
_SPACE = 0
_CHAINED = 2
"""From this version of the store on, key spaces hand to each other."""


def made_by() -> str:
    """Name and version of this program."""
    try:
        return f"forewarn {version('forewarn')}"
    except PackageNotFoundError:
        return "forewarn"


def head_of(program: Program, origin: Origin, shapes: Mapping[str, tuple[int, bool]]) -> Head:
    """The first line of an export; `shapes`: partitions of a key space, whether read directly."""
    rules = {name: rule.spec.hash for name, rule in sorted(program.rules.items())}
    spaces = {
        name: SpaceHead(
            *shapes.get(name, (1, True)),
            [rule.spec.id for rule in space.rules],
            list(space.feeds),
        )
        for name, space in program.spaces.items()
    }
    every = (rule.spec for rule in program.rules.values())
    return Head(made_by(), time.time_ns() // 1_000_000, origin, ruleset(every), rules, spaces)


def export_folder(
    configured: Configured, program: Program, out: Path, lang: str, *, carry: bool = True
) -> Counted:
    """Write the state of a data folder, as it is at this moment, into a file.

    The daemon may run meanwhile: one read transaction sees one whole moment.

    Args:
        configured: The settings; `data_folder` is exported.
        program: The rules; they know how to read what waited.
        out: The file.
        lang: Language of errors.
        carry: Also take along records that wait for their turn; a mere look does without.

    Raises:
        EnvironmentUnusable: there is no state, or a source does not give again what waited.

    """
    folder = configured.data_folder
    with _snapshot(folder, lang) as link:
        head = head_of(program, Origin("embedded", str(folder.resolve())), {})
        files: dict[str, list[str]] = {}
        for source, name in link.execute("SELECT source, name FROM files ORDER BY source, number"):
            files.setdefault(source, []).append(name)
        head.files.update(files)
        (last,) = link.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'inbox'"
        ).fetchone()
        head = Head(**{**_fields(head), "inbox": last})
        metas = dict(link.execute("SELECT space, value FROM meta ORDER BY space").fetchall())
        again = {
            name: Rereading(program.spaces[name], meta)
            for name, meta in metas.items()
            if carry and name in program.spaces
        }
        plan = plan_connectors(configured, program.project, lang)
        topics = _topics(plan)
        asyncio.run(_read_again(configured, program, plan, link, again, lang))
        with StateWriter(out, head, lang) as writer:
            for name, meta in metas.items():
                one = again.get(name)
                ends, sources = ({}, {}) if one is None else (one.reached(), one.sources())
                writer.part(part_of(name, 0, unpack_meta(meta), topics, {}, ends, sources))
            query = "SELECT space, rule, key, value FROM state ORDER BY 1, 2, 3"
            for space, rule, key, value in link.execute(query):
                writer.row(space, 0, rule, key, value)
            for name, one in again.items():
                for row in one.waiting:
                    writer.row(name, 0, row.rule, row.key, row.value or b"")
                    writer.counted.waiting += 1
        return writer.counted


@contextmanager
def _snapshot(folder: Path, lang: str) -> Iterator[sqlite3.Connection]:
    """One moment of a data folder, for reading."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise EnvironmentUnusable(say("state-nothing", lang, place=folder))
    link = connect_reader(path)
    try:
        link.execute("BEGIN")
        (found,) = link.execute("PRAGMA user_version").fetchone()
        if not 0 < found <= VERSION:
            raise StateError(say("store-version", lang, path=path, found=found, ours=VERSION))
        yield link
    except sqlite3.Error as error:
        raise EnvironmentUnusable(say("store-unusable", lang, path=path, why=error)) from error
    finally:
        link.close()


def _fields(head: Head) -> dict[str, object]:
    return {name: getattr(head, name) for name in head.__struct_fields__}


def _topics(plan: Plan) -> dict[str, tuple[str, int]]:
    """For each log that is a Kafka partition, its topic and number (as many as there can be)."""
    found: dict[str, tuple[str, int]] = {}
    for one in plan.sources:
        if one.kind == "kafka":
            for number in range(FEED_PARTITIONS):
                found[f"kafka/{one.name}/{number}"] = (one.options.topic, number)
    return found


class _Snapshot:
    """A journal that only remembers: what sources may ask for while logs are read again."""

    def __init__(self, link: sqlite3.Connection) -> None:
        self._link = link

    async def order_files(self, source: str, names: Sequence[str]) -> Sequence[str]:
        """The files in the order in which the daemon gave them."""
        query = "SELECT name FROM files WHERE source = ? ORDER BY number"
        known = [name for (name,) in self._link.execute(query, (source,))]
        return [*known, *(name for name in names if name not in known)]

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        """Nothing is posted to an export."""

    async def mark(self, source: str) -> str | None:
        """How far a source came."""
        return inbox.mark(self._link, source)

    async def inbox_read(self, feed: str, start: int, limit: int) -> Sequence[InboxRow]:
        """Kept records at or after an offset."""
        return inbox.read(self._link, feed, start, limit)

    async def inbox_depth(self, feed: str, start: int = 0) -> int:
        """How many records are kept at or after an offset."""
        return inbox.depth(self._link, feed, start)

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        """Nothing is refused by an export."""


async def _read_again(
    configured: Configured,
    program: Program,
    plan: Plan,
    link: sqlite3.Connection,
    again: Mapping[str, Rereading],
    lang: str,
) -> None:
    """Find what waited: in the store where it is kept there, else by asking the sources."""
    for name, one in again.items():
        _handed(link, name, one)
        for feed in program.spaces[name].outside:
            log = inbox.log_of(feed)
            known = one.meta.positions.get(log)
            start = 0 if known is None else known[0]
            partition = _posted(plan, feed)
            if partition is None:
                continue
            for row in inbox.read(link, feed, start, -1):
                one.take(log, SourceId(feed, partition), [Record(*row)])
    needed: dict[str, dict[str, tuple[int, int]]] = {}
    for name, one in again.items():
        for log in one.meta.positions:
            span = one.wanted(log)
            if span is not None and not log.startswith((PREFIX, "inbox/")):
                needed.setdefault(log, {})[name] = span
    if not needed:
        return
    feeds = {source.name: source.options.feed for source in plan.sources}
    kept = Plan(
        [source for source in plan.sources if source.options.feed in program.feeds],
        plan.sinks,
        plan.routes,
    )
    decoders = {name: feed.decoder for name, feed in program.feeds.items()}
    for source in make_sources(kept, decoders, configured.folder, _Snapshot(link)):
        if any(_may_be(source, log) for log in needed):
            await _from_source(source, feeds[source.name], needed, again)
    if needed:
        raise EnvironmentUnusable(say("state-waiting-lost", lang, logs=", ".join(sorted(needed))))


def _may_be(source: Source, log: str) -> bool:
    """Whether a log is one of a source's; they are named after it."""
    return log.split("/", 2)[1:2] == [source.name]


async def _from_source(
    source: Source,
    feed: str,
    needed: dict[str, dict[str, tuple[int, int]]],
    again: Mapping[str, Rereading],
) -> None:
    """Read the logs of one source up to where their key spaces had read them."""
    del feed
    await source.open({log: min(s for s, _ in spans.values()) for log, spans in needed.items()})
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for batch in source.batches():
                spans = needed.get(batch.log)
                if spans is not None:
                    for name, (start, end) in spans.items():
                        records = [one for one in batch.records if start <= one.offset < end]
                        again[name].take(batch.log, batch.source, records)
                    following = batch.records[-1].offset + 1 if batch.records else 0
                    if following >= max(end for _, end in spans.values()):
                        del needed[batch.log]
                if not any(_may_be(source, log) for log in needed):
                    break
    except TimeoutError:
        return
    finally:
        await source.close()


def _posted(plan: Plan, feed: str) -> int | None:
    """The stream number of the source that a feed is posted to; None if it is not posted."""
    counts: dict[str, int] = {}
    for source in plan.sources:
        name = source.options.feed
        number = counts[name] = counts.get(name, -1) + 1
        if name == feed and source.has_inbox:
            return number * FEED_PARTITIONS
    return None


def _handed(link: sqlite3.Connection, name: str, one: Rereading) -> None:
    """What other key spaces had handed to this one and it had not released."""
    (version_,) = link.execute("PRAGMA user_version").fetchone()
    if version_ < _CHAINED:
        return
    sources = {
        log_of(feed, sender): source_of(feed, sender)
        for feed, senders in one.program.upstream.items()
        for sender in senders
    }
    query = "SELECT log, place, value FROM handed WHERE space = ? ORDER BY place"
    for log, place, value in link.execute(query, (name,)):
        if log in sources:
            one.take(log, sources[log], [Record(place, value)])
