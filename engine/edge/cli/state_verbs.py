"""What `forewarn state` does, word by word."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.projects import find
from engine.edge.cli.voice import voice
from engine.edge.settings import Configured
from engine.edge.state_tools import look
from engine.edge.state_tools.compare import differences
from engine.edge.state_tools.file import Counted, Row, StateReader
from engine.edge.state_tools.folder_in import import_folder
from engine.edge.state_tools.folder_out import export_folder
from engine.edge.state_tools.plan import data_of, plan_lines, refusals, rehearsed, table, todo
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.ports import Write
from engine.ruleset.compile import Program, compile_project
from engine.state.codec import WAITING, pack_row, written_by

# Kafka is imported only by those who have their state there.
# ruff: noqa: PLC0415

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of one command line."""

    action: str
    places: Sequence[Path]
    out: Path | None
    replace: bool
    feeds: str | None
    rule: str | None
    key: str | None
    rules: Sequence[Path]
    broker: str | None
    data: Path | None


def carry_out(asked: Asked) -> int:
    """Do what was asked; answers the exit code.

    Raises:
        Misuse: the words make no sense together.

    """
    does = ACTIONS.get(asked.action)
    if does is None:
        words = {"found": asked.action, "actions": ", ".join(ACTIONS)}
        raise Misuse(voice().say("state-action", **words))
    return does(asked)


def _export(asked: Asked) -> int:
    """An installation into a file."""
    if asked.out is None or len(asked.places) > 1:
        raise Misuse(voice().say("state-export-misuse"))
    target = _target(asked, 0)
    counted = _exported(target, asked.out, carry=True)
    words = _words(counted) | {"path": str(asked.out)}
    if voice().json:
        voice().data(words | {"unread": counted.unread})
    else:
        voice().line(voice().say("state-exported", **words))
        for log, count in sorted(counted.unread.items()):
            voice().note(voice().say("state-exported-unread", log=log, count=count))
    return Exit.FINE


def _import(asked: Asked) -> int:
    """A file into an installation."""
    if not asked.places or len(asked.places) > 2 or asked.feeds not in (None, "start", "end"):  # noqa: PLR2004 - FILE and FOLDER
        raise Misuse(voice().say("state-import-misuse"))
    reader = StateReader(asked.places[0], voice().lang)
    target = _target(asked, 1)
    lang = voice().lang
    if target.configured.values.broker is None:
        counted = import_folder(
            reader, target.configured, target.program, lang, replace=asked.replace
        )
    else:
        from engine.edge.cli.kafka_link import link_of
        from engine.edge.streaming.carry_in import import_topics

        link = link_of(target.configured, lang)
        counted = import_topics(
            reader, link, target.program, lang, replace=asked.replace, feeds=asked.feeds
        )
    words = _words(counted) | {"path": str(asked.places[0])}
    if voice().json:
        voice().data(words)
    else:
        voice().line(voice().say("state-imported", **words))
    return Exit.FINE


def _inspect(asked: Asked) -> int:
    """What is in a state."""
    if len(asked.places) > 1 or (asked.key is not None and asked.rule is None):
        raise Misuse(voice().say("state-inspect-misuse"))
    with _opened(asked, 0) as (reader, program):
        parts, _ = reader.verified()
        if asked.rule is not None and asked.key is not None:
            return _one_key(asked, reader, program)
        rows = (row for row in reader.rows() if asked.rule in (None, row.rule))
        sums = look.summed(parts, rows)
        if voice().json:
            head = reader.head
            origin = {"kind": head.origin.kind, "place": head.origin.place, "project": head.project}
            voice().data({**origin, "spaces": look.data(parts, sums, program)})
        else:
            for line in look.table(parts, sums, program, voice().lang):
                voice().line(line)
    return Exit.FINE


def _one_key(asked: Asked, reader: StateReader, program: Program | None) -> int:
    found = [row for row in reader.rows() if (row.rule, row.key) == (asked.rule, asked.key)]
    if not found:
        voice().note(voice().say("state-no-key", rule=asked.rule, key=asked.key))
        return Exit.FAILED
    for row in found:
        voice().data(look.key_in_words(program, row))
    return Exit.FINE


def _diff(asked: Asked) -> int:
    """Two states side by side."""
    if len(asked.places) != 2:  # noqa: PLR2004 - two sides
        raise Misuse(voice().say("state-diff-misuse"))
    with (
        _opened(asked, 0) as (left, _),
        _opened(asked, 1) as (right, _),
        tempfile.TemporaryDirectory(prefix="forewarn-diff-") as scratch,
    ):
        found = differences(
            _asked_rows(asked, left), _asked_rows(asked, right), Path(scratch) / "db"
        )
    if voice().json:
        listed = [{"space": d.space, "rule": d.rule, "key": d.key, "how": d.how} for d in found]
        voice().data({"equal": not found, "differences": listed})
        return Exit.FAILED if found else Exit.FINE
    for one in found[:_SHOWN]:
        how = voice().say(f"state-diff-{one.how}")
        voice().line(f"{one.space}  {one.rule}  {one.key}  {how}")
    if len(found) > _SHOWN:
        voice().line(voice().say("state-diff-more", count=len(found) - _SHOWN))
    voice().line(
        voice().say("state-diff-count", count=len(found))
        if found
        else voice().say("state-diff-equal")
    )
    return Exit.FAILED if found else Exit.FINE


def _asked_rows(asked: Asked, reader: StateReader) -> Iterator[Row]:
    """What rules remember; records that wait for their turn are no state yet."""
    for row in reader.rows():
        if row.rule == WAITING:
            continue
        if asked.rule in (None, row.rule) and asked.key in (None, row.key):
            yield row


def _plan(asked: Asked) -> int:
    """What the rules as they are now would do with the saved state."""
    if len(asked.places) > 1:
        raise Misuse(voice().say("state-plan-misuse"))
    with _opened(asked, 0) as (reader, program):
        if program is None:
            raise Misuse(voice().say("state-plan-misuse"))
        rows: dict[str, list[Write]] = {}
        for row in reader.rows():
            rows.setdefault(row.space, []).append(Write(row.rule, row.key, short(row.value)))
        specs = {name: rule.spec for name, rule in program.rules.items()}
        lines = plan_lines(rows, specs)
        wrong = rehearsed(program, reader.verified()[0], reader.rows())
    bad = bool(refusals(lines) or wrong)
    if voice().json:
        why = [error.said(voice().lang) for error in wrong]
        voice().data({"starts": not bad, "plan": data_of(lines), "wrong": why})
    else:
        for line in [*table(lines, voice().lang), *todo(lines, voice().lang)]:
            voice().line(line)
        for error in wrong:
            voice().line(error.said(voice().lang))
    return Exit.STATE if bad else Exit.FINE


def _adopt(asked: Asked) -> int:
    """Let the rules as they are now work on partitions that newer ones have worked on."""
    target = _target(asked, 0)
    if len(asked.places) > 1 or target.configured.values.broker is None:
        raise Misuse(voice().say("state-adopt-misuse"))
    from engine.edge.cli.kafka_link import link_of
    from engine.edge.streaming.carry_in import adopt

    link = link_of(target.configured, voice().lang)
    count = adopt(link, target.program, voice().lang)
    voice().line(voice().say("state-adopted", count=count))
    return Exit.FINE


@dataclass(frozen=True, slots=True)
class _Installation:
    configured: Configured
    program: Program


def _target(asked: Asked, place: int) -> _Installation:
    """The installation that a folder or settings file describes."""
    folder = asked.places[place] if len(asked.places) > place else Path()
    if not folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=folder))
    configured = settings_of(folder, broker=asked.broker, data=asked.data)
    project = find(asked.rules or configured.packs).usable()
    return _Installation(configured, compile_project(project))


def _exported(target: _Installation, out: Path, *, carry: bool) -> Counted:
    lang = voice().lang
    if target.configured.values.broker is None:
        return export_folder(target.configured, target.program, out, lang, carry=carry)
    from engine.edge.cli.kafka_link import link_of
    from engine.edge.streaming.carry_out import export_topics

    link = link_of(target.configured, lang)
    return export_topics(link, target.program, out, lang, carry=carry)


@contextmanager
def _opened(asked: Asked, place: int) -> Iterator[tuple[StateReader, Program | None]]:
    """An export, or an installation exported to a scratch file, and the rules if there are any."""
    path = asked.places[place] if len(asked.places) > place else Path()
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        reader = StateReader(path, voice().lang)
        yield reader, _rules_beside(asked)
        return
    target = _target(asked, place)
    with tempfile.TemporaryDirectory(prefix="forewarn-state-") as scratch:
        out = Path(scratch) / "state"
        _exported(target, out, carry=False)
        yield StateReader(out, voice().lang), target.program


def _rules_beside(asked: Asked) -> Program | None:
    """The rules named with `--rules`, or those that lie here; none is no mistake."""
    try:
        return compile_project(find(asked.rules).usable())
    except (DeclarationError, EnvironmentUnusable):
        if asked.rules:
            raise
        return None


def short(value: bytes) -> bytes:
    """A row without its payload: a plan asks only who wrote it."""
    return pack_row(written_by(value), None)


def _words(counted: Counted) -> dict[str, object]:
    return {
        "rows": counted.rows, "partitions": counted.partitions, "waiting": counted.waiting,
        "bytes": counted.bytes,
    }  # fmt: skip


ACTIONS: Mapping[str, Callable[[Asked], int]] = {
    "export": _export,
    "import": _import,
    "inspect": _inspect,
    "diff": _diff,
    "plan": _plan,
    "adopt": _adopt,
}
