"""`forewarn doctor`: whether everything is there that a daemon needs, one line a matter."""

import platform
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import urlsplit

import chinese_calendar

from engine.edge.cli.daemon import settings_of
from engine.edge.cli.exits import Exit
from engine.edge.cli.versions import NAME, UNKNOWN, own_version, parts
from engine.edge.cli.voice import voice
from engine.errors import DeclarationError, EnvironmentUnusable

OLDEST_PYTHON = (3, 11)
_OURS = ("engine", "connectors", "simulators", "rules")
_HORIZON_DAYS = 60
_REACH_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One matter looked at: `fine`, `warn` or `bad`, and the sentence about it."""

    matter: str
    state: str
    text: str


def examine(target: Path, *, connect: bool, broker: str | None) -> int:
    """Look at everything; exit code 4 when something is not usable."""
    speak = voice()
    findings = list(_all(target, connect=connect, broker=broker))
    worst = any(finding.state == "bad" for finding in findings)
    if speak.json:
        speak.data(
            {
                "ok": not worst,
                "findings": [
                    {"matter": one.matter, "state": one.state, "text": one.text} for one in findings
                ],
            }
        )
    else:
        marks = {"fine": "green", "warn": "yellow", "bad": "red"}
        for one in findings:
            mark = speak.colour(speak.say(f"doctor-{one.state}"), marks[one.state])
            speak.line(f"{mark} {one.text}")
    return Exit.ENVIRONMENT if worst else Exit.FINE


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
    except DeclarationError as error:
        reports = [problem.report(voice().lang) for problem in error.problems]
        yield _found("settings", "bad", "settings-none", why="\n".join(reports))
        return
    except EnvironmentUnusable as error:
        yield _found("settings", "bad", "settings-none", why=error)
        return
    values = configured.values
    yield _folder(configured.data_folder)
    if any(source.get("kind") == "http" for source in values.sources.values()):
        yield _port(values.http.host, values.http.port)
    if values.metrics.port > 0:
        yield _port(values.metrics.host, values.metrics.port)
    wanted = values.broker
    if connect and wanted:
        yield from _brokers(wanted)
    elif connect:
        yield _found("broker", "fine", "broker-none")


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


def _brokers(url: str) -> Iterator[Finding]:
    """Whether each broker named answers at all."""
    for place in url.removeprefix("kafka://").split(","):
        parsed = urlsplit(f"//{place}")
        try:
            with socket.create_connection((parsed.hostname or "", parsed.port or 9092), _REACH_S):
                pass
        except OSError as error:
            yield _found("broker", "bad", "broker-bad", place=place, why=error.strerror or error)
        else:
            yield _found("broker", "fine", "broker", place=place)
