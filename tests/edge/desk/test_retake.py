"""What the desk could not take is taken again by hand: each once, in its order, with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from cases_stage import CITY, DUTY, change
from desk_city import make_city
from desk_stage import Clock, a_keeper
from sqlalchemy import select

from engine.cases.book import Acts, Book
from engine.cases.desk import Desk
from engine.edge.cli import main
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.opening import open_ledger, open_store
from engine.edge.desk.retake import failed, retake
from engine.edge.desk.rows import FAILED, keep_change
from engine.edge.desk.tables import alerts, audit, incidents, moves, outbox, transitions
from engine.edge.settings import read_settings
from engine.model.change import Change


class Faulty:
    """A desk that cannot take some transitions, until it is mended."""

    def __init__(self, *broken: str) -> None:
        self.broken = {*broken}
        self._desk = Desk(CITY)
        self.ask, self.tick = self._desk.ask, self._desk.tick

    def take(self, book: Book, change: Change, now_ms: int) -> Acts:
        if change.delivery_id in self.broken:
            raise ArithmeticError(change.delivery_id)
        return self._desk.take(book, change, now_ms)


STORY = [
    change("fired"),
    change("cleared", ordinal=2),
    change("fired", key="other"),
    change("updated", key="other", ordinal=2),
    change("raised", key="other", ordinal=3, severity="orange"),
]
FIRED, CLEARED, OTHER, UPDATED, RAISED = (one.delivery_id for one in STORY)


async def told(keeper: Keeper, *broken: str) -> Faulty:
    """The story, to a desk that cannot take some of it."""
    desk = Faulty(*broken)
    keeper._desk = desk  # noqa: SLF001 - a desk with a fault
    for one in STORY:
        await keeper.take([one])
    return desk


async def rows(keeper: Keeper, *columns: Any) -> list[tuple[Any, ...]]:
    query = select(*columns).order_by(*columns)
    return await keeper.store.read(lambda link: [tuple(row) for row in link.execute(query)])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param((FIRED,), id="the-first"),
        pytest.param((FIRED, CLEARED), id="the-first-and-the-last"),
        pytest.param((CLEARED,), id="the-last"),
        pytest.param((RAISED,), id="a-higher-level"),
        pytest.param((FIRED, CLEARED, OTHER, UPDATED, RAISED), id="all"),
    ],
)
async def test_what_failed_becomes_what_it_would_have_been(
    database: str, tmp_path: Path, broken: tuple[str, ...]
) -> None:
    async with a_keeper(tmp_path / "fine") as fine:
        await told(fine)
        wanted = await rows(fine, moves.c.cause)
    async with a_keeper(tmp_path, database) as keeper:
        desk = await told(keeper, *broken)
        assert {one.delivery for one in await keeper.store.read(failed)} == {*broken}
        desk.broken.clear()
        done = await retake(keeper, None, DUTY, "mended in 1.2.1")
        assert {one.outcome for one in done} == {"taken"}
        assert await keeper.store.read(failed) == []
        assert await retake(keeper, None, DUTY, "again") == []
        assert await rows(keeper, moves.c.cause) == wanted
        has = dict(await rows(keeper, alerts.c.episode, alerts.c.incident))
        assert all(has.values())
        orders = await rows(keeper, outbox.c.delivery_id)
        assert len(orders) == len(set(orders))


async def test_a_word_that_newer_ones_have_overtaken_changes_nothing(tmp_path: Path) -> None:
    async with a_keeper(tmp_path) as keeper:
        desk = await told(keeper, OTHER, UPDATED)
        before = await rows(keeper, moves.c.cause)
        desk.broken.clear()
        done = await retake(keeper, None, DUTY, "mended")
        assert [one.outcome for one in done] == ["quiet:stale", "quiet:stale"]
        assert await rows(keeper, moves.c.cause) == before
        assert await keeper.store.read(failed) == []


async def test_who_asked_and_why_is_in_the_audit(tmp_path: Path) -> None:
    async with a_keeper(tmp_path) as keeper:
        desk = await told(keeper, FIRED)
        desk.broken.clear()
        await retake(keeper, [FIRED], DUTY, "mended in 1.2.1")
        query = select(audit.c.actor, audit.c.object, audit.c.reason, audit.c.details)
        found = await keeper.store.read(
            lambda link: link.execute(query.where(audit.c.action == "retake")).all()
        )
        assert [row[:3] for row in found] == [
            (DUTY.name, f"alert:{STORY[0].episode_id}", "mended in 1.2.1")
        ] * 2
        assert [json.loads(row.details)["transition"] for row in found] == ["fired", "cleared"]
        _, breaks = await keeper.store.read(keeper.ledger.verify)
        assert breaks == []


async def test_what_fails_again_stays_and_its_followers_wait(tmp_path: Path) -> None:
    async with a_keeper(tmp_path) as keeper:
        await told(keeper, FIRED, OTHER, UPDATED, RAISED)
        done = await retake(keeper, None, DUTY, "perhaps")
        assert {(one.delivery, one.outcome) for one in done} == {
            (FIRED, "failed"), (OTHER, "failed"),
        }  # fmt: skip
        still = {one.delivery for one in await keeper.store.read(failed)}
        assert still == {FIRED, OTHER, UPDATED, RAISED}
        assert await rows(keeper, incidents.c.id) == []


@pytest.mark.parametrize("by", ["delivery", "alert"])
async def test_one_is_taken_by_its_id_or_its_alerts(tmp_path: Path, by: str) -> None:
    async with a_keeper(tmp_path, clock=Clock()) as keeper:
        desk = await told(keeper, FIRED, RAISED)
        desk.broken.clear()
        name = RAISED if by == "delivery" else STORY[4].episode_id
        done = await retake(keeper, [name], DUTY, "this one")
        assert [(one.delivery, one.outcome) for one in done] == [(RAISED, "taken")]
        assert [one.delivery for one in await keeper.store.read(failed)] == [FIRED]


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A folder with a desk that could not take one alert, and took the other."""
    make_city(tmp_path, "http://127.0.0.1:9", [])
    configured = read_settings(tmp_path, {})
    (tmp_path / "data").mkdir(exist_ok=True)
    store = open_store(configured, "en")
    keeper = Keeper(store, Desk(CITY), open_ledger(configured, "en", make=True))

    def job(link: Any) -> None:
        keep_change(link, STORY[0], FAILED, 0)

    keeper.store.write_now(job)
    store.close_now()
    return tmp_path


def run(folder: Path, *words: str) -> int:
    return main(["desk", *words, "--folder", str(folder), "--lang", "en"])


def test_the_command_lists_takes_again_and_says_what_came(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(city, "status") == 0
    assert "could not be taken: 1;" in capsys.readouterr().out
    assert run(city, "retake") == 0
    assert FIRED in capsys.readouterr().out
    assert run(city, "retake", "--all", "--reason", "mended", "--as", "li") == 0
    assert "1 taken, 0 failed again" in capsys.readouterr().out
    assert run(city, "retake", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(city, "retake", FIRED, "--reason", "once more") == 0
    said = capsys.readouterr()
    assert "is no change that could not be taken" in said.err
    store = open_store(read_settings(city, {}), "en")
    try:
        query = select(transitions.c.quiet)
        assert store.read_now(lambda link: link.execute(query).scalars().all()) == [""]
        who = select(audit.c.actor).where(audit.c.action == "retake")
        assert store.read_now(lambda link: link.execute(who).scalars().all()) == ["li"]
    finally:
        store.close_now()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["retake", "--all"], "--reason", id="no-reason"),
        pytest.param(["status", "--all"], "'retake'", id="another-action"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    city: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(city, *words) == 64
    assert said in capsys.readouterr().err
