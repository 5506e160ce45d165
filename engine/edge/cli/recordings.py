"""Finds the recordings that `replay` was given, and the table rows that lie beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable
from engine.ruleset.shape import nearest
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
        elif sign and Path(rest).exists() and not Path(text).exists():
            feeds = ", ".join(sorted(project.feeds))
            raise EnvironmentUnusable(
                voice().say("replay-unknown-feed", path=rest, feed=feed, feeds=feeds)
                + _meant(feed, project)
            )
        elif Path(text).is_dir():
            some = [path for path in sorted(Path(text).iterdir()) if _feed_of(path, project)]
            found += [_recording(_feed_of(path, project), path) for path in some]
            _tell_misspelt(Path(text), project)
        else:
            path = Path(text)
            if not path.exists():
                raise EnvironmentUnusable(voice().say("cli-no-path", path=path))
            named = _feed_of(path, project)
            if not named:
                feeds = ", ".join(sorted(project.feeds))
                sentence = voice().say("replay-no-feed", path=path, feeds=feeds)
                raise EnvironmentUnusable(sentence + _meant(_stem(path), project))
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
    stem = _stem(path)
    return stem if stem in project.feeds and path.is_file() else ""


def _stem(path: Path) -> str:
    """The name of a recording without its endings; empty for other files."""
    name = path.name.removesuffix(_PACKED)
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending) if ending else ""


def _tell_misspelt(folder: Path, project: Project) -> None:
    """Say which files of a folder are named almost like a feed, and so are not read."""
    for path in sorted(folder.iterdir()):
        stem = _stem(path)
        if stem and path.is_file() and stem not in project.feeds and _meant(stem, project):
            voice().note(voice().say("replay-passed-over", path=path) + _meant(stem, project))


def _meant(name: str, project: Project) -> str:
    """The question whether another feed was meant, if one is named almost like this."""
    near = nearest(name, project.feeds)
    return voice().say("replay-meant", near=near) if near else ""
