"""`forewarn outbox --desk`, on SQLite and PostgreSQL: papers of cases sent again and dropped.

The audit keeps who did it and why.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cases_stage import CITY, change
from desk_stage import BEGIN_MS, Clock, a_store
from postgres import fresh, postgres

from engine.cases.desk import Desk
from engine.edge.cli import main, outbox_verbs
from engine.edge.desk.audit import KEY_NAME, Ledger, read_key
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.sqlbox import SqlOutbox
from engine.ports import Due
from engine.text import LANGUAGES

GOLDEN = Path(__file__).parent / "golden"
NOW_MS = BEGIN_MS + 1_800_000
PERSONAL = ("F12345", "张三丰")
SUMMARY = {"en": "F12345, 张三丰", "zh": "F12345，张三丰"}


@dataclass(frozen=True)
class Place:
    """An installation: its data folder, and its database where that is not there."""

    data: Path
    url: str | None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An installation whose desk has a case with papers: one refused, the others waiting."""
    is_server = request.param == "postgresql"
    url = fresh(request.getfixturevalue("server")) if is_server else None
    for name in ("FOREWARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    desk = f'desk: {{url: "{url}"}}\n' if url else ""
    (tmp_path / "forewarn.yaml").write_text(f"data_folder: data\n{desk}")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outbox_verbs, "_now_ms", lambda: NOW_MS)
    made = Place(tmp_path / "data", url)
    asyncio.run(_filled(made))
    return made


async def _filled(place: Place) -> None:
    store = a_store(place.data, place.url, Clock())
    try:
        ledger = Ledger(read_key(place.data / KEY_NAME, make=True))
        keeper = Keeper(store, Desk(CITY), ledger, CITY.storm)
        await keeper.take(
            [
                change(summary=SUMMARY),
                change("raised", ordinal=2, severity="red", summary=SUMMARY),
            ]
        )
        box = SqlOutbox(keeper, lambda: True)
        (order,) = await box.claim("police-sink", 9)
        await box.give_up(order.id, "http-400", "no such car F12345 of 张三丰")
        (notice,) = await box.claim("town", 9)
        await box.retry(notice.id, 2000.0, "http-503", "")
    finally:
        await store.close()


async def claimed(place: Place, sink: str) -> list[Due]:
    """What a sender of the desk would be given now."""
    store = a_store(place.data, place.url, Clock(NOW_MS))
    try:
        keeper = Keeper(store, Desk(CITY), Ledger(bytes(32)), CITY.storm)
        return list(await SqlOutbox(keeper, lambda: True).claim(sink, 9))
    finally:
        await store.close()


def said(capsys: Any, *words: str) -> tuple[int, str, str]:
    code = main(["outbox", *words, "--desk"])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_shift_at_the_desk_reads_so(lang: str, capsys: Any) -> None:
    lines = []
    for line in (
        "ls", "ls --sink police-sink --rule 20260316-0001", "show 1", "retry 1",
        "retry --sink police-sink --reason mended --plan",
        "retry --sink police-sink --reason mended", "drop 1 --reason tested", "drop 1 --reason x",
        "retry 99 --reason x", "ls --phase dropped", "trail",
    ):  # fmt: skip
        code, out, err = said(capsys, *line.split(), "--as", "duty", "--lang", lang)
        lines += [f"$ forewarn outbox {line} --desk", out + err, f"exit {code}", ""]
    text = "\n".join(lines)
    path = GOLDEN / f"outbox-desk.{lang}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
    assert [word for word in PERSONAL if word in text] == []


def test_a_refused_order_goes_out_again_before_what_follows_it(place: Place, capsys: Any) -> None:
    assert said(capsys, "retry", "--sink", "police-sink", "--reason", "mended")[0] == 0
    found = json.loads(said(capsys, "ls", "--sink", "police-sink", "--json")[1])
    first = min(one["id"] for one in found["deliveries"])
    (due,) = asyncio.run(claimed(place, "police-sink"))
    assert due.id == first


def test_a_paper_that_waits_for_its_next_try_is_tried_at_once(place: Place, capsys: Any) -> None:
    assert asyncio.run(claimed(place, "town")) == []
    words = ["retry", "--sink", "town", "--phase", "waiting", "--reason", "back"]
    assert said(capsys, *words)[0] == 0
    assert len(asyncio.run(claimed(place, "town"))) == 1


def test_what_was_done_is_in_the_audit_and_its_chain_holds(place: Place, capsys: Any) -> None:
    said(capsys, "retry", "--sink", "police-sink", "--reason", "mended", "--as", "duty")
    said(capsys, "drop", "--sink", "town", "--phase", "waiting", "--reason", "told", "--as", "duty")
    kept = json.loads(said(capsys, "trail", "--json")[1])
    assert {(one["who"], one["did"], one["why"]) for one in kept} == {
        ("duty", "retry", "mended"), ("duty", "drop", "told"),
    }  # fmt: skip
    store = a_store(place.data, place.url)
    try:
        ledger = Ledger(read_key(place.data / KEY_NAME))
        rows, breaks = store.read_now(ledger.verify)
    finally:
        store.close_now()
    assert rows >= len(kept)
    assert breaks == []


def test_where_no_desk_has_worked_none_is_made(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forewarn.yaml").write_text("data_folder: data\n")
    assert said(capsys, "ls")[0] == 4
    assert not (tmp_path / "data").exists()
