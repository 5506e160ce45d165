"""`forewarn explain RULE --key KEY --folder DIR`: how far a key is by what a daemon has stored."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec

from engine.edge.cli.daemon import settings_of
from engine.edge.cli.exits import Misuse
from engine.edge.cli.explain_alert import database_of
from engine.edge.cli.explain_recorded import answered, only, show
from engine.edge.cli.explaining import Asked, folder_of
from engine.edge.cli.projects import find
from engine.edge.cli.voice import voice
from engine.edge.store.notes import read_notes
from engine.errors import EnvironmentUnusable
from engine.explain.course import Course
from engine.model.change import Change
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import Program, compile_project
from engine.state.watermark import NEVER

_PARTITION = 0
_LOOKED = 100_000
_decode = msgspec.json.Decoder(Change).decode


def explain_key(asked: Asked, key: str) -> int:
    """How far a key is by what the daemon of a folder has on disk; it may run meanwhile.

    Raises:
        Misuse: there is no such rule, or no daemon was named.
        EnvironmentUnusable: the folder holds no database.
        StateError: the saved state was written by other rules than those of the folder now.

    """
    folder = folder_of(asked)
    if asked.at is not None:
        raise Misuse(voice().say("explain-at-now"))
    configured = settings_of(folder)
    project = only(find(asked.rules or configured.packs).usable(), asked.what)
    if project.rules[asked.what].status == "retired":
        raise Misuse(voice().say("explain-retired", rule=asked.what))
    program = compile_project(project)
    course = Course(program, asked.what, key)
    with closing(database_of(folder)) as link:
        spaces, at_ms = _restored(link, program, asked.what, key)
        course.watch(spaces)
        course.told = list(_changes_of(link, asked.what, key))
        notes = read_notes(link, asked.what, key)
        funnel = course.funnel(at_ms)
        funnel.misses = list(notes)
        show(funnel)
        return answered(funnel, _keys_of(link, asked.what))


def _restored(
    link: sqlite3.Connection, program: Program, rule: str, key: str
) -> tuple[dict[str, Space], int]:
    """The key spaces of a rule with what is saved of the key, and the event time they came to."""
    spaces: dict[str, Space] = {}
    at_ms = NEVER
    for name, space_program in program.spaces.items():
        space = spaces[name] = Space(space_program)
        meta = link.execute(
            "SELECT value FROM meta WHERE space = ? AND partition = ?", (name, _PARTITION)
        ).fetchone()
        rows: list[Write] = []
        for part in space_program.rules:
            rows += _rows(link, name, part.spec.id, key, whole="/" in part.spec.id or _is_placed(
                part.spec.space))  # fmt: skip
        space.restore(None if meta is None else meta[0], rows)
        for number in range(len(space.logics)):
            space.dormant.rouse(number, key)
        if any(part.spec.id == rule for part in space_program.rules):
            at_ms = max(at_ms, space.progress.watermark)
    if at_ms <= NEVER:
        raise EnvironmentUnusable(voice().say("explain-nothing-yet"))
    return spaces, at_ms


def _is_placed(space: str) -> bool:
    """Whether a key space holds many keys under one, so that all rows are needed."""
    return space.startswith("ground")


def _rows(
    link: sqlite3.Connection, space: str, rule: str, key: str, *, whole: bool
) -> Iterator[Write]:
    query = "SELECT rule, key, value FROM state WHERE space = ? AND partition = ? AND rule = ?"
    asked: tuple[Any, ...] = (space, _PARTITION, rule)
    if not whole:
        query, asked = f"{query} AND key = ?", (*asked, key)
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
