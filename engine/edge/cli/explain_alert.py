"""`forewarn explain ALERT`: why an alert fired, from what was stored with it."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from engine.alerts.proof import Waiting, waiting
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.explaining import Asked, folder_of, unknown
from engine.edge.cli.voice import voice
from engine.edge.store.notes import read_notes
from engine.edge.store.schema import FILE_NAME, connect_reader
from engine.errors import EnvironmentUnusable
from engine.explain.words import alert_text, note_lines, step_lines
from engine.model.change import Change, Transition
from engine.model.formats import format_time
from engine.model.progress import Note, Step
from engine.state.codec import unpack_row

_PREFIX = 4
"""So many characters of an id are compared to find the one that was meant."""
_ID = 24
_ZONE = "Asia/Shanghai"
_JUDGED = frozenset({Transition.FIRED, Transition.RAISED})
_decode = msgspec.json.Decoder(Change).decode


def explain_alert(asked: Asked) -> int:
    """Why an alert fired, from what was stored with it.

    Raises:
        Misuse: there is no such alert.

    """
    if asked.data:
        changes = [one for path in asked.data for one in _from_file(Path(path), asked.what)]
        near, notes, proof = list[str](), list[Note](), None
    else:
        with closing(database_of(folder_of(asked))) as link:
            changes = list(changes_of(link, asked.what))
            near = [] if changes else _alike(link, asked.what)
            notes = _notes_of(link, changes[0]) if changes else []
            proof = _waited_for(link, changes) if changes else None
    if not changes:
        raise Misuse(_no_alert(asked, near))
    if voice().json:
        plain = [msgspec.to_builtins(change) for change in changes]
        awaited = None if proof is None else proof._asdict()
        voice().data({"changes": plain, "notes": msgspec.to_builtins(notes), "proof": awaited})
    else:
        _print(changes, notes)
        if proof is not None:
            _print_proof(changes[0], proof, asked)
    return Exit.FINE


def _notes_of(link: sqlite3.Connection, change: Change) -> list[Note]:
    """Near misses and faults of the alert's key, and what became of the alert's own proof."""
    found = read_notes(link, change.rule, change.key)
    return [
        note for note in found if note.kind != "unproved" or note.progress.part == change.episode_id
    ]


def _waited_for(link: sqlite3.Connection, changes: Sequence[Change]) -> Waiting | None:
    """What the saved state says of a proof that the alert is over, while it is waited for."""
    rows = link.execute(
        "SELECT value FROM state WHERE rule = ? AND key = ?", (changes[0].rule, changes[0].key)
    )
    for (value,) in rows:
        payload = unpack_row(value)[1]
        last = payload[-1] if isinstance(payload, list) and payload else None
        for plain in last if isinstance(last, list) else ():
            found = waiting(plain)
            if found is not None and found.id == changes[0].episode_id:
                return found
    return None


def _print_proof(change: Change, proof: Waiting, asked: Asked) -> None:
    """What of the proof is there; the rule itself is not asked, it may be gone."""
    speak, lang = voice(), voice().lang
    steps = [Step("proof-holds", met=proof.held is not None, at_ms=proof.held)]
    if proof.held is None and proof.broken is not None:
        steps.append(Step("proof-ceased", None, proof.lasted, unit="ms", at_ms=proof.broken))
    speak.line("")
    folder = asked.folder or "."
    words = {"rule": change.rule, "key": change.key, "folder": folder}
    speak.line(speak.say("explain-unproved", **words))
    for line in step_lines(steps, _ZONE, lang):
        speak.line(line)


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


def database_of(folder: Path) -> sqlite3.Connection:
    """The database of a daemon's folder, for looking only; the daemon may run meanwhile.

    Raises:
        EnvironmentUnusable: there is none.

    """
    from engine.edge.settings import read_settings  # noqa: PLC0415 - not needed for a file

    path = read_settings(folder, dict(os.environ), {}).data_folder / FILE_NAME
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("explain-no-database", path=path))
    return connect_reader(path)


def changes_of(link: sqlite3.Connection, name: str) -> Iterator[Change]:
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
