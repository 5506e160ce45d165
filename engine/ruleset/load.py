"""Declared files into a project that can be compiled, or every problem of every file at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

from engine.errors import Level, Location, Problem
from engine.feeds.alerts import ALERTS
from engine.feeds.spec import FeedSpec
from engine.geo.opening import HOURS
from engine.geo.zones import ZoneSet
from engine.model.calendar import WorkCalendar
from engine.ruleset.document import Document
from engine.ruleset.folders import Kind, Part, sort_files
from engine.ruleset.known import OPEN, Known, attributes_of
from engine.ruleset.lint import lint
from engine.ruleset.load_alerts import feed_of_alerts, reads_of
from engine.ruleset.load_feed import build_feed
from engine.ruleset.load_parts import (
    build_calendar,
    build_list,
    build_pack,
    build_playbook,
    build_route,
    build_table,
    check_zones,
    file_name_problem,
    read_geojson,
)
from engine.ruleset.load_rule import LoadedRule, Place, load_rule
from engine.ruleset.load_shared import (
    changes_of,
    check_names,
    check_split,
    overridden_list,
    overridden_macro,
    reading_variants,
    versions,
)
from engine.ruleset.loaded import Loaded, LoadOptions, problem_as_json
from engine.ruleset.macros import Macro, build_macro, without_circles
from engine.ruleset.notes import Notes
from engine.ruleset.overrides import Laid, Override, build_override
from engine.ruleset.schema import RuleModel
from engine.ruleset.schema_feed import FeedModel, TableModel
from engine.ruleset.schema_pack import (
    CalendarModel,
    ListModel,
    MacroModel,
    OverrideModel,
    PackModel,
    PlaybookModel,
    RoutesModel,
)
from engine.ruleset.shape import Strict, validate
from engine.ruleset.source import DeclaredFile, decode, read
from engine.ruleset.spec import ListSpec, PackSpec, Project, SharedAs
from engine.state.tables import Table

__all__ = ["DeclaredFile", "LoadOptions", "Loaded", "load_project", "problem_as_json"]

_Model = TypeVar("_Model", bound=Strict)
_Spec = TypeVar("_Spec")
_Layers = dict[str, tuple[ZoneSet | None, tuple[Problem, ...]]]
"""Zone layers by their files; they are the same whatever lists and overrides say."""


def load_project(files: Sequence[DeclaredFile], options: LoadOptions | None = None) -> Loaded:
    """Read and check every declared file.

    Pure, and it never raises for what the files hold. The result has a project only when there is
    no error; warnings do not count.
    """
    return _load(files, options or LoadOptions(), {})


def _load(files: Sequence[DeclaredFile], chosen: LoadOptions, layers: _Layers) -> Loaded:
    loader = _Loader(chosen, layers)
    loader.load(files)
    loaded = loader.result()
    tests = [file.raw for file in files if file.path in loader.tests]
    if loaded.project is None or not any(b"lists" in raw or b"overrides" in raw for raw in tests):
        return loaded  # nobody asks, so the files need not be kept

    @cache
    def otherwise(shared: SharedAs) -> Project | None:
        return _load(files, replace(chosen, lint=False, shared=shared), layers).project

    return replace(loaded, project=replace(loaded.project, otherwise=otherwise))


@dataclass(slots=True)
class _Loader:
    """One project being loaded."""

    options: LoadOptions
    layers: _Layers
    known: Known = field(default_factory=Known)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Notes] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unsound: set[tuple[Kind, str]] = field(default_factory=set)
    first: dict[tuple[str, str], Part] = field(default_factory=dict)
    packs: dict[str, PackSpec] = field(default_factory=dict)
    by_folder: dict[str, str] = field(default_factory=dict)
    rules: list[LoadedRule] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    zones: dict[str, ZoneSet] = field(default_factory=dict)
    calendars: dict[str, WorkCalendar] = field(default_factory=dict)
    tests: dict[str, Document] = field(default_factory=dict)
    overrides: Sequence[Override] = ()
    alerts: FeedSpec | None = None

    def load(self, files: Sequence[DeclaredFile]) -> None:
        """Read all files; what others refer to comes before what refers to it."""
        found = sort_files(files)
        self.problems += found.problems
        parts = found.parts
        self.calendars = {"cn": WorkCalendar.china(), "all-days": WorkCalendar.every_day()}
        for part in parts[Kind.PACK]:
            self._pack(part)
        self._named(parts[Kind.FEED], FeedModel, "feed", self.known.feeds, build_feed)
        self._named(parts[Kind.TABLE], TableModel, "table", self.known.tables, build_table)
        self._named(parts[Kind.CALENDAR], CalendarModel, "calendar", self.calendars, build_calendar)
        self.known.calendars |= set(self.calendars)
        self.known.shifts = dict(self.calendars)
        self._named(
            parts[Kind.PLAYBOOK], PlaybookModel, "playbook", self.known.playbooks, build_playbook
        )
        overrides: dict[str, Override] = {}
        self._named(parts[Kind.OVERRIDE], OverrideModel, "override", overrides, build_override)
        holding = self.options.shared.overrides
        self.overrides = [
            overrides[name] for name in sorted(overrides) if holding is None or name in holding
        ]
        self._lists(parts[Kind.LIST])
        self._macros(parts[Kind.MACRO])
        self._rows(parts[Kind.ROWS], parts[Kind.TABLE])
        for part in parts[Kind.ZONES]:
            self._zones(part)
        for part in parts[Kind.ROUTES]:
            self._routes(part)
        for part in parts[Kind.TEST]:
            self._test(part)
        self._rules(parts[Kind.RULE])

    def result(self) -> Loaded:
        """The project and all problems, each with its excerpt, in order."""
        whole = not any(problem.level is Level.ERROR for problem in self._all())
        if self.options.lint:
            self.problems += lint(
                self.rules, self.known, self.tests, self.options.today, whole=whole
            )
        noted = [problem for notes in self.notes for problem in notes.finished()]
        problems = tuple(
            sorted(_once([*self.problems, *noted]), key=lambda one: (one.at, one.code))
        )
        if any(problem.level is Level.ERROR for problem in problems):
            return Loaded(None, problems)
        return Loaded(self._project(), problems)

    def _all(self) -> list[Problem]:
        """Every problem so far, without excerpts."""
        return [*self.problems, *(problem for notes in self.notes for problem in notes.problems)]

    def _project(self) -> Project:
        specs = [rule.spec for rule in self.rules if rule.spec is not None]
        return Project(
            packs=self.packs,
            feeds={name: feed for name, feed in self.known.feeds.items() if name != ALERTS},
            rules={spec.id: spec for spec in specs},
            table_specs=dict(self.known.tables),
            tables=self.tables,
            zones=self.zones,
            calendars=self.calendars,
            playbooks=dict(self.known.playbooks),
            routes=dict(self.known.routes),
            tests=self.tests,
            alerts=self.alerts,
            lists=dict(self.known.lists),
            macros=dict(self.known.macros),
            overrides={one.name: one.title for one in self.overrides},
        )

    def _document(self, part: Part) -> Document | None:
        """The document of a file, if it can be read."""
        reading = read(part.file)
        document = reading.document
        if document is None:
            lines = part.file.raw[:2_000_000].decode("utf-8", "replace").splitlines()
            document = Document(part.file.path, None, lines, {}, {})
            self.problems += [_with_excerpt(problem, document) for problem in reading.problems]
            self._give_up(part)
            return None
        self.problems += [_with_excerpt(problem, document) for problem in reading.problems]
        return document

    def _model(self, part: Part, model: type[_Model]) -> tuple[_Model, Notes] | None:
        """The file as its model, with a place to note what else is wrong."""
        document = self._document(part)
        return None if document is None else self._fitted(part, document, model)

    def _fitted(
        self, part: Part, document: Document, model: type[_Model]
    ) -> tuple[_Model, Notes] | None:
        """A document as its model."""
        value = validate(model, document)
        if isinstance(value, tuple):
            self.problems += [_with_excerpt(problem, document) for problem in value]
            self._give_up(part)
            return None
        notes = Notes(document, self.broken)
        self.notes.append(notes)
        return value, notes

    def _give_up(self, part: Part) -> None:
        """Remember what a file would have declared, so that its absence is not reported again."""
        self.broken.add(part.stem)
        self.broken.add(part.stem.replace("-", "_"))
        if part.kind is Kind.ROUTES:
            self.broken.add("R205")

    def _named(
        self,
        parts: Sequence[Part],
        model: type[_Model],
        key: str,
        known: dict[str, _Spec],
        build: Callable[[Any, Notes], _Spec],
    ) -> None:
        """All files of one kind, each declaring one thing under the name of its file."""
        for part in parts:
            read_as = self._model(part, model)
            if read_as is None:
                continue
            value, notes = read_as
            name = str(getattr(value, key))
            misnamed = file_name_problem(notes.document, key, name, part.stem)
            if misnamed:
                notes.problems.append(misnamed)
            if self._first(part, key, name, notes):
                self.known.files[part.kind.value, name] = part.file.path
                known[name] = build(value, notes)
                if notes.problems:
                    self.unsound.add((part.kind, name))

    def _lists(self, parts: Sequence[Part]) -> None:
        """All lists, with what overrides say."""
        found: dict[str, ListSpec] = {}
        self._named(parts, ListModel, "list", found, build_list)
        for name, values in self.options.shared.lists:
            if name in found:
                found[name] = replace(found[name], values=values)
        check_names("list", list(found), self.overrides)
        self.known.lists = {
            name: overridden_list(one, changes_of("list", name, self.overrides))
            for name, one in found.items()
        }

    def _macros(self, parts: Sequence[Part]) -> None:
        """All macros; those that come back to themselves, or take a name in use, are left out."""
        noted: dict[str, Notes] = {}

        def build(model: MacroModel, notes: Notes) -> Macro | None:
            noted[model.macro] = notes
            return build_macro(model, notes, self.known.lists)

        found: dict[str, Macro | None] = {}
        self._named(parts, MacroModel, "macro", found, build)
        self.broken |= {name for name, macro in found.items() if macro is None}
        check_names("macro", list(found), self.overrides)
        whole = {
            name: overridden_macro(macro, changes_of("macro", name, self.overrides))
            for name, macro in found.items()
            if macro is not None
        }
        self.known.macros, unsound = without_circles(whole, noted)
        self.broken |= unsound

    def _first(self, part: Part, kind: str, name: str, notes: Notes) -> bool:
        """Whether a name is declared for the first time; an exact copy is passed over."""
        first = self.first.setdefault((kind, name), part)
        if first is part:
            return True
        if first.file.raw != part.file.raw or kind in {"rule", "pack"}:
            notes.add((kind,), "R210", name=name, first=first.file.path)
        return False

    def _pack(self, part: Part) -> None:
        read_as = self._model(part, PackModel)
        if read_as is None:
            return
        model, notes = read_as
        if self._first(part, "pack", model.pack, notes):
            self.packs[model.pack] = build_pack(model, notes, part.folder, self.options.version)
        self.by_folder[part.folder] = model.pack

    def _rows(self, rows: Sequence[Part], tables: Sequence[Part]) -> None:
        """The rows of each table; a table whose file is not there is empty."""
        files = {(part.folder, part.file.path.rsplit("/", 1)[-1]): part.file for part in rows}
        read_files = set()
        for part in tables:
            spec = self.known.tables.get(part.stem)
            if spec is None or spec.at.file != part.file.path:
                continue
            place = (part.folder, spec.file)
            read_files.add(place)
            if (Kind.TABLE, spec.name) in self.unsound:
                continue
            file = files.get(place)
            if file is None:
                self.tables[spec.name] = Table(spec)
                continue
            text = decode(file, 200_000_000)
            if isinstance(text, Problem):
                self.problems.append(text)
                continue
            read_rows = Table.from_csv if file.path.endswith(".csv") else Table.from_answer
            table, problems = read_rows(spec, file.raw, file.path)
            self.tables[spec.name] = table
            lines = text.splitlines()
            document = Document(file.path, None, lines, {}, {})
            self.problems += [_with_excerpt(problem, document) for problem in problems]
        for place, file in files.items():
            if place not in read_files and not self.broken & {Part(Kind.ROWS, "", file).stem}:
                at = Location(file.path)
                self.problems.append(Problem(at, "W214", {"name": place[1]}, level=Level.WARNING))

    def _zones(self, part: Part) -> None:
        """A layer of zones, named like its file."""
        first = self.first.setdefault(("zones", part.stem), part)
        if first is not part:
            if first.file.raw != part.file.raw:
                found = {"name": part.stem, "first": first.file.path}
                self.problems.append(Problem(Location(part.file.path), "R210", found))
            return
        value = read_geojson(part.file)
        if isinstance(value, Problem):
            self.problems.append(value)
            self._give_up(part)
            return
        path = part.file.path
        if path not in self.layers:
            self.layers[path] = ZoneSet.from_text(part.stem, part.file.raw, path)
        zones, problems = self.layers[path]
        self.problems += problems
        features = value.get("features")
        listed = features if isinstance(features, list) else []
        lines = zones is not None and bool(zones.lines)
        (self.known.lines if lines else self.known.layers)[part.stem] = attributes_of(listed)
        self.known.files[part.kind.value, part.stem] = part.file.path
        if zones is not None:
            self.problems += check_zones(zones, part.file.path, self.calendars)
            if not lines and any(HOURS in zone.attributes for zone in zones):
                self.known.layers[part.stem] = {**self.known.layers[part.stem], "open": OPEN}
            self.zones[part.stem] = zones
            self.known.zone_ids |= {zone.id for zone in zones}

    def _routes(self, part: Part) -> None:
        read_as = self._model(part, RoutesModel)
        if read_as is None:
            return
        model, notes = read_as
        for name, route in model.routes.items():
            first = self.first.setdefault(("route", name), part)
            built = build_route(name, route, notes.document.at(("routes", name, "sinks")))
            if first is part:
                self.known.routes[name] = built
            elif replace(built, at=Location("")) != replace(
                self.known.routes[name], at=Location("")
            ):
                notes.add(("routes", name), "R210", at_key=True, name=name, first=first.file.path)

    def _test(self, part: Part) -> None:
        """A rule test file; its cases are read by those who run them."""
        document = self._document(part)
        if document is not None:
            self.tests[part.file.path] = document

    def _rules(self, parts: Sequence[Part]) -> None:
        """All rules; what they read of each other is known before the first is checked."""
        check_names("rule", [part.stem for part in parts], self.overrides)
        found = [one for part in parts for one in self._versions(part)]
        split: dict[str, list[str]] = {}
        for model, _, place in found:
            if place.of:
                split.setdefault(place.of, []).append(model.rule)
        found = [(reading_variants(model, split), notes, place) for model, notes, place in found]
        models = [model for model, _, _ in found if model.status != "retired"]
        self.known.reads = reads_of(models)
        self.alerts = feed_of_alerts(models)
        if self.alerts is not None:
            self.known.feeds.setdefault(ALERTS, self.alerts)
        for model, notes, place in found:
            for path, name in model.when.chosen()[1].rules().items():
                if name in split:
                    operator = model.when.chosen()[0]
                    notes.add(("when", operator, *path), "R635", name=name, variant=split[name][0])
            self.rules.append(load_rule(model, notes, self.known, place))

    def _versions(self, part: Part) -> list[tuple[RuleModel, Notes, Place]]:
        """A rule as it is declared, and as each override that does not always hold makes it."""
        document = self._document(part)
        if document is None:
            return []
        changes = changes_of("rule", part.stem, self.overrides)
        pack = self.by_folder.get(part.folder, "")
        found: list[tuple[RuleModel, Notes, Place]] = []
        for version in versions(Laid(document, document.value), part.stem, changes, pack):
            read_as = self._fitted(part, version.laid.finished(), RuleModel)
            if read_as is None:
                break
            model, notes = read_as
            if not version.place.of:
                misnamed = file_name_problem(notes.document, "rule", model.rule, part.stem)
                notes.problems += [misnamed] if misnamed else []
                check_split(model, changes)
            if self._first(part, "rule", model.rule, notes):
                found.append((model, notes, version.place))
        return found


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """The problems without repeats: variants of a rule repeat what is wrong with it."""
    found = {(one.at, one.code, str(one.found)): one for one in problems}
    return list(found.values())


def _with_excerpt(problem: Problem, document: Document) -> Problem:
    """The problem with the line of the file it stands in."""
    if problem.excerpt or not document.holds(problem.at.file):
        return problem
    return replace(problem, excerpt=document.excerpt(problem.at))
