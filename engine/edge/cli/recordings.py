"""Finds the recordings that `replay` was given, and the table rows that lie beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.ruleset.spec import Project

_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv")
_PACKED = ".gz"


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of one feed; `size` in bytes, 0 where it cannot be told before unpacking."""

    feed: str
    path: Path
    size: int


def recordings(data: Sequence[str], project: Project) -> list[Recording]:
    """The files that were meant, each with its feed: `FEED=PATH`, `<feed>.jsonl`, or a folder.

    Raises:
        EnvironmentUnusable: Something does not exist, or no feed can be told for a file.

    """
    found: list[Recording] = []
    for text in data:
        feed, sign, rest = text.partition("=")
        if sign and feed in project.feeds:
            found.append(_recording(feed, Path(rest)))
        elif Path(text).is_dir():
            some = [path for path in sorted(Path(text).iterdir()) if _feed_of(path, project)]
            found += [_recording(_feed_of(path, project), path) for path in some]
        else:
            path = Path(text)
            if not path.exists():
                raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
            named = _feed_of(path, project)
            if not named:
                feeds = ", ".join(sorted(project.feeds))
                raise EnvironmentUnusable(voice().say("replay-no-feed", path=path, feeds=feeds))
            found.append(_recording(named, path))
    if not found:
        feeds = ", ".join(sorted(project.feeds))
        raise EnvironmentUnusable(voice().say("replay-nothing", data=" ".join(data), feeds=feeds))
    return found


def table_rows(data: Sequence[str]) -> Mapping[str, bytes]:
    """Rows that came with a simulated folder (`tables/<table>.csv`), by file name."""
    rows: dict[str, bytes] = {}
    for text in data:
        folder = Path(text) / "tables"
        if folder.is_dir():
            rows |= {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
    return rows


def _recording(feed: str, path: Path) -> Recording:
    if not path.is_file():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
    size = 0 if path.suffix == _PACKED else path.stat().st_size
    return Recording(feed, path.resolve(), size)


def _feed_of(path: Path, project: Project) -> str:
    """The feed a file is named after (`<feed>.jsonl`, `<feed>.csv.gz`), or nothing."""
    name = path.name.removesuffix(_PACKED)
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    stem = name.removesuffix(ending)
    return stem if ending and stem in project.feeds and path.is_file() else ""
