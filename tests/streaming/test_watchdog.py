"""A worker that lives but reads nothing is found out; one with nothing to read is left alone."""

from collections.abc import Collection, Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from engine.edge.streaming import watchdog
from engine.edge.streaming.link import Link
from engine.edge.streaming.watchdog import Watchdog

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
