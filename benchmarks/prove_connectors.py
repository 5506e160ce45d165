"""Connectors: twelve misbehaviours of a peer x every sink on a network, and an hour down.

Real Mosquitto, PostgreSQL and an SMTP server (aiosmtpd), fake robots and gateways that refuse with
200, each behind a front that misbehaves; the real outbox and senders. Beside the sink in trouble
another one posts to a receiver of its own: how long it takes from the store to that receiver is
compared with the same minutes without trouble. Then one sink is down for an hour, with 10,000
deliveries queued, and drained. All waits of the retry policy are shortened by the same factor.
"""

import asyncio
import io
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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


async def settled(timed: Timed, queued: dict[str, float], within_s: float = 60.0) -> list[float]:
    """Milliseconds from the queue to being taken, once all were."""
    async with asyncio.timeout(within_s):
        while not queued.keys() <= timed.taken.keys():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return [(timed.taken[name] - at) * 1000 for name, at in queued.items()]


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
    failures: list[str] = []
    metrics = Metrics()
    real = metrics.delivered

    def counted(sink: str, result: str, seconds: float) -> None:
        if sink == "victim" and result != "sent":
            failures.append(result)
        real(sink, result, seconds)

    metrics.delivered = counted  # type: ignore[method-assign]
    async with (
        mishap_stage.stage_of(kind, folder) as stage,
        another(folder) as (timed, _),
        a_store(folder / "store", "victim", "other") as store,
    ):
        secure = mishap == "wrong-tls"
        if secure:
            stage.front.good = mishap_stage.context_of(folder / "broker.pem")
            stage.front.bad = mishap_stage.context_of(folder / "strange.pem")
            await stage.front.set("")
        victim = stage.make(secure)
        victim.name = "victim"
        senders = Senders([victim, timed], store, FAST, metrics)
        await senders.start()
        calm, bad = story(keys, "calm"), story(keys, "bad")
        calm_ms = await settled(timed, await paced(store, calm, 60.0))
        await stage.front.set(mishap)
        names.is_away = mishap == "dns"
        failures.clear()
        beside_ms = await settled(timed, await paced(store, bad, 60.0))
        most = len(bad) if mishap == "redirect" else 2
        async with asyncio.timeout(60):
            while len(failures) < most:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        seen_failures = len(failures)
        await stage.front.set("")
        names.is_away = False
        await mishap_stage.drained(senders, store)
        await senders.stop(5.0)
        every = calm + bad
        got = [mishap_stage.whole(one, every) for one in stage.got()]
    first = list(dict.fromkeys(got))
    lost = len({one.delivery_id for one in every} - set(first))
    return Seen(kind, mishap, lost, len(got) - len(first), swapped(first, every), seen_failures,
                calm_ms, beside_ms)  # fmt: skip


async def hour_down(report: Report, folder: Path, count: int, down_s: float) -> None:
    """A sink that cannot be reached for an hour while deliveries queue, then drained."""
    factor = HOUR_S / down_s
    policy = RetryPolicy(first_s=1.0 / factor, most_s=300.0 / factor, give_up_s=86_400.0)
    folder.mkdir()  # noqa: ASYNC240
    changes = story(count // 3, "hour")
    async with (
        mishap_stage.stage_of("webhook", folder) as stage,
        another(folder) as (timed, _),
        a_store(folder / "store", "victim", "other") as store,
    ):
        victim = stage.make(False)
        victim.name = "victim"
        await stage.front.set("closed")
        senders = Senders([victim, timed], store, policy, Metrics())
        await senders.start()
        begun = time.monotonic()
        for start in range(0, len(changes), 100):
            await store.accept(changes[start : start + 100], {})
        queued = dict.fromkeys((one.delivery_id for one in changes), begun)
        await settled(timed, queued, 900.0)
        other_s = time.monotonic() - begun
        await asyncio.sleep(max(0.0, down_s - (time.monotonic() - begun)))
        waiting = (await store.backlog("victim")).waiting
        await stage.front.set("")
        mended = time.monotonic()
        async with asyncio.timeout(900):
            while await senders.drained(5.0, asyncio.Event()):
                pass
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
    changes = story(count, "storm")[:count]
    async with robot_peer("wecom") as peer, a_store(folder / "store", "victim") as store:
        robot = declared("wecom", folder, url=peer.url, token=TOKEN, secret=SECRET)
        robot.name = "victim"
        senders = Senders([robot], store, RetryPolicy(), Metrics())
        await senders.start()
        begun = time.monotonic()
        await store.accept(changes, {})
        async with asyncio.timeout(1800):
            while await senders.drained(5.0, asyncio.Event()):
                pass
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
    seen = [
        await tried(kind, mishap, folder / f"{kind}-{mishap}", keys, names)
        for kind, mishap in table
    ]
    shorter.stop()
    tell(report, seen, keys)
    await hour_down(report, folder / "hour", *((999, 5.0) if asked.reduced else (9999, 30.0)))
    await folded(report, folder / "storm", 100 if asked.reduced else 1000)


def tell(report: Report, seen: Sequence[Seen], keys: int) -> None:
    """The table of misbehaviours, and what holds of all of them."""
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
    report.claim("nothing is lost", not sum(one.lost for one in seen), f"{len(seen)} cases")
    report.claim("the order of each episode is kept", not sum(one.swapped for one in seen))
    report.claim(
        f"another sink's p99 beside all of them is below {G_P99:g} times its p99 before",
        during < G_P99 * max(before, FLOOR_MS),
        f"{during:.1f} ms against {before:.1f} ms over {len(beside):,} deliveries",
    )


if __name__ == "__main__":
    sys.exit(main())
