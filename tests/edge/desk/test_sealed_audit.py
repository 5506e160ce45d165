"""The audit: whatever is changed, taken out, moved or cut off is found; and it refuses changes."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from audit_damages import WAYS, unguard
from cases_stage import DUTY, HOUR, change
from desk_stage import KEY, Clock, a_keeper, a_store
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.edge.desk.audit import Break, Entry, Head, Ledger, newest, read_key
from engine.edge.desk.heads import Heads, newest_head, read_heads
from engine.errors import EnvironmentUnusable

MUTATIONS = 200


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
        way = list(WAYS)[number % len(WAYS)]
        with closing(sqlite3.connect(copy / "desk.db")) as link, link:
            unguard(link)
            what = WAYS[way](chance, link, head.seq)
        breaks = verify(copy, None, head)
        kinds |= {one.kind for one in breaks}
        if not breaks:
            missed.append(f"{way}: {what}")
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
