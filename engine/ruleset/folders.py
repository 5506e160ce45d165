"""Which file of a pack is what, told by where it lies and how it is named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from posixpath import basename, splitext

from engine.errors import Location, Problem
from engine.ruleset.source import DeclaredFile


class Kind(StrEnum):
    """What a file declares."""

    PACK = "pack"
    ROUTES = "routes"
    FEED = "feeds"
    TABLE = "tables"
    ROWS = "rows"
    ZONES = "zones"
    CALENDAR = "calendars"
    PLAYBOOK = "playbooks"
    LIST = "lists"
    MACRO = "macros"
    OVERRIDE = "overrides"
    RULE = "rule"
    TEST = "test"


_NAMED = (
    Kind.FEED,
    Kind.TABLE,
    Kind.CALENDAR,
    Kind.PLAYBOOK,
    Kind.LIST,
    Kind.MACRO,
    Kind.OVERRIDE,
)
_FOLDERS = {kind.value: kind for kind in _NAMED}
_YAML, _YML = ".yaml", ".yml"
_ROWS = frozenset({".csv", ".parquet", ".answer"})
_DECLARATIONS = frozenset({_YAML, _YML, ".csv", ".parquet", ".answer", ".geojson"})


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a pack: its kind, its pack's folder, and its name without ending."""

    kind: Kind
    folder: str
    file: DeclaredFile

    @property
    def stem(self) -> str:
        """The name of the file without its ending."""
        return splitext(basename(self.file.path))[0]


@dataclass(slots=True)
class Sorted:
    """The files of a project by kind, each list in the order of their paths."""

    parts: dict[Kind, list[Part]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    problems: list[Problem] = field(default_factory=list)


def sort_files(files: Iterable[DeclaredFile]) -> Sorted:
    """Tell what each file is; files that declare nothing (notes, pictures) are passed over.

    A pack is the folder of a `pack.yaml` with all that lies in and below it. A declaration outside
    every pack, with an unknown ending or in an unknown folder is a problem: it must not be
    overlooked in silence.
    """
    result = Sorted()
    ordered = sorted(files, key=lambda file: file.path)
    packs = [str(PurePosixPath(file.path).parent) for file in ordered if _is_pack(file.path)]
    orphans: set[str] = set()
    around: dict[PurePosixPath, str | None] = {}
    for file in ordered:
        path = PurePosixPath(file.path)
        if path.suffix.lower() not in _DECLARATIONS:
            continue
        if path.parent not in around:
            around[path.parent] = _pack_of(path, packs)
        folder = around[path.parent]
        if folder is None:
            folder = _likely_pack(path)
            if folder not in orphans:
                orphans.add(folder)
                place = Location(str(PurePosixPath(folder) / "pack.yaml"))
                result.problems.append(Problem(place, "R136", {"name": folder}))
        kind = _kind(path, folder)
        if isinstance(kind, Kind):
            result.parts[kind].append(Part(kind, folder, file))
        else:
            result.problems.append(kind)
    return result


def _is_pack(path: str) -> bool:
    return PurePosixPath(path).name == "pack.yaml"


def _pack_of(path: PurePosixPath, packs: Sequence[str]) -> str | None:
    """The innermost pack folder around a file."""
    around = [str(parent) for parent in path.parents]
    return next((folder for folder in around if folder in packs), None)


def _likely_pack(path: PurePosixPath) -> str:
    """The folder where the missing `pack.yaml` belongs."""
    inner = path.parent.name in {*_FOLDERS, "zones"}
    return str(path.parent.parent if inner else path.parent)


def _kind(path: PurePosixPath, folder: str) -> Kind | Problem:
    """What a file is, or why it cannot be told."""
    place = Location(str(path))
    inner = path.relative_to(folder).parts[:-1] if folder != "." else path.parts[:-1]
    if path.suffix.lower() == _YML:
        return Problem(place, "R135", {"name": path.name}, nearest=f"{path.stem}{_YAML}")
    if not inner and path.suffix == _YAML:
        named = {"pack": Kind.PACK, "routes": Kind.ROUTES}.get(path.stem)
        return named or (Kind.TEST if path.stem.endswith("_test") else Kind.RULE)
    where = inner[0] if len(inner) == 1 else ""
    if path.suffix == _YAML and where in _FOLDERS:
        return _FOLDERS[where]
    if path.suffix in _ROWS and where == Kind.TABLE:
        return Kind.ROWS
    if path.suffix == ".geojson" and where == Kind.ZONES:
        return Kind.ZONES
    return Problem(place, "R144", {"name": path.name, "folder": "/".join(inner) or "."})
