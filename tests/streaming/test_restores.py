"""What reading state back takes in memory: rows are made one at a time, few partitions at once."""

import asyncio
from typing import Any

import pytest
from stream_worker import link, program

from engine.edge.streaming import evaluator
from engine.edge.streaming.changelog import SavedRows, row_key
from engine.edge.streaming.evaluator import Evaluator
from engine.edge.streaming.kit import Kit, Silent
from engine.edge.streaming.topics import plan_topics
from engine.edge.streaming.worker import new_core
from engine.ports import Write


def test_rows_are_those_that_were_read_as_often_as_they_are_asked_for() -> None:
    kept = {row_key("r", f"k{number}"): bytes([number]) for number in range(3)}
    rows = SavedRows(kept)
    wanted = [Write("r", f"k{number}", bytes([number])) for number in range(3)]
    assert list(rows) == list(rows) == wanted
    assert (len(rows), rows[1], rows[1:]) == (3, wanted[1], wanted[1:])


async def test_no_more_partitions_than_allowed_are_read_back_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = most = 0

    async def read(*_: Any) -> dict[bytes, bytes]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return {}

    async def nothing(_: Any) -> None:
        """No broker is there."""

    monkeypatch.setattr(evaluator, "read_back", read)
    monkeypatch.setattr("engine.edge.streaming.ledger.Ledger.open", nothing)
    near, rules = link("nowhere:1", "t", partitions=8), program("t")
    layout = plan_topics(near, rules, {}, "en").layout
    gate = asyncio.Semaphore(3)
    kit = Kit(near, rules, layout, new_core, Silent(), lambda: 0.0, restores=gate)
    units = [
        Evaluator(kit, space, partition)
        for space in layout.spaces.values()
        for partition in range(8)
    ]
    await asyncio.gather(*(unit.open() for unit in units))
    assert len(units) == 24
    assert most == 3
