"""JT/T 808 frames: those of other programs are read and written again, nonsense harms nobody."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.protocols import Garbled
from connectors.protocols import jtt808 as wire
from connectors.protocols.jtt808_bodies import (
    read_code,
    read_position,
    read_positions,
    read_registration,
)
from connectors.protocols.parts import Parts

VECTORS = [
    line.split()
    for line in (Path(__file__).parent / "vectors/jtt808.txt").read_text().splitlines()
    if line[:1] not in {"", "#"}
]
POSITION = bytes.fromhex("000000010000000200ba7f0e07e4f11c0028003c0000180715101010")
GOOD = wire.Message(0x0200, "13912345678", 7, 0, POSITION, b"")


def read(frame: str) -> wire.Message:
    """The one message of a frame."""
    (found,) = wire.Frames().take(bytes.fromhex(frame))
    assert isinstance(found, wire.Message), found
    return found


@pytest.mark.parametrize(
    ("source", "kind", "terminal", "frame"),
    [pytest.param(*one, id=f"{one[0]}-{one[1]}-{n}") for n, one in enumerate(VECTORS)],
)
def test_a_frame_of_another_program_is_read_and_written_again_the_same(
    source: str, kind: str, terminal: str, frame: str
) -> None:
    del source
    message = read(frame)
    assert (f"{message.kind:04x}", message.terminal) == (kind, terminal)
    assert wire.frame(message).hex() == frame


def vector(source: str, kind: str, number: int = 0) -> wire.Message:
    """The n-th vector of a program and kind."""
    return read([one[3] for one in VECTORS if one[:2] == [source, kind]][number])


@pytest.mark.parametrize(
    ("source", "number", "expected"),
    [
        pytest.param(
            "smallchi", 0,
            {"lat": 12.222222, "lon": 132.444444, "altitude": 40, "speed": 6.0, "course": 0,
             "time": "2018-07-15T10:10:10+08:00", "alarm": 1, "alarms": "emergency", "status": 2,
             "located": True, "mileage": 10.0, "fuel": 5.5, "serial": 8888},
            id="smallchi-2013",
        ),
        pytest.param(
            "smallchi", 2, {"time": "2018-10-15T10:10:10+08:00", "fuel": 12.5, "serial": 126},
            id="smallchi-escaped-fuel-and-serial",
        ),
        pytest.param(
            "hylexus", 0,
            {"lat": 31.234567, "lon": 121.987654, "altitude": 123, "speed": 6.6, "course": 3,
             "time": "2025-01-29T22:33:44+08:00", "alarm": 111, "mileage": 1.2, "fuel": 10.0},
            id="hylexus-2019",
        ),
        pytest.param(
            "yezhihao", 1,
            {"lat": 116.307629, "lon": 40.058359, "recorder_speed": 3.3, "signal": 30,
             "satellites": 40, "located": False},
            id="yezhihao-2019",
        ),
    ],
)  # fmt: skip
def test_a_position_is_what_the_other_program_says_it_is(
    source: str, number: int, expected: dict[str, object]
) -> None:
    # The sample of yezhihao has latitude and longitude the wrong way round.
    if source == "hylexus":  # its sample sets bit 2 of the status, so it lies south
        expected = {**expected, "lat": -31.234567}
    (record,) = read_position(vector(source, "0200", number))
    assert isinstance(record, dict)
    assert {name: record[name] for name in expected} == expected


def test_a_batch_holds_its_positions_and_says_whether_they_were_buffered() -> None:
    batch = read_positions(vector("smallchi", "0704"))
    places = [(one["lat"], one["speed"], one["buffered"]) for one in batch if type(one) is dict]
    assert places == [(12.222222, 6.0, False), (13.333333, 5.4, False)]
    assert [one["buffered"] for one in read_positions(vector("yezhihao", "0704"))] == [True] * 3  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("source", "number", "expected"),
    [
        pytest.param("yezhihao", 0, ("yzh", "7654321", "测A888888"), id="2013"),
        pytest.param("yezhihao", 1, ("yzh", "09876543210987654321", "测A888888"), id="2019"),
        pytest.param("smallchi", 0, ("12340", "CHI1230", "粤A12345"), id="smallchi-2013"),
    ],
)
def test_a_registration_names_maker_device_and_plate(
    source: str, number: int, expected: tuple[str, str, str]
) -> None:
    found = read_registration(vector(source, "0100", number))
    assert not isinstance(found, Garbled)
    assert (found.maker, found.device, found.plate) == expected


def test_a_registration_of_2011_is_told_by_its_length() -> None:
    body = b"\x00\x20\x00\x64maker" + b"model".ljust(8, b"\0") + b"DEV0001" + b"\x02"
    found = read_registration(wire.Message(0x0100, "1", 0, 0, body + "苏F12345".encode("gbk"), b""))
    assert not isinstance(found, Garbled)
    assert (found.model, found.device, found.plate_colour, found.plate) == (
        "model", "DEV0001", 2, "苏F12345",
    )  # fmt: skip


def test_a_code_is_read_in_both_versions() -> None:
    assert read_code(vector("yezhihao", "0102")) == "abc@123&456"
    assert read_code(vector("yezhihao", "0102", 1)) == (
        "pmYGzGukO8K4Z5lpIOTg8dqb3eprYaHBbXSPLtdbyG8="
    )
    assert read_code(vector("smallchi", "0102")) == "456121111"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda f: f[:-2] + bytes([f[-2] ^ 1]) + f[-1:], "bad-checksum", id="checksum"),
        pytest.param(lambda f: f[:4] + b"\x7d\x05" + f[4:], "bad-escape", id="escape"),
        pytest.param(lambda _: b"\x7e\x01\x02\x03\x7e", "too-short", id="short"),
        pytest.param(lambda _: b"\x7e" + b"a" * 5000 + b"\x7e", "too-large", id="large"),
        pytest.param(lambda f: resum(f, 5, 0x1A), "bad-terminal", id="number"),
        pytest.param(lambda f: resum(f, 4, f[4] + 1), "bad-length", id="length"),
        pytest.param(lambda f: resum(f, 3, 4), "encrypted", id="encrypted"),
    ],
)
def test_what_is_no_frame_is_named_and_the_next_one_is_read(change, reason: str) -> None:
    good = wire.frame(GOOD)
    found = wire.Frames().take(change(good) + good)
    assert [one.reason for one in found if isinstance(one, Garbled)] == [reason]
    assert isinstance(found[-1], wire.Message)


def resum(frame: bytes, place: int, value: int) -> bytes:
    """A frame with another byte, and a checksum that fits it."""
    inner = bytearray(frame[1:-2])
    inner[place - 1] = value
    total = 0
    for byte in inner:
        total ^= byte
    return b"\x7e" + bytes(inner) + bytes([total]) + b"\x7e"


@pytest.mark.parametrize("when", ["000000000000", "181315101010", "18071510100a", "180732101010"])
def test_a_time_that_is_none_is_not_guessed(when: str) -> None:
    body = POSITION[:-6] + bytes.fromhex(when)
    (found,) = read_position(wire.Message(0x0200, "1", 0, 0, body, b"raw"))
    assert found == ("bad-time", when, b"raw")


messages = st.builds(
    wire.Message,
    st.sampled_from([0x0002, 0x0200, 0x0704, 0x0102]),
    st.integers(1, 10**11 - 1).map(str),
    st.integers(0, 0xFFFF),
    st.sampled_from([0, 1]),
    st.binary(max_size=200),
    st.just(b""),
)


@given(st.lists(st.one_of(messages, st.binary(max_size=40)), max_size=8), st.randoms())
def test_no_good_frame_is_lost_however_bytes_are_mixed_and_cut(parts, chance) -> None:
    """Garbage between frames may hold flags; a frame behind it still begins with its own."""
    stream = b"".join(one if isinstance(one, bytes) else wire.frame(one) for one in parts)
    frames, found = wire.Frames(), []
    while stream:
        cut = chance.randint(1, len(stream))
        found += frames.take(stream[:cut])
        stream = stream[cut:]
    read = [(m.kind, m.terminal, m.serial, m.body) for m in found if isinstance(m, wire.Message)]
    sent = [(m.kind, m.terminal, m.serial, m.body) for m in parts if not isinstance(m, bytes)]
    rest = iter(read)
    assert all(one in rest for one in sent)


@given(st.binary(max_size=300))
def test_random_bodies_never_raise(body: bytes) -> None:
    for version in (0, 1):
        message = wire.Message(0x0200, "1", 0, version, body, body)
        read_position(message)
        read_positions(message)
        read_registration(message)
        read_code(message)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=30), st.integers(0, 0xFFFF))
def test_parts_make_one_message_in_any_order_and_though_repeated(order, first: int) -> None:
    parts = [
        wire.Message(0x0704, "1", (first + n) & 0xFFFF, 0, bytes([n]) * 9, b"r" * 20, 5, n + 1)
        for n in range(5)
    ]
    held: Parts[wire.Message] = Parts(10_000)
    done = [one for n in order if (one := held.take(wire.part_of(parts[n])).whole)]
    for one in done:
        assert [part.part for part in one] == [1, 2, 3, 4, 5]
    assert bool(done) == (set(order) == {0, 1, 2, 3, 4})


def test_unfinished_messages_are_given_up_when_they_are_too_many_bytes() -> None:
    held: Parts[wire.Message] = Parts(100)
    lost = []
    for n in range(10):
        part = wire.Message(0x0704, str(n), 1, 0, b"", b"r" * 30, 2, 1)
        lost += held.take(wire.part_of(part)).lost
    assert [one[0].terminal for one in lost] == [str(n) for n in range(7)]
    assert [missing for _, missing in held.missing()] == [[2]] * 3
