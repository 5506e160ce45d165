"""`forewarn desk run` as a process: its start and end, a kill, and a PostgreSQL that goes away."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import pytest
from cases_stage import change
from desk_city import make_city
from postgres import Server
from receiver import Receiver, receiver
from services import free_port
from sqlalchemy import func, select

from engine.edge.desk.opening import open_ledger, open_store
from engine.edge.desk.tables import incidents, moves, outbox, transitions
from engine.edge.settings import read_settings

ROOT = Path(__file__).parents[3]
PATIENCE_S = 90.0
LEASE_S = 3


@dataclass
class Place:
    """A folder with a desk's settings, and a daemon's table of changes that a test fills."""

    folder: Path
    peer: Receiver
    port: int = field(default_factory=free_port)
    told: int = 0

    def prepare(self, url: str | None = None, *, daemon: bool = False) -> "Place":
        """Write the settings; a daemon makes its table of changes itself."""
        make_city(self.folder, self.peer.url, [])
        settings = json.loads((self.folder / "forewarn.yaml").read_text("utf-8"))
        settings["metrics"] = {"port": self.port}
        settings["desk"] = {"lease_s": LEASE_S, **({} if url is None else {"url": url})}
        (self.folder / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
        if daemon:
            return self
        (self.folder / "data").mkdir()
        with closing(sqlite3.connect(self.folder / "data/forewarn.db")) as link, link:
            link.execute("PRAGMA journal_mode = WAL")
            link.execute("CREATE TABLE changes (seq INTEGER PRIMARY KEY, body BLOB)")
        return self

    def tell(self, count: int = 1) -> None:
        """So many alerts fire."""
        with closing(sqlite3.connect(self.folder / "data/forewarn.db")) as link, link:
            for _ in range(count):
                self.told += 1
                body = msgspec.json.encode(change(key=f"F{self.told}"))
                link.execute("INSERT INTO changes (body) VALUES (?)", (body,))

    async def ready(self) -> tuple[int, str]:
        """What `/ready` answers; 0 while nobody does."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}/ready") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def orders(self) -> int:
        """Cases whose order the receiver has."""
        found = {json.loads(body)["incident"] for _, body in self.peer.got}
        return len(found)

    async def whole(self) -> None:
        """Every alert is one case, told once to whom drops what he knows; the audit is whole."""
        configured = read_settings(self.folder, {})
        store = open_store(configured, "en")
        try:
            counts = [select(func.count()).select_from(one) for one in (transitions, incidents)]
            found = store.read_now(lambda link: [link.execute(one).scalar() for one in counts])
            assert found == [self.told, self.told]
            causes = store.read_now(
                lambda link: link.execute(select(moves.c.cause)).scalars().all()
            )
            assert len(causes) == len(set(causes))
            papers = dict(
                store.read_now(
                    lambda link: [
                        tuple(row)
                        for row in link.execute(select(outbox.c.delivery_id, outbox.c.phase))
                    ]
                )
            )
            assert set(papers.values()) == {"sent"}
            assert set(self.peer.ids) == set(papers)
            _, breaks = store.read_now(open_ledger(configured, "en").verify)
            assert breaks == []
        finally:
            await store.close()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.1)


@asynccontextmanager
async def desk_run(place: Place, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`forewarn desk run`, or another command, once it is ready."""
    words = words or ("desk", "run", "--folder")
    log = (place.folder / "desk.log").open("ab")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine", *words, str(place.folder), cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
    )  # fmt: skip
    log.close()

    async def is_ready() -> bool:
        assert process.returncode is None, said(place)
        return (await place.ready())[0] == 200

    try:
        await until(is_ready)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()


def said(place: Place) -> str:
    """The log so far."""
    return (place.folder / "desk.log").read_text("utf-8")


async def test_it_starts_takes_what_is_there_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    async with receiver() as peer:
        place = Place(tmp_path, peer).prepare()
        place.tell(2)
        async with desk_run(place) as process:

            async def arrived() -> bool:
                return await place.orders() == place.told

            await until(arrived)
            place.tell()
            await until(arrived)
        assert process.returncode == 0
        assert "desk-leads" in said(place)
        assert "stopped" in said(place).splitlines()[-1]
        await place.whole()


async def test_killed_while_an_order_is_on_its_way_it_comes_back_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with receiver("hang") as peer:
        place = Place(tmp_path, peer).prepare()
        place.tell(3)

        async def arrived() -> bool:
            return await place.orders() == place.told

        async def some_left() -> bool:
            return bool(peer.got)

        async with desk_run(place) as process:
            await until(some_left)
            process.kill()
            assert await process.wait() == -signal.SIGKILL
        place.tell(2)
        peer.mood = "takes"
        peer.slow.set()
        async with desk_run(place):
            await until(arrived)

            async def all_marked() -> bool:
                query = "SELECT count(*) FROM outbox WHERE phase <> 'sent'"
                with closing(sqlite3.connect(tmp_path / "data/desk.db")) as link:
                    return bool(link.execute(query).fetchone()[0] == 0)

            await until(all_marked)
        await place.whole()


async def test_it_says_that_its_database_is_away_and_goes_on_by_itself(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres")
    try:
        server.start()
        async with receiver() as peer:
            place = Place(tmp_path / "city", peer).prepare(server.url)
            place.tell()

            async def arrived() -> bool:
                return await place.orders() == place.told

            async def blocked() -> bool:
                status, words = await place.ready()
                return status == 503 and "connection" in words.lower()

            async def ready() -> bool:
                return (await place.ready())[0] == 200

            async with desk_run(place) as process:
                await until(arrived)
                server.stop()
                place.tell(2)
                await until(blocked)
                for _ in range(LEASE_S + 2):  # beyond its lease it still says so
                    await asyncio.sleep(1)
                    assert await blocked()
                assert process.returncode is None
                server.start()
                await until(ready)
                await until(arrived)
                place.tell()
                await until(arrived)
            assert process.returncode == 0
            assert "desk-blocked" in said(place)
            assert "desk-unblocked" in said(place)
            await place.whole()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("words", "times"),
    [
        pytest.param((), 1, id="a-desk-by-itself"),
        pytest.param((), 2, id="a-desk-that-refused-one"),
        pytest.param(("run",), 2, id="a-desk-beside-the-daemon"),
    ],
)
async def test_an_edit_comes_in_at_a_signal(
    tmp_path: Path, words: tuple[str, ...], times: int
) -> None:
    async with receiver() as peer:
        place = Place(tmp_path, peer).prepare(daemon=bool(words))
        settings = json.loads((tmp_path / "forewarn.yaml").read_text("utf-8"))
        settings["reload"] = {"watch": False}
        (tmp_path / "forewarn.yaml").write_text(json.dumps(settings), "utf-8")
        routes = tmp_path / "desk/routes.yaml"
        async with desk_run(place, *words) as process:
            good = routes.read_text("utf-8")
            for _ in range(times - 1):
                routes.write_text(good.replace("lead: police", "lead: polise"), "utf-8")
                process.send_signal(signal.SIGHUP)

                async def refused() -> bool:
                    return "refused" in (await place.ready())[1]

                await until(refused)
            routes.write_text(good.replace("quiet: 10m", "quiet: 5m"), "utf-8")
            process.send_signal(signal.SIGHUP)

            async def in_force() -> bool:
                return "desk-redeclared" in said(place)

            await until(in_force)
            assert "refused" not in (await place.ready())[1]
        assert process.returncode == 0
