"""The audit: whatever is changed, taken out, moved or cut off is found; and it refuses changes."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cases_stage import DUTY, HOUR, change
from desk_stage import KEY, Clock, a_keeper, a_store
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.edge.desk.audit import Break, Entry, Head, Ledger, newest, read_key
from engine.edge.desk.heads import Heads, newest_head, read_heads
from engine.errors import EnvironmentUnusable

MUTATIONS = 200
COLUMNS = (
    "at_ms", "actor", "role", "department", "address", "action", "object", "before", "after",
    "reason", "details", "previous", "seal",
)  # fmt: skip


async def a_chain(folder: Path, url: str | None = None) -> Head:
    """A database whose audit has some rows of every kind."""
    clock = Clock()
    async with a_keeper(folder, url, clock) as keeper:
        for number in range(8):
            await keeper.take([change(key=f"K{number}")])
            await keeper.note(Entry(DUTY, "read", f"incident:{number}", "为核实情况"))
            clock.now_ms += HOUR
        await keeper.tick()
        return await keeper.store.read(newest)


def verify(folder: Path, url: str | None = None, *heads: Head) -> list[Break]:
    store = a_store(folder, url)
    try:
        return store.read_now(lambda link: Ledger(KEY).verify(link, heads))[1]
    finally:
        store.close_now()


def changed(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    seq, column = chance.randint(1, last), chance.choice(COLUMNS)
    (value,) = link.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()
    if isinstance(value, int):
        other: object = value + chance.choice([-1, 1, 1000])
    else:
        letters = list(value or "x")
        at = chance.randrange(len(letters))
        letters[at] = "0" if letters[at] != "0" else "1"
        other = "".join(letters)
    link.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (other, seq))
    return f"{column} of {seq}"


def deleted(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    seq = chance.randint(1, last)
    link.execute("DELETE FROM audit WHERE seq = ?", (seq,))
    return f"row {seq}"


def closed_up(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    seq = chance.randint(1, last - 1)
    link.execute("DELETE FROM audit WHERE seq = ?", (seq,))
    link.execute("UPDATE audit SET seq = seq - 1 WHERE seq > ?", (seq,))
    return f"row {seq}, the rest moved up"


def swapped(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    one, other = sorted(chance.sample(range(1, last + 1), 2))
    for old, new in ((one, -1), (other, one), (-1, other)):
        link.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
    return f"rows {one} and {other}"


def copied(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    seq = chance.randint(1, last)
    names = ", ".join(COLUMNS)
    link.execute(
        f"INSERT INTO audit (seq, {names}) SELECT {last + 1}, {names} FROM audit WHERE seq = ?",
        (seq,),
    )
    return f"row {seq} once more at the end"


def cut(chance: random.Random, link: sqlite3.Connection, last: int) -> str:
    seq = chance.randint(1, last)
    link.execute("DELETE FROM audit WHERE seq >= ?", (seq,))
    return f"everything from {seq} on"


WAYS: list[Callable[[random.Random, sqlite3.Connection, int], str]] = [
    changed, changed, changed, deleted, closed_up, swapped, copied, cut,
]  # fmt: skip


async def test_every_one_of_two_hundred_mutations_is_found(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    head = await a_chain(whole)
    assert head.seq > 20
    assert verify(whole, None, head) == []
    chance, missed, kinds = random.Random(20_260_316), [], set()
    for number in range(MUTATIONS):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        way = WAYS[number % len(WAYS)]
        with closing(sqlite3.connect(copy / "desk.db")) as link, link:
            for verb in ("update", "delete"):
                link.execute(f"DROP TRIGGER audit_no_{verb}")
            what = way(chance, link, head.seq)
        breaks = verify(copy, None, head)
        kinds |= {one.kind for one in breaks}
        if not breaks:
            missed.append(f"{way.__name__}: {what}")
    assert missed == []
    assert kinds == {"seal", "link", "gap", "head"}


async def test_a_chain_sealed_with_another_key_is_broken_at_every_row(tmp_path: Path) -> None:
    head = await a_chain(tmp_path)
    store = a_store(tmp_path)
    try:
        count, breaks = store.read_now(Ledger(bytes(32)).verify)
    finally:
        store.close_now()
    assert count == head.seq
    assert {one.kind for one in breaks} == {"seal"}
    assert len(breaks) == count


@pytest.mark.parametrize(
    "words", ["UPDATE audit SET actor = 'x' WHERE seq = 1", "DELETE FROM audit WHERE seq = 1"]
)
async def test_the_table_refuses_changes(database: str, tmp_path: Path, words: str) -> None:
    await a_chain(tmp_path, database)
    store = a_store(tmp_path, database)

    def job(link: Any) -> None:
        link.execute(text(words))

    try:
        with pytest.raises(DBAPIError, match="never changed"):
            store.write_now(job)
    finally:
        store.close_now()
    assert verify(tmp_path, database) == []


async def test_what_is_cut_off_is_missed_by_the_head_alone(tmp_path: Path) -> None:
    head = await a_chain(tmp_path)
    with closing(sqlite3.connect(tmp_path / "desk.db")) as link, link:
        link.execute("DROP TRIGGER audit_no_delete")
        link.execute("DELETE FROM audit WHERE seq > 5")
    assert verify(tmp_path) == []
    assert verify(tmp_path, None, head) == [Break(head.seq, "head")]


def test_heads_are_added_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    heads = Heads(path)
    heads.write(Head(1, "a" * 64), 0)
    heads.write(Head(1, "a" * 64), 60_000)
    heads.write(Head(7, "b" * 64), 120_000)
    with path.open("a") as file:
        file.write("2026-03-16T01:00:00+00:00 9 cc")  # a line that a crash cut off
    assert read_heads(path) == [Head(1, "a" * 64), Head(7, "b" * 64)]
    assert newest_head(path) == Head(7, "b" * 64)
    assert Heads(path).newest == Head(7, "b" * 64)


def test_a_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(EnvironmentUnusable, match="key of the audit"):
        read_key(path)
    key = read_key(path, make=True)
    assert read_key(path, make=True) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("00" * 16)
    with pytest.raises(EnvironmentUnusable):
        read_key(path)
