"""Rules over places on a real Kafka: key spaces that hand on to each other lose nothing."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import places_world as world
import pytest
import pytest_asyncio
from near_world import letter
from places_worker import program
from small_world import MIN, T0
from stream_stage import ROOT, Stage, in_order
from stream_world import Sent

from engine.chain import Chain
from engine.model.change import Change
from engine.pipeline import Engine
from engine.ports import Record, SourceId, Write
from engine.ruleset.compile import Program

pytestmark = pytest.mark.kafka
END_MS = world.end_ms()
WORKER = Path(__file__).resolve().parents[1] / "support" / "places_worker.py"


class PlacesStage(Stage):
    """The stage with rules over places."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap)
        self.program = program(self.tag)

    def start(self, name: str, bootstrap: str = "", **more: object) -> None:
        """Start a worker process; one that ran under this name must have ended."""
        asked = {
            "bootstrap": bootstrap or self.bootstrap, "tag": self.tag, "instance": name, **more
        }  # fmt: skip
        self.workers[name] = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(asked)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )


@pytest_asyncio.fixture
async def places(bootstrap: str) -> AsyncIterator[PlacesStage]:
    made = PlacesStage(bootstrap)
    await made.open()
    yield made
    made.close()


def alone(
    program: Program, records: list[Sent], until_ms: int
) -> tuple[list[Change], dict[str, list[Write]]]:
    """What the core makes of the same records in one process: transitions and final rows."""
    spaces = Engine(program).spaces
    chain = Chain(program.spaces)
    taken = [Record(offset, one.value, one.at_ms) for offset, one in enumerate(records)]
    beat = json.dumps({"$watermark": until_ms}).encode()
    taken.append(Record(len(records), beat, until_ms))
    for name in spaces:
        if "gps" in program.spaces[name].feeds:
            spaces[name].announce(SourceId("gps"))
            spaces[name].ingest("gps", SourceId("gps"), taken)
    chain.announce(spaces)
    changes: list[Change] = []
    rows: dict[str, list[Write]] = {}
    for name, outcome, _ in chain.advance(spaces, spaces):
        assert not outcome.late, outcome.late[:3]
        assert not outcome.troubles, outcome.troubles
        changes += outcome.changes
        if kept := sorted(row for row in outcome.writes if row.value is not None):
            rows[name] = kept
    return in_order(changes), rows


@pytest.mark.parametrize("count", [1, 3])
async def test_alerts_and_final_state_are_those_of_one_process(
    places: PlacesStage, count: int
) -> None:
    records = world.story(seed=count)
    for number in range(count):
        places.start(f"w{number}")
    await places.send(records)
    await places.finish(END_MS)

    rows = await places.settled(END_MS)

    expected, expected_rows = alone(places.program, records, END_MS)
    kinds = Counter((one.rule, one.transition) for one in expected)
    assert len(kinds) >= 8, kinds
    assert await places.alerts() == expected
    assert rows == expected_rows


async def test_kills_between_two_key_spaces_lose_nothing_and_repeat_nothing(
    places: PlacesStage,
) -> None:
    records = world.story(seed=7)
    places.start("w0")
    places.start("w1")
    sending = asyncio.create_task(places.send(records, pause_s=0.2))
    await asyncio.sleep(5.0)
    for number, pause in enumerate([0.3, 1.1, 0.7, 1.6]):
        await asyncio.sleep(pause)
        name = f"w{number % 2}"
        places.kill(name)
        places.start(name)
    await sending
    await places.finish(END_MS)

    rows = await places.settled(END_MS)

    expected, expected_rows = alone(places.program, records, END_MS)
    assert await places.alerts() == expected
    assert rows == expected_rows


async def test_time_goes_on_through_all_key_spaces_when_every_source_is_quiet(
    places: PlacesStage,
) -> None:
    """Three cars stand together; no heartbeat and no fix shows that it has lasted long enough."""
    last_ms = 11 * MIN - 3_000  # its watermark is 3 s short of ten minutes
    still = [
        Sent("gps", who, letter((at, who, 0.0, 0.0, "b", True)).value, T0 + at)
        for at in [*range(0, last_ms, MIN), last_ms]
        for who in ("car-1", "car-2", "car-3")
    ]
    places.start("w0", idle_after="1s", tick_every_s=1.0)
    await places.send(still)

    alerts = await places.waited(places.layout.names.alerts, 2)

    assert {one.value.split(b'"rule":"')[1][:5] for one in alerts} == {b"compa", b"pairs"}
    ticks = await places.waited(places.layout.names.ticks, 6)
    assert {one.key.split(b"/")[0] for one in ticks if b"elapsed_ms" in one.value} == {b"car"}
