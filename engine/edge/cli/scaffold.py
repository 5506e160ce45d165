"""`forewarn init`: a project with one rule, its test, a feed, a route and a recording."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable

_STARTER = "engine.edge.cli.starter"
_NOT_OURS = ("__init__.py", "__pycache__")


def make_project(folder: Path) -> int:
    """Put the files of a new project into a folder; what is there already is never touched."""
    wanted = list(_files(files(_STARTER), Path()))
    taken = [path for path, _ in wanted if (folder / path).exists()]
    if taken:
        first = folder / taken[0]
        raise EnvironmentUnusable(voice().say("init-taken", path=first, count=len(taken)))
    try:
        for path, raw in wanted:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)
    except OSError as error:
        raise EnvironmentUnusable(
            voice().say("init-unwritable", path=folder, why=error.strerror)
        ) from error
    speak = voice()
    if speak.json:
        speak.data({"folder": str(folder), "files": [path.as_posix() for path, _ in wanted]})
        return Exit.FINE
    for path, _ in wanted:
        speak.line(f"  {(folder / path).as_posix()}")
    speak.line("")
    where = "" if folder == Path() else f"cd {folder.as_posix()} && "
    speak.line(speak.say("init-next", where=where))
    return Exit.FINE


def _files(place: Traversable, path: Path) -> list[tuple[Path, bytes]]:
    """Every file below a place, with its path from there."""
    found: list[tuple[Path, bytes]] = []
    for item in sorted(place.iterdir(), key=lambda item: item.name):
        if item.name in _NOT_OURS:
            continue
        if item.is_dir():
            found += _files(item, path / item.name)
        else:
            found.append((path / item.name, item.read_bytes()))
    return found
