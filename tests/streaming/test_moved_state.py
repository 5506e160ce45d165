"""State on Kafka that is exported, imported elsewhere, or worked on by edited rules."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import stream_world as world
from aiokafka.errors import KafkaError
from stream_stage import Stage, in_order, in_process
from stream_worker import program

from engine.edge.state_tools.file import Counted, StateReader
from engine.edge.streaming.carry_in import adopt, import_topics
from engine.edge.streaming.carry_out import export_topics
from engine.edge.streaming.changelog import META, read_back
from engine.errors import EnvironmentUnusable, StateError
from engine.ruleset.compile import Program
from engine.saved import ruleset
from engine.state.codec import unpack_meta, unpack_row

pytestmark = pytest.mark.kafka
END_MS = world.end_ms()


@contextmanager
def staged(bootstrap: str, partitions: int) -> Iterator[Stage]:
    """An installation of its own with so many partitions."""
    made = Stage(bootstrap)
    made.link = replace(made.link, partitions=partitions)
    try:
        yield made
    finally:
        made.close()


async def exported(stage: Stage, out: Path) -> Counted:
    return await asyncio.to_thread(export_topics, stage.link, stage.program, out, "en")


async def imported(stage: Stage, out: Path, *, replace: bool = False) -> Counted:
    reader = StateReader(out, "en")
    return await asyncio.to_thread(
        import_topics, reader, stage.link, stage.program, "en", replace=replace
    )


async def read_to_the_end(stage: Stage, out: Path) -> Counted:
    """Export again and again, while the workers run, until nothing is unread."""
    async with asyncio.timeout(60):
        while True:
            try:
                counted = await exported(stage, out)
                if counted.rows and not counted.unread:
                    return counted
            except EnvironmentUnusable:  # no worker has begun
                pass
            await asyncio.sleep(0.5)


def ended(stage: Stage, name: str, within_s: float = 60.0) -> int:
    return stage.workers[name].wait(within_s)


def stop(stage: Stage, name: str) -> None:
    stage.signal(name, signal.SIGTERM)
    ended(stage, name)


async def worked_on(stage: Stage, rules: Program, *, every: bool = False) -> None:
    """Wait until these rules were the last to work on a partition of the vehicles, or on each."""
    own, topic = ruleset(rule.spec for rule in rules.spaces["vehicle"].rules), "vehicle"
    async with asyncio.timeout(90):
        while True:
            last = []
            for one in range(stage.layout.spaces[topic].partitions):
                kept = await read_back(stage.link, stage.layout.names.state(topic), one)
                last += (
                    [unpack_meta(kept[META]).rulesets[-1:] == [own]] if META in kept else [False]
                )
            if all(last) if every else any(last):
                return
            await asyncio.sleep(0.5)


async def test_six_partitions_instead_of_four(bootstrap: str, tmp_path: Path) -> None:
    """Half of a world with 4 partitions, moved, the rest with 6: as if nothing had happened."""
    records, out = world.story(seed=11), tmp_path / "state.gz"
    half = len(records) // 2
    with staged(bootstrap, 4) as first, staged(bootstrap, 6) as second:
        await first.open()
        first.start("w0", partitions=4)
        await first.send(records[:half])
        await read_to_the_end(first, out)
        with pytest.raises(EnvironmentUnusable, match="1 workers are in the group"):
            await imported(first, out, replace=True)
        stop(first, "w0")
        counted = await exported(first, out)
        assert counted.waiting > 0, "some records had not had their turn"

        await second.open()
        await imported(second, out)
        second.start("v0", partitions=6)
        second.start("v1", partitions=6)
        await second.send(records[half:])
        await second.finish(END_MS)
        rows = await second.settled(END_MS)

        expected, expected_rows = in_process(first, records, END_MS)
        assert in_order([*await first.alerts(), *await second.alerts()]) == expected
        assert rows == expected_rows
        assert {space.partitions for space in second.layout.spaces.values()} == {6}


async def test_what_was_not_read_cannot_be_left_behind(bootstrap: str, tmp_path: Path) -> None:
    records, out = world.story(seed=3, vehicles=6, minutes=60), tmp_path / "state.gz"
    with staged(bootstrap, 2) as first, staged(bootstrap, 3) as second:
        await first.open()
        first.start("w0", partitions=2)
        await first.send(records)
        await read_to_the_end(first, out)
        stop(first, "w0")
        await first.send(records[-20:])
        counted = await exported(first, out)
        assert sum(counted.unread.values()) > 0
        await second.open()
        with pytest.raises(StateError, match="were not read when the state was exported"):
            await imported(second, out)


async def test_an_import_that_was_interrupted_says_so_until_it_is_run_again(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, out = world.story(seed=5, vehicles=10, minutes=90), tmp_path / "state.gz"
    half = len(records) // 2
    with staged(bootstrap, 3) as first, staged(bootstrap, 2) as second:
        await first.open()
        first.start("w0")
        await first.send(records[:half])
        await read_to_the_end(first, out)
        stop(first, "w0")
        await exported(first, out)
        await second.open()
        with monkeypatch.context() as broken:

            async def dies(*_ignored: object) -> None:
                raise KafkaError

            broken.setattr("engine.edge.streaming.carry_in._Import._end", dies)
            with pytest.raises(EnvironmentUnusable):
                await imported(second, out)
        with pytest.raises(StateError, match="has begun and not ended"):
            await exported(second, tmp_path / "no.gz")
        second.start("v0", partitions=2)
        assert ended(second, "v0") != 0

        await imported(second, out)
        second.start("v0", partitions=2)
        await second.send(records[half:])
        await second.finish(END_MS)
        rows = await second.settled(END_MS)
        expected, expected_rows = in_process(first, records, END_MS)
        assert in_order([*await first.alerts(), *await second.alerts()]) == expected
        assert rows == expected_rows


async def test_two_versions_of_the_rules_in_one_group_harm_nothing(stage: Stage) -> None:
    """A partition goes from the old version to the new one; the old one does not take it back."""
    records = world.story(seed=13)
    third = len(records) // 3
    old = stage.program.rules["vehicle-dwell"].spec.hash
    clear = "clear: distance(position, anchor) > 300 meters"
    word = f"\non_change: {{from: {old[:6]}, do: migrate}}"
    edits = {clear: clear.replace("300", "290") + word}
    new = program(stage.tag, edits=edits).rules["vehicle-dwell"].spec.hash
    assert new != old

    stage.start("old")
    await stage.send(records[:third])
    await worked_on(stage, stage.program, every=True)
    stage.start("new", edits=edits)
    sending = asyncio.create_task(stage.send(records[third : 2 * third], pause_s=0.5))
    await worked_on(stage, program(stage.tag, edits=edits))
    await sending
    stop(stage, "new")
    assert ended(stage, "old") != 0, "it was given partitions that the new rules had worked on"

    stage.start("new", edits=edits)
    await stage.send(records[2 * third :])
    await stage.finish(END_MS)
    rows = await stage.settled(END_MS)

    expected, _ = in_process(stage, records, END_MS)
    untouched = {"company-speeding", "deposit-missing"}
    found = await stage.alerts()
    assert [c for c in found if c.rule in untouched] == [c for c in expected if c.rule in untouched]
    ids = [c.delivery_id for c in found]
    assert len(set(ids)) == len(ids)
    fired = {
        (c.key, c.since_ms)
        for c in expected
        if (c.rule, c.transition) == ("vehicle-dwell", "fired")
    }
    assert {
        (c.key, c.since_ms) for c in found if (c.rule, c.transition) == ("vehicle-dwell", "fired")
    } == fired
    dwell = [row for row in rows["vehicle"] if row.rule == "vehicle-dwell"]
    assert {unpack_row(row.value or b"")[0] for row in dwell} == {new}

    stop(stage, "new")
    stage.start("back")
    assert ended(stage, "back") != 0, "the old rules are older"
    back = await asyncio.to_thread(adopt, stage.link, stage.program, "en")
    assert back == sum(space.partitions for space in stage.layout.spaces.values())
    stage.start("back")
    assert ended(stage, "back") != 0, "the rows are the new version's, and no word says what to do"
