"""The parts of the Kafka edge that need no broker."""

import logging

import pytest

from engine.edge.streaming.changelog import row_key, row_of
from engine.edge.streaming.ledger import Line
from engine.edge.streaming.light import Routed
from engine.edge.streaming.names import Names, partition_of, safe
from engine.edge.streaming.pace import ahead, spread
from engine.edge.streaming.parcels import LENGTH, rejected_parcels
from engine.edge.streaming.quiet import Quiet
from engine.edge.streaming.quieten import OnceAMinute
from engine.edge.streaming.routed import Reached, Run, marker_line, read_routed, routed_line
from engine.edge.streaming.topics import Layout
from engine.ports import Record, Rejected, SourceId, Write

GPS, JOBS = SourceId("gps", 0), SourceId("jobs", 2)


def test_space_names_become_topic_names_that_kafka_takes_and_stay_different() -> None:
    names = ["a+b", "a/b", "a_b", "a.b", "企业", "a_2bb"]
    made = [safe(name) for name in names]
    assert safe("a+b") == "a_2bb"
    assert all(char.isascii() and (char.isalnum() or char in "._-") for one in made for char in one)
    assert len({safe(name) for name in names}) == len(names)


def test_every_writer_has_a_name_of_its_own() -> None:
    names = Names("fw", "city")
    writers = {
        names.writer(topic, partition)
        for topic in (names.state("a"), names.state("b"), names.route("a", "f"))
        for partition in range(3)
    }
    assert len(writers) == 9


@pytest.mark.parametrize(("key", "partition"), [("v1", 2), ("苏A12345", 0), ("", 1)])
def test_a_key_goes_where_kafkas_own_partitioner_would_put_it(key: str, partition: int) -> None:
    from aiokafka.partitioner import DefaultPartitioner  # noqa: PLC0415 - the other opinion

    assert partition_of(key, 3) == DefaultPartitioner()(key.encode(), [0, 1, 2], [0, 1, 2])
    assert 0 <= partition_of(key, 3) < 3
    assert partition >= 0


def test_a_state_row_keeps_its_rule_and_any_key() -> None:
    for key in ("v1", "", "a\0b", "苏A12345-黄"):
        assert row_of(row_key("rule", key), b"x") == Write("rule", key, b"x")


@pytest.mark.parametrize("more", [0, 1, 20_000_000])
def test_a_dead_letter_holds_the_first_mebibyte_of_a_longer_record_and_says_so(more: int) -> None:
    names = Names("fw", "city")
    layout = Layout(names, {}, {names.dead_letter: 1}, {}, {})
    value = b"x" * (1_048_576 + more)
    bad = Rejected(GPS, 5, "too-large", str(len(value)), value)

    ((line,),) = [one.lines for one in rejected_parcels(layout, names.dead_letter, [bad])]

    assert line.value == value[:1_048_576]
    assert dict(line.headers).get(LENGTH) == (str(len(value)).encode() if more else None)


def test_routed_records_come_back_in_order_with_what_their_source_knew() -> None:
    first = Record(7, b"one", 1_000)
    second = Record(8, b"two", 2_000)
    third = Record(3, b"three", 3_000)
    lines = [
        routed_line("k", GPS, first, 10),
        routed_line("k", GPS, second, 20),
        marker_line(GPS, 25, idle=False),
        routed_line("k", JOBS, third, 5),
        marker_line(JOBS, 30, idle=True),
    ]

    said = list(read_routed([stored(offset, line) for offset, line in enumerate(lines, 100)]))

    assert said == [
        Run(GPS, [Record(100, b"one", 1_000, 10), Record(101, b"two", 2_000, 20)]),
        Reached(GPS, 25, idle=False),
        Run(JOBS, [Record(103, b"three", 3_000, 5)]),
        Reached(JOBS, 30, idle=True),
    ]


def test_silence_is_told_once_and_time_moves_only_while_all_are_silent() -> None:
    quiet = Quiet({GPS: 10.0, JOBS: 20.0}, now_s=0.0)
    assert quiet.due(9.9) == []
    assert quiet.due(10.0) == [GPS]
    quiet.rest(GPS)
    assert quiet.due(19.0) == []
    assert quiet.elapsed_ms(19.0, 5.0) == 0
    quiet.rest(JOBS)
    assert quiet.elapsed_ms(20.0, 5.0) == 20_000
    assert quiet.elapsed_ms(22.0, 5.0) == 0
    assert quiet.elapsed_ms(26.0, 5.0) == 6_000
    quiet.heard(GPS, 27.0)
    assert quiet.elapsed_ms(60.0, 5.0) == 0
    quiet.rest(GPS)
    assert quiet.elapsed_ms(60.0, 5.0) == 33_000


@pytest.mark.parametrize(
    ("reaches", "ended", "resting"),
    [
        ({}, (), ""),
        ({"a": 0, "b": 3_600_000}, (), ""),
        ({"a": 0, "b": 3_600_001}, (), "b"),
        ({"a": 0, "b": 3_600_001}, ("a",), ""),
        ({"a": 0, "b": 9_000_000, "c": 5_000_000}, ("a",), "b"),
        ({"a": -(2**62), "b": 1}, (), "b"),
        ({"a": -(2**62), "b": 1}, ("a", "b"), ""),
    ],
)
def test_only_a_source_that_is_ahead_of_one_with_records_left_rests(
    reaches: dict[str, int], ended: tuple[str, ...], resting: str
) -> None:
    assert "".join(sorted(ahead(reaches, ended))) == resting
    assert spread(reaches) or not resting


def test_a_library_that_repeats_itself_is_heard_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("engine.edge.streaming.quieten.time.monotonic", lambda: now[0])
    gate = OnceAMinute()

    def said() -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "client.py", 7, "no broker", (), None)

    assert gate.filter(said())
    assert not any(gate.filter(said()) for _ in range(500))
    now[0] += 61
    again = said()
    assert gate.filter(again)
    assert again.msg == "no broker (and 500 more like it)"


def stored(offset: int, line: Line) -> Routed:
    """The record that a line becomes."""
    return Routed(offset, line.value or b"", line.headers)
