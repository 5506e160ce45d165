"""Tells when the folders of rules have changed and come to rest.

Folders are looked at, not files: an editor puts a new file in an old one's place, and Kubernetes
swaps a link to a whole folder. What counts is which files there are and what the file system says
of each; so a look costs no reading.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

Signs = frozenset[tuple[str, int, int, int]]
"""Of each file its path, number, size and time of change."""

LOOK_S = 1.0
_ENDINGS = (".yaml", ".yml", ".csv", ".parquet", ".geojson")
_PASSED_OVER = frozenset({"__pycache__", "node_modules"})


def signs_of(folders: Sequence[Path]) -> Signs:
    """What the file system says of every declaration under some folders, or of single files."""
    found: set[tuple[str, int, int, int]] = set()
    for folder in folders:
        if folder.is_file():
            _sign(folder.as_posix(), found)
        for here, inner, names in os.walk(folder, followlinks=False):
            inner[:] = [n for n in inner if not n.startswith(".") and n not in _PASSED_OVER]
            for name in names:
                if name.endswith(_ENDINGS):
                    _sign(f"{here}/{name}", found)
    return frozenset(found)


def _sign(path: str, found: set[tuple[str, int, int, int]]) -> None:
    try:
        said = os.stat(path)  # noqa: PTH116 - thousands of them, many times
    except OSError:
        return
    found.add((path, said.st_ino, said.st_size, said.st_mtime_ns))


async def watch(
    folders: Sequence[Path],
    settle_s: float,
    changed: Callable[[], Awaitable[object]],
    look_s: float = LOOK_S,
) -> None:
    """Call `changed` after each change, once nothing has moved for `settle_s`; until cancelled.

    What changes while it is being called is noticed afterwards.
    """
    known = await asyncio.to_thread(signs_of, folders)
    while True:
        await asyncio.sleep(look_s)
        now = await asyncio.to_thread(signs_of, folders)
        if now == known:
            continue
        while True:
            await asyncio.sleep(settle_s)
            later = await asyncio.to_thread(signs_of, folders)
            if later == now:
                break
            now = later
        if now != known:
            known = now
            await changed()
