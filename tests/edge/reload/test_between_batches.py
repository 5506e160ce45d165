"""What is done between two batches: the last one is on disk, the next one waits."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from daemon_stage import EchoCore, ListSource, MoodySink, a_store, daemon

from engine.ports import SourceId

RECORDS = [(f"k{n % 5}", n * 1000) for n in range(40)]


async def until(holds: Callable[[], bool]) -> None:
    """Let the daemon work until something is so."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.001)


class Counting(EchoCore):
    """A core that knows how many batches it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def ingest(self, log: str, source: SourceId, records: Sequence[object]) -> None:
        self.batches += 1
        super().ingest(log, source, records)  # type: ignore[arg-type]


async def test_a_job_between_batches_finds_all_of_the_last_one_on_disk(tmp_path: Path) -> None:
    core, found = Counting(), []
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, core, [ListSource("a", RECORDS)], MoodySink())

        async def look() -> None:
            query = "SELECT committed FROM positions"
            rows = await store.run(lambda link: link.execute(query).fetchall())
            found.append((rows[0][0], core.read["a"]))

        task = asyncio.create_task(runner.run(once=True))
        await until(lambda: core.batches > 2)
        while not task.done() and len(found) < 5:
            await runner.between(look)
        await task
    assert found
    assert all(stored == read for stored, read in found)


async def test_the_next_batch_waits_as_long_as_the_job_lasts(tmp_path: Path) -> None:
    core, counted = Counting(), []
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, core, [ListSource("a", RECORDS)], MoodySink())

        async def linger() -> None:
            counted.append(core.batches)
            await asyncio.sleep(0.2)
            counted.append(core.batches)

        task = asyncio.create_task(runner.run(once=True))
        await until(lambda: core.batches > 2)
        await runner.between(linger)
        assert await task == 0
    assert counted[0] == counted[1]
    assert core.batches == 20


async def test_a_job_that_fails_harms_only_the_one_who_asked(tmp_path: Path) -> None:
    async def fail() -> None:
        raise LookupError

    core, sink = Counting(), MoodySink()
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, core, [ListSource("a", RECORDS)], sink)
        task = asyncio.create_task(runner.run(once=True))
        await until(lambda: core.batches > 2)
        with pytest.raises(LookupError):
            await runner.between(fail)
        assert await task == 0
    assert len(set(sink.taken)) == len(RECORDS)
