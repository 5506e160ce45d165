"""The embedded loop: one transaction a batch, restarts that repeat nothing, ticks, calm ends."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from daemon_stage import EchoCore, ListSource, MoodySink, a_store, daemon

from engine.errors import EnvironmentUnusable, Retryable
from engine.ports import Batch, Outcome, Position, SourceId

DOWN, GONE = Retryable("down"), EnvironmentUnusable("the disk is gone")
RECORDS = [(f"k{n % 5}", n * 1000) for n in range(20)]


async def until(holds: Callable[[], bool]) -> None:
    """Let the daemon work until something is so."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


def query(folder: Path, words: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "forewarn.db")) as link:
        return link.execute(words).fetchall()


async def test_everything_of_a_run_is_kept_and_delivered(tmp_path: Path) -> None:
    sink, core = MoodySink(), EchoCore()
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, core, [ListSource("a", RECORDS)], sink)
        assert await runner.run(once=True) == 0
    assert len(set(sink.taken)) == 20
    assert query(tmp_path, "SELECT count(*) FROM outbox WHERE phase = 'sent'") == [(20,)]
    assert query(tmp_path, "SELECT committed FROM positions") == [(20,)]
    assert query(tmp_path, "SELECT newest_ms FROM reach") == [(19_000,)]
    assert core.until == 19_000
    assert (sink.opened, sink.closed) == (1, 1)


@pytest.mark.parametrize("stop_after", [1, 3, 6, 9])
async def test_a_restart_anywhere_goes_on_where_it_stopped(tmp_path: Path, stop_after: int) -> None:
    class Stopping(ListSource):
        async def batches(self):
            async for number, batch in _count(super().batches()):
                if number == stop_after:
                    runner.stop()
                    await asyncio.sleep(60)
                yield batch

    sink = MoodySink()
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, EchoCore(), [Stopping("a", RECORDS)], sink)
        assert await runner.run(once=True) == 0
    async with a_store(tmp_path, "s") as store:
        again = ListSource("a", RECORDS)
        assert await daemon(store, EchoCore(), [again], sink).run(once=True) == 0
    assert again.opened == stop_after * 2
    assert sorted(sink.taken) == sorted(set(sink.taken))
    assert len(sink.taken) == 20


async def _count(batches):
    number = 0
    async for batch in batches:
        yield number, batch
        number += 1


async def test_recordings_are_read_in_step_whatever_their_speed(tmp_path: Path) -> None:
    seen: list[int] = []

    class Slow(ListSource):
        async def batches(self):
            async for batch in super().batches():
                await asyncio.sleep(0.01)
                yield batch

    class Watching(EchoCore):
        def ingest(self, log: str, source: SourceId, records: Sequence[object]) -> None:
            seen.append(json.loads(records[0].value)["t"])  # type: ignore[attr-defined]
            super().ingest(log, source, records)  # type: ignore[arg-type]

    fast = ListSource("a", [("x", n * 1000) for n in range(20)])
    slow = Slow("b", [("y", n * 1000) for n in range(20)])
    async with a_store(tmp_path) as store:
        await daemon(store, Watching(), [fast, slow], MoodySink()).run(once=True)
    assert all(abs(at - sorted(seen)[n]) <= 4000 for n, at in enumerate(seen))


async def test_after_a_restart_time_stands_still_until_what_waited_is_back(tmp_path: Path) -> None:
    class Waiting(EchoCore):
        def restore(self, *_saved: object) -> dict[str, Position]:
            return {"a": Position(3, 6, 0), "b": Position(0, 0, 0), "gone": Position(0, 9, 0)}

        def advance(self, until_ms: int | None = None) -> Outcome:
            self.calls.append(("advance", self.read.get("a", 0)))
            return super().advance(until_ms)

    late = ListSource("a", [("x", 50_000)] * 8, batch=1)
    early = ListSource("b", [("y", n * 1000) for n in range(9)], batch=1)
    core = Waiting()
    async with a_store(tmp_path) as store:
        await store.apply({("k", 0): Outcome(meta=b"{}")})
        await daemon(store, core, [late, early], MoodySink()).run(once=True)
    reached = [call[1] for call in core.calls if call[0] == "advance"]
    assert late.opened == 3
    assert reached[0] == 6
    assert core.counts == {"x": 4, "y": 8}


async def test_quiet_time_is_logged_and_acted_on_in_one_transaction(tmp_path: Path) -> None:
    core, source = EchoCore(), ListSource("a", RECORDS[:2], live=True)
    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, core, [source], MoodySink())
        task = asyncio.create_task(runner.run(once=False))
        await until(lambda: any(call[0] == "tick" for call in core.calls))
        runner.stop()
        assert await task == 0
    kinds = query(tmp_path, "SELECT kind, space, feed, elapsed_ms > 0 FROM ticks ORDER BY seq")
    assert kinds[0] == ("idle", "k", "feed-a", 0)
    assert kinds[1] == ("tick", "k", "", 1)


async def test_a_recording_that_ends_holds_back_nobody(tmp_path: Path) -> None:
    core = EchoCore()
    async with a_store(tmp_path) as store:
        runner = daemon(store, core, [ListSource("a", RECORDS)], MoodySink())
        await runner.run(once=True)
    assert core.calls == [
        ("announce", SourceId("feed-a", 0)),
        ("idle", SourceId("feed-a", 0)),
    ]


async def test_a_sink_that_never_takes_is_told_by_the_exit_code(tmp_path: Path) -> None:
    class Refusing(MoodySink):
        async def send(self, *_given: object) -> None:
            raise DOWN

    async with a_store(tmp_path, "s") as store:
        runner = daemon(store, EchoCore(), [ListSource("a", RECORDS[:2])], Refusing())
        assert await runner.run(once=True, drain_s=0.2) == 4
    assert query(tmp_path, "SELECT count(*) FROM outbox WHERE phase = 'due'") == [(2,)]


async def test_what_a_source_cannot_read_ends_the_daemon_with_what_was_read_kept(
    tmp_path: Path,
) -> None:
    class Broken(ListSource):
        async def batches(self):
            yield await anext(super().batches())
            raise GONE

    async with a_store(tmp_path) as store:
        runner = daemon(store, EchoCore(), [Broken("a", RECORDS)], MoodySink())
        with pytest.raises(EnvironmentUnusable, match="disk is gone"):
            await runner.run(once=True)
    assert query(tmp_path, "SELECT committed FROM positions") == [(2,)]


async def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    sink = MoodySink()
    async with a_store(tmp_path, "s") as store:
        apply, failures = store.apply, [1, 2]

        async def tight(*given: object) -> object:
            if failures:
                failures.pop()
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            return await apply(*given)  # type: ignore[arg-type]

        store.apply = tight  # type: ignore[method-assign,assignment]
        runner = daemon(store, EchoCore(), [ListSource("a", RECORDS)], sink)
        task = asyncio.create_task(runner.run(once=True))
        await until(lambda: not runner.health.is_ready and failures != [1, 2])
        assert runner.health.reasons("en") == ["the store cannot write: database or disk is full"]
        assert await task == 0
    assert len(sink.taken) == 20


def test_a_batch_is_a_plain_value() -> None:
    assert Batch("l", SourceId("f"), []).records == []
