"""`forewarn route`: where an alert would go, who hears, until when, and why; and route tests."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.cases.declared.around import Around
from engine.cases.declared.build_mutes import instant_ms
from engine.cases.declared.load import LoadedDesk
from engine.cases.declared.route_tests import ZONE, alert_of
from engine.cases.declared.schema_test import RouteTestAlertModel
from engine.cases.declared.trial import Tried, outcome, run
from engine.edge.cli.desks import FoundDesk, desk_of, find_desks, regions_of, without_desks
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.projects import find
from engine.edge.cli.route_report import as_data, as_lines, test_lines, test_total, tests_as_data
from engine.edge.cli.voice import voice
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.model.change import Change
from engine.model.severity import Severity
from engine.ruleset.shape import nearest
from engine.ruleset.spec import Project

_decode = msgspec.json.Decoder(Change).decode
_PLACE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*,\s*(-?[0-9]+(?:\.[0-9]+)?)")
_MOST_LON, _MOST_LAT = 180, 90
_MOST = 1000
"""So many alerts of a file are routed at most: more nobody reads."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The alert that is asked about: a stored one, or its facts."""

    alert: str = ""
    rule: str = ""
    severity: str = ""
    labels: tuple[str, ...] = ()
    key: str = ""
    at: str = ""
    time: str = ""


def show_route(paths: Sequence[Path], wanted: Wanted) -> int:
    """Say where an alert would go.

    Raises:
        Misuse: nothing, or something impossible, is asked.
        DeclarationError: the desk, or the rules beside it, are wrong.
        EnvironmentUnusable: there is no desk.

    """
    speak = voice()
    if bool(wanted.alert) == bool(wanted.rule):
        raise Misuse(speak.say("route-which"))
    found, project = _only(paths)
    loaded = _usable(found.load(project))
    policy = loaded.policy
    assert policy is not None  # noqa: S101 - `_usable` answers desks without errors
    now_ms = _time(wanted.time)
    asked: Iterator[Change] | list[Change]
    if wanted.alert:
        asked = _stored(wanted.alert, paths)
    else:
        asked = [_made(wanted, project, now_ms or _now_ms())]
    shown = 0
    for alert in asked:
        at_ms = now_ms or alert.at_ms
        came = outcome(policy, alert, at_ms, regions_of(project))
        if speak.json:
            speak.record(as_data(came, alert, at_ms))
        else:
            for line in as_lines(came, alert, at_ms, policy, speak.lang):
                speak.line(line)
        shown += 1
    if not shown:
        raise Misuse(speak.say("route-no-alert", name=wanted.alert))
    return Exit.FINE


def test_routes(paths: Sequence[Path]) -> int:
    """Run the route tests; answers the exit code."""
    tried = try_routes(paths, "")
    if not tried:
        raise Misuse(voice().say("route-no-tests"))
    if voice().json:
        voice().data(tests_as_data(tried, voice().lang))
    else:
        for line in (*test_lines(tried, voice().lang), "", test_total(tried, voice().lang)):
            voice().line(line)
    return Exit.FINE if all(one.passed for one in tried) else Exit.FAILED


def try_routes(paths: Sequence[Path], only: str, project: Project | None = None) -> list[Tried]:
    """Run the route tests of every desk that the paths mean.

    Raises:
        DeclarationError: a desk is wrong.

    """
    tried: list[Tried] = []
    for found in find_desks(paths):
        around = project if project is not None else _project(paths)
        loaded = _usable(found.load(around))
        if loaded.test_errors:
            raise DeclarationError(loaded.test_errors)
        if loaded.policy is not None:
            regions = regions_of(around)
            tests = [one for one in loaded.tests if only in one.name]
            tried += [run(one, loaded.policy, regions) for one in tests]
    return tried


def _only(paths: Sequence[Path]) -> tuple[FoundDesk, Project | None]:
    """The one desk that is meant, with the rules beside it."""
    desks = find_desks(paths)
    if not desks:
        raise EnvironmentUnusable(voice().say("route-no-desk"))
    if len(desks) > 1:
        names = ", ".join(one.folder.as_posix() for one in desks)
        raise Misuse(voice().say("route-several-desks", folders=names))
    return desks[0], _project(paths)


def _project(paths: Sequence[Path]) -> Project | None:
    """The rules that lie beside a desk; None where a desk alone was named."""
    packs = without_desks(paths)
    if paths and not packs:
        return None
    return find(packs).usable()


def _usable(loaded: LoadedDesk) -> LoadedDesk:
    if loaded.errors:
        raise DeclarationError(loaded.errors)
    return loaded


def _stored(name: str, paths: Sequence[Path]) -> Iterator[Change]:
    """The alerts of a file, one a line; or the newest transition of one that a daemon stored."""
    path = Path(name)
    if not path.is_file():
        yield from _by_id(name, paths)
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number > _MOST:
                voice().note(voice().say("route-most", most=_MOST))
                return
            if line.strip():
                try:
                    yield _decode(line)
                except msgspec.DecodeError as error:
                    sentence = voice().say("explain-no-alerts-file", path=path, line=number)
                    raise EnvironmentUnusable(sentence) from error


def _by_id(name: str, paths: Sequence[Path]) -> Iterator[Change]:
    from engine.edge.cli.explain_alert import changes_of, database_of  # noqa: PLC0415 - for ids

    folder = next((path for path in paths if desk_of(path) is None), Path())
    with closing(database_of(folder)) as link:
        yield from list(changes_of(link, name))[-1:]


def _made(wanted: Wanted, project: Project | None, now_ms: int) -> Change:
    """An alert with the facts that were given."""
    speak = voice()
    rules = project.rules if project is not None else {}
    if rules and wanted.rule not in rules:
        near = nearest(wanted.rule, rules)
        hint = speak.say("did-you-mean", name=near) if near else ""
        raise Misuse(f"{speak.say('route-no-rule', name=wanted.rule)} {hint}".strip())
    levels = [str(one) for one in Severity]
    if wanted.severity and wanted.severity not in levels:
        raise Misuse(speak.say("route-level", text=wanted.severity, levels=", ".join(levels)))
    labels: dict[str, str] = {}
    for text in wanted.labels:
        name, sign, value = text.partition("=")
        if not name or not sign:
            raise Misuse(speak.say("route-label", text=text))
        labels[name] = value
    place = _PLACE.fullmatch(wanted.at.strip()) if wanted.at else None
    if wanted.at and (place is None or not _on_earth(float(place[1]), float(place[2]))):
        raise Misuse(speak.say("route-place", text=wanted.at))
    facts = {
        "rule": wanted.rule,
        "severity": wanted.severity or None,
        "key": wanted.key or "1",
        "labels": labels,
        "at": [float(place[1]), float(place[2])] if place is not None else None,
    }
    model = RouteTestAlertModel.model_validate(facts)
    return alert_of(model, Around(project), now_ms)


def _on_earth(lon: float, lat: float) -> bool:
    """Whether two numbers are a longitude and a latitude, in this order."""
    return abs(lon) <= _MOST_LON and abs(lat) <= _MOST_LAT


def _time(text: str) -> int | None:
    """The instant that was asked for; None: the alert's own, or now."""
    if not text:
        return None
    try:
        return instant_ms(text, ZONE)
    except ValueError:
        raise Misuse(voice().say("route-time", text=text)) from None


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
