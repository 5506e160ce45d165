"""What goes wrong on Kafka and must do no harm: bad records, paused workers, an absent broker."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import stream_world as world
from stream_stage import Stage, in_process

pytestmark = pytest.mark.kafka
END_MS = world.end_ms(minutes=60)


async def test_broken_records_are_in_the_dead_letter_once_and_nothing_else_is(stage: Stage) -> None:
    good = world.story(seed=3, vehicles=8, minutes=60, projects=5)
    stage.start("w0")
    for number, bad in enumerate(world.poison() * 3):
        await stage.send([bad, *good[number::24]])
    await stage.finish(END_MS)

    await stage.settled(END_MS)

    letters = await stage.read(stage.layout.names.dead_letter)
    found = Counter((one.value, dict(one.headers)["reason"]) for one in letters)
    assert len(letters) == 3 * len(world.poison())
    assert {value for value, _ in found} == {bad.value for bad in world.poison()}
    assert set(found.values()) == {3}


async def test_a_worker_that_was_paused_beyond_its_session_harms_nothing(stage: Stage) -> None:
    records = world.story(seed=11, vehicles=12, minutes=60)
    half = len(records) // 2
    stage.start("w0")
    await stage.send(records[:half])
    await asyncio.sleep(6.0)
    stage.start("w1")
    await asyncio.sleep(4.0)
    stage.signal("w0", signal.SIGSTOP)
    await stage.send(records[half:])
    await asyncio.sleep(10.0)
    stage.signal("w0", signal.SIGCONT)
    await stage.finish(END_MS)

    rows = await stage.settled(END_MS)

    expected, expected_rows = in_process(stage, records, END_MS)
    assert await stage.alerts() == expected
    assert rows == expected_rows


async def test_a_worker_waits_for_a_broker_that_is_not_there_yet(stage: Stage) -> None:
    records = world.story(seed=13, vehicles=4, minutes=60, projects=4)
    await stage.send(records)
    await stage.finish(END_MS)
    async with door(stage.bootstrap) as (address, unlock):
        stage.start("w0", bootstrap=address)
        await asyncio.sleep(4.0)
        assert stage.workers["w0"].poll() is None
        await unlock()

        await stage.settled(END_MS)

        assert await stage.alerts() == in_process(stage, records, END_MS)[0]
        stage.close()


@asynccontextmanager
async def door(bootstrap: str) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """An address where nobody answers until it is unlocked; then the broker does."""
    host, port = bootstrap.rsplit(":", 1)
    blocked = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    here = blocked.sockets[0].getsockname()[1]
    blocked.close()
    await blocked.wait_closed()
    servers: list[asyncio.Server] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    async def unlock() -> None:
        servers.append(await asyncio.start_server(through, "127.0.0.1", here))

    yield f"127.0.0.1:{here}", unlock
    for server in servers:
        server.close()
        await server.wait_closed()
