"""Real recordings through a declared pack, as a replay runs them."""

import csv
import gzip
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from engine.edge.files import read_project
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId
from engine.ruleset.compile import compile_project
from engine.ruleset.load import LoadOptions, load_project

_BATCH = 2000


def path_of(name: str) -> Path:
    """Where a recording is; skips the test, by name, where it is missing."""
    path = Path(os.environ.get("FOREWARN_DATA", "../shared/data")) / name
    if not path.exists():
        pytest.skip(f"the recording {name} is not in FOREWARN_DATA")
    return path


def rows_of(name: str) -> Iterator[dict[str, str]]:
    """The rows of a recording; skips the test, by name, where it is missing."""
    with gzip.open(path_of(name), "rt", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def alerts_of(pack: Path, feed: str, records: Iterable[Mapping[str, object]]) -> list[Change]:
    """What the rules of a pack say about records of one feed; time ends with the last record."""
    loaded = load_project(read_project([pack]), LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    lines = [Record(number, orjson.dumps(row)) for number, row in enumerate(records)]
    changes: list[Change] = []
    engine = Engine(compile_project(loaded.project), saves=False)
    for space in engine.spaces.values():
        source = SourceId(feed)
        space.announce(source)
        for begin in range(0, len(lines), _BATCH):
            space.ingest("log", source, lines[begin : begin + _BATCH])
            changes += space.advance().changes
        last = max(space.progress.sources.values())
        lateness = max(program.spec.lateness_ms for program in space.program.programs.values())
        changes += space.advance(last + lateness).changes
    return changes
