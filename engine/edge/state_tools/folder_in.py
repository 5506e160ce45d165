"""Import into the data folder of an embedded daemon: one transaction, so all of it or nothing."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.edge.settings import Configured
from engine.edge.state_tools.file import Counted, Part, Route, StateReader
from engine.edge.store import Store
from engine.edge.store.apply import write_positions
from engine.edge.wiring import FEED_PARTITIONS, Plan, plan_connectors
from engine.errors import EnvironmentUnusable, StateError
from engine.ports import Position
from engine.ruleset.compile import Program
from engine.state.codec import WAITING, Meta, pack_meta, unpack_meta
from engine.state.portable import moved, together
from engine.text import say

_ONLY = 0


def import_folder(
    reader: StateReader, configured: Configured, program: Program, lang: str, *, replace: bool
) -> Counted:
    """Put an export into a data folder: all of it in one transaction, or nothing.

    Alerts, outbox and posted records of the folder are left alone.

    Raises:
        StateError: the file is damaged, or its state cannot be placed here without losing or
            repeating something.
        EnvironmentUnusable: the folder is in use, or holds state and `replace` was not asked for.

    """
    parts, routes = reader.verified()
    plan = plan_connectors(configured, program.project, lang)
    metas = _folder_metas(reader, parts, routes, plan, program, lang)
    store = Store(configured.data_folder, plan.route, lang=lang)

    def job(link: sqlite3.Connection) -> Counted:
        _make_room(link, configured.data_folder, lang, replace=replace)
        return _fill(link, reader, parts, metas)

    async def run() -> Counted:
        try:
            return await store.run(job)
        finally:
            await store.close()

    return asyncio.run(run())


def _folder_metas(
    reader: StateReader,
    parts: Sequence[Part],
    routes: Sequence[Route],
    plan: Plan,
    program: Program,
    lang: str,
) -> dict[str, Meta]:
    """The record of each key space here."""
    metas: dict[str, Meta] = {}
    logs = _kafka_logs(plan)
    for space in dict.fromkeys(part.space for part in parts):
        mine = [part for part in parts if part.space == space]
        meta = together([unpack_meta(p.meta) for p in mine if p.meta], lambda _key: True)
        if reader.head.origin.kind == "embedded":
            (part,) = mine
            meta.sources, meta.idle = part.sources, part.idle
            meta.positions = {log: end.position for log, end in part.logs.items()}
            meta.origins = {log: end.source for log, end in part.logs.items() if end.source}
        else:
            _from_topics(meta, mine, routes, logs, program, lang)
        metas[space] = meta
    return metas


def _kafka_logs(plan: Plan) -> dict[str, tuple[str, str, int]]:
    """For each topic that a source here reads: source name, feed, number of its first stream."""
    found: dict[str, tuple[str, str, int]] = {}
    counts: dict[str, int] = {}
    for source in plan.sources:
        feed = source.options.feed
        number = counts[feed] = counts.get(feed, -1) + 1
        if source.kind == "kafka":
            found[source.options.topic] = (source.name, feed, number * FEED_PARTITIONS)
    return found


def _from_topics(
    meta: Meta,
    parts: Sequence[Part],
    routes: Sequence[Route],
    logs: Mapping[str, tuple[str, str, int]],
    program: Program,
    lang: str,
) -> None:
    """Positions in topics that a source here reads too; the others must be read to their end."""
    space = program.spaces.get(parts[0].space)
    ends = [end for part in parts for end in part.logs.values() if end.topic]
    ends += [route.end for route in routes if route.space == parts[0].space]
    for end in ends:
        known = logs.get(end.topic)
        if known is None or (space is not None and known[1] not in space.feeds):
            if end.unread:
                place = f"{end.topic}/{end.partition}"
                words = {"place": place, "count": end.unread, "space": parts[0].space}
                raise StateError(say("state-unread", lang, **words))
            continue
        name, feed, first = known
        log, source = f"kafka/{name}/{end.partition}", f"{first + end.partition}/{feed}"
        meta.positions[log], meta.origins[log] = end.position, source
        meta.sources[source] = end.before_ms


def _make_room(link: sqlite3.Connection, folder: Path, lang: str, *, replace: bool) -> None:
    """See that nothing is lost by taking the old state away, and take it away."""
    (held,) = link.execute(
        "SELECT (SELECT count(*) FROM state) + (SELECT count(*) FROM meta)"
    ).fetchone()
    if held and not replace:
        raise EnvironmentUnusable(say("state-not-empty", lang, place=folder))
    (unread,) = link.execute(
        "SELECT count(*) FROM inbox WHERE seq >= (SELECT coalesce(max(frontier), 0)"
        " FROM positions WHERE log = 'inbox/' || feed)"
    ).fetchone()
    if unread:
        raise EnvironmentUnusable(say("state-inbox-unread", lang, place=folder, count=unread))
    for table in ("state", "meta", "positions", "files", "handed"):
        link.execute(f"DELETE FROM {table}")  # noqa: S608 - one of five words


def _fill(
    link: sqlite3.Connection, reader: StateReader, parts: Sequence[Part], metas: Mapping[str, Meta]
) -> Counted:
    """Write everything; the caller's transaction makes it all or nothing."""
    counted = Counted(partitions=len(parts))
    head = reader.head
    for source, names in head.files.items():
        rows = [(source, number, name) for number, name in enumerate(names)]
        link.executemany("INSERT INTO files VALUES (?, ?, ?)", rows)
    if head.inbox:
        updated = link.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'inbox'", (head.inbox,)
        )
        if not updated.rowcount:
            link.execute("INSERT INTO sqlite_sequence VALUES ('inbox', ?)", (head.inbox,))
    for space, meta in metas.items():
        link.execute(
            "INSERT INTO meta VALUES (?, ?, ?, ?)", (space, _ONLY, pack_meta(meta), meta.watermark)
        )
        positions = {log: Position(*place) for log, place in meta.positions.items()}
        write_positions(link, space, _ONLY, positions)
    complete = {(part.space, part.partition): part.watermark for part in parts}
    for row in reader.rows():
        upto, watermark = complete[row.space, row.partition], metas[row.space].watermark
        value = moved(row, watermark if upto is None else upto, watermark).value
        link.execute(
            "INSERT INTO state VALUES (?, ?, ?, ?, ?)",
            (row.space, _ONLY, row.rule, row.key, value),
        )
        counted.rows += 1
        counted.waiting += row.rule == WAITING
    return counted
