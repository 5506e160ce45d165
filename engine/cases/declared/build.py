"""Departments, centres, hours and limits as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.cases.areas import Areas, covers, rank
from engine.cases.declared.schema import CentresModel, DepartmentsModel, DeskHoursModel
from engine.cases.declared.schema_timings import (
    DeskLimitModel,
    DeskRungModel,
    DeskTimingModel,
    TimingsModel,
)
from engine.cases.model import Stage, Tier
from engine.cases.policy import Centre, Department, Limit, Rung, Step, Timing
from engine.model.calendar import WorkCalendar
from engine.model.period import PeriodUnit
from engine.model.worktime import WorkTime
from engine.ruleset.notes import Notes
from engine.ruleset.shape import nearest
from engine.text.terms import Term

_WHOLE_DAY = ((0, 1440),)


@dataclass(slots=True)
class Names:
    """What the files declare by name, filled from one file after the other.

    Attributes:
        sinks: Those that the settings declare; None: they are not known.
        used: Kind and name of everything that something names.

    """

    departments: dict[str, Department] = field(default_factory=dict)
    centres: dict[str, Centre] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)
    hours: dict[str, WorkTime] = field(default_factory=dict)
    sinks: frozenset[str] | None = None
    used: set[tuple[str, str]] = field(default_factory=set)

    def use(self, kind: str, name: str) -> None:
        """Remember that something is named."""
        self.used.add((kind, name))

    def checked(
        self, sinks: list[str] | tuple[str, ...] | None, notes: Notes, path: tuple[str | int, ...]
    ) -> tuple[str, ...]:
        """Sinks as declared; one that the settings do not know is noted."""
        for index, name in enumerate(sinks or ()):
            if self.sinks is not None:
                notes.known(name, self.sinks, "D117", (*path, index))
        return tuple(sinks or ())

    def hours_of(
        self, name: str | None, notes: Notes, path: tuple[str | int, ...]
    ) -> WorkTime | None:
        """Hours by their name; None for none, and for a name that is not declared."""
        if name is None or not notes.known(name, self.hours, "D108", path):
            return None
        self.use("hours", name)
        return self.hours[name]


def build_hours(
    model: DeskHoursModel,
    notes: Notes,
    name: str,
    calendars: Mapping[str, WorkCalendar],
) -> WorkTime | None:
    """Hours that count; None when their calendar is not known."""
    if not notes.known(model.calendar, calendars, "R207", ("hours", name, "calendar")):
        return None
    return WorkTime(calendars[model.calendar], model.hours or _WHOLE_DAY, model.zone)


def build_departments(model: DepartmentsModel, notes: Notes, names: Names) -> None:
    """The departments, and where an order goes that one of them gives back."""
    for name, one in model.departments.items():
        path = ("departments", name)
        names.departments[name] = Department(
            name,
            one.title.plain(),
            names.checked(one.sinks, notes, (*path, "sinks")),
            tuple(one.areas or ()),
            one.person or "",
            one.next or "",
            notes.document.key(path),
        )
    for name, one in model.departments.items():
        back = ("departments", name, "next")
        if one.next is not None and notes.known(one.next, model.departments, "D106", back):
            names.use("department", one.next)
            found = circle(name, _following(model))
            if found is not None and name == min(found):
                notes.add(back, "D112", way=" > ".join(found))


def _following(model: DepartmentsModel) -> Callable[[str], str]:
    """Of a department, the one that an order goes to which it gives back."""
    known = model.departments
    return lambda name: (known[name].next or "") if name in known else ""


def circle(start: str, following: Callable[[str], str]) -> list[str] | None:
    """The way from a name back to itself; None when it ends, or turns in a circle further on."""
    way, one = [start], following(start)
    while one and one not in way:
        way.append(one)
        one = following(one)
    return [*way, start] if one == start else None


def build_centres(model: CentresModel, notes: Notes, names: Names) -> None:
    """The command centres; each but the city's lies below another, and no name is given twice."""
    taken: dict[str, str] = {}
    for code, one in model.centres.items():
        path = ("centres", code)
        also = tuple(one.also or ())
        for index, name in enumerate(also):
            if taken.setdefault(name, code) != code or (name in model.centres and name != code):
                other = taken[name] if taken[name] != code else name
                line = notes.document.key(("centres", other)).line
                notes.add((*path, "also", index), "D113", name=name[:80], other=other, line=line)
        names.centres[code] = Centre(
            code,
            Tier(one.tier),
            one.title.plain(),
            names.checked(one.sinks, notes, (*path, "sinks")),
            also,
            one.above or "",
            notes.document.key(path),
        )
    cities = [code for code, one in names.centres.items() if one.tier is Tier.CITY]
    if not cities:
        notes.add(("centres",), "D110", at_key=True)
    for code in cities[1:]:
        notes.add(("centres", code, "tier"), "D111", first=cities[0])
    if len(cities) == 1:
        _check_lines(names.centres, notes)


def _check_lines(centres: Mapping[str, Centre], notes: Notes) -> None:
    """Every centre below the city's is lifted to one of a higher tier, and never in a circle."""
    areas = Areas(centres)
    for code, one in centres.items():
        path = ("centres", code)
        if one.above:
            if not notes.known(one.above, centres, "D114", (*path, "above")):
                continue
            way = circle(code, lambda each: centres[each].above if each in centres else "")
            if way is not None and code == min(way):
                notes.add((*path, "above"), "D112", way=" > ".join(way))
            elif way is None and rank(centres[one.above].tier) <= rank(one.tier):
                own, above = Term(one.tier), Term(centres[one.above].tier)
                notes.add((*path, "above"), "D115", name=one.above, tier=own, above=above)
        elif one.tier is not Tier.CITY and areas.above(one) is None:
            notes.add(path, "D116", at_key=True, name=code)


def check_areas(
    codes: list[str] | None, names: Names, notes: Notes, path: tuple[str | int, ...]
) -> tuple[str, ...]:
    """Area codes as declared; one that no centre commands is noted."""
    areas = Areas(names.centres)
    known = {*names.centres, *(name for one in names.centres.values() for name in one.also)}
    for index, code in enumerate(codes or ()):
        held = any(covers(one, code) for one in names.centres)
        if names.centres and not held and not areas.code_of(code) and "D114" not in notes.broken:
            notes.add((*path, index), "D114", nearest(code, known), name=code)
    return tuple(areas.code_of(code) or code for code in codes or ())


def build_timings(model: TimingsModel, notes: Notes, names: Names, cn: WorkCalendar) -> None:
    """The limits and ladders, each with its source."""
    for name, one in model.timings.items():
        path = ("timings", name)
        limits = {
            Stage(stage): _limit(limit, notes, (*path, "limits", stage), names, cn)
            for stage, limit in one.limits.items()
        }
        ladder = {
            Stage(stage): _ladder(rungs, notes, (*path, "ladder", stage), names)
            for stage, rungs in one.ladder.items()
        }
        _check_ladders(one, notes, path)
        at = notes.document.key(path)
        names.timings[name] = Timing(name, limits, ladder, one.source, one.status, at)


def _limit(
    model: DeskLimitModel,
    notes: Notes,
    path: tuple[str | int, ...],
    names: Names,
    cn: WorkCalendar,
) -> Limit:
    hours = names.hours_of(model.hours, notes, (*path, "hours"))
    if hours is None and any(unit is not PeriodUnit.MS for _, unit in model.within.parts):
        hours = WorkTime(cn)
    if model.warn is not None and model.warn.rough_days >= model.within.rough_days:
        notes.add((*path, "warn"), "D120", warn=model.warn.text, within=model.within.text)
    if model.extend is not None and model.extend.rough_days > model.within.rough_days:
        notes.add((*path, "extend"), "D214", extend=model.extend.text, within=model.within.text)
    return Limit(model.within, hours, model.warn, model.extend, model.pausable)


def _ladder(
    rungs: list[DeskRungModel], notes: Notes, path: tuple[str | int, ...], names: Names
) -> tuple[Rung, ...]:
    found: list[Rung] = []
    for index, one in enumerate(rungs):
        here = (*path, index)
        if found and one.after.rough_days < found[-1].after.rough_days:
            notes.add((*here, "after"), "D119", after=one.after.text, before=found[-1].after.text)
        if one.to is not None and notes.known(one.to, names.departments, "D106", (*here, "to")):
            names.use("department", one.to)
        sinks = names.checked(one.sinks, notes, (*here, "sinks"))
        found.append(Rung(one.after, Step(one.do), sinks, one.to or ""))
    return tuple(found)


def _check_ladders(model: DeskTimingModel, notes: Notes, path: tuple[str | int, ...]) -> None:
    """A ladder stands behind a limit; a limit without one has no consequence."""
    for stage in model.ladder:
        if stage not in model.limits:
            notes.add((*path, "ladder", stage), "D118", at_key=True, stage=stage)
    for stage in model.limits:
        if not model.ladder.get(stage) and stage != "return":
            notes.add((*path, "limits", stage), "D210", at_key=True, stage=stage)
    if "resolve" not in model.limits:
        notes.add((*path, "limits"), "D221", at_key=True)
    if "verify" not in model.limits:
        notes.add((*path, "limits"), "D222", at_key=True)
