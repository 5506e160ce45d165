"""A worker that lives but reads nothing is found out; one with nothing to read is left alone."""

import asyncio
from collections.abc import Collection, Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from engine.edge.streaming import watchdog
from engine.edge.streaming.link import Link
from engine.edge.streaming.watchdog import Watchdog
from engine.errors import EnvironmentUnusable
from engine.kafka.reach import Answer, Refusal

A, B = TP("feed", 0), TP("feed", 1)


class Reader:
    """Positions that a test moves."""

    def __init__(self) -> None:
        self.at: dict[TP, int] = {A: 5, B: 7}

    async def position(self, tp: TP) -> int | None:
        return self.at[tp]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> dict[TP, int]:
    told = {A: 9, B: 7}

    async def answer(_link: Link, places: Collection[TP]) -> Mapping[TP, int]:
        if not told:
            raise KafkaConnectionError
        return {place: told[place] for place in places}

    monkeypatch.setattr(watchdog, "ends_of", answer)
    return told


async def test_only_a_partition_with_records_left_that_never_moves_is_stuck(
    ends: dict[TP, int],
) -> None:
    reader, dog = Reader(), Watchdog(Link(bootstrap="nowhere"))
    assert await dog.look(reader, [A, B]) == set()
    assert await dog.look(reader, [A, B]) == set()
    assert await dog.look(reader, [A, B]) == {A}
    ends.clear()
    assert await dog.look(reader, [A, B]) == set(), "a broker that is away is no fault of ours"


async def test_any_move_and_any_loss_of_the_partition_begins_the_count_anew(
    ends: dict[TP, int],
) -> None:
    reader, dog = Reader(), Watchdog(Link(bootstrap="nowhere"))
    ends[A] = 1_000
    for _ in range(5):
        assert await dog.look(reader, [A]) == set()
        assert await dog.look(reader, [A]) == set()
        reader.at[A] += 1
    assert await dog.look(reader, [A]) == set()
    assert await dog.look(reader, []) == set()
    assert await dog.look(reader, [A]) == set()
    assert await dog.look(reader, [A]) == set()
    assert await dog.look(reader, [A]) == {A}


async def test_the_worker_is_stopped_when_a_partition_is_stuck_and_not_before(
    ends: dict[TP, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LEAST_S", 0.01)
    monkeypatch.setattr(watchdog, "SESSIONS", 0)
    reader, told = Reader(), list[BaseException]()
    ends[B] = 8

    def reading() -> list[TP]:
        reader.at[A] += 1  # A moves for as long as anybody looks
        return [A, B]

    async with asyncio.timeout(5):
        await Watchdog(Link(bootstrap="nowhere"), "zh").run(reader, reading, told.append)
    assert isinstance(told[0], EnvironmentUnusable)
    assert "K130" in str(told[0])
    assert "feed/1" in str(told[0])
    assert "feed/0" not in str(told[0])


async def test_what_fails_for_too_long_stops_the_worker_only_while_the_broker_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = Answer("h:1", Refusal("K101", {"place": "h:1", "why": "no"}))
    answers = [[away], [Answer("h:1")]]

    async def knock(*_: object) -> list[Answer]:
        return answers.pop(0)

    monkeypatch.setattr(watchdog, "knock_all", knock)
    monkeypatch.setattr(watchdog, "LEAST_S", 0.01)
    monkeypatch.setattr(watchdog, "SESSIONS", 0)
    for_s = iter([10.0, 290.0, 310.0, 340.0])
    told = list[BaseException]()
    dog = Watchdog(Link(bootstrap="h:1"))
    async with asyncio.timeout(5):
        await dog.run(Reader(), list, told.append, lambda: {"unit-a": next(for_s), "unit-b": 1.0})
    assert "K131" in str(told[0])
    assert "unit-a" in str(told[0])
    assert "unit-b" not in str(told[0])
    assert not answers
