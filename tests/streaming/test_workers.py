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
