"""Which source goes next: recordings in step, live ones at once, none far ahead of the others."""

import asyncio

import pytest
from daemon_stage import ListSource, time_of

from engine.edge.lineup import Lineup, lineup
from engine.ports import Source

HOUR = 3_600_000
GONE = OSError("gone")


async def order(lines: Lineup, most: int = 100) -> list[str]:
    """Names of the sources in the order in which their batches are taken."""
    stop = asyncio.Event()
    taken: list[str] = []
    while not lines.all_ended and len(taken) < most:
        line = await lines.next(0.05, stop)
        if line is None:
            break
        if line.take() is not None:
            taken.append(line.source.name)
    await lines.close()
    return taken


async def start(*sources: ListSource, ahead_ms: int = HOUR) -> Lineup:
    for source in sources:
        await source.open({})
    times = {source.ids[0].feed: time_of for source in sources}
    some: list[Source] = list(sources)
    return lineup(some, times, ahead_ms)


def story(*times: int) -> list[tuple[str, int]]:
    return [("k", at) for at in times]


async def test_of_recordings_the_one_goes_next_that_came_least_far() -> None:
    a = ListSource("a", story(1, 2, 5, 6), batch=1)
    b = ListSource("b", story(3, 4, 7), batch=1)
    assert "".join(await order(await start(a, b))) == "aabbaab"


async def test_recordings_with_a_speed_keep_one_pace_and_a_sparse_one_holds_nobody_up() -> None:
    class Paced(ListSource):
        speed = 100.0

    dense = Paced("dense", story(*range(0, 20_000, 1000)), batch=1)
    sparse = Paced("sparse", story(500, 19_500), batch=1)
    lines, stop = await start(dense, sparse), asyncio.Event()
    clock = asyncio.get_running_loop().time
    began, seen = clock(), []
    while not lines.all_ended:
        line = await lines.next(1.0, stop)
        assert line is not None
        batch = line.take()
        if batch is not None:
            at_ms = time_of(batch.records[0].value)
            assert at_ms is not None
            seen.append((at_ms, clock() - began))
    await lines.close()
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert all(passed >= at / 1000 / 100 - 0.005 for at, passed in seen)
    assert seen[-1][1] < 3.0


async def test_a_recording_with_long_gaps_does_not_stop_one_without() -> None:
    dense = ListSource("d", story(*range(0, 50 * HOUR, HOUR)), batch=1)
    sparse = ListSource("s", story(0, 49 * HOUR), batch=1)
    taken = await order(await start(dense, sparse))
    assert (taken.count("d"), taken.count("s")) == (50, 2)


async def test_a_live_source_waits_for_nobody() -> None:
    live = ListSource("live", story(1, 2), live=True, batch=1)
    silent = ListSource("silent", [], live=True)
    assert await order(await start(live, silent)) == ["live", "live"]


async def test_a_source_far_ahead_waits_until_the_slow_one_is_idle() -> None:
    fast = ListSource("fast", story(0, 2 * HOUR, 3 * HOUR), live=True, batch=1)
    slow = ListSource("slow", story(0), live=True, batch=1)
    lines = await start(fast, slow)
    stop, taken = asyncio.Event(), []
    while (line := await lines.next(0.05, stop)) is not None:
        line.take()
        taken.append(line.source.name)
    assert sorted(taken) == ["fast", "fast", "slow"]
    lines.idle.add(slow.ids[0])
    line = await lines.next(0.05, stop)
    assert line is not None
    assert line.source.name == "fast"
    await lines.close()


async def test_a_stop_ends_the_wait_at_once() -> None:
    lines, stop = await start(ListSource("a", [], live=True)), asyncio.Event()
    waiting = asyncio.create_task(lines.next(60, stop))
    await asyncio.sleep(0.01)
    stop.set()
    assert await asyncio.wait_for(waiting, 1) is None
    await lines.close()


async def test_what_a_source_raises_comes_out_where_its_batch_is_taken() -> None:
    class Broken(ListSource):
        async def batches(self):
            raise GONE
            yield

    lines = await start(Broken("a", []))
    line = await lines.next(1, asyncio.Event())
    assert line is not None
    with pytest.raises(OSError, match="gone"):
        line.take()
    await lines.close()


async def test_how_far_a_recording_came_is_exact_at_its_end() -> None:
    source = ListSource("a", story(*range(100, 140), 5, *range(60, 90)), batch=50)
    lines = await start(source)
    await order(lines)
    assert lines.lines[0].newest == {source.ids[0]: 139}
