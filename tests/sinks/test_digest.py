"""The courier: never more messages than allowed, nothing dropped, urgent first, order kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrate_limiter import Duration, Rate
from sink_stage import a_body

from connectors.digest import Courier
from connectors.notice import Notice, read
from engine.errors import Permanent, Retryable

PER_MINUTE = 3


@dataclass(slots=True)
class Peer:
    """Takes messages of ids; the clock moves only by sleeping."""

    now_s: float = 1000.0
    sent: list[tuple[float, list[str]]] = field(default_factory=list)
    raises: list[Exception] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()
    fits: int = 100

    async def post(self, message: bytes) -> None:
        await asyncio.sleep(0)
        ids = message.decode().split()
        if self.raises:
            raise self.raises.pop(0)
        if self.refuses & set(ids):
            reason = "refused"
            raise Permanent(reason)
        self.sent.append((self.now_s, ids))

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    def many(self, notices: Sequence[Notice]) -> tuple[bytes, int]:
        kept = notices[: self.fits]
        return " ".join(one.delivery_id for one in kept).encode(), len(kept)

    def courier(self) -> Courier:
        return Courier(
            self.post, lambda one: one.delivery_id.encode(), self.many,
            [Rate(PER_MINUTE, Duration.MINUTE)], lambda: self.now_s, self.sleep,
        )  # fmt: skip

    @property
    def ids(self) -> list[str]:
        return [one for _, ids in self.sent for one in ids]


def notice(name: str, level: str = "yellow") -> Notice:
    return read(a_body(severity=level)[1], "en", name)


async def sent(peer: Peer, *notices: Notice) -> list[str | None]:
    """Hand all over at once; answers the reason of each that failed."""
    courier = peer.courier()
    done = await asyncio.gather(*map(courier.send, notices), return_exceptions=True)
    await courier.close()
    return [getattr(one, "reason", None) for one in done]


async def test_while_there_is_room_each_delivery_is_a_message() -> None:
    peer = Peer()
    await sent(peer, *(notice(f"d{n}") for n in range(PER_MINUTE)))
    assert [ids for _, ids in peer.sent] == [["d0"], ["d1"], ["d2"]]


async def test_more_than_there_is_room_for_go_together_at_once_the_most_urgent_first() -> None:
    peer = Peer()
    many = [notice(f"d{n}") for n in range(9)] + [notice("red", "red")]
    assert await sent(peer, *many) == [None] * 10
    assert [ids for _, ids in peer.sent] == [["red", *(f"d{n}" for n in range(9))]]


async def test_what_does_not_fit_goes_with_the_next_message() -> None:
    peer = Peer(fits=4)
    await sent(peer, *(notice(f"d{n}") for n in range(10)))
    assert [len(ids) for _, ids in peer.sent] == [4, 4, 2]
    assert peer.ids == [f"d{n}" for n in range(10)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40)), min_size=1, max_size=8))
def test_no_minute_ever_has_more_messages_than_allowed_and_none_is_lost(
    storms: list[tuple[int, int]],
) -> None:
    async def play() -> Peer:
        peer = Peer(fits=7)
        courier = peer.courier()
        count = 0
        for size, pause in storms:
            wave = [notice(f"d{count + n}") for n in range(size)]
            count += size
            await asyncio.gather(*map(courier.send, wave))
            peer.now_s += pause
        await courier.close()
        assert peer.ids == [f"d{n}" for n in range(count)]
        return peer

    times = [at for at, _ in asyncio.run(play()).sent]
    for at in times:
        assert sum(at - 60 < other <= at for other in times) <= PER_MINUTE


async def test_a_peer_that_asks_for_a_rest_is_sent_nothing_until_it_is_over() -> None:
    peer = Peer()
    peer.raises = [Retryable("rate", "", 600.0)]
    courier = peer.courier()
    with pytest.raises(Retryable, match="rate"):
        await courier.send(notice("d0"))
    await courier.send(notice("d0"))
    await courier.close()
    assert [at for at, _ in peer.sent] == [1600.0]


async def test_a_refused_digest_is_taken_apart_so_that_only_the_culprit_is_refused() -> None:
    peer = Peer(refuses=frozenset({"d3"}))
    failed = await sent(peer, *(notice(f"d{n}") for n in range(6)))
    assert failed == [None, None, None, "refused", None, None]
    assert sorted(peer.ids) == ["d0", "d1", "d2", "d4", "d5"]


async def test_a_message_that_failed_fails_each_delivery_in_it_with_an_error_of_its_own() -> None:
    peer = Peer()
    peer.raises = [Retryable("network")]
    courier = peer.courier()
    many = [courier.send(notice(f"d{n}")) for n in range(5)]
    failed = await asyncio.gather(*many, return_exceptions=True)
    await courier.close()
    assert len(set(map(id, failed))) == 5
    assert {getattr(one, "reason", "") for one in failed} == {"network"}


async def test_whose_sender_has_gone_is_not_sent() -> None:
    peer = Peer()
    courier = peer.courier()
    gone = asyncio.create_task(courier.send(notice("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await courier.send(notice("d1"))
    await courier.close()
    assert peer.ids == ["d1"]


async def test_closing_tells_those_that_wait() -> None:
    peer = Peer()
    started = asyncio.Event()

    async def for_ever(_seconds: float) -> None:
        started.set()
        await asyncio.Event().wait()

    courier = Courier(
        peer.post, lambda one: one.delivery_id.encode(), peer.many,
        [Rate(1, Duration.MINUTE)], lambda: peer.now_s, for_ever,
    )  # fmt: skip
    await courier.send(notice("d0"))
    waiting = asyncio.create_task(courier.send(notice("d1")))
    await started.wait()
    await courier.close()
    with pytest.raises(Retryable, match="closed"):
        await waiting


async def test_an_error_nobody_expected_reaches_the_sender() -> None:
    peer = Peer()
    peer.raises = [ValueError("a fault of its own")]
    courier = peer.courier()
    with pytest.raises(ValueError, match="its own"):
        await courier.send(notice("d0"))
    await courier.close()


async def test_what_was_sent_before_a_restart_counts_for_as_long_as_it_is_young() -> None:
    peer = Peer()
    courier = peer.courier()
    courier.remember([50.0, 10.0])
    await asyncio.gather(*(courier.send(notice(f"d{n}")) for n in range(2)))
    await courier.close()
    assert [ids for _, ids in peer.sent] == [["d0", "d1"]]
    whole = Peer()
    courier = whole.courier()
    courier.remember([70.0, 61.0])
    await asyncio.gather(*(courier.send(notice(f"d{n}")) for n in range(2)))
    await courier.close()
    assert [ids for _, ids in whole.sent] == [["d0"], ["d1"]]
