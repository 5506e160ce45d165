"""Simulated worlds and declared projects for the proofs, written once and used by every runner."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT
from engine.edge.files import read_project
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Outcome, Record, Rejected, SourceId, Trouble
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import load_project
from simulators import to_files
from simulators.scenario import World
from simulators.worlds import make

RULES = ROOT / "rules"


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"forewarn-{name}-") as folder:
        yield Path(folder)


def write_world(kind: str, folder: Path, **sizes: Any) -> World:
    """A world's records, tables and truth as files."""
    world = make(kind, **sizes)
    to_files.write_records(world, folder)
    to_files.write_tables(world, folder)
    to_files.write_truth(world, folder)
    return world


def copy_pack(pack: Path, place: Path, world: Path | None = None) -> Path:
    """A pack in a folder of its own, with the world's rows in its tables."""
    shutil.copytree(pack, place, dirs_exist_ok=True)
    for table in (world / "tables").glob("*.csv") if world is not None else ():
        if (place / "tables" / f"{table.stem}.yaml").exists():
            shutil.copy(table, place / "tables" / table.name)
    return place


def program_of(*packs: Path) -> Program:
    """The compiled program of pack folders.

    Raises:
        AssertionError: They have errors.

    """
    loaded = load_project(read_project(list(packs)))
    if loaded.project is None:
        raise AssertionError("\n".join(str(problem) for problem in loaded.problems))
    return compile_project(loaded.project)


class Run:
    """What left the engine in one run."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.rejected: list[Rejected] = []
        self.troubles: list[Trouble] = []
        self.counts: dict[tuple[str, str], int] = {}

    def keep(self, outcome: Outcome) -> None:
        """Add an outcome."""
        self.changes += outcome.changes
        self.rejected += outcome.rejected
        self.troubles += outcome.troubles
        for name, count in outcome.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count


def in_memory(
    program: Program, records: Iterable[tuple[str, bytes]], until_ms: int, batch: int = 2000
) -> Run:
    """Run records (feed, bytes), in order of arrival, through the core without a driver."""
    run, offsets = Run(), dict.fromkeys(program.feeds, 0)
    waiting: list[tuple[str, bytes]] = []
    spaces = Engine(program).spaces
    for name, space in spaces.items():
        for feed in program.spaces[name].feeds:
            space.announce(SourceId(feed))

    def flush() -> None:
        fresh: dict[str, list[Record]] = {}
        for feed, value in waiting:
            fresh.setdefault(feed, []).append(Record(offsets[feed], value))
            offsets[feed] += 1
        waiting.clear()
        for name, space in spaces.items():
            for feed in program.spaces[name].feeds:
                space.ingest(feed, SourceId(feed), fresh.get(feed, []))
            run.keep(space.advance())

    for feed, value in records:
        if feed in program.feeds:
            waiting.append((feed, value))
            if len(waiting) >= batch:
                flush()
    flush()
    for space in spaces.values():
        run.keep(space.advance(until_ms))
    return run


def lines(folder: Path, feed: str) -> list[bytes]:
    """The records of a feed in a world's folder."""
    return (folder / f"{feed}.jsonl").read_bytes().splitlines()


def truth(folder: Path) -> list[dict[str, Any]]:
    """The stories of a world's folder."""
    return [json.loads(line) for line in (folder / "truth.jsonl").read_bytes().splitlines()]


def settings(folder: Path, **values: Any) -> Path:
    """A settings file; JSON is YAML too."""
    path = folder / "forewarn.yaml"
    path.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    return path


def sources(feeds: Sequence[str], folder: str, **more: Any) -> Mapping[str, Any]:
    """A file source for each feed of a world's folder."""
    return {
        feed: {"kind": "file", "feed": feed, "path": f"{folder}/{feed}.jsonl", **more}
        for feed in feeds
    }
