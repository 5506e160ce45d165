"""Rows from CSV, Parquet, SQLite and PostgreSQL: the same rows are the same table."""

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import postgres as running

from engine.edge.files import read_project
from engine.edge.reference.answers import Answers, wanted_of
from engine.edge.reference.parquet import read_parquet
from engine.edge.reference.rows import as_answer
from engine.edge.reference.sql import Databases
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.feeds.spec import FieldSpec, FieldType
from engine.ruleset.load import load_project
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import TableSpec
from engine.state.tables import Table

duckdb = pytest.importorskip("duckdb", reason="forewarn[parquet] is not installed")
sqlalchemy = pytest.importorskip("sqlalchemy", reason="forewarn[sql] is not installed")

ZONE = "Asia/Shanghai"
COLUMNS: Sequence[tuple[str, FieldType]] = (
    ("plate", FieldType.TEXT), ("weight", FieldType.NUMBER), ("axles", FieldType.INTEGER),
    ("leaves", FieldType.TIME), ("comes", FieldType.TIME),
)  # fmt: skip
SPEC = TableSpec(
    "trips", ("plate",),
    {
        name: FieldSpec(name, kind, optional=name != "plate", zone=ZONE, format="%Y-%m-%d %H:%M:%S")
        for name, kind in COLUMNS
    },
    "trips.csv", ("leaves", "comes"), ZONE,
)  # fmt: skip
NAMES = [name for name, _ in COLUMNS]
CREATE = "CREATE TABLE trips (plate text, weight {real}, axles integer, leaves {at}, comes {at})"

instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001 - local
    lambda at: at.replace(microsecond=0)
)
rows = st.lists(
    st.tuples(
        st.sampled_from(["A1", "B2", "苏F3"]),
        st.none() | st.integers(-4000, 4000).map(lambda n: n / 8),
        st.none() | st.integers(2, 6), st.none() | instants, st.none() | instants,
    ),
    max_size=6,
)  # fmt: skip


def in_csv(given_: Sequence[tuple[Any, ...]]) -> Table:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(NAMES)
    writer.writerows([["" if cell is None else cell for cell in row] for row in given_])
    return Table.from_csv(SPEC, text.getvalue().encode())[0]


def faces(table: Table) -> list[tuple[object, ...]]:
    """The rows of a table in an order of their own."""
    found = [(*(row[name] for name in NAMES), row.from_ms, row.to_ms) for row in table.rows]
    return sorted(found, key=repr)


@settings(max_examples=300, deadline=None)
@given(rows)
def test_an_answer_is_the_table_that_its_csv_would_be(given_: list[tuple[Any, ...]]) -> None:
    table, problems = Table.from_answer(SPEC, as_answer(NAMES, given_))
    csv_problems = len(given_) - len(in_csv(given_).rows)
    assert faces(table) == faces(in_csv(given_))
    assert len([one for one in problems if one.code == "R527"]) == csv_problems


@settings(max_examples=100, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_an_answer_says_nothing(given_: list[tuple[Any, ...]], random: Any) -> None:
    other = list(given_)
    random.shuffle(other)
    assert as_answer(NAMES, given_) == as_answer(NAMES, other)


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (10**30, 1e30), (Decimal(10**30), 1e30), (Decimal("0.25"), 0.25), (Decimal("7.0"), 7),
        (2**63, 2.0**63), (2**63 - 1, 2**63 - 1), (10**400, None), (Decimal("Infinity"), None),
        (Decimal("NaN"), None), (Decimal("sNaN"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_numbers_of_databases_that_no_json_number_holds(value: object, held: object) -> None:
    assert json.loads(as_answer(["n"], [[value]]).splitlines()[1]) == {"n": held}


@pytest.mark.parametrize(
    "value", ["\ud800", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))), b"raw"]
)
def test_a_value_that_cannot_be_held_is_refused_in_the_one_way_callers_expect(
    value: object,
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        as_answer(["n"], [[value]])


def test_an_instant_with_an_offset_is_what_it_is() -> None:
    at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    table, problems = Table.from_answer(SPEC, as_answer(NAMES, [("A1", 1, 2, at, None)]))
    assert not problems
    assert table.rows[0]["leaves"] == round(at.timestamp() * 1000)


TRIPS = [
    ("A1", 2.5, 2, datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 18)),  # noqa: DTZ001 - local
    ("苏F3", None, None, None, None),
]


def test_a_parquet_file_is_the_table_that_its_csv_would_be(tmp_path: Path) -> None:
    path = tmp_path / "trips.parquet"
    with duckdb.connect(":memory:") as link:
        link.execute(CREATE.format(real="double", at="timestamp"))
        link.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?)", TRIPS)
        link.execute(f"COPY trips TO '{path}' (FORMAT parquet)")
    table, problems = Table.from_answer(SPEC, read_parquet(path))
    assert not problems
    assert faces(table) == faces(in_csv(TRIPS))


def a_pack(folder: Path, table: str) -> Path:
    (folder / "p/tables").mkdir(parents=True)
    pack = "pack: p\ntitle: {zh: 甲, en: A}\nowner: o\nversion: 1.0.0\n"
    (folder / "p/pack.yaml").write_text(pack, "utf-8")
    (folder / "p/tables/trips.yaml").write_text(table, "utf-8")
    return folder / "p"


FIELDS = "key: plate\nfields: {plate: text, weight: number}\n"


def test_a_pack_with_a_parquet_table_is_read_and_a_broken_file_is_told(tmp_path: Path) -> None:
    pack = a_pack(tmp_path, f"table: trips\n{FIELDS}file: trips.parquet\n")
    path = pack / "tables/trips.parquet"
    with duckdb.connect(":memory:") as link:
        link.execute(f"COPY (SELECT 'A1' AS plate, 2.5 AS weight) TO '{path}' (FORMAT parquet)")
    project = load_project(read_project([pack])).project
    assert project is not None
    assert project.tables["trips"].at(("A1",), 0) == {"plate": "A1", "weight": 2.5}
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DeclarationError, match="R646"):
        read_project([pack])


def a_sqlite(path: Path) -> Path:
    link = sqlite3.connect(path)
    link.execute(CREATE.format(real="real", at="text"))
    shown = [tuple(str(v) if isinstance(v, datetime) else v for v in row) for row in TRIPS]
    link.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?)", shown)
    link.commit()
    link.close()
    return path


def test_sqlite_answers(tmp_path: Path) -> None:
    a_sqlite(tmp_path / "register.db")
    databases = Databases({"register": "sqlite:///register.db"}, tmp_path)
    table, problems = Table.from_answer(SPEC, databases.ask("register", "SELECT * FROM trips"))
    assert not problems
    assert faces(table) == faces(in_csv(TRIPS))


@pytest.mark.parametrize(
    ("file", "query", "said"),
    [
        ("nowhere.db", "SELECT 1", "nowhere.db"),
        ("register.db", "SELECT * FROM trip", "no such table"),
        ("register.db", "SELEC", "syntax error"),
    ],
)
def test_a_database_that_does_not_answer_says_why(
    tmp_path: Path, file: str, query: str, said: str
) -> None:
    a_sqlite(tmp_path / "register.db")
    with pytest.raises(EnvironmentUnusable, match=said):
        Databases({"register": f"sqlite:///{file}"}, tmp_path).ask("register", query)


def test_what_a_query_changes_is_undone(tmp_path: Path) -> None:
    a_sqlite(tmp_path / "register.db")
    databases = Databases({"register": "sqlite:///register.db"}, tmp_path)
    databases.ask("register", "DELETE FROM trips RETURNING plate")
    assert databases.ask("register", "SELECT count(*) AS n FROM trips") == b'["n"]\n{"n":2}\n'


SQL = "sql: {database: register, query: SELECT plate, weight FROM trips, refresh: 1s}\n"
SQL = SQL.replace("SELECT plate, weight FROM trips", '"SELECT plate, weight FROM trips"')


def test_a_table_of_a_pack_has_the_rows_of_its_query(tmp_path: Path) -> None:
    a_sqlite(tmp_path / "register.db")
    pack = a_pack(tmp_path, f"table: trips\n{FIELDS}{SQL}")
    answers = Answers(Databases({"register": "sqlite:///register.db"}, tmp_path))
    files = answers.beside(read_project([pack]))
    project = load_project(files).project
    assert project is not None
    assert project.tables["trips"].at(("A1",), 0) == {"plate": "A1", "weight": 2.5}
    assert [one.table for one in wanted_of(files)] == ["trips"]


def test_a_database_that_the_settings_do_not_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    pack = a_pack(tmp_path, f"table: trips\n{FIELDS}{SQL}")
    answers = Answers(Databases({"registers": "sqlite:///register.db"}, tmp_path))
    with pytest.raises(DeclarationError, match=r"trips.yaml:4:17: error R647(?s:.*)registers"):
        answers.beside(read_project([pack]))


async def test_another_answer_is_noticed_and_a_silent_database_keeps_the_last(
    tmp_path: Path,
) -> None:
    path = a_sqlite(tmp_path / "register.db")
    files = read_project([a_pack(tmp_path, f"table: trips\n{FIELDS}{SQL}")])
    answers = Answers(Databases({"register": "sqlite:///register.db"}, tmp_path))
    seen = [answers.beside(files)]
    another = asyncio.Event()

    async def changed() -> None:
        seen.append(answers.beside(files))
        another.set()

    watching = asyncio.create_task(answers.watch(changed))
    try:
        await asyncio.sleep(1.5)
        assert len(seen) == 1
        path.rename(tmp_path / "away.db")
        await asyncio.sleep(1.5)
        assert answers.beside(files) == seen[0]
        (tmp_path / "away.db").rename(path)
        link = sqlite3.connect(path)
        link.execute("DELETE FROM trips WHERE plate = 'A1'")
        link.commit()
        link.close()
        async with asyncio.timeout(20):
            await another.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    (answer,) = (file for file in seen[1] if file.path.endswith(".answer"))
    assert answer == DeclaredFile(
        answer.path, b'["plate","weight"]\n{"plate":"\xe8\x8b\x8fF3","weight":null}\n'
    )


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own on a free port."""
    with running(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def test_postgresql_answers_with_its_own_types(postgres: str, tmp_path: Path) -> None:
    databases = Databases({"register": postgres}, tmp_path)
    engine = sqlalchemy.create_engine(postgres.replace("postgresql", "postgresql+psycopg"))
    with engine.begin() as link:
        link.execute(sqlalchemy.text(CREATE.format(real="numeric", at="timestamp")))
        insert = "INSERT INTO trips VALUES (:p, :w, :a, :l, :c)"
        for row in TRIPS:
            link.execute(sqlalchemy.text(insert), dict(zip("pwalc", row, strict=True)))
    engine.dispose()
    table, problems = Table.from_answer(SPEC, databases.ask("register", "SELECT * FROM trips"))
    assert not problems
    assert faces(table) == faces(in_csv(TRIPS))
    with pytest.raises(EnvironmentUnusable, match="read-only"):
        databases.ask("register", "DELETE FROM trips RETURNING plate")
