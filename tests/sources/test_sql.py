"""Rows of SQLite and PostgreSQL: each once and in order, however it is stopped, ties and all."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import a_store
from hypothesis import given
from hypothesis import strategies as st
from postgres import postgres
from terminal_stage import gateway, until

from connectors.sources.sql import Mark, Options, SqlSource, _fresh, build
from engine.errors import EnvironmentUnusable
from engine.ports import SourceContext

sqlalchemy = pytest.importorskip("sqlalchemy", reason="forewarn[sql] is not installed")
QUERY = "SELECT id, at, plate FROM moves"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("server") / "pg") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, str]]:
    """An empty table, and the address that a source is given."""
    if request.param == "sqlite":
        url, ours = "sqlite:///moves.db", f"sqlite:///{tmp_path}/moves.db"
    else:
        url = request.getfixturevalue("server")
        ours = url.replace("postgresql", "postgresql+psycopg")
    engine = sqlalchemy.create_engine(ours)
    with engine.begin() as link:
        link.execute(sqlalchemy.text("DROP TABLE IF EXISTS moves"))
        link.execute(sqlalchemy.text("CREATE TABLE moves (id integer, at timestamp, plate text)"))
    yield engine, url
    engine.dispose()


def insert(engine: Any, *rows: tuple[int, int, str]) -> None:
    """Rows (id, second, plate)."""
    begun = datetime(2026, 8, 1)  # noqa: DTZ001 - the database's own, without a zone
    values = [{"i": i, "t": begun + timedelta(seconds=s), "p": p} for i, s, p in rows]
    with engine.begin() as link:
        link.execute(sqlalchemy.text("INSERT INTO moves VALUES (:i, :t, :p)"), values)


def source(url: str, **options: Any) -> Callable[[SourceContext], SqlSource]:
    given = {"feed": "gps", "url": url, "query": QUERY, "cursor": "id", "every_s": 0.1, **options}
    return lambda context: build("moves", Options(**given), context)


async def test_rows_come_once_in_the_order_of_the_cursor_and_later_ones_too(
    database: tuple[Any, str], tmp_path: Path
) -> None:
    engine, url = database
    insert(engine, (2, 0, "b"), (1, 0, "a"))
    async with gateway(tmp_path, source(url, page=1)) as stage:
        await until(lambda: [one["id"] for one in stage.records] == [1, 2])
        insert(engine, (3, 0, "c"))
        await until(lambda: [one["id"] for one in stage.records] == [1, 2, 3])
        assert stage.records[2]["plate"] == "c"
        await asyncio.sleep(0.3)
        assert len(stage.records) == 3


async def test_rows_that_share_the_last_value_are_all_read_also_those_that_come_later(
    database: tuple[Any, str], tmp_path: Path
) -> None:
    engine, url = database
    insert(engine, *[(n, 5, f"p{n}") for n in range(20)])
    async with gateway(tmp_path, source(url, cursor="at", page=3)) as stage:
        await until(lambda: len(stage.records) == 20)
        insert(engine, (77, 5, "late"), (3, 5, "p3"))
        await until(lambda: len(stage.records) == 22)
        insert(engine, (78, 6, "next"))
        await until(lambda: len(stage.records) == 23)
    plates = [one["plate"] for one in stage.records]
    assert sorted(plates[:20]) == sorted(f"p{n}" for n in range(20))
    assert (sorted(plates[20:22]), plates[22]) == (["late", "p3"], "next")


async def test_how_far_it_came_is_kept_with_the_rows(
    database: tuple[Any, str], tmp_path: Path
) -> None:
    engine, url = database
    insert(engine, *[(n, n // 4, f"p{n}") for n in range(10)])
    async with gateway(tmp_path, source(url, cursor="at", page=3)) as stage:
        await until(lambda: len(stage.records) == 10)
        marks = dict(stage.journal.marks)
    insert(engine, (10, 2, "p10"), (11, 3, "p11"))
    again = source(url, cursor="at")

    def resumed(context: SourceContext) -> SqlSource:
        context.journal.marks.update(marks)  # type: ignore[attr-defined]
        return again(context)

    async with gateway(tmp_path, resumed) as stage:
        await until(lambda: [one["id"] for one in stage.records] == [10, 11])
        await asyncio.sleep(0.2)
        assert len(stage.records) == 2


async def test_rows_at_or_below_the_start_are_left_out(
    database: tuple[Any, str], tmp_path: Path
) -> None:
    engine, url = database
    insert(engine, (1, 0, "a"), (2, 0, "b"), (3, 0, "c"))
    async with gateway(tmp_path, source(url, start=2)) as stage:
        await until(lambda: [one["id"] for one in stage.records] == [3])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({"query": "SELECT nothing FROM nowhere"}, id="no-table"),
        pytest.param({"cursor": "none"}, id="no-column"),
        pytest.param({"url": "sqlite:///missing.db"}, id="no-file"),
    ],
)
async def test_what_the_database_refuses_is_told_at_the_start(
    database: tuple[Any, str], tmp_path: Path, words: dict[str, str]
) -> None:
    given = {"url": database[1], **words}
    with pytest.raises(EnvironmentUnusable, match="does not take the query"):
        async with gateway(tmp_path, source(**given)):
            pass


async def test_a_query_may_hold_colons_and_cannot_write(
    database: tuple[Any, str], tmp_path: Path
) -> None:
    engine, url = database
    insert(engine, (1, 0, "a"))
    query = "SELECT id, '12:30' AS hour FROM moves;"
    async with gateway(tmp_path, source(url, query=query)) as stage:
        await until(lambda: stage.records == [{"id": 1, "hour": "12:30"}])
    if not url.startswith("sqlite"):
        return
    with pytest.raises(EnvironmentUnusable):
        async with gateway(tmp_path, source(url, query="DELETE FROM moves RETURNING id")):
            pass


async def test_a_server_that_is_away_is_asked_again(tmp_path: Path) -> None:
    async with gateway(tmp_path, source("postgresql://us@127.0.0.1:9/none")) as stage:
        await until(lambda: stage.counts["ask-failed"] >= 2)


async def test_the_mark_and_the_rows_are_one_transaction(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        await store.inbox_put("gps", [b"1"], 5, ("moves", "m1"))
        await store.inbox_put("gps", [], 5, ("moves", "m2"))
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the driver says
            await store.inbox_put("gps", [None], 5, ("moves", "m3"))  # type: ignore[list-item]
        assert await store.mark("moves") == "m2"
        assert await store.mark("else") is None
        assert await store.inbox_depth("gps") == 1


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([b"a", b"b", b"c"])), max_size=30),
    st.integers(1, 5),
    st.randoms(),
)
def test_every_row_is_read_once_whatever_shares_a_value(
    rows: list[tuple[int, bytes]], page: int, chance: Any
) -> None:
    """Rows of a value come in any order; pages and restarts fall anywhere."""
    mark, read = Mark(), []
    for _ in range(200):
        beyond = [row for row in rows if mark.value is None or row[0] >= mark.value]
        chance.shuffle(beyond)
        beyond.sort(key=lambda row: row[0])
        fresh, mark = _fresh(beyond[: page + sum(mark.seen.values())], mark)
        if not fresh:
            break
        read += fresh
        mark = Mark.read(mark.written())
    assert sorted(read) == sorted(record for _, record in rows)
