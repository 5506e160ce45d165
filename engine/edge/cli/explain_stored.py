"""`forewarn explain RULE --key KEY --folder DIR`: how far a key is by what a daemon has stored."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Misuse
from engine.edge.cli.explain_alert import database_of
from engine.edge.cli.explain_recorded import answered, only, show
from engine.edge.cli.explaining import Asked, folder_of
from engine.edge.cli.projects import find
from engine.edge.cli.voice import voice
from engine.edge.state_tools.file import StateReader
from engine.edge.store.notes import read_notes
from engine.errors import EnvironmentUnusable
from engine.explain.course import Course
from engine.feeds.alerts import ALERTS
from engine.model.change import Change
from engine.model.row_keys import subject_of
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import compile_project
from engine.state.watermark import NEVER

_PARTITION = 0
_LOOKED = 100_000
_decode = msgspec.json.Decoder(Change).decode


def explain_key(asked: Asked, key: str) -> int:
    """How far a key is by what a daemon has on disk (it may run meanwhile), or by an export.

    Raises:
        Misuse: there is no such rule, or no daemon was named.
        EnvironmentUnusable: the folder holds no database, or belongs to workers on Kafka.
        StateError: the saved state was written by other rules than those of the folder now.

    """
    folder = folder_of(asked)
    if asked.at is not None:
        raise Misuse(voice().say("explain-at-now"))
    if folder.is_file() and folder.suffix not in (".yaml", ".yml"):
        return _by_export(asked, key, StateReader(folder, voice().lang))
    configured = settings_of(folder)
    course = _course(asked, key, asked.rules or configured.packs)
    if configured.values.broker is not None:
        raise EnvironmentUnusable(voice().say("explain-on-kafka", folder=folder))
    with closing(database_of(folder)) as link:
        saved = {
            name: _Saved(_meta(link, name), list(_rows(link, course, name)))
            for name in course.program.spaces
        }
        at_ms = _restore(course, saved)
        course.told = list(_changes_of(link, asked.what, key))
        funnel = course.funnel(at_ms)
        funnel.misses = list(read_notes(link, asked.what, key))
        show(funnel)
        return answered(funnel, _keys_of(link, asked.what))


def _by_export(asked: Asked, key: str, reader: StateReader) -> int:
    """How far a key is by an export of the state, of a folder or of Kafka."""
    course = _course(asked, key, asked.rules)
    parts, _ = reader.verified()
    saved = {name: _Saved() for name in course.program.spaces}
    keys: set[str] = set()
    for row in reader.rows():
        if row.space in saved and row.rule == asked.what:
            keys.add(subject_of(row.key))
        if row.space in saved and _concerns(course, row.space, row.rule, row.key):
            saved[row.space].rows.append(Write(row.rule, row.key, row.value))
    reached = [part.watermark for part in parts if part.space in saved and part.watermark]
    _restore(course, saved)
    funnel = course.funnel(max(reached, default=NEVER))
    show(funnel)
    return answered(funnel, sorted(keys))


def _course(asked: Asked, key: str, rules: Sequence[Path]) -> Course:
    """The rule that was asked about, with nothing known yet."""
    project = only(find(rules).usable(), asked.what)
    if project.rules[asked.what].status == "retired":
        raise Misuse(voice().say("explain-retired", rule=asked.what))
    return Course(compile_project(project), asked.what, key)


@dataclass(slots=True)
class _Saved:
    """What is saved of a key space, as far as it concerns the key."""

    meta: bytes | None = None
    rows: list[Write] = field(default_factory=list)


def _restore(course: Course, saved: Mapping[str, _Saved]) -> int:
    """Take up what is saved; answers the event time that the rule's key space came to."""
    spaces: dict[str, Space] = {}
    at_ms = NEVER
    for name, found in saved.items():
        space = spaces[name] = Space(course.program.spaces[name])
        space.restore(found.meta, found.rows)
        for number, rows in list(space.dormant.rows.items()):
            for key in list(rows):
                space.dormant.rouse(number, key)
        if any(part.spec.id == course.rule for part in space.program.rules):
            at_ms = max(at_ms, space.progress.watermark)
    if at_ms <= NEVER and any(found.meta is not None for found in saved.values()):
        raise EnvironmentUnusable(voice().say("explain-nothing-yet"))
    course.watch(spaces)
    return at_ms


def _concerns(course: Course, space: str, rule: str, key: str) -> bool:
    """Whether a row is needed: that of the key, and all where keys are looked at together."""
    if rule not in {part.spec.id for part in course.program.spaces[space].rules}:
        return False
    spec = course.program.project.rules[course.rule]
    together = space != spec.space and ALERTS not in spec.feeds
    return key == course.key or (together and rule.partition("/")[0] == course.rule)


def _meta(link: sqlite3.Connection, space: str) -> bytes | None:
    found = link.execute(
        "SELECT value FROM meta WHERE space = ? AND partition = ?", (space, _PARTITION)
    ).fetchone()
    return None if found is None else found[0]


def _rows(link: sqlite3.Connection, course: Course, space: str) -> Iterator[Write]:
    """The rows of a key space that concern the key; one look-up where keys stand alone."""
    for part in course.program.spaces[space].rules:
        rule = part.spec.id
        query = "SELECT rule, key, value FROM state WHERE space = ? AND partition = ? AND rule = ?"
        asked: tuple[Any, ...] = (space, _PARTITION, rule)
        if not _concerns(course, space, rule, ""):
            query, asked = f"{query} AND key = ?", (*asked, course.key)
        for found in link.execute(query, asked):
            yield Write(*found)


def _changes_of(link: sqlite3.Connection, rule: str, key: str) -> Iterator[Change]:
    """The transitions of a key's alerts, in the order in which they happened."""
    rows = link.execute(
        "SELECT body FROM changes WHERE episode_id IN"
        " (SELECT episode_id FROM alerts WHERE rule = ? AND key = ?) ORDER BY seq",
        (rule, key),
    )
    return (_decode(body) for (body,) in rows)


def _keys_of(link: sqlite3.Connection, rule: str) -> list[str]:
    """Keys of a rule that have state or had alerts, for those who mistype one."""
    rows = link.execute(
        "SELECT key FROM state WHERE rule = ?1 UNION SELECT key FROM alerts WHERE rule = ?1"
        " LIMIT ?2",
        (rule, _LOOKED),
    )
    return [found for (found,) in rows]
