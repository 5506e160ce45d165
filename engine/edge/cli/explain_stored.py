"""`forewarn explain` from what a daemon has stored: its state, its alerts, its near misses."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from engine.edge.cli.daemon import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.explaining import Asked, answered, only, show, unknown
from engine.edge.cli.projects import SETTINGS, find
from engine.edge.cli.voice import voice
from engine.edge.settings import Configured
from engine.edge.store.notes import read_notes
from engine.edge.store.schema import FILE_NAME, connect_reader
from engine.errors import EnvironmentUnusable
from engine.explain.course import Course
from engine.explain.words import alert_text, note_lines
from engine.model.change import Change, Transition
from engine.model.formats import format_time
from engine.model.progress import Note
from engine.pipeline import Space
from engine.ports import Write
from engine.ruleset.compile import Program, compile_project
from engine.state.watermark import NEVER

_PARTITION = 0
_PREFIX = 4
"""So many characters of an id are compared to find the one that was meant."""
_LOOKED = 100_000
_ID = 24
_ZONE = "Asia/Shanghai"
_JUDGED = frozenset({Transition.FIRED, Transition.RAISED})
_decode = msgspec.json.Decoder(Change).decode


def explain_key(asked: Asked, key: str) -> int:
    """How far a key is by what the daemon of a folder has on disk; it may run meanwhile.

    Raises:
        Misuse: there is no such rule, or no daemon was named.
        EnvironmentUnusable: the folder holds no database.
        StateError: the saved state was written by other rules than those of the folder now.

    """
    folder = _folder(asked)
    if asked.at is not None:
        raise Misuse(voice().say("explain-at-now"))
    configured = settings_of(folder)
    project = only(find(asked.rules or configured.packs).usable(), asked.what)
    if project.rules[asked.what].status == "retired":
        raise Misuse(voice().say("explain-retired", rule=asked.what))
    program = compile_project(project)
    course = Course(program, asked.what, key)
    with closing(_database(configured)) as link:
        spaces, at_ms = _restored(link, program, asked.what, key)
        course.watch(spaces)
        course.told = list(_changes_of(link, asked.what, key))
        notes = read_notes(link, asked.what, key)
        funnel = course.funnel(at_ms)
        funnel.misses = list(notes)
        show(funnel)
        return answered(funnel, _keys_of(link, asked.what))


def explain_alert(asked: Asked) -> int:
    """Why an alert fired, from what was stored with it.

    Raises:
        Misuse: there is no such alert.

    """
    if asked.data:
        changes = [one for path in asked.data for one in _from_file(Path(path), asked.what)]
        near, notes = list[str](), list[Note]()
    else:
        with closing(_database(settings_of(_folder(asked)))) as link:
            changes = list(_changes(link, asked.what))
            near = [] if changes else _alike(link, asked.what)
            notes = [*read_notes(link, changes[0].rule, changes[0].key)] if changes else []
    if not changes:
        raise Misuse(_no_alert(asked, near))
    if voice().json:
        plain = [msgspec.to_builtins(change) for change in changes]
        voice().data({"changes": plain, "notes": msgspec.to_builtins(notes)})
    else:
        _print(changes, notes)
    return Exit.FINE


def _no_alert(asked: Asked, near: Sequence[str]) -> str:
    """There is no such alert; perhaps a rule was meant, for which a key is needed."""
    if len(asked.what) != _ID:
        return voice().say("explain-which-key", name=asked.what)
    return unknown("explain-no-alert", asked.what, near)


def _print(changes: Sequence[Change], notes: Sequence[Note]) -> None:
    """An alert with each of its transitions, and the figures behind those that were judged."""
    speak, lang = voice(), voice().lang
    first = changes[0]
    title = first.title.get(lang) or next(iter(first.title.values()), "")
    speak.line(f"{first.rule}  {title}".rstrip())
    since = format_time(first.since_ms, _ZONE, lang)
    speak.line(speak.say("explain-alert", key=first.key, since=since, rule_hash=first.rule_hash))
    for change in changes:
        at = format_time(change.at_ms, _ZONE, lang)
        happened = speak.say(f"transition-{change.transition}")
        level = speak.say(f"format-level-{change.severity}")
        summary = change.summary.get(lang) or next(iter(change.summary.values()), "")
        speak.line("")
        speak.line(f"{at}  {happened}  {level}  {summary}".rstrip())
        if change.transition in _JUDGED:
            for line in alert_text({"evidence": change.evidence}, _ZONE, lang):
                speak.line(line)
    if notes:
        speak.line("")
        speak.line(speak.say("why-nearest"))
        for note in notes:
            for line in note_lines(note, _ZONE, lang):
                speak.line(line)


def _folder(asked: Asked) -> Path:
    """The folder of the daemon: the one named, or this one.

    Raises:
        Misuse: none is named, and this one has no settings.
        EnvironmentUnusable: it does not exist.

    """
    folder = Path() if asked.folder is None else asked.folder
    if not folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=folder))
    if asked.folder is None and not (folder / SETTINGS).exists():
        raise Misuse(voice().say("explain-whence"))
    return folder


def _database(configured: Configured) -> sqlite3.Connection:
    path = configured.data_folder / FILE_NAME
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("explain-no-database", path=path))
    return connect_reader(path)


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


def _changes(link: sqlite3.Connection, name: str) -> Iterator[Change]:
    """The transitions of the alert with this id, or with this delivery."""
    rows = link.execute(
        "SELECT body FROM changes WHERE episode_id = ?1 OR episode_id ="
        " (SELECT episode_id FROM changes WHERE delivery_id = ?1) ORDER BY ordinal",
        (name,),
    )
    return (_decode(body) for (body,) in rows)


def _alike(link: sqlite3.Connection, name: str) -> list[str]:
    """Ids that begin like this one."""
    start = name[:_PREFIX]
    rows = link.execute(
        "SELECT episode_id FROM alerts WHERE episode_id >= ? AND episode_id < ? LIMIT 100",
        (start, f"{start}\uffff"),
    )
    return [found for (found,) in rows]


def _keys_of(link: sqlite3.Connection, rule: str) -> list[str]:
    """Keys of a rule that have state or had alerts, for those who mistype one."""
    rows = link.execute(
        "SELECT key FROM state WHERE rule = ?1 UNION SELECT key FROM alerts WHERE rule = ?1"
        " LIMIT ?2",
        (rule, _LOOKED),
    )
    return [found for (found,) in rows]


def _from_file(path: Path, name: str) -> Iterator[Change]:
    """The transitions of an alert in a file of alerts, one a line.

    Raises:
        EnvironmentUnusable: there is no such file, or it is none of alerts.

    """
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
    wanted = name.encode()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if wanted not in line:
                continue
            try:
                change = _decode(line)
            except msgspec.DecodeError as error:
                sentence = voice().say("explain-no-alerts-file", path=path, line=number)
                raise EnvironmentUnusable(sentence) from error
            if name in {change.episode_id, change.delivery_id}:
                yield change
