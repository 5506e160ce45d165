"""Reads pack folders from disk, or those that travel with the program."""

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from engine.edge.reference.parquet import read_parquet
from engine.errors import DeclarationError, Location, Problem
from engine.ruleset.shape import nearest
from engine.ruleset.source import MAX_BYTES, DeclaredFile

_LIMITS = {
    ".yaml": MAX_BYTES,
    ".yml": MAX_BYTES,
    ".geojson": 50_000_000,
    ".csv": 200_000_000,
    ".parquet": 200_000_000,
}
_MAX_FILES = 20_000
_PASSED_OVER = frozenset({"__pycache__", "node_modules"})
DESK = "desk.yaml"
"""A folder that holds it declares a desk, see `engine.cases.declared`; it lies beside packs."""


def read_project(paths: Sequence[Path]) -> list[DeclaredFile]:
    """Read every declaration under some pack folders, or under folders of packs.

    Files are named as they were given (`rules/hazmat/pack.yaml`), in the order of their paths.
    A file that is too large is read just beyond its limit, so that loading reports it. Folders
    whose names begin with a dot are passed over, and so is a desk that lies below what was given.

    Raises:
        DeclarationError: A path does not exist or cannot be read (R141), or a link leads out of
            the folder that was given (R140); all such problems together.

    """
    problems: list[Problem] = []
    found: dict[Path, DeclaredFile] = {}
    for path in paths:
        try:
            root = (path if path.is_dir() else path.parent).resolve(strict=True)
            listed = list(_walk(path)) if path.is_dir() else [path]
        except OSError:
            problems.append(Problem(Location(path.as_posix()), "R141"))
            continue
        for file in listed:
            _take(file, root, found, problems)
    if problems:
        raise DeclarationError(problems)
    return sorted(found.values(), key=lambda file: file.path)


def missing_packs(
    names: Sequence[str], folder: Path, at: Callable[[tuple[str | int, ...]], Location]
) -> list[Problem]:
    """S114 for each folder of `packs` that does not exist, with the pack beside it that was meant.

    Args:
        names: The folders as settings name them.
        folder: Where the settings lie.
        at: The place of a setting.

    """
    problems: list[Problem] = []
    for number, name in enumerate(names):
        around = (folder / name).parent
        if not (folder / name).exists():
            packs = [path.parent.name for path in around.glob("*/pack.yaml")]
            near = nearest(Path(name).name, packs)
            meant = Path(name).with_name(near).as_posix() if near else ""
            problems.append(Problem(at(("packs", number)), "S114", {"found": name}, meant))
    return problems


def shipped_packs() -> list[DeclaredFile]:
    """Read the packs that come with Forewarn, from the installed package or the checkout."""
    with as_file(files("rules")) as folder:
        prefix = folder.as_posix()
        return [
            DeclaredFile("rules" + file.path.removeprefix(prefix), file.raw)
            for file in read_project([folder])
        ]


def _walk(folder: Path) -> Iterator[Path]:
    """All declaration files below a folder, in order. Linked folders are not entered."""
    seen = 0
    for here, inner, names in os.walk(folder, followlinks=False):
        inner[:] = sorted(name for name in inner if not _passed_over(Path(here) / name))
        linked = [name for name in inner if (Path(here) / name).is_symlink()]
        for name in [*linked, *sorted(names)]:
            path = Path(here) / name
            if path.suffix.lower() in _LIMITS or name in linked:
                seen += 1
                if seen > _MAX_FILES:
                    return
                yield path


def _passed_over(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _PASSED_OVER or (folder / DESK).is_file()


def _take(path: Path, root: Path, found: dict[Path, DeclaredFile], problems: list[Problem]) -> None:
    """Read one file, unless it leads out of the folder that was given."""
    place = Location(path.as_posix())
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            problems.append(Problem(place, "R140"))
        elif (
            not real.is_dir() and real not in found
        ):  # a linked folder's files stand at their place
            found[real] = DeclaredFile(path.as_posix(), _read(path))
    except DeclarationError as error:
        problems += error.problems
    except OSError:
        problems.append(Problem(place, "R141"))


def _read(path: Path) -> bytes:
    """The bytes of a file, at most one more than its kind may have."""
    limit = _LIMITS.get(path.suffix.lower(), MAX_BYTES)
    if path.suffix.lower() == ".parquet":
        return read_parquet(path)
    with path.open("rb") as file:
        return file.read(limit + 1)
