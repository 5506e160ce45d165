"""What a thing of a project or of the rule language is, as a sheet of labelled lines."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from engine.ruleset.describe_data import feed_sheet, table_sheet, zones_sheet
from engine.ruleset.describe_language import function_sheet, operator_sheet, problem_sheet
from engine.ruleset.describe_rule import rule_sheet
from engine.ruleset.describe_shared import list_sheet, macro_sheet, override_sheet
from engine.ruleset.expr.functions import FUNCTIONS
from engine.ruleset.problem_page import codes
from engine.ruleset.shape import nearest
from engine.ruleset.sheet import Sheet
from engine.ruleset.spec import Project
from engine.ruleset.when.model import OPERATORS
from engine.text import catalogue, say

KINDS = (
    "rules",
    "feeds",
    "tables",
    "zones",
    "lists",
    "macros",
    "overrides",
    "operators",
    "functions",
)
"""What can be listed here; connectors are known to the edge alone."""


_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shelf:
    """What descriptions are made from.

    Attributes:
        project: What was declared, or None if only the language is asked about.
        today: The day against which legal bases are judged.
        tests: For each rule, the names of its tests.

    """

    project: Project | None = None
    today: date | None = None
    tests: Mapping[str, Sequence[str]] = field(default_factory=dict)


def describe_language(name: str, lang: str) -> list[Sheet]:
    """The operator, the function or the problem code of this name, if there is one."""
    found = []
    if name in OPERATORS:
        found.append(operator_sheet(name, lang))
    if name in FUNCTIONS:
        found.append(function_sheet(name, lang))
    if name.upper() in codes():
        found.append(problem_sheet(name.upper(), lang))
    return found


def describe_key(name: str, lang: str) -> list[Sheet]:
    """Everywhere that a key of this name may stand in declarations, and what it means there."""
    meanings = []
    for entry in catalogue():
        kind, _, rest = entry.partition("-")
        place, _, key = rest.rpartition("-")
        if kind == "key" and place and key == name:
            meanings.append(f"{place}: {say(entry, lang)}")
    if not meanings:
        return []
    sheet = Sheet("declared-key", name, "", lang)
    sheet.add("keys", *sorted(meanings))
    return [sheet]


def describe_declared(name: str, shelf: Shelf, lang: str) -> list[Sheet]:
    """Everything of this name that the project declares."""
    project = shelf.project
    if project is None:
        return []
    found = []
    if name in project.rules:
        tests = shelf.tests.get(name, ())
        found.append(rule_sheet(project.rules[name], project, lang, shelf.today, tests))
    if name in project.feeds:
        found.append(feed_sheet(project.feeds[name], project, lang))
    if name in project.table_specs:
        found.append(table_sheet(project.table_specs[name], project, lang))
    if name in project.zones:
        found.append(zones_sheet(project.zones[name], project, lang))
    if name in project.lists:
        found.append(list_sheet(project.lists[name], project, lang))
    if name in project.macros:
        found.append(macro_sheet(project.macros[name], project, lang))
    if name in project.overrides:
        found.append(override_sheet(name, project, lang))
    return found


def nearest_thing(name: str, project: Project | None, more: Collection[str] = ()) -> str:
    """The known thing whose name is most like this one, or nothing; `more` are known besides."""
    known = {*OPERATORS, *FUNCTIONS, *codes(), *more}
    if project is not None:
        known |= {*project.rules, *project.feeds, *project.table_specs, *project.zones}
        known |= {*project.lists, *project.macros, *project.overrides}
    return nearest(name, known)


def listed(kind: str, project: Project | None, lang: str) -> list[tuple[str, str]]:
    """All things of a kind (one of `KINDS`), each with a few words about it."""
    if kind == "operators":
        return [(name, say(f"key-{name}", lang)) for name in sorted(OPERATORS)]
    if kind == "functions":
        return [(name, say(f"fn-{name}", lang)) for name in sorted(FUNCTIONS)]
    if project is None:
        return []
    things: Mapping[str, Mapping[str, Any]] = {
        "rules": project.rules,
        "feeds": project.feeds,
        "tables": project.table_specs,
        "zones": project.zones,
        "lists": project.lists,
        "macros": project.macros,
        "overrides": project.overrides,
    }
    return [(name, _words(kind, thing, lang)) for name, thing in sorted(things[kind].items())]


def _words(kind: str, thing: Any, lang: str) -> str:
    """A few words about something declared."""
    if kind in {"rules", "feeds"}:
        return str(thing.title.get(lang, ""))
    if kind == "overrides":
        return str(thing.get(lang, ""))
    if kind == "lists":
        return str(thing.title.get(lang, "")) or ", ".join(thing.values[:_SHOWN])
    if kind == "macros":
        return str(thing.title.get(lang, "")) or thing.expr.text
    if kind == "tables":
        return ", ".join(thing.fields)
    return say("about-lines" if thing.lines else "about-areas", lang, n=len(thing.lines or thing))
