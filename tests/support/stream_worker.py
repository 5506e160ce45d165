"""A worker process of the tests: `python stream_worker.py '{"bootstrap": ..., "tag": ...}'`."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.edge.files import read_project
from engine.edge.streaming.link import Link
from engine.edge.streaming.worker import run_worker
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile

PACK = Path(__file__).resolve().parents[1] / "streaming" / "pack"


def program(
    tag: str, idle_after: str = "5m", edits: Mapping[str, str] = MappingProxyType({})
) -> Program:
    """The tests' pack, with topics of its own for each test, and with words replaced."""
    words = {"topic: feed.": f"topic: {tag}.", "idle_after: 5m": f"idle_after: {idle_after}"}
    words.update(edits)
    files = []
    for file in read_project([PACK]):
        raw = file.raw
        for before, after in words.items():
            raw = raw.replace(before.encode(), after.encode())
        files.append(DeclaredFile(file.path, raw))
    loaded = load_project(files)
    assert loaded.project is not None, loaded.problems
    return compile_project(loaded.project)


def link(bootstrap: str, tag: str, **more: Any) -> Link:
    """Short sessions, so that a killed worker is missed soon."""
    settings: dict[str, Any] = {"session_s": 6.0, "heartbeat_s": 1.0, "save_every_s": 0.3}
    return Link(bootstrap=bootstrap, app=tag, prefix=tag, **{**settings, **more})


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asked = json.loads(sys.argv[1])
    idle_after, edits = asked.pop("idle_after", "5m"), asked.pop("edits", {})
    run_worker(link(**asked), program(asked["tag"], idle_after, edits))
