"""`forewarn describe` and `forewarn list`: what things are, and which there are."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.helptext import table
from engine.edge.cli.voice import voice
from engine.ruleset.describe import (
    KINDS,
    Shelf,
    describe_declared,
    describe_key,
    describe_language,
    listed,
    nearest_thing,
)
from engine.ruleset.shape import nearest
from engine.ruleset.sheet import Sheet

if TYPE_CHECKING:
    from engine.cases.policy import Policy
    from engine.edge.cli.projects import Found
    from engine.ruleset.spec import Project

# Loading projects and connectors takes a second to import: only where they are asked about.
# ruff: noqa: PLC0415

CONNECTORS = "connectors"
DESK_KINDS = ("departments", "centres", "timings", "routes")
"""What of a desk can be listed (`engine.cases.declared.sheets`)."""
_COLUMN = 16
_NAMES_COLUMN = 32


def describe_thing(name: str, paths: Sequence[Path]) -> int:
    """Print everything that has this name; the project is read only where it is needed."""
    speak = voice()
    sheets = describe_language(name, speak.lang)
    if paths or not sheets:
        from engine.cases.declared.sheets import described, names
        from engine.edge.cli.desks import without_desks
        from engine.edge.cli.projects import find, tell_if_shipped

        tell_if_shipped(paths)
        found = find(without_desks(paths))
        keys = describe_key(name, speak.lang)
        policies = list(_policies(paths, found.project))
        desks = [one for policy in policies for one in described(name, policy, speak.lang)]
        project = found.project if sheets or keys or desks else found.usable()
        shelf = Shelf(project, datetime.now(UTC).date(), _tests(found))
        sheets = [*describe_declared(name, shelf, speak.lang), *desks, *sheets] or keys
    if not sheets:
        near = nearest_thing(name, found.project, set[str]().union(*map(names, policies)))
        hint = speak.say("did-you-mean", name=near) if near else ""
        raise Misuse(f"{speak.say('describe-unknown', name=name)} {hint}".strip())
    if speak.json:
        speak.data({"things": [sheet.as_json() for sheet in sheets]})
        return Exit.FINE
    for number, sheet in enumerate(sheets):
        if number:
            speak.line("")
        _print(sheet)
    return Exit.FINE


def list_things(kind: str, paths: Sequence[Path]) -> int:
    """Print all things of a kind, each with a few words."""
    speak = voice()
    kinds = (*KINDS, *DESK_KINDS, CONNECTORS)
    if kind not in kinds:
        near = nearest(kind, kinds)
        hint = speak.say("did-you-mean", name=near) if near else ""
        sentence = speak.say("list-unknown", kind=kind, kinds=", ".join(kinds))
        raise Misuse(f"{sentence} {hint}".strip())
    if kind == CONNECTORS:
        from engine.edge.wiring import connector_options

        rows = [
            (f"{section} {name}", ", ".join(options.model_fields))
            for section, found in connector_options().items()
            for name, options in found.items()
        ]
    elif kind in {"operators", "functions"}:
        rows = listed(kind, None, speak.lang)
    elif kind in DESK_KINDS:
        from engine.cases.declared import sheets as of_desks

        rows = [
            row
            for policy in _policies(paths, None)
            for row in of_desks.listed(kind, policy, speak.lang)
        ]
    else:
        from engine.edge.cli.projects import find, tell_if_shipped

        tell_if_shipped(paths)
        rows = listed(kind, find(paths).usable(), speak.lang)
    if speak.json:
        speak.data({kind: [{"name": name, "about": about} for name, about in rows]})
        return Exit.FINE
    if not rows:
        speak.note(speak.say("list-none"))
    for line in table(rows, _NAMES_COLUMN):
        speak.line(line)
    return Exit.FINE


def _policies(paths: Sequence[Path], project: "Project | None") -> "Iterator[Policy]":
    """The desks that the paths mean, as far as they can be used; rules are named as they are."""
    from engine.edge.cli.desks import find_desks

    for desk in find_desks(paths):
        loaded = desk.load(project)
        if loaded.policy is not None:
            yield loaded.policy
        else:
            voice().problems(loaded.errors, on_result=False)


def _tests(found: "Found") -> Mapping[str, Sequence[str]]:
    """For each rule the names of the tests that run it; files that are wrong have none."""
    from engine.edge.cli.projects import cases_of

    if found.project is None:
        return {}
    names: dict[str, list[str]] = {}
    for case in cases_of(found)[0]:
        for rule in case.rules:
            names.setdefault(rule, []).append(case.name)
    return names


def _print(sheet: Sheet) -> None:
    """One sheet as lines."""
    voice().line(sheet.heading())
    for line in table(sheet.table(), _COLUMN):
        voice().line(line)
