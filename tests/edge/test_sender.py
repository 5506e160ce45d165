"""A sender over any outbox: no sink that hangs, floods or fails takes anything from the others."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from daemon_stage import FAST, MoodySink, a_store, change

from engine.dispatch.retry import RetryPolicy
from engine.edge import outbox, sender
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.sender import Sender
from engine.errors import EnvironmentUnusable, Permanent, Retryable
from engine.ports import Backlog, Due

DOWN = Retryable("down")
HOURS = RetryPolicy(first_s=3600, most_s=3600)


class ListOutbox:
    """Another outbox than the store's: a list. `away` answers next, each once."""

    def __init__(self, rows: int, groups: int) -> None:
        self.waiting = {n: Due(n, f"d{n}", f"g{n % groups}", 0, 0, b"{}") for n in range(rows)}
        self.dead: list[str] = []
        self.away: list[Exception] = []
        self.claims = 0

    async def claim(self, sink: str, limit: int) -> Sequence[Due]:
        del sink
        self.claims += 1
        if self.away:
            raise self.away.pop()
        heads: dict[str, Due] = {}
        for row in self.waiting.values():
            heads.setdefault(row.group, row)
            if len(heads) == limit:
                break
        return list(heads.values())

    async def next_due_ms(self, sink: str) -> int | None:
        del sink
        return 0 if self.waiting else None

    async def sent(self, row: int) -> None:
        if self.away:
            raise self.away.pop()
        del self.waiting[row]

    async def retry(self, row: int, wait_s: float, reason: str, detail: str) -> None:
        del wait_s, reason, detail
        self.waiting[row] = self.waiting[row]._replace(attempts=self.waiting[row].attempts + 1)

    async def give_up(self, row: int, reason: str, detail: str) -> None:
        del reason, detail
        self.dead.append(self.waiting.pop(row).delivery_id)

    async def clamp(self, within_s: float) -> None:
        del within_s

    async def backlog(self, sink: str) -> Backlog:
        del sink
        return Backlog(len(self.waiting), 0, len(self.dead))

    def now_ms(self) -> int:
        return 0


class Peer(MoodySink):
    """Counts requests and how many it has at once; down until it is said to be up."""

    def __init__(self, name: str = "s", parallel: int = 8) -> None:
        super().__init__(name, parallel)
        self.is_down = False
        self.asked = self.now = 0
        self.at_once: list[int] = []

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        self.asked += 1
        self.now += 1
        self.at_once.append(self.now)
        try:
            await asyncio.sleep(0)
            if self.is_down:
                raise DOWN
            await super().send(delivery_id, body, attempt)
        finally:
            self.now -= 1


class Tardy(MoodySink):
    """Takes each delivery after a time of its own."""

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        await asyncio.sleep(0.01 + int(delivery_id[1:]) % 4 * 0.01)
        await super().send(delivery_id, body, attempt)


class Leisurely(ListOutbox):
    """Answers what was due a while ago, as a database does that is busy."""

    async def claim(self, sink: str, limit: int) -> Sequence[Due]:
        found = await super().claim(sink, limit)
        await asyncio.sleep(0.03)
        return found


async def test_what_is_sent_while_the_outbox_is_asked_is_not_sent_again() -> None:
    box, sink = Leisurely(12, groups=4), Tardy(parallel=3)
    one = Sender(sink, box, FAST, Metrics())
    await until(box, asyncio.create_task(one.run()), one)
    assert sorted(sink.taken) == sorted(f"d{n}" for n in range(12))


class Heard(MoodySink):
    """Says when it has taken its first delivery."""

    def __init__(self, name: str, parallel: int = 2) -> None:
        super().__init__(name, parallel)
        self.first = asyncio.Event()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        await super().send(delivery_id, body, attempt)
        self.first.set()


async def until(outbox: ListOutbox, task: "asyncio.Task[None]", sender: Sender) -> None:
    """Let a sender work until its outbox is empty, then stop it."""
    for _ in range(3000):
        if not outbox.waiting:
            break
        await asyncio.sleep(0.01)
    sender.stop()
    await task
    assert not outbox.waiting


async def test_ten_thousand_that_waited_are_drained_gently_in_order_and_in_rounds() -> None:
    box, peer = ListOutbox(10_000, groups=100), Peer()
    peer.is_down = True
    policy = RetryPolicy(first_s=0.01, most_s=0.02)
    one = Sender(peer, box, policy, Metrics())
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.5)
    assert one.is_troubled
    assert peer.asked < 100  # a peer that is down is probed, not stormed
    begun, peer.is_down = len(peer.at_once), False
    await until(box, task, one)
    assert max(peer.at_once[begun : begun + 2]) <= 2
    assert max(peer.at_once) <= peer.parallel
    assert len(peer.taken) == 10_000
    for group in range(100):
        mine = [int(name[1:]) for name in peer.taken if int(name[1:]) % 100 == group]
        assert mine == sorted(mine)


async def test_while_the_peer_is_open_only_one_request_is_under_way() -> None:
    box, peer = ListOutbox(50, groups=50), Peer()
    peer.is_down = True
    one = Sender(peer, box, RetryPolicy(first_s=0.005, most_s=0.01), Metrics())
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.3)
    assert set(peer.at_once[20:]) == {1}
    peer.is_down = False
    await until(box, task, one)


async def test_a_delivery_that_nobody_takes_neither_stops_its_alert_nor_the_others() -> None:
    box = ListOutbox(30, groups=3)

    class Poisoned(Peer):
        async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
            if delivery_id == "d0":
                self.asked += 1
                raise DOWN
            await super().send(delivery_id, body, attempt)

    peer = Poisoned()
    one = Sender(peer, box, RetryPolicy(first_s=0.001, most_s=0.001, attempts=20), Metrics())
    await until(box, asyncio.create_task(one.run()), one)
    assert box.dead == ["d0"]
    assert peer.taken.index("d28") < peer.taken.index("d3")  # the others did not wait for it
    assert len(peer.taken) == 29


async def test_a_send_that_hangs_is_taken_for_failed(tmp_path: Path) -> None:
    stuck, quick = MoodySink("stuck"), MoodySink("quick")
    stuck.stuck = asyncio.Event()
    policy = RetryPolicy(first_s=0.01, hang_s=0.05, attempts=2)
    async with a_store(tmp_path, "stuck", "quick") as store:
        senders = Senders([stuck, quick], store, policy, Metrics())
        await senders.start()
        await store.accept([change("a")], {})
        assert await senders.drained(5.0, asyncio.Event()) == {}
        await senders.stop(0.5)
        assert (await store.backlog("stuck")).dead == 1
    assert len(quick.taken) == 1


async def test_a_sink_that_floods_leaves_another_its_turn(tmp_path: Path) -> None:
    flood, quick = Heard("flood", parallel=64), Heard("quick")
    async with a_store(tmp_path, "flood") as store:
        senders = Senders([flood, quick], store, FAST, Metrics())
        await senders.start()
        await store.accept([change(str(n)) for n in range(2000)], {})
        await flood.first.wait()
        store.reroute(lambda _change: ("quick",))
        await store.accept([change("urgent")], {})
        await quick.first.wait()
        assert len(flood.taken) < 1000
        assert await senders.drained(20.0, asyncio.Event()) == {}
        await senders.stop(0.5)


class SlowDoor(MoodySink):
    """A sink that opens when it is let, after failing so many times."""

    def __init__(self, name: str, fails: int = 0) -> None:
        super().__init__(name)
        self.may_open = asyncio.Event()
        self.fails = fails

    async def open(self) -> None:
        await self.may_open.wait()
        self.opened += 1
        if self.opened <= self.fails:
            raise EnvironmentUnusable(self.name)


@pytest.mark.parametrize("fails", [0, 2])
async def test_a_sink_that_is_slow_to_open_delays_no_other(
    fails: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "OPEN_S", 0.05)
    slow, quick = SlowDoor("slow", fails), MoodySink("quick")
    async with a_store(tmp_path, "slow", "quick") as store:
        senders = Senders([slow, quick], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a")], {})
        assert await senders.drained(0.3, asyncio.Event()) == {"slow": 1}
        assert len(quick.taken) == 1
        slow.may_open.set()
        assert await senders.drained(5.0, asyncio.Event()) == {}
        await senders.stop(0.5)
    assert len(slow.taken) == 1


async def test_a_daemon_ends_though_a_sink_never_opened_sent_or_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "OPEN_S", 0.05)
    monkeypatch.setattr(outbox, "CLOSE_S", 0.05)

    class NeverCloses(MoodySink):
        async def close(self) -> None:
            await asyncio.Event().wait()

    closed, stuck, never = SlowDoor("closed"), MoodySink("stuck"), NeverCloses("never")
    stuck.stuck = asyncio.Event()
    async with a_store(tmp_path, "stuck") as store:
        senders = Senders([closed, stuck, never], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a")], {})
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5.0):
            await senders.stop(0.05)
        assert (await store.backlog("stuck")).waiting == 1
    assert stuck.closed == 1


async def test_a_sink_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    wrong = SlowDoor("wrong", fails=1)
    wrong.may_open.set()
    async with a_store(tmp_path, "wrong") as store:
        senders = Senders([MoodySink("fine"), wrong], store, FAST, Metrics())
        with pytest.raises(EnvironmentUnusable):
            await senders.start()
        await senders.stop(0.1)


async def test_an_outbox_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_AWAY_S", (0.001,))
    box, peer = ListOutbox(20, groups=5), Peer()
    box.away = [OSError("gone"), ValueError("odd"), OSError("gone")]
    one = Sender(peer, box, FAST, Metrics())
    await until(box, asyncio.create_task(one.run()), one)
    assert sorted(peer.taken) == sorted(f"d{n}" for n in range(20))


async def test_a_peer_that_asks_for_peace_is_not_asked_by_the_next_delivery() -> None:
    box, peer = ListOutbox(50, groups=50), Peer(parallel=1)
    peer.errors = [Retryable("http-429", "slowly", 0.4)]
    one = Sender(peer, box, FAST, Metrics())
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0.2)
    assert peer.asked == 1
    await until(box, task, one)


async def test_a_refusal_is_an_answer_so_the_others_go_on() -> None:
    box, peer = ListOutbox(40, groups=40), Peer(parallel=4)
    peer.errors = [Permanent("http-400")] * 20
    one = Sender(peer, box, HOURS, Metrics())
    await until(box, asyncio.create_task(one.run()), one)
    assert (len(box.dead), len(peer.taken)) == (20, 20)
    assert not one.is_troubled


def test_waits_of_many_deliveries_are_spread() -> None:
    for asked in (None, 60.0):
        waits = [RetryPolicy().wait_s(7, n / 1000, asked) for n in range(1000)]
        assert max(waits) - min(waits) > 0.15 * min(waits)
        within = max(sum(low <= wait < low + 1.0 for wait in waits) for low in waits[::50])
        assert within < 120
