"""The port for HJ 212 monitors: who may call, and no answer before the readings are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal_stage import calling, gateway, until

from connectors.protocols import hj212 as wire
from connectors.sources.hj212 import Options, build
from engine.ports import SourceContext

CP = "DataTime=20260801085800;a34001-Rtd=78.4,a34001-Flag=N;LA-Rtd=63.2"


def port(**options: Any) -> Callable[[SourceContext], Any]:
    """A source that listens on a free port for the monitor `site1` with the password `pw1`."""
    given = {"feed": "gps", "port": 0, "terminals_file": "who.csv", **options}

    def make(context: SourceContext) -> Any:
        (Path(context.folder) / "who.csv").write_text("terminal,code\nsite1,pw1\n00042,\n")
        return build("dust", Options(**given), context)

    return make


def segment(cp: str = CP, *, mn: str = "site1", pw: str = "pw1", **more: object) -> bytes:
    """A frame; further words come before CP."""
    head = {"QN": "20260801085857223", "ST": "22", "CN": "2011", "PW": pw, "MN": mn, "Flag": 5}
    fields = ";".join(f"{name}={value}" for name, value in (head | more).items())
    return wire.frame(f"{fields};CP=&&{cp}&&".encode())


def taken(command: str = "9014") -> bytes:
    """The answer to such a frame."""
    head = f"QN=20260801085857223;ST=91;CN={command};PW=pw1;MN=site1;Flag=4;CP=&&&&"
    return wire.frame(head.encode())


async def test_readings_are_answered_only_after_they_are_kept(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        stage.journal.let.clear()
        await caller.send(segment())
        assert await caller.silent()
        stage.journal.let.set()
        assert await caller.hears() == taken()
        assert stage.records == [
            {
                "monitor": "site1", "time": "2026-08-01T08:58:00+08:00", "kind": "realtime",
                "system": "22", "version": 2017, "sent": "2026-08-01T08:58:57.223+08:00",
                "a34001": 78.4, "a34001_flag": "N", "LA": 63.2,
            }
        ]  # fmt: skip


async def test_while_the_disk_refuses_nobody_is_answered(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        stage.journal.full = True
        await caller.send(segment())
        await until(lambda: stage.counts["not-kept"] == 1)
        assert await caller.silent()
        stage.journal.full = False
        await caller.send(segment())
        assert await caller.hears() == taken()


async def test_who_does_not_ask_is_not_answered_and_kept_all_the_same(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(segment(Flag=4))
        await until(lambda: len(stage.records) == 1)
        assert await caller.silent()


async def test_packets_of_one_message_are_one_record_and_answered_together(tmp_path: Path) -> None:
    first = segment("DataTime=20260801085800;a34001-Avg=78", CN=2051, Flag=7, PNUM=2, PNO=1)
    second = segment("a34002-Avg=60", CN=2051, Flag=7, PNUM=2, PNO=2)
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(second)
        assert await caller.silent()
        await caller.send(first)
        heard = b""
        while len(heard) < 2 * len(taken()):
            heard += await caller.hears()
        assert heard == taken() * 2
        (record,) = stage.records
        assert (record["kind"], record["a34001"], record["a34002"]) == ("minute", 78.0, 60.0)


@pytest.mark.parametrize(
    ("words", "reason", "hung_up"),
    [
        pytest.param({"pw": "wrong"}, "bad-code", True, id="wrong-password"),
        pytest.param({"mn": "elsewhere"}, "unknown-terminal", False, id="not-listed"),
    ],
)
async def test_a_stranger_is_refused_and_counted_and_no_password_is_kept(
    tmp_path: Path, words: dict[str, str], reason: str, hung_up: bool
) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(segment(**words) * 3)
        await until(lambda: bool(stage.refused))
        assert stage.counts[reason] == (1 if hung_up else 3)
        assert stage.refused == [(reason, f"{words.get('mn', 'site1')} 2011", b"")]
        assert not stage.records
        assert (await caller.hears() == b"") if hung_up else await caller.silent()


async def test_a_monitor_without_a_password_in_the_list_needs_none(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(segment(mn="00042", pw="any"))
        await until(lambda: len(stage.records) == 1)
        assert stage.records[0]["monitor"] == "00042"


async def test_other_data_is_put_aside_and_answered_and_notices_are_noted(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(segment("SB1-RS=0", CN=2021))
        assert await caller.hears() == taken()
        assert [one[:2] for one in stage.refused] == [("unsupported", "2021")]
        assert b"pw1" not in stage.refused[0][2]
        await caller.send(segment("", CN=9015))
        assert await caller.hears() == taken("9013")


async def test_broken_frames_are_put_aside_and_good_ones_between_them_are_kept(
    tmp_path: Path,
) -> None:
    good = segment()
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(good + good[:60] + b"\r\n" + good + b"noise" + good)
        await until(lambda: len(stage.records) == 3)
        assert [one[0] for one in stage.refused] == ["bad-checksum", "noise"]
        assert not any(b"pw1" in one[2] for one in stage.refused)


async def test_packets_that_never_become_whole_are_dead_letters(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage:
        async with calling(stage.port) as caller:
            await caller.send(segment(Flag=7, PNUM=2, PNO=1))
            await caller.silent()
        await until(lambda: bool(stage.refused))
        assert stage.refused[0][:2] == ("incomplete", "1 of 2")
        assert b"pw1" not in stage.refused[0][2]


async def test_who_sends_only_garbage_is_hung_up(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(b"##zzzz" * 2000)
        assert await caller.hears() == b""
        await until(lambda: stage.counts["ended-garbage"] == 1)
        assert len(stage.refused) == 100
