"""Inhibitions, maintenance windows and what a storm of papers is, as values."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from engine.cases.declared.around import Around
from engine.cases.declared.build import Names
from engine.cases.declared.build_routes import build_match
from engine.cases.declared.schema import (
    DeskInhibitionModel,
    DeskMaintenanceModel,
    DeskStormModel,
    MutesModel,
)
from engine.cases.policy import Inhibition, Maintenance, Storm
from engine.ruleset.document import Path
from engine.ruleset.notes import Notes

MINUTE = "%Y-%m-%d %H:%M"


def instant_ms(text: str, zone: str) -> int:
    """A reading of the clock in a zone as UTC ms."""
    local = datetime.strptime(text, MINUTE).replace(tzinfo=ZoneInfo(zone))
    return round(local.timestamp() * 1000)


def build_mutes(
    model: MutesModel, notes: Notes, names: Names, around: Around
) -> tuple[tuple[Inhibition, ...], tuple[Maintenance, ...]]:
    """What keeps alerts from being told; each under a name of its own."""
    taken: dict[str, Path] = {}
    inhibitions: list[Inhibition] = []
    windows: list[Maintenance] = []
    for index, one in enumerate(model.mutes.inhibitions):
        path: Path = ("mutes", "inhibitions", index)
        _once(one.name, path, taken, notes)
        inhibitions.append(_inhibition(one, notes, names, around, path))
    for index, window in enumerate(model.mutes.maintenance):
        path = ("mutes", "maintenance", index)
        _once(window.name, path, taken, notes)
        windows.append(_window(window, notes, names, around, path))
    return tuple(inhibitions), tuple(windows)


def _once(name: str, path: Path, taken: dict[str, Path], notes: Notes) -> None:
    first = taken.setdefault(name, path)
    if first != path:
        line = notes.document.at((*first, "name")).line
        notes.add((*path, "name"), "D125", name=name, line=line)


def _inhibition(
    model: DeskInhibitionModel, notes: Notes, names: Names, around: Around, path: Path
) -> Inhibition:
    if not model.equal:
        notes.add(path, "D218", name=model.name)
    return Inhibition(
        model.name,
        build_match(model.while_, notes, names, around, (*path, "while")),
        build_match(model.quiet, notes, names, around, (*path, "quiet")),
        tuple(model.equal or ()),
        notes.document.at(path),
    )


def _window(
    model: DeskMaintenanceModel, notes: Notes, names: Names, around: Around, path: Path
) -> Maintenance:
    from_ms = instant_ms(model.from_, model.zone) if model.from_ else None
    until_ms = instant_ms(model.until, model.zone) if model.until else None
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        notes.add((*path, "until"), "R423", begin=model.from_)
    if until_ms is None and model.hours is None:
        notes.add(path, "D126", name=model.name)
    if model.until and around.today and date.fromisoformat(model.until[:10]) < around.today:
        notes.add((*path, "until"), "D217", name=model.name, until=model.until)
    return Maintenance(
        model.name,
        build_match(model.quiet, notes, names, around, (*path, "quiet")),
        from_ms,
        until_ms,
        names.hours_of(model.hours, notes, (*path, "hours")),
        model.reason,
        notes.document.at(path),
    )


def build_storm(model: DeskStormModel, notes: Notes, names: Names) -> Storm:
    """When single papers become one digest."""
    if model.every < model.within:
        notes.add(("storm", "every"), "D127")
    return Storm(
        model.over,
        model.within,
        model.every,
        "" if model.singly_from == "never" else model.singly_from,
        names.checked(model.sinks, notes, ("storm", "sinks")),
    )
