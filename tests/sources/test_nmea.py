"""AIS sentences: the recording gives known counts, bad lines harm nobody, TCP, UDP and calling."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal_stage import calling, gateway, until

from connectors.protocols import Garbled
from connectors.protocols.nmea import Heard, Sentences, moved
from connectors.sources.nmea import NmeaSource, Options
from engine.ports import SourceContext

AT = 1_600_000_000_000  # 2020-09-13 12:26:40 UTC
GOOD = b"!AIVDM,1,1,,A,13RlIW?04F1beOVEFLB9bRvH0L0L,0*6C"
OTHER = b"!AIVDM,1,1,,B,35VwAv0300QcEQ`EGcpN40jD0PUQ,0*61"
EMPTY = b"!AIVDM,1,1,,B,,0*25"
# From E. Raymond, "AIVDM/AIVDO protocol decoding": a position, and voyage data in two sentences.
DOCUMENTED = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C"
FIRST = b"!AIVDM,2,1,1,A,55?MbV02;H;s<HtKR20EHE:0@T4@Dn2222222216L961O5Gf0NSQEp6ClRp8,0*1C"
SECOND = b"!AIVDM,2,2,1,A,88888888880,2*25"


def heard(*chunks: bytes, statics: bool = False, at_ms: int = AT) -> list[Heard | Garbled]:
    sentences = Sentences(statics=statics)
    return [one for chunk in chunks for one in sentences.take(chunk, at_ms)]


def reasons(found: list[Heard | Garbled]) -> list[str]:
    return [one.reason if isinstance(one, Garbled) else str(one.kind) for one in found]


@pytest.mark.recordings
def test_the_recording_gives_what_was_counted_by_hand() -> None:
    folder = os.environ.get("FOREWARN_DATA", "../shared/data")
    if not (Path(folder) / "ais-nmea-sample.txt").exists():
        pytest.skip("FOREWARN_DATA names no folder with ais-nmea-sample.txt")
    data = (Path(folder) / "ais-nmea-sample.txt").read_bytes()
    assert data.count(b"\n") == 897
    sentences, counts = Sentences(), Counter[str]()
    for cut in range(0, len(data), 1000):
        for one in sentences.take(data[cut : cut + 1000], AT):
            if isinstance(one, Garbled):
                counts[one.reason] += 1
            else:
                counts["record" if one.record else "no record"] += 1
    last, *lost = sentences.give_up(AT)  # the file does not end with a line end
    assert isinstance(last, Heard)
    counts["record"] += last.record is not None
    counts.update(reasons(lost))
    # 100 lines are empty on purpose; of 20 messages in two sentences the second is not there.
    assert counts == {"record": 758, "no record": 20, "no-payload": 100, "incomplete": 20}


def test_a_position_is_a_record_with_what_the_ship_says() -> None:
    (found,) = heard(DOCUMENTED + b"\r\n")
    assert isinstance(found, Heard)
    assert found.record == {
        "mmsi": "477553000",
        "time": "2020-09-13T12:26:15.000+00:00",
        "message": 1,
        "lon": -122.345833,
        "lat": 47.582833,
        "speed": 0.0,
        "course": 51.0,
        "heading": 181,
        "status": 5,
    }


def test_sentences_of_one_message_are_put_together() -> None:
    (found,) = heard(FIRST + b"\n" + GOOD[:10], b"\n" + SECOND + b"\n", statics=True)[1:]
    assert isinstance(found, Heard)
    assert found.record is not None
    expected = {
        "mmsi": "351759000", "name": "EVER DIADEM", "callsign": "3FOF8", "imo": 9134270,
        "destination": "NEW YORK",
    }  # fmt: skip
    assert {name: found.record[name] for name in expected} == expected


def test_sentences_come_in_any_order_but_not_long_apart() -> None:
    assert reasons(heard(SECOND + b"\n", FIRST + b"\n")) == ["5"]
    sentences = Sentences()
    late = list(sentences.take(FIRST + b"\n", AT)) + list(
        sentences.take(SECOND + b"\n", AT + 20_000)
    )
    assert reasons(late) == ["incomplete"]
    assert reasons(heard(FIRST + b"\n", FIRST + b"\n", SECOND + b"\n")) == ["incomplete", "5"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(EMPTY, "no-payload", id="empty"),
        pytest.param(GOOD[:-1] + b"D", "bad-checksum", id="checksum"),
        pytest.param(b"$GPGGA,123519", "bad-frame", id="not-ais"),
        pytest.param(b"hello", "bad-frame", id="text"),
        pytest.param(b"!AIVDM,x,1,,A,13R,0*6C", "bad-frame", id="no-number"),
        pytest.param(b"a" * 2000, "too-large", id="long"),
    ],
)
def test_what_is_no_sentence_is_named_and_the_next_one_is_read(line: bytes, reason: str) -> None:
    assert reasons(heard(line + b"\r\n" + GOOD + b"\n")) == [reason, "1"]
    assert reasons(heard(line, b"\n", GOOD + b"\n")) == [reason, "1"]


def test_a_tag_block_says_when_the_receiver_heard_it() -> None:
    (found,) = heard(b"\\s:r1,c:1500000000*00\\" + GOOD + b"\n")
    assert isinstance(found, Heard)
    assert found.record is not None
    assert found.record["time"].startswith("2017-07-14T02:")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(40, 40, id="now"),
        pytest.param(39, 39, id="a-second-ago"),
        pytest.param(45, 45, id="a-clock-ahead"),
        pytest.param(55, -5, id="of-the-minute-before"),
        pytest.param(60, 40, id="not-available"),
        pytest.param(None, 40, id="none"),
    ],
)
def test_the_time_is_the_arrival_at_the_second_that_was_sent(second: Any, expected: int) -> None:
    assert moved(AT, second) - (AT - 40_000) == expected * 1000


@given(st.lists(st.one_of(st.binary(max_size=120), st.just(b"ok")), max_size=10), st.randoms())
def test_no_good_sentence_is_lost_and_nothing_raises(parts: list[bytes], chance: Any) -> None:
    lines = [GOOD if one == b"ok" else one.replace(b"\n", b"").replace(b"\r", b"") for one in parts]
    stream = b"".join(line + b"\n" for line in lines)
    sentences, found = Sentences(), []
    while stream:
        cut = chance.randint(1, len(stream))
        found += list(sentences.take(stream[:cut], AT))
        stream = stream[cut:]
    assert reasons(found).count("1") == parts.count(b"ok")


def source(**options: Any) -> Callable[[SourceContext], Any]:
    given = {"feed": "gps", "port": 0, **options}
    return lambda context: NmeaSource("ais", Options(**given), context, lambda: AT)


async def test_lines_over_tcp_are_kept_and_bad_ones_put_aside(tmp_path: Path) -> None:
    async with gateway(tmp_path, source()) as stage, calling(stage.port) as caller:
        await caller.send(GOOD + b"\n" + EMPTY + b"\n" + OTHER + b"\n" + FIRST + b"\n")
        await until(lambda: len(stage.records) == 2)
        caller.writer.close()
        await until(lambda: len(stage.refused) == 2)
        assert [one[0] for one in stage.refused] == ["no-payload", "incomplete"]


async def test_a_disk_that_refuses_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.door._DISK_S", 0.02)
    async with gateway(tmp_path, source()) as stage, calling(stage.port) as caller:
        stage.journal.full = True
        await caller.send(GOOD + b"\n")
        await asyncio.sleep(0.1)
        stage.journal.full = False
        await until(lambda: len(stage.records) == 1)


async def test_datagrams_are_kept_though_the_disk_is_slow(tmp_path: Path) -> None:
    async with gateway(tmp_path, source(transport="udp")) as stage:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", stage.port)
        )
        stage.journal.let.clear()
        for _ in range(50):
            transport.sendto(GOOD + b"\r\n" + OTHER)
        await asyncio.sleep(0.1)
        stage.journal.let.set()
        await until(lambda: len(stage.records) == 100)
        assert stage.journal.writes < 10
        transport.close()


async def test_only_listed_senders_are_heard(tmp_path: Path) -> None:
    only = source(senders=["10.0.0.0/8"])
    async with gateway(tmp_path, only) as stage, calling(stage.port) as caller:
        assert await caller.hears() == b""
        assert stage.counts["turned-away"] == 1


async def test_a_receiver_is_called_again_when_the_line_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.nmea._AGAIN_S", (0.01,))

    async def receiver(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with gateway(tmp_path, source(connect=place)) as stage:
        await until(lambda: len(stage.records) >= 3)
    server.close()
    await server.wait_closed()
