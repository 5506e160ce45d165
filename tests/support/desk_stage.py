"""A desk over a real database: the small city of `cases_stage` with its cases in SQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cases_stage import CITY

from engine.cases.desk import Desk
from engine.cases.policy import Policy
from engine.edge.desk.audit import Ledger
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.store import DeskStore, desk_url

KEY = bytes(range(32))
BEGIN_MS = 1_773_622_800_000
"""2026-03-16 09:00 in Shanghai, a Monday."""


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_ms: int = BEGIN_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def a_store(folder: Path, url: str | None = None, clock: Clock | None = None) -> DeskStore:
    """An open database: a file of a folder, or the one that is named."""
    return DeskStore(desk_url(url, folder), "en", clock or Clock())


@asynccontextmanager
async def a_keeper(
    folder: Path, url: str | None = None, clock: Clock | None = None, policy: Policy = CITY
) -> AsyncIterator[Keeper]:
    """A desk with its keeper; closed at the end."""
    store = a_store(folder, url, clock)
    try:
        yield Keeper(store, Desk(policy), Ledger(KEY), policy.storm)
    finally:
        await store.close()
