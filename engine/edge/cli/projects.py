"""Finds, reads and checks the declarations that a verb works on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from engine.edge.cli.voice import voice
from engine.edge.collector import no_collector
from engine.edge.files import missing_packs, read_project, shipped_packs
from engine.errors import DeclarationError, EnvironmentUnusable, Level, Problem
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read
from engine.ruleset.spec import Project
from engine.ruletest.cases import Case, read_cases

SETTINGS = "forewarn.yaml"
_PACK = "pack.yaml"


@dataclass(frozen=True, slots=True)
class Found:
    """What was declared: files, the project if it can be used, and every problem."""

    files: Sequence[DeclaredFile]
    project: Project | None
    problems: tuple[Problem, ...]

    def usable(self) -> Project:
        """The project.

        Raises:
            DeclarationError: It has errors.

        """
        if self.project is None:
            raise DeclarationError(self.problems)
        return self.project


def find(
    paths: Sequence[Path],
    rows: Mapping[str, bytes] | None = None,
    beside: Callable[[Sequence[DeclaredFile]], Sequence[DeclaredFile]] = list,
) -> Found:
    """Read and check everything under the paths, or what stands here, or what comes along.

    `rows` are CSV files by name that take the place of those of the packs' tables; `beside` puts
    answers of databases beside the files.
    """
    for path in paths:
        if not path.exists():
            raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
    roots = folders(paths)
    files = read_project(roots) if roots else shipped_packs()
    if not files:
        where = ", ".join(root.as_posix() for root in roots)
        raise EnvironmentUnusable(voice().say("nothing-declared", path=where))
    files = list(beside(_with_rows(files, rows or {})))
    with no_collector():
        loaded = load_project(files, LoadOptions(today=datetime.now(UTC).date()))
    single = {path.as_posix() for path in paths if path.is_file()}
    asked = [p for p in loaded.problems if not single or p.at.file in single]
    return Found(files, loaded.project, tuple(asked if loaded.project else loaded.problems))


def folders(paths: Sequence[Path]) -> list[Path]:
    """The pack folders that the paths mean, or those of the project here; none if there is none."""
    return [root for path in (paths or _here()) for root in _roots(path)]


def tell_if_shipped(paths: Sequence[Path]) -> None:
    """Say so where, for want of a project, the packs that come along are meant."""
    if not paths and not _here():
        voice().note(voice().say("packs-along"))


def cases_of(found: Found) -> tuple[list[Case], list[Problem]]:
    """Every test beside the rules, and what is wrong with the test files."""
    project = found.usable()
    cases: list[Case] = []
    problems: list[Problem] = []
    for document in project.tests.values():
        some, wrong = read_cases(document, project)
        cases += some
        problems += wrong
    return cases, problems


def errors(problems: Sequence[Problem]) -> list[Problem]:
    """The problems that keep a project from running."""
    return [problem for problem in problems if problem.level is Level.ERROR]


def _with_rows(files: Sequence[DeclaredFile], rows: Mapping[str, bytes]) -> list[DeclaredFile]:
    """The files with other rows in the tables that are declared under these names."""
    tables = [PurePosixPath(file.path) for file in files]
    beside = {
        path.with_suffix(".csv").as_posix(): rows[f"{path.stem}.csv"]
        for path in tables
        if path.parent.name == "tables" and path.suffix == ".yaml" and f"{path.stem}.csv" in rows
    }
    kept = [file for file in files if file.path not in beside]
    return [*kept, *(DeclaredFile(path, raw) for path, raw in beside.items())]


def _here() -> list[Path]:
    """The folder here when it holds declarations; nothing means the packs that come along."""
    here = Path()
    is_project = (here / SETTINGS).exists() or any(here.glob(f"*/{_PACK}"))
    return [here] if is_project or (here / _PACK).exists() else []


def _roots(path: Path) -> list[Path]:
    """The pack folders that a path means: those its settings name, or those around or below it."""
    if path.name == SETTINGS or (path / SETTINGS).is_file():
        settings = path if path.name == SETTINGS else path / SETTINGS
        return [settings.parent / name for name in _packs_of(settings)]
    if path.is_file():
        around = [folder for folder in path.resolve().parents if (folder / _PACK).exists()]
        return [_as_given(path, around[0])] if around else [path]
    return [path]


def _packs_of(settings: Path) -> list[str]:
    """The `packs` of a settings file; what is wrong with the others is said by those who run it."""
    document, problems = read(DeclaredFile(settings.as_posix(), settings.read_bytes()))
    if document is None:
        raise DeclarationError(problems)
    packs = document.value.get("packs") if isinstance(document.value, dict) else None
    names = [str(name) for name in packs] if isinstance(packs, list) else []
    if missing := missing_packs(names, settings.parent, document.at):
        raise DeclarationError(missing)
    return names


def _as_given(file: Path, folder: Path) -> Path:
    """A folder around a file, written as the file was."""
    up = len(file.resolve().relative_to(folder).parts)
    given = file
    for _ in range(up):
        given = given.parent
    return given if given.resolve() == folder else folder
