"""Rules over places in the daemon: a stop at any batch changes no alert."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import places_world as world
import pytest
from daemon_stage import FAST, MoodySink, a_store
from places_worker import program

from engine.chain import Chain
from engine.edge.embedded import Embedded, Work
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.edge.wiring import time_reader
from engine.pipeline import Engine
from engine.ports import Batch, Record, SourceId
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

BATCH = 60
PROGRAM = program("daemon")


@cache
def records() -> tuple[bytes, ...]:
    """An hour of cars that gather about the corner of four cells."""
    return tuple(one.value for one in world.story(seed=5, cars=9, minutes=60))


@cache
def expected() -> tuple[str, ...]:
    story = world.story(seed=5, cars=9, minutes=60)
    letters = [Letter("gps", one.at_ms, one.value) for one in story]
    played = Bench(PROGRAM, max(one.at_ms for one in story)).play(Script(letters, 50))
    assert len({change.rule for change in played.changes}) >= 4
    return tuple(sorted(change.delivery_id for change in played.changes))


class Fixes:
    """A source of the story that asks for a stop after some batches."""

    name, live = "gps", False
    ids: Sequence[SourceId] = (SourceId("gps"),)
    logs: Sequence[str] = ("gps",)

    def __init__(self, stop_after: int = -1) -> None:
        self.stop_after, self.start = stop_after, 0
        self.daemon: Embedded | None = None

    async def open(self, resume: Mapping[str, int]) -> None:
        self.start = resume.get("gps", 0)

    async def batches(self) -> AsyncIterator[Batch]:
        for number, start in enumerate(range(self.start, len(records()), BATCH)):
            if number == self.stop_after and self.daemon is not None:
                self.daemon.stop()
                await asyncio.sleep(60)
            some = [Record(start + n, one) for n, one in enumerate(records()[start:][:BATCH])]
            yield Batch("gps", SourceId("gps"), some)

    async def close(self) -> None:
        """Nothing to let go of."""


def daemon(store: Store, source: Fixes, sink: MoodySink) -> Embedded:
    work = Work(
        spaces=Engine(PROGRAM).spaces,
        feeds={name: space.outside for name, space in PROGRAM.spaces.items()},
        rules={rule.spec.id: rule.spec for rule in PROGRAM.rules.values()},
        time_of={name: time_reader(feed.decoder) for name, feed in PROGRAM.feeds.items()},
        idle_after_s={"gps": 300.0},
        sources=[source],
        source_feeds={"gps": "gps"},
        chain=Chain(PROGRAM.spaces),
    )
    metrics = Metrics()
    return Embedded(work, store, Senders([sink], store, FAST, metrics), metrics, Health())


@pytest.mark.parametrize("stop_after", [1, 4, 8, 13])
async def test_a_stop_after_any_batch_changes_no_alert_over_places(
    tmp_path: Path, stop_after: int
) -> None:
    source, sink = Fixes(stop_after), MoodySink()
    async with a_store(tmp_path, "s") as store:
        source.daemon = daemon(store, source, sink)
        assert await source.daemon.run(once=True) == 0
    assert len(set(sink.taken)) < len(expected())
    async with a_store(tmp_path, "s") as store:
        assert await daemon(store, Fixes(), sink).run(once=True) == 0
    assert sorted(sink.taken) == list(expected())
