"""HJ 212 frames: those of other programs are read, nonsense harms nobody, values have names."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.protocols import Garbled
from connectors.protocols import hj212 as wire

VECTORS = [
    line.split(" ", 1)
    for line in (Path(__file__).parent / "vectors/hj212.txt").read_text().splitlines()
    if line[:1] not in {"", "#"}
]


def read(frame: str | bytes) -> wire.Packet:
    """The one packet of a frame."""
    data = frame if isinstance(frame, bytes) else f"{frame}\r\n".encode()
    (found,) = list(wire.Frames().take(data))
    assert isinstance(found, wire.Packet), found
    return found


@pytest.mark.parametrize(
    ("source", "frame"), [pytest.param(*one, id=f"{one[0]}-{n}") for n, one in enumerate(VECTORS)]
)
def test_a_frame_of_another_program_is_read_and_written_again_the_same(
    source: str, frame: str
) -> None:
    del source
    packet = read(frame)
    assert packet.mn == re.search("MN=([^;]*)", frame)[1]  # type: ignore[index]
    assert wire.frame(frame[6:-4].encode()).decode().lower() == f"{frame}\r\n".lower()


def test_the_example_of_the_standard_becomes_a_record_with_named_values() -> None:
    packet = read(VECTORS[1][1])
    record = wire.read_readings(packet, packet.cp)
    assert isinstance(record, dict)
    assert {name: record[name] for name in list(record)[:6]} == {
        "monitor": "010000A8900016F000169DC0", "time": "2016-08-01T08:40:00+08:00",
        "kind": "realtime", "system": "22", "version": 2017,
        "sent": "2016-08-01T08:50:00.001+08:00",
    }  # fmt: skip
    assert record["a34001"], record["a34001_flag"] == (217.0, "N")
    assert (record["a34002"], record["a01006"], record["LA_flag"]) == (295.0, 101.02, "N")


def test_means_of_2005_come_with_their_least_and_most() -> None:
    (frame,) = [one for source, one in VECTORS if source == "php" and "CN=2051" in one]
    packet = read(frame)
    record = wire.read_readings(packet, packet.cp)
    assert isinstance(record, dict)
    assert (record["kind"], record["version"], record["B01"]) == ("minute", 2005, 909.87)
    assert (record["B01_min"], record["B01_max"], record["B01_cou"]) == (895.13, 932.28, 54.59)
    assert "sent" not in record


def test_noise_is_read_in_all_three_spellings() -> None:
    packet = read(wire.frame(b"ST=23;CN=2051;PW=1;MN=a;Flag=4;CP=&&&&"))
    text = "DataTime=20260801085800; LA-Rtd=50.1;Leq-Avg=48;LMx-Data=71.2"
    record = wire.read_readings(packet, text)
    assert isinstance(record, dict)
    assert (record["LA"], record["Leq"], record["LMx"]) == (50.1, 48.0, 71.2)


def test_an_answer_carries_the_question_and_the_version_but_asks_nothing() -> None:
    asked = b"QN=20160801085857223;ST=23;CN=2011;PW=123456;MN=A;Flag=%d;CP=&&&&"
    assert wire.answer(read(wire.frame(asked % 5)), wire.TAKEN)[6:-6] == (
        b"QN=20160801085857223;ST=91;CN=9014;PW=123456;MN=A;Flag=4;CP=&&&&"
    )
    assert b"Flag=0;" in wire.answer(read(wire.frame(asked % 1)), wire.TAKEN)
    assert not read(wire.frame(asked % 4)).wants_answer


GOOD = wire.frame(b"QN=20160801085857223;ST=23;CN=2011;PW=geheim;MN=A;Flag=5;CP=&&x=1&&")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(GOOD[:-6] + b"0000\r\n", "bad-checksum", id="checksum"),
        pytest.param(GOOD.replace(b"x=1", b"x=2"), "bad-checksum", id="changed"),
        pytest.param(b"##12ab" + GOOD[6:], "bad-frame", id="length-is-none"),
        pytest.param(b"##9999" + GOOD[6:], "too-large", id="too-large"),
        pytest.param(b"##4000" + GOOD[6:], "truncated", id="length-beyond-the-line"),
        pytest.param(GOOD[:40] + b"\r\n", "bad-checksum", id="cut"),
        pytest.param(GOOD[:40], "bad-checksum", id="cut-and-glued"),
        pytest.param(b"hello\r\n", "noise", id="noise"),
        pytest.param(wire.frame(b"ST=23;CN=2011;CP=&&&&"), "bad-segment", id="no-monitor"),
        pytest.param(
            wire.frame(b"CN=2011;MN=a;PNUM=2;PNO=3;CP=&&&&"), "bad-part", id="third-of-two"
        ),
    ],
)
def test_what_is_no_frame_is_named_and_the_next_one_is_read(bad: bytes, reason: str) -> None:
    found = list(wire.Frames(4096).take(bad + GOOD))
    assert [one.reason for one in found if isinstance(one, Garbled)] == [reason]
    assert isinstance(found[-1], wire.Packet)
    assert not any(b"geheim" in one.raw for one in found if isinstance(one, Garbled))


@pytest.mark.parametrize(
    "when", ["", "2016080108584", "20161301085857", "２０１６０８０１０８５８５７"]
)
def test_a_time_that_is_none_is_not_guessed(when: str) -> None:
    packet = read(GOOD)
    found = wire.read_readings(packet, f"DataTime={when};a=1")
    assert isinstance(found, Garbled)
    assert (found.reason, found.detail) == ("bad-time", when)


segments = st.builds(
    lambda mn, text: f"QN=20160801085857223;ST=22;CN=2011;MN={mn};CP=&&{text}&&".encode(),
    st.text("abcdef0123456789", min_size=1, max_size=24),
    st.text("abcdefghij-=,;.0123456789& ", max_size=60),
)
noise = st.one_of(
    st.binary(max_size=30),
    st.just(b"\r\n"),
    st.just(b"##"),
    segments.map(lambda one: wire.frame(one)[:-7]),
    segments.map(lambda one: b"##4000" + one),
)


@given(
    st.lists(st.tuples(st.booleans(), segments, noise), max_size=6),
    st.randoms(),
)
def test_no_good_frame_is_lost_however_bytes_are_mixed_and_cut(parts, chance) -> None:
    """A frame that claims more than it has ends where its line, or the next frame's line, ends."""
    stream = b"".join(wire.frame(good) if is_good else bad for is_good, good, bad in parts)
    stream += wire.frame(b"CN=2011;MN=last;CP=&&&&")
    frames, found = wire.Frames(4096), []
    while stream:
        cut = chance.randint(1, len(stream))
        found += list(frames.take(stream[:cut]))
        stream = stream[cut:]
    read = [one.raw for one in found if isinstance(one, wire.Packet)]
    rest = iter(read)
    sent = [wire.frame(good)[:-2] for is_good, good, _ in parts if is_good]
    assert all(one in rest for one in [*sent, wire.frame(b"CN=2011;MN=last;CP=&&&&")[:-2]])


@given(st.lists(st.binary(max_size=200), max_size=5), st.text(max_size=100))
def test_random_bytes_and_values_never_raise(chunks: list[bytes], cp: str) -> None:
    frames = wire.Frames(1024)
    for chunk in chunks:
        list(frames.take(chunk))
    wire.read_readings(read(GOOD), f"DataTime=20160801085857;{cp}")


def test_a_packet_of_several_says_which_it_is() -> None:
    (frame,) = [one for source, one in VECTORS if source == "golang" and "PNUM" in one]
    packet = read(frame)
    assert (packet.parts, packet.part, packet.wants_answer) == (2, 1, True)
    record = wire.read_readings(packet, packet.cp)
    assert isinstance(record, dict)
    assert (record["a21005_zsavg"], record["a21005_flag"]) == (0.0, "B")
