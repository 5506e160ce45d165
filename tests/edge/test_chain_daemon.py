"""Rules over rules in the daemon: what waits between key spaces outlives a stop at any batch."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from chain_world import program, waiting_program
from daemon_stage import FAST, MoodySink, a_store
from small_world import MIN, Line, fix

from engine.chain import Chain
from engine.edge.embedded import Embedded, Work
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.edge.wiring import time_reader
from engine.pipeline import Engine
from engine.ports import Batch, Record, Source, SourceId
from engine.ruleset.compile import Program
from engine.ruletest.bench import Bench
from engine.ruletest.variants import Script
from engine.ruletest.wire import Letter

PROGRAM = program()
BATCH = 5


def world() -> list[Line]:
    """Two cars that stand, race and stand again; the payments' feed is far behind the fixes."""
    lines: list[Line] = []
    for car, begin in (("a", 0), ("b", 4)):
        lines += [fix(begin + minute, car, 0, 0) for minute in range(14)]
        lines += [fix(begin + 14 + n, car, 40 + 40 * n, 95) for n in range(3)]
        lines += [fix(begin + 17 + minute, car, 160, 0) for minute in range(14)]
    return sorted(lines)


class Lines:
    """A source of given lines that asks for a stop after some batches."""

    def __init__(
        self,
        lines: Sequence[Line],
        stop_after: int = -1,
        *,
        live: bool = False,
        feed: str = "gps",
    ) -> None:
        self.name, self.lines, self.stop_after, self.live = feed, lines, stop_after, live
        self.start, self.closed = 0, asyncio.Event()
        self.daemon: Embedded | None = None

    @property
    def ids(self) -> Sequence[SourceId]:
        return (SourceId(self.name),)

    @property
    def logs(self) -> Sequence[str]:
        return (self.name,)

    async def open(self, resume: Mapping[str, int]) -> None:
        self.start = resume.get(self.name, 0)

    async def batches(self) -> AsyncIterator[Batch]:
        for number, start in enumerate(range(self.start, len(self.lines), BATCH)):
            if number == self.stop_after and self.daemon is not None:
                self.daemon.stop()
                await asyncio.sleep(60)
            values = [value for _, _, value in self.lines[start : start + BATCH]]
            records = [Record(start + n, value) for n, value in enumerate(values)]
            yield Batch(self.name, self.ids[0], records)
        if self.live:
            await self.closed.wait()

    async def close(self) -> None:
        """Let a live one end."""
        self.closed.set()


def daemon(
    store: Store, sources: Sequence[Source], sink: MoodySink, made: Program = PROGRAM
) -> Embedded:
    decoders = {name: feed.decoder for name, feed in made.feeds.items()}
    work = Work(
        spaces=Engine(made).spaces,
        feeds={
            name: [feed for feed in space.feeds if feed not in space.upstream]
            for name, space in made.spaces.items()
        },
        rules={rule.spec.id: rule.spec for rule in made.rules.values()},
        time_of={name: time_reader(decoder) for name, decoder in decoders.items()},
        idle_after_s=dict.fromkeys(decoders, 300.0),
        sources=sources,
        source_feeds={source.name: source.name for source in sources},
        chain=Chain(made.spaces),
    )
    metrics = Metrics()
    return Embedded(work, store, Senders([sink], store, FAST, metrics), metrics, Health())


def expected(lines: Sequence[Line]) -> set[str]:
    letters = [Letter(feed, at, value) for at, feed, value in lines]
    played = Bench(PROGRAM, lines[-1][0]).play(Script(letters, 50))
    return {change.delivery_id for change in played.changes}


@pytest.mark.parametrize("stop_after", range(1, 12))
async def test_a_stop_after_any_batch_changes_no_alert_over_alerts(
    tmp_path: Path, stop_after: int
) -> None:
    lines, sink = world(), MoodySink()
    source = Lines(lines, stop_after)
    async with a_store(tmp_path, "s") as store:
        source.daemon = daemon(store, [source], sink)
        assert await source.daemon.run(once=True) == 0
    async with a_store(tmp_path, "s") as store:
        assert await daemon(store, [Lines(lines)], sink).run(once=True) == 0
    assert sorted(sink.taken) == sorted(expected(lines))


async def test_what_a_reader_has_not_released_outlives_a_stop(tmp_path: Path) -> None:
    """A rule over alerts and payments waits while no payment comes; its alerts are kept."""
    lines, sink, made = world(), MoodySink(), waiting_program()
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, [Lines(lines), Lines([], live=True, feed="paid")], sink, made)
        running = asyncio.create_task(runner.run(once=False))
        async with asyncio.timeout(30):
            while len(sink.taken) < 4:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.01)
        runner.stop()
        assert await running == 0
    with closing(sqlite3.connect(tmp_path / "forewarn.db")) as link:
        kept = link.execute("SELECT space, value FROM handed").fetchall()
    assert {space for space, _ in kept} == {"car/key-over-1"}
    assert {msgspec.json.decode(value)["rule"] for _, value in kept} == {"stays"}
    async with a_store(tmp_path, "s") as store:
        assert await daemon(store, [Lines(lines)], sink, made).run(once=True) == 0
    with closing(sqlite3.connect(tmp_path / "forewarn.db")) as link:
        assert link.execute("SELECT count(*) FROM handed").fetchone() == (0,)
        fired = link.execute("SELECT rule, key FROM changes WHERE transition = 'fired'").fetchall()
    assert {("unpaid", "a"), ("unpaid", "b")} <= set(fired)


def test_the_world_of_these_tests_raises_every_alert() -> None:
    letters = [Letter(feed, at, value) for at, feed, value in world()]
    played = Bench(PROGRAM, world()[-1][0] + 60 * MIN).play(Script(letters, 50))
    assert {"stays", "races", "again", "many", "high"} <= {one.rule for one in played.changes}
