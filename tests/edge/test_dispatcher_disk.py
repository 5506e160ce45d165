"""A dispatcher whose disk is full waits, says so, and loses nothing."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from engine.edge.store import Stored
from engine.edge.streaming import dispatcher
from engine.edge.streaming.dispatcher import Keeper
from engine.errors import EnvironmentUnusable
from engine.ports import Position


def refusal(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


class Disk:
    """A store that refuses writes with these errors, one after the other, and then takes them."""

    path = Path("data/forewarn.db")

    def __init__(self, *refusals: sqlite3.Error) -> None:
        self.refusals = list(refusals)
        self.kept: list[Any] = []

    async def accept(self, *what: Any) -> Stored:
        if self.refusals:
            raise self.refusals.pop(0)
        self.kept.append(what)
        return Stored()


async def test_a_full_disk_is_waited_for_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "DISK_WAIT_S", (0.0, 0.0))
    disk, told = Disk(*[refusal(sqlite3.SQLITE_FULL)] * 3), list[str]()

    await Keeper(disk, "en", told.append).keep([], {"a": Position(1, 1, 0)}, [])  # type: ignore[arg-type]

    assert disk.kept == [([], {"a": Position(1, 1, 0)}, "dispatcher", [])]
    assert told == ["database or disk is full"] * 3 + [""]


async def test_a_damaged_store_ends_the_dispatcher_with_a_sentence() -> None:
    disk, told = Disk(refusal(sqlite3.SQLITE_CORRUPT)), list[str]()

    with pytest.raises(EnvironmentUnusable, match=r"forewarn\.db"):
        await Keeper(disk, "en", told.append).keep([], {}, [])  # type: ignore[arg-type]

    assert not disk.kept
    assert not told


async def test_a_disk_with_room_is_told_nothing_of() -> None:
    disk, told = Disk(), list[str]()

    await Keeper(disk, "en", told.append).keep([], {}, [])  # type: ignore[arg-type]

    assert len(disk.kept) == 1
    assert not told
