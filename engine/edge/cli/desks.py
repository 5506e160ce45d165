"""Finds the desks that a verb works on: those of settings, those named, those beside packs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

from engine.cases.declared.around import Around
from engine.cases.declared.load import LoadedDesk, load_desk
from engine.edge.cli.projects import SETTINGS, folders
from engine.edge.files import DESK, read_project
from engine.errors import DeclarationError, Problem
from engine.geo.regions import Regions
from engine.ruleset.known import REGIONS
from engine.ruleset.source import DeclaredFile, read
from engine.ruleset.spec import Project

_PACK = "pack.yaml"
_SHIPPED = "rules/desk"


@dataclass(frozen=True, slots=True)
class FoundDesk:
    """A desk's folder as it was found.

    Attributes:
        sinks: Sinks that the settings around it declare; None where there are none.

    """

    folder: Path
    files: Sequence[DeclaredFile]
    sinks: Collection[str] | None = None

    def load(self, project: Project | None) -> LoadedDesk:
        """Read and check it, beside the rules whose alerts come to it."""
        return load_desk(self.files, Around(project, self.sinks, datetime.now(UTC).date()))


def find_desks(paths: Sequence[Path]) -> list[FoundDesk]:
    """The desks that the paths mean; without paths those of the project here, or the shipped one.

    Raises:
        DeclarationError: a desk that settings name does not exist, or cannot be read.

    """
    asked = list(paths) or _here()
    if not asked:
        return [shipped_desk()]
    found: dict[Path, FoundDesk] = {}
    for path in asked:
        for desk in _of(path):
            found.setdefault(desk.folder.resolve(), desk)
    return list(found.values())


def shipped_desk() -> FoundDesk:
    """The desk that comes with Forewarn."""
    with as_file(files("rules") / "desk") as folder:
        prefix = folder.as_posix()
        declared = [
            DeclaredFile(_SHIPPED + file.path.removeprefix(prefix), file.raw)
            for file in read_project([folder])
        ]
        return FoundDesk(folder, declared)


def without_desks(paths: Sequence[Path]) -> list[Path]:
    """The paths that mean packs; for desks alone, the project that they lie in."""
    packs = [path for path in paths if desk_of(path) is None]
    if packs or not paths:
        return packs
    around = [
        one
        for folder in (desk_of(path) for path in paths)
        if folder is not None
        for one in (folder.resolve().parent, folder.resolve().parent / "rules")
        if (one / SETTINGS).is_file() or any(one.glob(f"*/{_PACK}"))
    ]
    return [_as_given(around[0])] if around else []


def _as_given(folder: Path) -> Path:
    """A folder as people would write it from here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def desk_of(path: Path) -> Path | None:
    """The desk that a path is, or lies in; None for anything else."""
    if (path / DESK).is_file():
        return path
    inside = path.is_file() and path.name != SETTINGS
    return path.parent if inside and (path.parent / DESK).is_file() else None


def regions_of(project: Project | None) -> Regions | None:
    """The layer that positions are looked up in."""
    layer = project.zones.get(REGIONS) if project is not None else None
    return Regions(layer) if layer is not None else None


def _here() -> list[Path]:
    """The folder here, when it is a desk or holds a project."""
    here = Path()
    return [here] if (here / DESK).is_file() or folders(()) else []


def _of(path: Path) -> Iterator[FoundDesk]:
    folder = desk_of(path)
    settings = path if path.name == SETTINGS else path / SETTINGS
    if folder is not None:
        yield FoundDesk(folder, read_project([folder]))
    elif settings.is_file():
        yield from _of_settings(settings)
    elif path.is_dir():
        marks = [*sorted(path.glob(f"*/{DESK}")), *sorted(path.glob(f"*/*/{DESK}"))]
        for mark in marks:
            yield FoundDesk(mark.parent, read_project([mark.parent]))


def _of_settings(settings: Path) -> Iterator[FoundDesk]:
    """The desk that settings name; where they name none, one under the usual name counts."""
    document, _ = read(DeclaredFile(settings.as_posix(), settings.read_bytes()))
    value = document.value if document is not None and isinstance(document.value, dict) else {}
    section = value.get("desk")
    said = section.get("folder", "desk") if isinstance(section, dict) else "desk"
    folder = settings.parent / str(said)
    if section is None and not (folder / DESK).is_file():
        return
    if not folder.is_dir() and document is not None:
        raise DeclarationError([Problem(document.at(("desk", "folder")), "R141")])
    declared = value.get("sinks")
    sinks = [str(name) for name in declared] if isinstance(declared, dict) and declared else None
    yield FoundDesk(folder, read_project([folder]), sinks)
