"""`forewarn doctor`: whether everything is there that a daemon needs, one line a matter.

The last line says whether to go on. Exit code 2: settings or rules are wrong; 4: something is not
usable; 5: saved state does not fit the rules; 0: all is well, or only to be noted.
"""

import asyncio
import platform
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path

import chinese_calendar

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit
from engine.edge.cli.projects import find
from engine.edge.cli.versions import NAME, UNKNOWN, own_version, parts
from engine.edge.cli.voice import voice
from engine.edge.settings import Configured
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.ruleset.compile import compile_project
from engine.ruleset.spec import Project

OLDEST_PYTHON = (3, 11)
_OURS = ("engine", "connectors", "simulators", "rules")
_HORIZON_DAYS = 60
_CHINA = "cn"
"""The calendar that comes with us; it is looked at in any case."""
_COLOURS = {"fine": "green", "warn": "yellow", "bad": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One matter looked at: `fine`, `warn` or `bad`, the sentence about it, and its code if any.

    `exit` is the exit code that it means if it is bad.
    """

    matter: str
    state: str
    text: str
    code: str = ""
    exit: int = Exit.ENVIRONMENT


def examine(target: Path, *, connect: bool, broker: str | None) -> int:
    """Look at everything; answers the exit code."""
    speak = voice()
    findings: list[Finding] = []
    for one in _all(target, connect=connect, broker=broker):
        findings.append(one)
        if not speak.json:
            mark = speak.colour(speak.say(f"doctor-{one.state}"), _COLOURS[one.state])
            speak.line(f"{mark} {one.text}")
    code, last = _verdict(findings)
    if speak.json:
        listed = [
            {"matter": one.matter, "state": one.state, "text": one.text, "code": one.code or None}
            for one in findings
        ]
        speak.data({"ok": not code, "exit": code, "verdict": last, "findings": listed})
    else:
        speak.line()
        speak.line(last)
    return code


def _verdict(findings: Sequence[Finding]) -> tuple[int, str]:
    """The exit code, and the last line. What must be mended first decides."""
    bad = [one for one in findings if one.state == "bad"]
    noted = sum(one.state == "warn" for one in findings)
    if not bad:
        return Exit.FINE, voice().say("doctor-verdict-fine", count=len(findings), noted=noted)
    code = min(int(one.exit) for one in bad)
    return code, voice().say("doctor-verdict-bad", count=len(bad), noted=noted, code=code)


def _all(target: Path, *, connect: bool, broker: str | None) -> Iterator[Finding]:
    yield _python()
    yield _parts()
    yield _names()
    yield _calendar()
    yield from _settings(target, connect=connect, broker=broker)


def _found(matter: str, state: str, sentence: str, **words: object) -> Finding:
    return Finding(matter, state, voice().say(f"doctor-{sentence}", **words))


def _python() -> Finding:
    state = "fine" if sys.version_info >= OLDEST_PYTHON else "bad"
    words = {
        "ours": own_version(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    return _found("version", state, "version", **words)


def _parts() -> Finding:
    if own_version() == UNKNOWN:
        return _found("parts", "warn", "parts-source")
    missing = [name for name, found in parts() if not found]
    if missing:
        return _found("parts", "bad", "parts-missing", names=", ".join(missing))
    return _found("parts", "fine", "parts", count=len(list(parts())))


def _names() -> Finding:
    """Whether another distribution ships folders named like ours, which would overwrite them."""
    owners = packages_distributions()
    strangers = {
        f"{name} ({', '.join(sorted(set(others)))})"
        for name in _OURS
        if (others := [one for one in owners.get(name, []) if one != NAME])
    }
    if strangers:
        return _found("names", "bad", "names-taken", names=", ".join(sorted(strangers)))
    return _found("names", "fine", "names", names=", ".join(_OURS))


def _calendar() -> Finding:
    """How far ahead holidays are known; working days beyond that are not guessed."""
    last = max(chinese_calendar.constants.holidays)
    left = (datetime(last.year, 12, 31, tzinfo=UTC) - datetime.now(UTC)).days
    state = "fine" if left >= _HORIZON_DAYS else "warn"
    return _found("calendar", state, "calendar", year=last.year, days=max(left, 0))


def _settings(target: Path, *, connect: bool, broker: str | None) -> Iterator[Finding]:
    """What the settings name: folder, port, broker; without settings the defaults."""
    try:
        configured = settings_of(target, broker=broker)
    except EnvironmentUnusable as error:
        yield _found("settings", "bad", "settings-none", why=error)
        return
    except DeclarationError as error:
        yield from _declared_wrong(error)
        return
    values = configured.values
    yield _folder(configured.data_folder)
    if any(source.get("kind") == "http" for source in values.sources.values()):
        yield _port(values.http.host, values.http.port)
    if values.metrics.port > 0:
        yield _port(values.metrics.host, values.metrics.port)
    if values.broker and values.sources:
        names = ", ".join(sorted(values.sources))
        yield Finding("sources", "warn", voice().say("kafka-sources-unread", names=names))
    if connect and values.broker:
        yield from _kafka(configured)
    elif connect:
        yield _found("broker", "fine", "broker-none")


def _declared_wrong(error: DeclarationError) -> Iterator[Finding]:
    """Every problem of settings or rules as a finding."""
    for one in error.problems:
        text = one.report(voice().lang).split("\n")[0]
        yield Finding("settings", "bad", text, one.code, Exit.DECLARATIONS)


def _kafka(configured: Configured) -> Iterator[Finding]:
    """Everything about the cluster, held against the rules that shall run on it."""
    # Faust and Kafka are imported only by those who work on them.
    from engine.edge.cli.kafka_link import link_of  # noqa: PLC0415
    from engine.edge.streaming.checkup import check_up  # noqa: PLC0415
    from engine.edge.streaming.quieten import silence  # noqa: PLC0415

    lang = voice().lang
    try:
        project = find(configured.packs).usable()
        yield from _calendars(project)
        link = link_of(configured, lang)
    except DeclarationError as error:
        yield from _declared_wrong(error)
        return
    except EnvironmentUnusable as error:
        yield Finding("settings", "bad", str(error), str(error).split(":")[0])
        return
    program = compile_project(project)
    silence()

    async def looks() -> list[Finding]:
        return [Finding(*one) async for one in check_up(link, program, lang)]

    yield from asyncio.run(looks())


def _calendars(project: Project) -> Iterator[Finding]:
    """How far ahead the calendars of the rules know their days."""
    today = datetime.now(UTC).date()
    for name, calendar in sorted(project.calendars.items()):
        left = (calendar.until - today).days
        if name != _CHINA and left < _HORIZON_DAYS:
            yield _found("calendar", "warn", "calendar-own", name=name, until=calendar.until)


def _folder(folder: Path) -> Finding:
    here = folder
    while not here.exists() and here != here.parent:
        here = here.parent
    try:
        with tempfile.TemporaryFile(dir=here):
            pass
    except OSError as error:
        return _found("folder", "bad", "folder-bad", folder=folder, why=error.strerror)
    return _found("folder", "fine", "folder", folder=folder)


def _port(host: str, port: int) -> Finding:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        return _found("port", "bad", "port-bad", host=host, port=port, why=error.strerror)
    return _found("port", "fine", "port", host=host, port=port)
