"""What keeps a desk running: tables of every version, one desk at a time, digests, forgetting."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from cases_stage import CITY, DAY, HOUR, change
from desk_stage import Clock, a_keeper, a_store
from sqlalchemy import Connection, func, select, text

from engine.cases.policy import Storm
from engine.edge.desk import lease as leasing
from engine.edge.desk.audit import newest
from engine.edge.desk.heads import Heads
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.lease import LeaseLost
from engine.edge.desk.migrate import VERSION_TABLE, upgrade, version, versions
from engine.edge.desk.queries import IncidentsAsked, list_incidents
from engine.edge.desk.runner import Runner
from engine.edge.desk.sqlbox import SqlOutbox
from engine.edge.desk.store import DeskStore, desk_url
from engine.edge.desk.tables import audit, metadata, moves, outbox, transitions
from engine.errors import EnvironmentUnusable, StateError
from engine.model.change import Change


def count(keeper: Keeper, table: Any, *where: Any) -> int:
    query = select(func.count()).select_from(table).where(*where)
    return int(keeper.store.read_now(lambda link: link.execute(query).scalar_one()))


@pytest.mark.parametrize("before", ["", *versions()])
def test_tables_of_every_version_become_those_of_today(
    database: str, tmp_path: Path, before: str
) -> None:
    if before:
        url = desk_url(database, tmp_path)
        engine = sqlalchemy.create_engine(url)
        upgrade(engine, "there", to=before)
        engine.dispose()
    store = a_store(tmp_path, database)
    try:
        assert store.upgraded == (before, versions()[-1])
        assert store.read_now(version) == versions()[-1]
        assert store.read_now(differences) == []
    finally:
        store.close_now()


def differences(link: Connection) -> list[str]:
    """What the steps made and the code says otherwise; words have a table in their own way."""
    options: dict[str, Any] = {
        "version_table": VERSION_TABLE,
        "include_name": lambda name, kind, _p: kind != "table" or "_words" not in (name or ""),
    }
    context = MigrationContext.configure(link, opts=options)
    found = compare_metadata(context, metadata)
    return [repr(one) for one in found if "_words" not in repr(one)]


def test_tables_of_a_newer_version_are_left_alone(database: str, tmp_path: Path) -> None:
    store = a_store(tmp_path, database)
    store.write_now(lambda link: link.execute(text(f"UPDATE {VERSION_TABLE} SET version_num='9'")))
    store.close_now()
    with pytest.raises(StateError, match="of version 9"):
        a_store(tmp_path, database)


def test_tables_of_others_are_left_alone(database: str, tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(desk_url(database, tmp_path))
    with engine.begin() as link:
        link.execute(text("CREATE TABLE incidents (id TEXT)"))
    engine.dispose()
    with pytest.raises(EnvironmentUnusable, match="not Forewarn's"):
        a_store(tmp_path, database)


@pytest.mark.parametrize("url", ["mysql://a:geheim@b/c", "sqlite://", "geheim", "postgresql"])
def test_other_addresses_are_refused_without_showing_them(tmp_path: Path, url: str) -> None:
    with pytest.raises(EnvironmentUnusable) as caught:
        desk_url(url, tmp_path)
    assert "geheim" not in str(caught.value)


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    url = desk_url("postgresql://us:geheim@127.0.0.1:1/none", tmp_path)
    with pytest.raises(EnvironmentUnusable, match="cannot be used") as caught:
        DeskStore(url)
    assert "geheim" not in str(caught.value)


class Some:
    """A log of alerts that several desks read."""

    def __init__(self, keeper: Keeper, changes: Sequence[Change]) -> None:
        self._keeper, self._changes = keeper, changes
        self._next: int | None = None

    async def once(self) -> int:
        if self._next is None:
            self._next = (await self._keeper.positions()).get("log", 0)
        some = self._changes[self._next : self._next + 3]
        if some:
            end = self._next + len(some)
            await self._keeper.take(some, {"log": end})
            self._next = end
        return len(some)

    def forget(self) -> None:
        self._next = None


async def test_two_desks_at_one_database_double_nothing(database: str, tmp_path: Path) -> None:
    alerts = [change(key=f"K{number}", rule="a") for number in range(30)]
    async with a_keeper(tmp_path, database) as one, a_keeper(tmp_path, database) as other:
        runners = [
            Runner(keeper, Some(keeper, alerts), Heads(tmp_path / f"heads{number}"), term_ms=20_000)
            for number, keeper in enumerate((one, other))
        ]
        tasks = [asyncio.create_task(runner.run()) for runner in runners]
        async with asyncio.timeout(60):
            while count(one, transitions) < 12:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.01)
            first = next(runner for runner in runners if runner.leads)
            first.stop()
            while count(one, transitions) < 30:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for runner in runners:
            runner.stop()
        await asyncio.gather(*tasks)
        assert count(one, transitions) == 30
        assert count(one, moves, moves.c.verb == "open") == 30
        _, breaks = await one.store.read(one.ledger.verify)
        assert breaks == []


async def test_a_desk_that_slept_through_its_term_writes_nothing(
    database: str, tmp_path: Path
) -> None:
    async with a_keeper(tmp_path, database) as old, a_keeper(tmp_path, database) as new:
        old.lease = await old.store.write(lambda link: leasing.take(link, "old", 3_000))
        assert await new.store.write(lambda link: leasing.take(link, "new", 3_000)) is None
        await asyncio.sleep(3.1)
        new.lease = await new.store.write(lambda link: leasing.take(link, "new", 60_000))
        assert old.lease is not None
        assert new.lease is not None
        assert new.lease.fence == old.lease.fence + 1
        with pytest.raises(LeaseLost):
            await old.take([change()])
        with pytest.raises(LeaseLost):
            await old.forget(400)
        assert (await new.take([change()])).fresh == 1
        assert count(new, moves, moves.c.verb == "open") == 1


async def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    alerts = [change(key=f"K{number}", rule="a") for number in range(12)]
    told: list[str] = []
    async with a_keeper(tmp_path) as keeper:
        runner = Runner(keeper, Some(keeper, alerts), Heads(tmp_path / "heads"), told.append)
        assert await runner.lead()
        assert await runner.look()
        before = count(keeper, transitions)
        await keeper.store.write(lambda link: link.execute(text("PRAGMA max_page_count = 1")))
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(60):
            while not told:  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.01)
            assert "full" in told[0]
            assert count(keeper, transitions) == before < 12
            await keeper.store.write(
                lambda link: link.execute(text("PRAGMA max_page_count = 1073741823"))
            )
            while count(keeper, transitions) < 12:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        runner.stop()
        await task
        assert told[-1] == ""
        assert count(keeper, moves, moves.c.verb == "open") == 12


async def test_papers_of_a_storm_become_one_digest_a_sink(database: str, tmp_path: Path) -> None:
    storm = Storm(over=5, within_ms=60_000, every_ms=300_000, sinks=("screen",))
    policy, clock = replace(CITY, storm=storm), Clock()
    async with a_keeper(tmp_path, database, clock, policy) as keeper:
        await keeper.take([change(key=f"K{number}", rule="a") for number in range(40)])
        to_screen = outbox.c.sink == "screen"
        assert count(keeper, outbox, to_screen, outbox.c.phase == "due") == 5
        assert count(keeper, outbox, to_screen, outbox.c.phase == "wait") == 35
        assert await keeper.tell() == 0
        clock.now_ms += 300_000
        assert await keeper.tell() == 35
        assert count(keeper, outbox, to_screen, outbox.c.phase == "told") == 35
        assert count(keeper, outbox, to_screen, outbox.c.kind == "digest") == 1
        assert await keeper.tell() == 0
        due = await SqlOutbox(keeper, lambda: True).claim("screen", 64)
        assert len(due) == 6
        assert b'"digest"' in due[-1].body
        assert await SqlOutbox(keeper, lambda: False).claim("screen", 64) == ()


async def test_what_is_over_and_old_is_forgotten_and_cases_are_not(
    database: str, tmp_path: Path
) -> None:
    clock = Clock()
    async with a_keeper(tmp_path, database, clock) as keeper:
        await keeper.take([change(), change("raised", ordinal=2, severity="red")])
        box = SqlOutbox(keeper, lambda: True)
        for row in await box.claim("screen", 64):
            await box.sent(row.id)
        written = count(keeper, audit)
        clock.now_ms += 401 * DAY
        assert await keeper.forget(400) == 2
        assert await keeper.forget(400) == 0
        assert count(keeper, transitions) == 1
        assert count(keeper, audit) == written
        assert (await keeper.take([change()])).fresh == 1
        page = await keeper.store.read(lambda link: list_incidents(link, IncidentsAsked()))
        (case,) = page.rows
        assert case.version >= 3


async def test_the_head_tells_when_the_audit_was_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_keeper(tmp_path) as keeper:
        runner = Runner(keeper, Some(keeper, []), Heads(tmp_path / "heads"))
        await keeper.take([change()])
        await runner.write_head(now=True)
        head = await keeper.store.read(newest)
        assert Heads(tmp_path / "heads").newest == head

        def cut(link: Connection) -> None:
            link.execute(text("DROP TRIGGER audit_no_delete"))
            link.execute(text("DELETE FROM audit WHERE seq >= 2"))

        keeper.store.write_now(cut)
        await runner.write_head(now=True)
        assert Heads(tmp_path / "heads").newest == head
    assert "audit-broken" in capsys.readouterr().out


async def test_pages_neither_repeat_nor_skip(database: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_keeper(tmp_path, database, clock) as keeper:
        for number in range(23):
            clock.now_ms += HOUR
            await keeper.take([change(key=f"K{number}", rule="a")])
        for order in ("opened", "updated", "due"):
            found: list[str] = []
            after: str | None = None
            while True:
                page = await keeper.store.read(
                    lambda link, order=order, after=after: list_incidents(  # type: ignore[misc]
                        link, IncidentsAsked(order=order), limit=5, after=after
                    )
                )
                found += [case.number for case in page.rows]
                after = page.next
                if after is None:
                    break
            assert len(found) == len(set(found)) == 23


@pytest.mark.parametrize(
    ("asked", "hits"),
    [
        ("苏F1", 2), ("ｆ123", 2), ("F12345", 1), ("危化", 2), ("车辆异", 2), ("危化 F12399", 1),
        ("驻", 2), ("化危", 0), ("F9", 0), ("100% _", 0), ("'; DROP", 0), ("异常 公", 0),
    ],
)  # fmt: skip
async def test_any_piece_of_a_word_is_found(
    database: str, tmp_path: Path, asked: str, hits: int
) -> None:
    async with a_keeper(tmp_path, database) as keeper:
        await keeper.take([change(key="苏F12345", rule="a"), change(key="苏F12399", rule="a")])
        query = IncidentsAsked(text=asked)
        page = await keeper.store.read(lambda link: list_incidents(link, query))
    assert len(page.rows) == hits


async def test_a_search_is_planned_for_its_own_words_however_often_it_is_asked(
    pg: str, tmp_path: Path
) -> None:
    async with a_keeper(tmp_path, pg) as keeper:
        await keeper.take([change(key="苏F12345", rule="a")])
        for word in ["苏F", "危化", "驻留"] * 7:  # a driver prepares what it is asked six times
            asked = IncidentsAsked(text=word)
            keeper.store.read_now(lambda link, asked=asked: list_incidents(link, asked))  # type: ignore[misc]
        kept = text("SELECT count(*) FROM pg_prepared_statements")
        assert keeper.store.read_now(lambda link: link.execute(kept).scalar_one()) == 0
