"""Which file of a desk's folder is what, and each of them as its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeVar

from engine.cases.declared.schema import CentresModel, DepartmentsModel, DeskModel, MutesModel
from engine.cases.declared.schema_routes import DeskRoutesModel
from engine.cases.declared.schema_test import RouteTestsModel
from engine.cases.declared.schema_timings import TimingsModel
from engine.errors import Location, Problem
from engine.ruleset.document import Document
from engine.ruleset.notes import Notes
from engine.ruleset.schema_pack import CalendarModel
from engine.ruleset.shape import Strict, nearest, validate
from engine.ruleset.source import DeclaredFile, read

FILES: Mapping[str, type[Strict]] = {
    "desk": DeskModel,
    "departments": DepartmentsModel,
    "centres": CentresModel,
    "routes": DeskRoutesModel,
    "timings": TimingsModel,
    "mutes": MutesModel,
}
"""The files of a desk's folder by their names without ending."""

NEEDED = ("desk", "departments", "centres", "routes", "timings")
MARK = "desk.yaml"
"""A folder that holds it declares a desk, as one with `pack.yaml` declares rules."""

CALENDARS = "calendars"
_BREAKS: Mapping[str, tuple[str, ...]] = {
    "departments": ("D106",),
    "centres": ("D110", "D114"),
    "timings": ("D107", "D108"),
    "routes": ("D302",),
    "mutes": ("D308",),
}
"""What cannot be known when a file cannot be read."""

_Model = TypeVar("_Model", bound=Strict)
_YAML = {".yaml", ".yml"}


@dataclass(slots=True)
class Folder:
    """The files of a desk's folder, read one by one; what is wrong is gathered."""

    files: dict[str, DeclaredFile] = field(default_factory=dict)
    calendars: list[DeclaredFile] = field(default_factory=list)
    tests: list[DeclaredFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    notes: list[Notes] = field(default_factory=list)

    def sort(self, files: Sequence[DeclaredFile]) -> None:
        """Tell what each file is; a needed one that is not there is a problem."""
        folder = _folder_of(files)
        for file in sorted(files, key=lambda one: one.path):
            path = PurePosixPath(file.path)
            if path.suffix.lower() not in _YAML:
                continue
            inner = path.parent.relative_to(folder).parts if folder else path.parent.parts
            known = path.suffix == ".yaml"
            if known and not inner and path.stem in FILES:
                self.files[path.stem] = file
            elif known and not inner and path.stem.endswith("_test"):
                self.tests.append(file)
            elif known and inner == (CALENDARS,):
                self.calendars.append(file)
            else:
                near = nearest(path.stem, FILES)
                found = {"name": path.name, "names": ", ".join(f"{one}.yaml" for one in FILES)}
                hint = f"{near}.yaml" if near else ""
                self.problems.append(Problem(Location(file.path), "D101", found, hint))
        for name in NEEDED:
            if name not in self.files:
                at = Location(str(PurePosixPath(folder) / f"{name}.yaml"))
                self.problems.append(Problem(at, "D102", {"name": f"{name}.yaml"}))
                self._give_up(name)

    def model(self, name: str, model: type[_Model]) -> tuple[_Model, Notes] | None:
        """A file of the folder as its model, with a place to note what else is wrong."""
        file = self.files.get(name)
        found = self.read(file, model) if file is not None else None
        if file is not None and found is None:
            self._give_up(name)
        return found

    def read(self, file: DeclaredFile, model: type[_Model]) -> tuple[_Model, Notes] | None:
        """A file as a model."""
        reading = read(file)
        document = reading.document
        lines = file.raw[:2_000_000].decode("utf-8", "replace").splitlines()
        shown = document or Document(file.path, None, lines, {}, {})
        value = validate(model, document) if document is not None else ()
        wrong = (*reading.problems, *(value if isinstance(value, tuple) else ()))
        self.problems += [_with_excerpt(one, shown) for one in wrong]
        if document is None or isinstance(value, tuple):
            return None
        notes = Notes(document, self.broken)
        self.notes.append(notes)
        return value, notes

    def calendar(self, file: DeclaredFile) -> tuple[CalendarModel, Notes] | None:
        """A calendar of the desk's own."""
        found = self.read(file, CalendarModel)
        if found is None:
            self.broken.add(PurePosixPath(file.path).stem)
        return found

    def test(self, file: DeclaredFile) -> tuple[RouteTestsModel, Notes] | None:
        """Route tests."""
        return self.read(file, RouteTestsModel)

    def _give_up(self, name: str) -> None:
        """Remember what a file would have declared, so that its absence is not reported again."""
        self.broken.update(_BREAKS.get(name, ()))


def _folder_of(files: Sequence[DeclaredFile]) -> str:
    """The folder of a desk: where its mark lies, else the one that all its files lie in."""
    marks = [file.path for file in files if PurePosixPath(file.path).name == MARK]
    paths = marks or [file.path for file in files]
    return str(PurePosixPath(min(paths, key=len)).parent) if paths else ""


def _with_excerpt(problem: Problem, document: Document) -> Problem:
    """The problem with the line of the file it stands in."""
    if problem.excerpt or not document.holds(problem.at.file):
        return problem
    return replace(problem, excerpt=document.excerpt(problem.at))
