"""The small recorded worlds in `tests/worlds` are still what the simulators make.

Write them anew with `python -m simulators fleet --vehicles 4 --hours 8 --out tests/worlds/fleet`
and `python -m simulators payroll --projects 8 --days 120 --out tests/worlds/payroll`, then gzip
the feeds (`gzip -n`), when a change of a world is meant.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from simulators.worlds import make

WORLDS = Path(__file__).parents[1] / "worlds"
SIZES: dict[str, dict[str, Any]] = {
    "fleet": {"vehicles": 4, "hours": 8.0},
    "payroll": {"projects": 8, "days": 120},
}


@pytest.mark.parametrize("name", SIZES)
def test_the_records_are_the_same_bytes(name):
    world = make(name, seed=7, **SIZES[name])
    made: dict[str, list[bytes]] = {feed.name: [] for feed in world.feeds}
    for item in world.items():
        made[item.feed].append(item.value)
    for feed, values in made.items():
        recorded = gzip.decompress((WORLDS / name / f"{feed}.jsonl.gz").read_bytes())
        assert recorded.splitlines() == values


@pytest.mark.parametrize("name", SIZES)
def test_the_truth_is_the_same(name):
    lines = (WORLDS / name / "truth.jsonl").read_bytes().splitlines(keepends=True)
    assert lines == [story.line() for story in make(name, seed=7, **SIZES[name]).stories()]


def test_the_slices_are_small():
    size = sum(file.stat().st_size for file in WORLDS.rglob("*") if file.is_file())
    assert size < 300_000


@pytest.mark.parametrize("name", SIZES)
def test_the_card_says_how_the_slice_was_made(name):
    card = json.loads((WORLDS / name / "world.json").read_text("utf-8"))
    assert {size: card[size] for size in SIZES[name]} == SIZES[name]
    assert card["seed"] == 7
