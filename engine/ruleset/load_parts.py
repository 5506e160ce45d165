"""The parts of a pack that rules refer to: tables, zones, calendars, playbooks, lists, routes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, available_timezones

from engine.errors import Location, Problem
from engine.feeds.spec import FieldType
from engine.geo.opening import HOURS, spans_of
from engine.geo.regions import region_problems
from engine.geo.zones import ZoneSet
from engine.model.calendar import WorkCalendar
from engine.ruleset.document import Document
from engine.ruleset.known import REGIONS
from engine.ruleset.load_feed import build_field, check_formats
from engine.ruleset.notes import Notes
from engine.ruleset.schema_feed import TableModel
from engine.ruleset.schema_pack import (
    CalendarModel,
    ListModel,
    PackModel,
    PlaybookModel,
    RouteModel,
)
from engine.ruleset.shape import nearest, show
from engine.ruleset.source import DeclaredFile, decode
from engine.ruleset.spec import ListSpec, PackSpec, Playbook, RouteSpec, Severity, TableSpec
from engine.ruleset.validate import basis_of, check_basis

MAX_GEOJSON = 50_000_000


def build_table(model: TableModel, notes: Notes) -> TableSpec:
    """The declaration of a table; its rows come from its CSV file."""
    fields = {}
    for name, column in model.fields.items():
        spec = build_field(name, column)
        optional = (
            column.optional if "optional" in column.model_fields_set else name not in model.key
        )
        fields[name] = replace(spec, optional=optional, zone=column.zone or model.zone)
    for index, name in enumerate(model.key):
        notes.known(name, fields, "R214", ("key", index), table=model.table)
    for index, name in enumerate(model.valid or ()):
        path = ("valid", index)
        if notes.known(name, fields, "R214", path, table=model.table):
            declared = fields[name].type
            if declared is not FieldType.TIME:
                notes.add(path, "R429", name=name, type=declared.value, wanted="time")
    sources = [name for name in ("file", "sql", "topic") if getattr(model, name) is not None]
    for name in sources[1:]:
        notes.add((name,), "R648", at_key=True)
    check_formats(model.fields, notes)
    valid = (model.valid[0], model.valid[1]) if model.valid else None
    place = Location(notes.document.file)
    file = model.file or (f"{model.table}.answer" if sources else "")
    return TableSpec(model.table, tuple(model.key), fields, file, valid, model.zone, place)


def build_calendar(model: CalendarModel, notes: Notes) -> WorkCalendar:
    """The official calendar with declared rest days and make-up days on top."""
    both = set(model.holidays) & set(model.workdays)
    for index, day in enumerate(model.workdays):
        if day in both:
            notes.add(("workdays", index), "R432", day=day)
    base = WorkCalendar.china() if model.base == "cn" else WorkCalendar.every_day()
    base = replace(base, shifts=_shifts(model, notes))
    until = date.fromisoformat(model.until) if model.until else None
    if until is not None and until < base.first:
        notes.add(("until",), "R423", begin=base.first.isoformat())
        until = None
    return base.overridden(
        model.calendar,
        [date.fromisoformat(day) for day in model.holidays],
        [date.fromisoformat(day) for day in model.workdays],
        until,
    )


def _shifts(
    model: CalendarModel, notes: Notes
) -> tuple[tuple[str, tuple[tuple[int, int], ...]], ...]:
    """The shifts of a calendar; no two of them work at the same time."""
    found: list[tuple[str, tuple[tuple[int, int], ...]]] = []
    taken: dict[int, str] = {}
    for name, text in model.shifts.items():
        spans = spans_of(text)
        if spans is None:
            notes.add(("shifts", name), "R142", name=name, found=show(text))
            continue
        minutes = {minute % 1440 for span in spans for minute in _minutes_of(*span)}
        other = next((taken[minute] for minute in sorted(minutes) if minute in taken), None)
        if other is not None:
            notes.add(("shifts", name), "R649", name=name, other=other)
        taken |= dict.fromkeys(minutes, name)
        found.append((name, spans))
    return tuple(found)


def _minutes_of(begin: int, end: int) -> range:
    """Every minute of a span, past midnight if need be."""
    return range(begin, end if end > begin else end + 1440)


def build_playbook(model: PlaybookModel, notes: Notes) -> Playbook:
    """What officers do about an alert."""
    check_basis(model.basis, notes)
    return Playbook(
        id=model.playbook,
        title=model.title.plain(),
        check=tuple(item.plain() for item in model.check),
        units=tuple(model.units),
        offences=tuple(item.plain() for item in model.offences),
        basis=basis_of(model.basis),
    )


def build_list(model: ListModel, notes: Notes) -> ListSpec:
    """A named set of values."""
    title = model.title.plain() if model.title else {}
    return ListSpec(model.list, tuple(model.values), title, Location(notes.document.file))


def build_route(name: str, model: RouteModel, at: Location) -> RouteSpec:
    """Who hears about alerts that name this route."""
    return RouteSpec(
        name=name,
        sinks=tuple(model.sinks),
        min_severity=Severity(model.min_severity),
        labels=dict(model.labels),
        at=at,
    )


def build_pack(model: PackModel, notes: Notes, folder: str, version: str) -> PackSpec:
    """The pack; the version of Forewarn it needs must not be newer than this one."""
    check_basis(model.basis, notes)
    if model.needs is not None:
        needed = model.needs.forewarn.removeprefix(">=").strip()
        if _numbers(needed) > _numbers(version):
            notes.add(("needs", "forewarn"), "R433", needed=needed, version=version)
    place = Location(notes.document.file)
    return PackSpec(
        name=model.pack,
        title=model.title.plain(),
        owner=model.owner,
        version=model.version,
        folder=folder,
        basis=basis_of(model.basis),
        at=place,
    )


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, without zeros at its end."""
    numbers = [int(part) for part in version.split(".") if part.isdigit()]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def read_geojson(file: DeclaredFile) -> dict[str, Any] | Problem:
    """A GeoJSON file as plain values, or why it cannot be read."""
    text = decode(file, MAX_GEOJSON)
    if isinstance(text, Problem):
        return text
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = Location(file.path, error.lineno, error.colno)
        return Problem(place, "R515")
    except _Refused as error:
        return Problem(_find(file.path, text, error.name), error.code, {"name": error.name})
    except (RecursionError, ValueError):
        return Problem(Location(file.path), "R515")
    if not isinstance(value, dict):
        return Problem(Location(file.path), "R126", {"name": file.path, "found": "[...]"})
    return value


def check_zones(zones: ZoneSet, file: str, calendars: Mapping[str, WorkCalendar]) -> list[Problem]:
    """What is wrong with the hours of zones, and with the levels of regions."""
    found = region_problems(zones, file) if zones.name == REGIONS else []
    at = Location(file)
    for zone in zones:
        if HOURS not in zone.attributes:
            continue
        hours, calendar = zone.attributes[HOURS], zone.attributes.get("calendar", "all-days")
        if spans_of(hours) is None:
            found.append(Problem(at, "R643", {"zone": zone.id, "hours": show(hours)}))
        if not isinstance(calendar, str) or calendar not in calendars:
            near = nearest(str(calendar), calendars)
            found.append(Problem(at, "R644", {"zone": zone.id, "name": calendar}, near))
        clock = zone.attributes.get("zone", "UTC")
        try:
            ZoneInfo(str(clock))
        except (ValueError, OSError, KeyError):
            near = nearest(str(clock), available_timezones())
            found.append(Problem(at, "R431", {"found": f"{show(clock)} ({zone.id})"}, near))
    return found


class _Refused(Exception):
    """A key that stands twice, or a number that is none."""

    def __init__(self, name: str, code: str) -> None:
        self.code = code
        self.name = name
        super().__init__(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no key stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise _Refused(twice[:60], "R150")
    return found


def _no_constant(name: str) -> NoReturn:
    """JSON has no NaN and no Infinity."""
    raise _Refused(name, "R151")


def _find(path: str, text: str, name: str) -> Location:
    """The line of the second (or only) time a word stands in a text."""
    first = text.find(name)
    again = text.find(name, first + 1)
    before = text[: max(first, again, 0)]
    return Location(path, before.count("\n") + 1, len(before) - before.rfind("\n"))


def file_name_problem(document: Document, key: str, name: str, stem: str) -> Problem | None:
    """A thing is named like its file, so that it can be found."""
    if name.replace("_", "-") == stem.replace("_", "-"):
        return None
    return Problem(document.at((key,)), "R132", {"name": name[:60], "file": stem}, nearest=stem)
