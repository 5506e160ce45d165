"""Rows of deliveries: what a table holds, and what a database that refuses or is locked means."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError
from services import shared_postgres
from sink_stage import a_body, declared

from connectors.sinks.sql import Options
from engine.errors import Permanent, Retryable
from engine.ports import Sink

NAMES = "delivery_id, reference, document, stage, level, subject, at_ms, title_zh, text_en, lon"


async def sent(sink: Sink, *bodies: tuple[str, bytes]) -> None:
    await sink.open()
    try:
        for name, body in bodies:
            await sink.send(name, body, 1)
    finally:
        await sink.close()


def rows(path: Path, names: str = NAMES) -> list[tuple[Any, ...]]:
    link = sqlite3.connect(path)
    found = list(link.execute(f"SELECT {names} FROM forewarn_deliveries ORDER BY rowid"))
    link.close()
    return found


async def test_a_row_has_what_is_looked_for_and_the_body_as_it_was(tmp_path: Path) -> None:
    name, body = a_body(rule="hazmat-dwell")
    await sent(declared("sql", tmp_path, url="sqlite:///alerts.db"), (name, body))
    ((*columns, lon),) = rows(tmp_path / "alerts.db")
    assert columns[0] == name
    assert columns[2:] == [
        "alert", "fired", "yellow", "苏F12345-yellow", 1_772_414_700_000, "车辆异常驻留",
        "苏F12345-yellow has stayed 30 min",
    ]  # fmt: skip
    assert lon == pytest.approx(120.88334)
    assert rows(tmp_path / "alerts.db", "rule, body") == [("hazmat-dwell", body.decode())]


async def test_a_masked_table_holds_nobody_s_plate(tmp_path: Path) -> None:
    sink = declared("sql", tmp_path, url="sqlite:///a.db", personal="masked")
    await sent(sink, a_body(personal={"vehicle": "plate"}))
    assert "F12345" not in repr(rows(tmp_path / "a.db", "*"))


async def test_a_delivery_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    name, body = a_body()
    sink = declared("sql", tmp_path, url="sqlite:///a.db")
    await sent(sink, (name, body), (name, a_body(severity="red")[1]))
    assert rows(tmp_path / "a.db", "level") == [("yellow",)]


async def test_postgresql_has_the_rows_in_a_schema_and_is_waited_for(tmp_path: Path) -> None:
    url = shared_postgres()
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("CREATE SCHEMA IF NOT EXISTS city")
    sink = declared("sql", tmp_path, url=url, table="city.alerts", timeout_s=1)
    bodies = [a_body(f"k{n}", rule="nul\x00rule", place="\x00") for n in range(8)]
    await sink.open()
    await asyncio.gather(*(sink.send(name, body, 1) for name, body in bodies))
    with psycopg.connect(url) as link:
        found = link.execute("SELECT delivery_id, rule FROM city.alerts").fetchall()
        assert sorted(found) == sorted((name, "nulrule") for name, _ in bodies)
        link.execute("LOCK TABLE city.alerts")
        with pytest.raises(Retryable, match="database"):
            await sink.send(*a_body("late"), 1)
    await sink.send(*a_body("late"), 2)
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("DROP TABLE city.alerts")
    with pytest.raises(Retryable, match="database"):  # an operator can mend that
        await sink.send(*a_body("later"), 1)
    await sink.close()


async def test_a_value_no_column_can_hold_is_refused_for_good(tmp_path: Path) -> None:
    sink = declared("sql", tmp_path, url=shared_postgres(), table="tight")
    await sink.open()
    with pytest.raises(Permanent, match="refused"):
        await sink.send("d" * 65, a_body()[1], 1)
    await sink.close()


async def test_a_password_that_is_wrong_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://us@127.0.0.1:9/none"
    sink = declared("sql", tmp_path, url=url, password="canary-password", timeout_s=2)
    with pytest.raises(Retryable, match="database") as caught:
        await sent(sink, a_body())
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r} {vars(sink)}"


@pytest.mark.parametrize(
    "options",
    [
        {"url": "mysql://h/d"},
        {"url": "sqlite:///a.db", "table": "a; DROP TABLE b"},
        {"url": "sqlite:///a.db", "table": "a.b.c"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)
