"""The port for JT/T 808 terminals: who may call, and no answer before the record is kept."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from terminal_stage import Caller, calling, gateway, until

from connectors.protocols import Garbled
from connectors.protocols import jtt808 as wire
from connectors.protocols.jtt808_bodies import bcd_time
from connectors.sources.jtt808 import Options, build
from connectors.sources.terminals import code_of
from engine.errors import EnvironmentUnusable
from engine.ports import SourceContext

NUMBER = "13912345678"
AT = 1_600_000_000_000


def port(**options: Any) -> Callable[[SourceContext], Any]:
    """A source that listens on a free port, for one terminal unless said otherwise."""
    given = {"feed": "gps", "port": 0, "terminals": [NUMBER], **options}
    return lambda context: build("north", Options(**given), context)


def message(kind: int, body: bytes = b"", serial: int = 1, **more: Any) -> wire.Message:
    return wire.Message(kind, more.pop("terminal", NUMBER), serial, 0, body, b"", **more)


def position(n: int = 0, serial: int = 1) -> wire.Message:
    """A report of second n."""
    head = bytes.fromhex("000000000000000201dc9a070745624600000000") + b"\0\0"
    return message(wire.LOCATION, head + bcd_time(AT + n * 1000), serial)


def read(data: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of every answer."""
    found = wire.Frames().take(data)
    assert not any(isinstance(one, Garbled) for one in found)
    return [(one.kind, one.body) for one in found if isinstance(one, wire.Message)]


def general(to: wire.Message, result: int) -> tuple[int, bytes]:
    """The general answer to a message."""
    return wire.ANSWER, to.serial.to_bytes(2) + to.kind.to_bytes(2) + bytes([result])


async def ask(caller: Caller, *messages: wire.Message) -> list[tuple[int, bytes]]:
    """Send messages at once; the answers to all of them."""
    await caller.send(b"".join(wire.frame(one) for one in messages))
    answers: list[tuple[int, bytes]] = []
    while len(answers) < len(messages):
        data = await caller.hears()
        if not data:
            break
        answers += read(data)
    return answers


async def log_in(caller: Caller, code: bytes = b"anything") -> None:
    login = message(wire.AUTHENTICATE, code)
    assert await ask(caller, login) == [general(login, 0)]


async def test_a_position_is_answered_only_after_it_is_kept(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await log_in(caller)
        stage.journal.let.clear()
        await caller.send(wire.frame(position(serial=9)))
        assert await caller.silent()
        assert not stage.records
        stage.journal.let.set()
        assert read(await caller.hears()) == [general(position(serial=9), 0)]
        (record,) = stage.records
    assert record | {"plate": ""} == {
        "terminal": NUMBER, "plate": "", "time": "2020-09-13T20:26:40+08:00",
        "lon": 121.987654, "lat": 31.234567, "altitude": 0, "speed": 0.0, "course": 0,
        "located": True, "engine_on": False, "alarm": 0, "alarms": "", "status": 2, "serial": 9,
        "buffered": False,
    }  # fmt: skip


async def test_a_full_disk_is_answered_as_a_failure(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await log_in(caller)
        stage.journal.full = True
        assert await ask(caller, position()) == [general(position(), 1)]
        stage.journal.full = False
        assert await ask(caller, position()) == [general(position(), 0)]
        assert len(stage.records) == 1
    assert stage.counts["not-kept"] == 1


async def test_registering_gives_the_code_that_lets_a_terminal_in(tmp_path: Path) -> None:
    secret = {"secret": "s3cret"}
    body = b"\0\x20\0\x64" + b"maker" + b"m".ljust(20, b"\0") + b"DEV0001" + b"\x02"
    register = message(wire.REGISTER, body + "苏F12345".encode("gbk"), 5)
    async with gateway(tmp_path, port(**secret)) as stage, calling(stage.port) as caller:
        ((kind, answer),) = await ask(caller, register)
        assert (kind, answer[:3]) == (wire.REGISTERED, b"\0\x05\0")
        assert answer[3:].decode() == code_of(NUMBER, "s3cret")
        await log_in(caller, answer[3:])
        await ask(caller, position())
        assert stage.records[0]["plate"] == "苏F12345"


@pytest.mark.parametrize(
    ("first", "reason", "answers"),
    [
        pytest.param(
            message(wire.AUTHENTICATE, b"wrong"), "bad-code",
            [general(message(wire.AUTHENTICATE), 1)], id="wrong-code",
        ),
        pytest.param(
            message(wire.AUTHENTICATE, b"x", terminal="777"), "unknown-terminal",
            [general(message(wire.AUTHENTICATE), 1)], id="not-listed",
        ),
        pytest.param(
            message(wire.REGISTER, bytes(45), terminal="777"), "unknown-terminal",
            [(wire.REGISTERED, b"\0\x01\x04")], id="registers-unlisted",
        ),
        pytest.param(
            message(wire.REGISTER, bytes(45)), "other-device",
            [(wire.REGISTERED, b"\0\x01\x04")], id="another-device",
        ),
    ],
)  # fmt: skip
async def test_a_stranger_is_refused_counted_and_hung_up_and_no_code_is_kept(
    tmp_path: Path, first: wire.Message, reason: str, answers: list[tuple[int, bytes]]
) -> None:
    (tmp_path / "who.csv").write_text(f"terminal,code,device,plate\n0{NUMBER},right,DEV1,\n")
    listed = port(terminals=[], terminals_file="who.csv")
    async with gateway(tmp_path, listed) as stage, calling(stage.port) as caller:
        assert await ask(caller, first) == answers
        assert await caller.hears() == b""
        await until(lambda: stage.counts[f"ended-{reason}"] == 1)
        assert stage.counts[reason] == 1
        assert stage.refused == [(reason, f"{first.terminal} {first.kind:04x}", b"")]


async def test_a_code_of_the_list_is_not_told_to_who_merely_names_the_number(
    tmp_path: Path,
) -> None:
    (tmp_path / "who.csv").write_text(f"terminal,code,plate\n{NUMBER},right,苏F12345\n")
    listed = port(terminals=[], terminals_file="who.csv")
    async with gateway(tmp_path, listed) as stage, calling(stage.port) as caller:
        assert await ask(caller, message(wire.REGISTER, bytes(45))) == [
            (wire.REGISTERED, b"\0\x01\x03")
        ]
        await log_in(caller, b"right")
        await ask(caller, position())
        assert stage.records[0]["plate"] == "苏F12345"


async def test_without_showing_its_code_nobody_is_heard(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        assert await ask(caller, position(), position()) == [general(position(), 1)] * 2
        assert (stage.records, len(stage.refused)) == ([], 1)
        assert stage.counts["not-authenticated"] == 2


async def test_a_new_line_of_the_list_needs_no_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.terminals.LOOK_S", 0.02)
    (tmp_path / "who.csv").write_text("terminal\n1\n")
    async with gateway(tmp_path, port(terminals=[], terminals_file="who.csv")) as stage:
        (tmp_path / "who.csv").write_text(f"terminal\n1\n{NUMBER}\n")
        await asyncio.sleep(0.3)
        async with calling(stage.port) as caller:
            await log_in(caller)


async def test_parts_are_answered_together_when_the_whole_is_kept(tmp_path: Path) -> None:
    one = position().body
    batch = b"\0\x03\x01" + b"".join(len(one).to_bytes(2) + position(n).body for n in range(3))
    cuts = [batch[:40], batch[40:70], batch[70:]]
    parts = [
        message(wire.LOCATIONS, cut, 20 + n, parts=3, part=n + 1) for n, cut in enumerate(cuts)
    ]
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await log_in(caller)
        await caller.send(wire.frame(parts[2]) + wire.frame(parts[0]))
        assert await caller.silent()
        beat = message(wire.HEARTBEAT, serial=30)
        answers = await ask(caller, beat, beat)
        assert (wire.SEND_AGAIN, b"\0\x14\x01\0\x02") in answers
        await caller.send(wire.frame(parts[1]))
        heard: list[tuple[int, bytes]] = []
        while sum(body[2:4] == b"\x07\x04" for _, body in heard) < 3:
            heard += read(await caller.hears())
        assert [general(part, 0) for part in parts] == [
            one for one in heard if one[1][2:4] == b"\x07\x04"
        ]
        assert [record["time"][-8:-6] for record in stage.records] == ["40", "41", "42"]


async def test_parts_that_never_become_whole_are_dead_letters(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage:
        async with calling(stage.port) as caller:
            await log_in(caller)
            part = message(wire.LOCATIONS, b"abc", 3, parts=2, part=1)
            await caller.send(wire.frame(part))
            await asyncio.sleep(0.05)
        await until(lambda: bool(stage.refused))
        assert stage.refused == [("incomplete", "1 of 2", wire.frame(part))]


async def test_bad_frames_are_put_aside_and_good_ones_between_them_are_kept(tmp_path: Path) -> None:
    good = [wire.frame(position(n, n)) for n in range(3)]
    bad = good[1][:-3] + bytes([good[1][-3] ^ 1]) + good[1][-2:]
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await log_in(caller)
        await caller.send(good[0] + b"noise" + bad + b"\x7e\x7d\x09\x7e" + good[1] + good[2])
        await until(lambda: len(stage.records) == 3)
        assert [one[0] for one in stage.refused] == ["too-short", "bad-checksum", "bad-escape"]
        assert stage.refused[1][2] == bad


async def test_no_code_is_in_the_dead_letter_of_a_broken_frame(tmp_path: Path) -> None:
    login = wire.frame(message(wire.AUTHENTICATE, b"geheim"))
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(login[:-2] + bytes([login[-2] ^ 1]) + login[-1:])
        await until(lambda: len(stage.refused) == 1)
        reason, _, raw = stage.refused[0]
        assert (reason, raw) == ("bad-checksum", login[:13])


async def test_what_the_feed_refuses_is_a_dead_letter_and_done_with(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, port(), lambda _: ("out-of-range", "lat")) as stage,
        calling(stage.port) as caller,
    ):
        await log_in(caller)
        assert await ask(caller, position()) == [general(position(), 0)]
        assert not stage.records
        assert stage.refused[0][:2] == ("out-of-range", "lat")


async def test_who_sends_only_garbage_is_hung_up(tmp_path: Path) -> None:
    async with gateway(tmp_path, port()) as stage, calling(stage.port) as caller:
        await caller.send(b"\x7egarbage\x7e" * 500)
        assert await caller.hears() == b""
        await until(lambda: stage.counts["ended-garbage"] == 1)
        assert len(stage.refused) == 100


async def test_bytes_that_trickle_do_not_keep_a_line_open(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, port(login_s=0.2, idle_s=0.2)) as stage,
        calling(stage.port) as slow,
        calling(stage.port) as quiet,
    ):
        await log_in(quiet)
        with suppress(OSError):
            for _ in range(30):
                await slow.send(b"\x7e")
                await asyncio.sleep(0.02)
        assert await quiet.hears() == b""
        await until(lambda: stage.counts["ended-no-login"] + stage.counts["ended-idle"] == 2)


async def test_beyond_the_most_callers_a_further_one_is_hung_up(tmp_path: Path) -> None:
    async with gateway(tmp_path, port(connections=1)) as stage, calling(stage.port) as first:
        await log_in(first)
        async with calling(stage.port) as second:
            assert await second.hears() == b""
        assert stage.counts["turned-away"] == 1
        assert await ask(first, position()) == [general(position(), 0)]


async def test_while_the_rules_are_far_behind_nobody_is_read_from(tmp_path: Path) -> None:
    made = []

    def make(context: SourceContext) -> Any:
        made.append(port(inbox_limit=1)(context))
        return made[0]

    async with gateway(tmp_path, make) as stage, calling(stage.port) as caller:
        await log_in(caller)
        await ask(caller, position())
        await caller.send(wire.frame(position(1, 2)))
        assert await caller.silent()
        await anext(made[0].batches())
        assert read(await caller.hears()) == [general(position(1, 2), 0)]


async def test_many_terminals_share_few_writes(tmp_path: Path) -> None:
    async with gateway(tmp_path, port(open=True, terminals=[])) as stage:

        async def one(n: int) -> None:
            async with calling(stage.port) as caller:
                await ask(caller, message(wire.AUTHENTICATE, b"x", terminal=str(n)))
                answers = await ask(caller, replace(position(), terminal=str(n)))
                assert answers[0][1][-1] == 0

        await asyncio.gather(*(one(n + 1) for n in range(100)))
        assert len(stage.records) == 100
        assert stage.journal.writes < 100


def test_a_port_for_nobody_is_refused_with_advice(tmp_path: Path) -> None:
    async def run() -> None:
        async with gateway(tmp_path, port(terminals=[])):
            pass

    with pytest.raises(EnvironmentUnusable, match="'terminals' or 'terminals_file'"):
        asyncio.run(run())
