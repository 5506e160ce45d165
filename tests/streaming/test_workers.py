"""Workers on a real Kafka give the alerts that the core gives without it."""

import asyncio
from collections import Counter

import pytest
import stream_world as world
from stream_stage import Stage, in_process

pytestmark = pytest.mark.kafka
END_MS = world.end_ms()


@pytest.mark.parametrize("count", [1, 3])
async def test_alerts_and_final_state_are_those_of_the_core(stage: Stage, count: int) -> None:
    records = world.story(seed=count)
    for number in range(count):
        stage.start(f"w{number}")
    await stage.send(records)
    await stage.finish(END_MS)

    rows = await stage.settled(END_MS)

    expected, expected_rows = in_process(stage, records, END_MS)
    kinds = Counter((one.rule, one.transition) for one in expected)
    assert len(kinds) >= 5, kinds
    assert await stage.alerts() == expected
    assert rows == expected_rows


async def test_kills_at_any_moment_lose_nothing_and_repeat_nothing(stage: Stage) -> None:
    records = world.story(seed=7)
    stage.start("w0")
    stage.start("w1")
    sending = asyncio.create_task(stage.send(records, pause_s=0.2))
    await asyncio.sleep(5.0)
    for number, pause in enumerate([0.3, 1.1, 0.7, 1.6]):
        await asyncio.sleep(pause)
        name = f"w{number % 2}"
        stage.kill(name)
        stage.start(name)
    await sending
    await stage.finish(END_MS)

    rows = await stage.settled(END_MS)

    expected, expected_rows = in_process(stage, records, END_MS)
    assert await stage.alerts() == expected
    assert rows == expected_rows


async def test_a_source_that_falls_silent_holds_nothing_back_and_time_goes_on(stage: Stage) -> None:
    """No heartbeat ends this world, and no fix shows that the stay is too long."""
    last_ms = (20 + 2) * world.MINUTE - 3_000  # its watermark is 3 s short of 20 minutes
    still = [world.fix("v0", after_ms) for after_ms in [*range(0, last_ms, world.MINUTE), last_ms]]
    stage.start("w0", idle_after="1s", tick_every_s=1.0)
    await stage.send(still)

    alerts = await stage.waited(stage.layout.names.alerts, 1)

    assert b"vehicle-dwell" in alerts[0].value
    ticks = await stage.waited(stage.layout.names.ticks, 12)
    assert any(b"idle" in one.value for one in ticks)
    moved = {one.key.split(b"/")[0] for one in ticks if b"elapsed_ms" in one.value}
    assert moved >= {b"vehicle", b"company"}, "a direct and a routed key space"
