"""The folder of a desk into a policy, or every problem of every file at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.cases.declared.around import Around
from engine.cases.declared.build import (
    Names,
    build_centres,
    build_departments,
    build_hours,
    build_timings,
    check_areas,
)
from engine.cases.declared.build_mutes import build_mutes, build_storm
from engine.cases.declared.build_routes import RouteBuilder
from engine.cases.declared.doubts import doubt_calendars, doubt_routes, doubt_unused
from engine.cases.declared.read import Folder
from engine.cases.declared.route_tests import RouteTest, read_tests
from engine.cases.declared.schema import CentresModel, DepartmentsModel, DeskModel, MutesModel
from engine.cases.declared.schema_routes import DeskRoutesModel
from engine.cases.declared.schema_timings import TimingsModel
from engine.cases.policy import Branch, Inhibition, Maintenance, Policy, Storm
from engine.errors import Level, Problem
from engine.model.calendar import WorkCalendar
from engine.ruleset.document import Path
from engine.ruleset.load_parts import build_calendar
from engine.ruleset.notes import Notes
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Words

ALONE = Around()


@dataclass(frozen=True, slots=True)
class LoadedDesk:
    """A policy, unless something is wrong, all problems, and the tests beside it.

    Attributes:
        problems: Sorted by file and place.
        tests: The route tests; none of a desk with errors.
        test_files: Where they stand; what is wrong there keeps nobody from using the desk.

    """

    policy: Policy | None
    problems: tuple[Problem, ...]
    tests: tuple[RouteTest, ...] = ()
    title: Words = field(default_factory=dict)
    test_files: frozenset[str] = frozenset()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the desk from being used."""
        return tuple(one for one in self._wrong if one.at.file not in self.test_files)

    @property
    def test_errors(self) -> tuple[Problem, ...]:
        """The problems that keep its tests from being run."""
        return tuple(one for one in self._wrong if one.at.file in self.test_files)

    @property
    def _wrong(self) -> tuple[Problem, ...]:
        return tuple(one for one in self.problems if one.level is Level.ERROR)

    def report(self, lang: str = "en") -> str:
        """All problems as a person reads them."""
        return "\n".join(problem.report(lang) for problem in self.problems)


def load_desk(files: Sequence[DeclaredFile], around: Around = ALONE) -> LoadedDesk:
    """Read and check the files of a desk's folder.

    Pure, and it never raises for what the files hold. There is a policy only when there is no
    error; warnings do not count.
    """
    return _Loader(around).load(files)


@dataclass(slots=True)
class _Loader:
    around: Around
    folder: Folder = field(default_factory=Folder)
    names: Names = field(default_factory=Names)
    notes: dict[str, Notes] = field(default_factory=dict)

    def load(self, files: Sequence[DeclaredFile]) -> LoadedDesk:
        """What others name comes before what names it."""
        self.folder.sort(files)
        if self.around.sinks is not None:
            self.names.sinks = frozenset(self.around.sinks)
        calendars = self._calendars()
        self._departments_and_centres()
        self._timings(calendars)
        desk = self._desk()
        root, paths = self._routes()
        inhibitions, maintenance = self._mutes()
        policy = Policy(
            departments=self.names.departments,
            centres=self.names.centres,
            root=root or Branch("default"),
            timings=self.names.timings,
            inhibitions=inhibitions,
            maintenance=maintenance,
            storm=desk[1],
            reopen_lifts=desk[0].reopen_lifts if desk[0] else 2,
            merge_reasons=tuple(desk[0].merge_reasons) if desk[0] else (),
        )
        if not self._wrong():
            if root is not None:
                doubt_routes(policy, paths, self.notes["routes"], self.around)
            doubt_unused(policy, self.names, self.notes)
            doubt_calendars(policy, self.notes["timings"], self.around)
        tests = self._tests(policy)
        title = desk[0].title.plain() if desk[0] else {}
        tested = frozenset(file.path for file in self.folder.tests)
        loaded = LoadedDesk(policy, self._problems(), tests, title, tested)
        return replace(loaded, policy=None, tests=()) if loaded.errors else loaded

    def _calendars(self) -> dict[str, WorkCalendar]:
        found = dict(self.around.calendars)
        for file in self.folder.calendars:
            read = self.folder.calendar(file)
            if read is not None:
                found[read[0].calendar] = build_calendar(*read)
        return found

    def _departments_and_centres(self) -> None:
        if read := self.folder.model("departments", DepartmentsModel):
            self.notes["departments"] = read[1]
            build_departments(*read, self.names)
        if found := self.folder.model("centres", CentresModel):
            self.notes["centres"] = found[1]
            build_centres(*found, self.names)
        for name, one in self.names.departments.items():
            notes = self.notes["departments"]
            areas = check_areas(list(one.areas), self.names, notes, ("departments", name, "areas"))
            self.names.departments[name] = replace(one, areas=areas)

    def _timings(self, calendars: dict[str, WorkCalendar]) -> None:
        read = self.folder.model("timings", TimingsModel)
        if read is None:
            return
        model, notes = read
        self.notes["timings"] = notes
        for name, one in model.hours.items():
            hours = build_hours(one, notes, name, calendars)
            if hours is None:
                self.folder.broken.add(name)
            else:
                self.names.hours[name] = hours
        build_timings(model, notes, self.names, calendars["cn"])

    def _desk(self) -> tuple[DeskModel | None, Storm]:
        read = self.folder.model("desk", DeskModel)
        if read is None:
            return None, Storm()
        model, notes = read
        self.notes["desk"] = notes
        return model, build_storm(model.storm, notes, self.names)

    def _routes(self) -> tuple[Branch | None, dict[str, Path]]:
        read = self.folder.model("routes", DeskRoutesModel)
        if read is None:
            return None, {}
        model, notes = read
        self.notes["routes"] = notes
        builder = RouteBuilder(notes, self.names, self.around)
        return builder.build(model), builder.paths

    def _mutes(self) -> tuple[tuple[Inhibition, ...], tuple[Maintenance, ...]]:
        read = self.folder.model("mutes", MutesModel)
        if read is None:
            return (), ()
        self.notes["mutes"] = read[1]
        return build_mutes(*read, self.names, self.around)

    def _tests(self, policy: Policy) -> tuple[RouteTest, ...]:
        found: list[RouteTest] = []
        for file in self.folder.tests:
            read = self.folder.test(file)
            if read is not None:
                found += read_tests(*read, policy, self.around)
        return tuple(found)

    def _wrong(self) -> bool:
        """Whether an error was found so far."""
        return any(one.level is Level.ERROR for one in self._problems())

    def _problems(self) -> tuple[Problem, ...]:
        noted = [one for notes in self.folder.notes for one in notes.finished()]
        found = {(one.at, one.code, str(one.found)): one for one in (*self.folder.problems, *noted)}
        return tuple(sorted(found.values(), key=lambda one: (one.at, one.code)))
