"""Connectors: twelve misbehaviours of a peer x every sink on a network, and an hour down.

Real Mosquitto, PostgreSQL and an SMTP server (aiosmtpd), fake robots and gateways that refuse with
200, each behind a front that misbehaves; the real outbox and senders. Beside the sink in trouble
another one posts to a receiver of its own: how long it takes from the store to that receiver is
compared with the same minutes without trouble. Then one sink is down for an hour, with 10,000
deliveries queued, and drained. All waits of the retry policy are shortened by the same factor.
Nothing here is timed out while anything still happens: a case is given up, and fails, when for
minutes on end nobody was sent anything. A case in which the machine took the processor away from
all of it for a while is tried again, as its times say nothing of sinks; the page tells how often.
"""

import asyncio
import io
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.report import ROOT, Report, options
from benchmarks.steady import share
from benchmarks.worlds import scratch

sys.path.insert(0, str(ROOT / "tests/support"))  # the peers are those of the tests

import certificates
import mishap_stage
from daemon_stage import a_store
from mishaps import NAME, NameService
from receiver import Receiver, receiver
from robot_peer import SECRET, TOKEN, robot_peer
from services import SHARED
from sink_stage import a_change, declared

from engine.dispatch.retry import RetryPolicy
from engine.edge.logs import set_up_logs
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store
from engine.model.change import Change
from engine.ports import Sink

FAST = RetryPolicy(first_s=0.05, most_s=0.25, give_up_s=3600)
HOUR_S = 3600.0
G_P99 = 2.0
"""How many times longer another sink's deliveries may take beside one in trouble."""
FLOOR_MS = 5.0
"""A p99 below this is not told from another: the clock of a busy machine is no finer."""
STILL_S = 120.0
"""A case in which nothing has happened for so long will not end."""
TICK_S, GAP_S = 0.01, 0.25
AGAIN = 5
"""So often a case is tried from which the processor was taken away."""
REDUCED = {"webhook", "dingtalk", "mail", "mqtt"}


@dataclass(slots=True)
class Timed:
    """A sink that notes when each delivery was taken (monotonic seconds)."""

    inner: Sink
    name: str = "other"
    parallel: int = 8
    taken: dict[str, float] = field(default_factory=dict)

    async def open(self) -> None:
        await self.inner.open()

    async def send(self, delivery_id: str, body: bytes, attempt: int) -> None:
        await self.inner.send(delivery_id, body, attempt)
        self.taken[delivery_id] = time.monotonic()

    async def close(self) -> None:
        await self.inner.close()


class Ends(Metrics):
    """Counts as ever, and notes how each try of the sink in trouble ended."""

    def __init__(self) -> None:
        super().__init__()
        self.of_victim: list[str] = []

    def delivered(self, sink: str, result: str, seconds: float) -> None:
        """A try ended."""
        if sink == "victim":
            self.of_victim.append(result)
        super().delivered(sink, result, seconds)

    @property
    def failures(self) -> list[str]:
        """The tries that failed."""
        return [one for one in self.of_victim if one != "sent"]

    def progress(self) -> int:
        """What grows as long as something happens that matters."""
        return self.of_victim.count("dead") or len(self.of_victim)

    def suffice(self, queued: int) -> bool:
        """Whether the peer in trouble was met: twice, or by all deliveries if it refuses for good.

        What is refused for good is sent anew by hand, so all of it must have been refused before
        the peer is mended: a later transition that got through would stand before an earlier one.
        """
        return len(self.failures) > 1 and self.of_victim.count("dead") in (0, queued)


@dataclass(slots=True)
class Seen:
    """What one run showed."""

    kind: str
    mishap: str
    lost: int
    repeats: int
    swapped: int
    failures: int
    calm_ms: list[float]
    beside_ms: list[float]
    paused_s: float


def story(keys: int, salt: str) -> list[Change]:
    """Three transitions of so many episodes, the first of all before the second of any."""
    names = [f"{salt}{number}" for number in range(keys)]
    return [a_change(name, ordinal) for ordinal in range(3) for name in names]


def swapped(found: Sequence[str], changes: Sequence[Change]) -> int:
    """Episodes of which a later transition came before an earlier one."""
    place = {name: at for at, name in enumerate(found)}
    wrong = set()
    by_key: dict[str, int] = {}
    for one in changes:
        at = place.get(one.delivery_id, -1)
        if at < by_key.get(one.key, -1):
            wrong.add(one.key)
        by_key[one.key] = at
    return len(wrong)


async def paced(store: Store, changes: Sequence[Change], rate: float) -> dict[str, float]:
    """Queue changes one by one; answers when each was (monotonic seconds)."""
    queued = {}
    begun = time.monotonic()
    for number, one in enumerate(changes):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        queued[one.delivery_id] = time.monotonic()
        await store.accept([one], {})
    return queued


async def settled(timed: Timed, queued: dict[str, float]) -> list[float]:
    """Milliseconds from the queue to being taken, once all were."""
    await reached(lambda: queued.keys() <= timed.taken.keys(), lambda: len(timed.taken))
    return [(timed.taken[name] - at) * 1000 for name, at in queued.items()]


async def reached(holds: Callable[[], bool], doings: Callable[[], object]) -> None:
    """Wait until something holds, however long that takes, as long as the doings change.

    Raises:
        TimeoutError: they stood still.

    """
    seen, still_s, last = doings(), 0.0, time.monotonic()
    while not holds():
        await asyncio.sleep(TICK_S)
        now, at = doings(), time.monotonic()
        still_s = 0.0 if now != seen else still_s + min(at - last, GAP_S)  # stopped time is no time
        seen, last = now, at
        if still_s > STILL_S:
            message = f"nothing has happened for {STILL_S:.0f} s"
            raise TimeoutError(message)


@asynccontextmanager
async def taken_away() -> AsyncIterator[list[float]]:
    """Seconds for which this process could have run and was not let: none of them says a thing."""
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            at, used = time.monotonic(), time.process_time()
            await asyncio.sleep(TICK_S)
            idle = time.monotonic() - at - (time.process_time() - used)
            if idle > GAP_S:
                gaps.append(idle)

    watching = asyncio.create_task(watch())
    try:
        yield gaps
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def emptied(senders: Senders, ends: Ends) -> None:
    """Wait until nothing waits for any sink, as long as the one in trouble is tried."""
    draining = asyncio.create_task(_drained(senders))
    try:
        await reached(draining.done, lambda: len(ends.of_victim))
    finally:
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)


async def _drained(senders: Senders) -> None:
    while await senders.drained(5.0, asyncio.Event()):
        pass


@asynccontextmanager
async def another(folder: Path) -> AsyncIterator[tuple[Timed, Receiver]]:
    """A webhook to a receiver that behaves."""
    async with receiver() as peer:
        yield Timed(declared("webhook", folder, url=peer.url)), peer


async def tried(kind: str, mishap: str, folder: Path, keys: int, names: NameService) -> Seen:
    """One misbehaviour of one peer, with a calm part before it and the mending after it."""
    folder.mkdir()  # noqa: ASYNC240
    for file in ("ca.pem", "broker.pem", "strange.pem"):
        (folder / file).write_bytes((folder.parent / file).read_bytes())
    ends = Ends()
    async with (
        mishap_stage.stage_of(kind, folder) as stage,
        another(folder) as (timed, _),
        a_store(folder / "store", "victim", "other") as store,
        AsyncExitStack() as stack,
    ):
        secure = mishap == "wrong-tls"
        if secure:
            stage.front.good = mishap_stage.context_of(folder / "broker.pem")
            stage.front.bad = mishap_stage.context_of(folder / "strange.pem")
            await stage.front.set("")
        victim = stage.make(secure)
        victim.name = "victim"
        senders = Senders([victim, timed], store, FAST, ends)
        stack.push_async_callback(senders.stop, 5.0)
        await senders.start()
        calm, bad = story(keys, "calm"), story(keys, "bad")
        gaps = await stack.enter_async_context(taken_away())
        calm_ms = await settled(timed, await paced(store, calm, 60.0))
        await emptied(senders, ends)
        await stage.front.set(mishap)
        names.is_away = mishap == "dns"
        ends.of_victim.clear()
        beside_ms = await settled(timed, await paced(store, bad, 60.0))
        paused_s = sum(gaps)
        await reached(lambda: ends.suffice(len(bad)), ends.progress)
        failures = len(ends.failures)
        await stage.front.set("")
        names.is_away = False
        await mishap_stage.drained(senders, store, STILL_S)
        await senders.stop(5.0)
        every = calm + bad
        got = [mishap_stage.whole(one, every) for one in stage.got()]
    first = list(dict.fromkeys(got))
    lost = len({one.delivery_id for one in every} - set(first))
    return Seen(kind, mishap, lost, len(got) - len(first), swapped(first, every), failures,
                calm_ms, beside_ms, paused_s)  # fmt: skip


async def hour_down(report: Report, folder: Path, count: int, down_s: float) -> None:
    """A sink that cannot be reached for an hour while deliveries queue, then drained."""
    factor = HOUR_S / down_s
    policy = RetryPolicy(first_s=1.0 / factor, most_s=300.0 / factor, give_up_s=86_400.0)
    folder.mkdir()  # noqa: ASYNC240
    changes, ends = story(count // 3, "hour"), Ends()
    async with (
        mishap_stage.stage_of("webhook", folder) as stage,
        another(folder) as (timed, _),
        a_store(folder / "store", "victim", "other") as store,
    ):
        victim = stage.make(False)
        victim.name = "victim"
        await stage.front.set("closed")
        senders = Senders([victim, timed], store, policy, ends)
        await senders.start()
        begun = time.monotonic()
        for start in range(0, len(changes), 100):
            await store.accept(changes[start : start + 100], {})
        queued = dict.fromkeys((one.delivery_id for one in changes), begun)
        await settled(timed, queued)
        other_s = time.monotonic() - begun
        await asyncio.sleep(max(0.0, down_s - (time.monotonic() - begun)))
        waiting = (await store.backlog("victim")).waiting
        await stage.front.set("")
        mended = time.monotonic()
        await emptied(senders, ends)
        drained_s = time.monotonic() - mended
        await senders.stop(5.0)
        got = stage.got()
    first = list(dict.fromkeys(got))
    lost = len({one.delivery_id for one in changes} - set(first))
    wrong = swapped(first, changes)
    report.head("An hour down")
    report.say(
        f"One webhook was away for {down_s:.0f} s; every wait of the retry policy was {factor:.0f} "
        "times shorter than by default, so this stands for an hour. The other sink had its own."
    )
    report.table(
        ["queued", "waiting when mended", "drained in s", "a second", "repeats",
         "other sink done in s"],
        [[len(changes), waiting, drained_s, len(changes) / drained_s, len(got) - len(first),
          other_s]],
    )  # fmt: skip
    report.claim("after an hour down nothing is lost", lost == 0, f"{lost} of {len(changes):,}")
    report.claim("and the order of each episode is kept", wrong == 0, f"{wrong} episodes")


async def folded(report: Report, folder: Path, count: int) -> None:
    """A storm into a robot that takes 20 messages a minute, with its real limit."""
    folder.mkdir()  # noqa: ASYNC240
    changes, ends = story(count, "storm")[:count], Ends()
    async with robot_peer("wecom") as peer, a_store(folder / "store", "victim") as store:
        robot = declared("wecom", folder, url=peer.url, token=TOKEN, secret=SECRET)
        robot.name = "victim"
        senders = Senders([robot], store, RetryPolicy(), ends)
        await senders.start()
        begun = time.monotonic()
        await store.accept(changes, {})
        await emptied(senders, ends)
        took_s = time.monotonic() - begun
        await senders.stop(5.0)
        found = {mishap_stage.whole(one, changes) for one in peer.ids}
    most = max(text.count("＃") for text in peer.messages)
    report.head("A storm into a chat robot")
    report.table(
        ["deliveries", "messages", "most deliveries in one", "s"],
        [[len(changes), len(peer.messages), most, took_s]],
    )  # fmt: skip
    lost = len({one.delivery_id for one in changes} - found)
    report.claim("every delivery of a storm is in a message", lost == 0, f"{lost} missing")
    report.claim(
        "in no minute more messages than 18", len(peer.messages) <= 18 * (1 + took_s // 60)
    )


def main() -> int:
    """Prove and report; exit code 1 when a claim fails."""
    parser = options(__doc__ or "")
    asked = parser.parse_args()
    set_up_logs("error", "json", stream=io.StringIO())  # every failed try would be a line
    report = Report("connectors", "Proof: connectors whose peers misbehave", asked)
    table = list(mishap_stage.TABLE)
    random.Random(asked.seed).shuffle(table)
    if asked.reduced:
        table = [
            one for one in table if one[0] in REDUCED and one[1] in {"hang", "error-body", "closed"}
        ]
    names = NameService()
    mock.patch("socket.getaddrinfo", names).start()
    # A name that was found is good for ten seconds; here it is asked for each connection.
    mock.patch("aiohttp.connector._DNSCacheTable.expired", return_value=True).start()
    with scratch("connectors") as folder:
        certificates.make_certificates(folder, NAME)
        try:
            asyncio.run(play(report, table, folder, names, asked))
        finally:
            SHARED.close()
    return report.close()


async def play(
    report: Report, table: Sequence[tuple[str, str]], folder: Path, names: NameService, asked: Any
) -> None:
    keys = 8 if asked.reduced else 20
    shorter = mock.patch("connectors.robots.Duration", SimpleNamespace(SECOND=10, MINUTE=600))
    shorter.start()
    seen, whole, stuck, again = list[Seen](), list[Seen](), list[str](), 0
    for kind, mishap in table:
        try:
            for number in range(AGAIN):
                one = await tried(kind, mishap, folder / f"{kind}-{mishap}-{number}", keys, names)
                whole.append(one)
                if not one.paused_s:
                    break
                again += 1
            seen.append(one)
        except TimeoutError as error:
            stuck.append(f"{kind}, {mishap}: {error}")
    shorter.stop()
    tell(report, seen, whole, keys)
    report.say(f"Tried again, because the processor was taken away meanwhile: {again} times.")
    report.claim("every case comes to its end", not stuck, "; ".join(stuck) or len(seen))
    await hour_down(report, folder / "hour", *((999, 5.0) if asked.reduced else (9999, 30.0)))
    await folded(report, folder / "storm", 100 if asked.reduced else 1000)


def tell(report: Report, seen: Sequence[Seen], whole: Sequence[Seen], keys: int) -> None:
    """The table of misbehaviours, and what holds of all of them, of every try."""
    report.head("Twelve misbehaviours")
    report.say(
        f"For each: {keys * 3} deliveries of {keys} episodes to a peer that behaves, then as many "
        "to one that does not, 60 a second, to that sink and to another one; then it is mended. "
        "Protocols without statuses have no form of 500, 429, an error in the body and a redirect."
    )
    rows = [
        [one.kind, one.mishap, one.lost, one.swapped, one.repeats, one.failures,
         share(one.calm_ms, 0.99), share(one.beside_ms, 0.99)]
        for one in sorted(seen, key=lambda one: (one.kind, one.mishap))
    ]  # fmt: skip
    report.table(
        ["sink", "peer", "lost", "episodes out of order", "repeats", "failed tries",
         "another sink's p99 before, ms", "beside it, ms"],
        rows,
    )  # fmt: skip
    calm = [ms for one in seen for ms in one.calm_ms]
    beside = [ms for one in seen for ms in one.beside_ms]
    before, during = share(calm, 0.99), share(beside, 0.99)
    report.claim("nothing is lost", not sum(one.lost for one in whole), f"{len(seen)} cases")
    report.claim("the order of each episode is kept", not sum(one.swapped for one in whole))
    report.claim(
        f"another sink's p99 beside all of them is below {G_P99:g} times its p99 before",
        during < G_P99 * max(before, FLOOR_MS),
        f"{during:.1f} ms against {before:.1f} ms over {len(beside):,} deliveries",
    )


if __name__ == "__main__":
    sys.exit(main())
