"""`forewarn fmt`: declarations laid out in one way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from engine.edge.cli.desks import find_desks
from engine.edge.cli.exits import Exit
from engine.edge.cli.projects import folders
from engine.edge.cli.voice import voice
from engine.edge.cli.whole_files import write_whole
from engine.edge.files import read_project
from engine.errors import EnvironmentUnusable, Location, Problem
from engine.ruleset.fmt import Unformattable, format_file
from engine.ruleset.source import DeclaredFile


@dataclass(slots=True)
class _Work:
    """What became of the files.

    Attributes:
        changed: Each file with its bytes and its new text.
        left: Where and why a file was left alone.

    """

    changed: list[tuple[DeclaredFile, str]] = field(default_factory=list)
    left: list[tuple[Location, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def format_declarations(paths: Sequence[Path], *, check: bool) -> int:
    """Lay out every declaration under the paths, or say which would change."""
    files = _declarations(paths)
    work = _Work()
    for file in files:
        _look_at(file, work)
    if not check:
        for file, text in work.changed:
            write_whole(Path(file.path), text)
    _report(work, len(files), check=check)
    if work.problems:
        return Exit.DECLARATIONS
    return Exit.FAILED if check and work.changed else Exit.FINE


def _declarations(paths: Sequence[Path]) -> list[DeclaredFile]:
    """The YAML files that are meant; a file that is named stands for itself only."""
    for path in paths:
        if not path.exists():
            raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
    single = [path for path in paths if path.is_file()]
    around = [path for path in paths if not path.is_file()]
    roots = folders(around) if around or not paths else []
    found = [*read_project([*roots, *single]), *_of_desks(around, paths)]
    files = [file for file in {one.path: one for one in found}.values() if _is_yaml(file)]
    if not files:
        where = ", ".join(path.as_posix() for path in paths) or "."
        raise EnvironmentUnusable(voice().say("nothing-declared", path=where))
    return files


def _of_desks(around: Sequence[Path], paths: Sequence[Path]) -> list[DeclaredFile]:
    """The files of desks that lie where the packs do; never of the one that comes along."""
    if not around and (paths or not folders(())):
        return []
    return [file for desk in find_desks(around) for file in desk.files]


def _is_yaml(file: DeclaredFile) -> bool:
    return file.path.endswith(".yaml")


def _look_at(file: DeclaredFile, work: _Work) -> None:
    """Lay one file out, and note what came of it."""
    try:
        text = format_file(file)
    except Unformattable as refusal:
        place = Location(file.path, refusal.line, refusal.column)
        work.left.append((place, voice().say(f"fmt-why-{refusal.reason}")))
        return
    if not isinstance(text, str):
        work.problems += text
    elif text.encode() != file.raw:
        work.changed.append((file, text))


def _report(work: _Work, count: int, *, check: bool) -> None:
    speak = voice()
    if speak.json:
        left = [
            {"file": at.file, "line": at.line, "column": at.column, "why": why}
            for at, why in work.left
        ]
        changed = [file.path for file, _ in work.changed]
        problems = [speak.problem_data(one) for one in work.problems]
        speak.data({"files": count, "changed": changed, "left": left, "problems": problems})
        return
    for file, text in work.changed:
        if check:
            for line in _difference(file, text):
                speak.line(line)
        else:
            speak.line(file.path)
    for place, why in work.left:
        speak.note(speak.say("fmt-left", place=place, why=why))
    speak.problems(work.problems, on_result=False)
    sentence = "fmt-would" if check else "fmt-done"
    speak.line(speak.say(sentence, changed=len(work.changed), files=count))


def _difference(file: DeclaredFile, text: str) -> list[str]:
    before = file.raw.decode("utf-8", "replace").splitlines()
    return list(unified_diff(before, text.splitlines(), file.path, file.path, lineterm=""))
