"""What people do to deliveries by hand: nothing is reordered or lost, and all of it is kept."""

import asyncio
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from daemon_stage import FAST, MoodySink, a_store, change

from engine.edge import crashpoint
from engine.edge.metrics import Metrics
from engine.edge.outbox import Senders
from engine.edge.store import Store, schema
from engine.edge.store.outbox_hand import Deed, Result
from engine.edge.store.outbox_look import Chosen, find, trail
from engine.errors import Permanent, Retryable
from engine.model.change import Change

STORY = [change("a", n) for n in range(3)]


async def deliver(store: Store, changes: list[Change], sink: MoodySink) -> dict[str, int]:
    """Store changes and let a sender work until nothing is due."""
    senders = Senders([sink], store, FAST, Metrics())
    await senders.start()
    await store.accept(changes, {})
    left = await senders.drained(2.0, asyncio.Event())
    await senders.stop(0.5)
    return left


async def do(
    store: Store,
    does: str,
    *ids: str,
    under_way: Mapping[str, Collection[str]] | None = None,
    **more: bool,
) -> Result:
    """A deed of somebody called ops."""
    deed = Deed(does=does, chosen=Chosen(ids=ids), who="ops", why="because", **more)  # type: ignore[arg-type]
    return await store.by_hand(deed, under_way or {})


async def phases(store: Store) -> list[str]:
    return [line.phase for line in await store.run(lambda link: find(link, Chosen(), 0))]


def outcomes(result: Result) -> list[str]:
    return [one.outcome for one in result.done]


async def test_a_dead_head_does_not_stop_the_rest_of_its_alert(tmp_path: Path) -> None:
    sink = MoodySink()
    sink.errors = [Permanent("http-400", "no")]
    async with a_store(tmp_path, "s") as store:
        assert await deliver(store, STORY, sink) == {}
        assert await phases(store) == ["dead", "sent", "sent"]
    assert sink.taken == [one.delivery_id for one in STORY[1:]]


async def test_what_was_overtaken_is_sent_again_only_when_asked_in_so_many_words(
    tmp_path: Path,
) -> None:
    sink = MoodySink()
    sink.errors = [Permanent("http-400", "no")]
    async with a_store(tmp_path, "s") as store:
        await deliver(store, STORY, sink)
        assert outcomes(await do(store, "retry", "1")) == ["overtaken"]
        assert await phases(store) == ["dead", "sent", "sent"]
        assert outcomes(await do(store, "retry", "1", overtaken=True)) == ["done"]
        await deliver(store, [], sink)
    assert sink.taken[-1] == STORY[0].delivery_id


async def test_an_alert_that_was_refused_whole_is_sent_again_in_its_order(tmp_path: Path) -> None:
    sink = MoodySink()
    sink.errors = [Permanent("http-400", "no") for _ in STORY]
    async with a_store(tmp_path, "s") as store:
        await deliver(store, STORY, sink)
        assert await phases(store) == ["dead"] * 3
        for number in ("3", "1", "2"):
            assert outcomes(await do(store, "retry", number)) == ["done"]
        await deliver(store, [], sink)
    assert sink.taken == [one.delivery_id for one in STORY]


async def test_a_dropped_head_lets_the_rest_of_its_alert_go_on(tmp_path: Path) -> None:
    sink = MoodySink()
    async with a_store(tmp_path, "s") as store:
        await store.accept(STORY, {})
        result = await do(store, "drop", "1")
        assert (outcomes(result), result.following) == (["done"], 2)
        await deliver(store, [], sink)
        assert await phases(store) == ["dropped", "sent", "sent"]
    assert sink.taken == [one.delivery_id for one in STORY[1:]]


async def test_with_it_the_following_transitions_are_dropped_and_may_come_back(
    tmp_path: Path,
) -> None:
    sink = MoodySink()
    async with a_store(tmp_path, "s") as store:
        await store.accept([*STORY, change("b")], {})
        assert outcomes(await do(store, "drop", "1", following=True)) == ["done"] * 3
        await deliver(store, [], sink)
        assert sink.taken == [change("b").delivery_id]
        await do(store, "retry", "1", "2", "3")
        await deliver(store, [], sink)
    assert sink.taken[1:] == [one.delivery_id for one in STORY]


async def test_what_is_under_way_or_over_is_left_alone(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a"), change("b")], {})
        await store.sent(2)
        busy = {"s": {change("a").episode_id}}
        assert outcomes(await do(store, "drop", "1", "2", under_way=busy)) == ["under-way", "over"]
        assert outcomes(await do(store, "retry", "1", "2", under_way=busy)) == ["under-way", "over"]
        assert await phases(store) == ["due", "sent"]
        assert await store.run(trail) == []


async def test_a_plan_changes_nothing_and_tells_the_same(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a")], {})
        assert outcomes(await do(store, "drop", "1", plan=True)) == ["done"]
        assert await phases(store) == ["due"]
        assert await store.run(trail) == []


async def test_a_delivery_that_waits_for_its_next_try_is_tried_at_once(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        await store.accept(STORY, {})
        await store.retry(1, 3600, "down", "")
        assert await store.claim("s", 9) == []
        assert outcomes(await do(store, "retry", "1")) == ["done"]
        assert [row.id for row in await store.claim("s", 9)] == [1]


async def test_an_id_that_no_delivery_has_is_told(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a")], {})
        result = await do(store, "drop", "7", change("a").delivery_id, "nonsense")
    assert (len(result.done), result.unknown) == (1, ["7", "nonsense"])


async def test_who_did_what_and_why_can_be_neither_changed_nor_deleted(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a")], {})
        await store.give_up(1, "http-400", "no")
        await do(store, "retry", "1")
        await do(store, "drop", "1")
        kept = await store.run(trail)
        path = store.path
    assert [(one.who, one.did, one.why, one.phase, one.failure) for one in kept] == [
        ("ops", "retry", "because", "dead", "http-400"),
        ("ops", "drop", "because", "due", "http-400"),
    ]
    for statement in ("UPDATE outbox_trail SET who = 'x'", "DELETE FROM outbox_trail"):
        with closing(sqlite3.connect(path)) as link, pytest.raises(sqlite3.IntegrityError):
            link.execute(statement)


async def test_a_deed_and_its_trail_are_one(tmp_path: Path, monkeypatch) -> None:
    def fail(name: str) -> None:
        if name == "hand-not-committed":
            raise OSError(name)

    async with a_store(tmp_path, "s") as store:
        await store.accept([change("a")], {})
        monkeypatch.setattr(crashpoint, "passing", fail)
        with pytest.raises(OSError, match="hand"):
            await do(store, "drop", "1")
        monkeypatch.undo()
        assert await phases(store) == ["due"]
        assert await store.run(trail) == []


async def test_while_paused_nothing_new_is_sent_and_what_is_under_way_is_known(
    tmp_path: Path,
) -> None:
    sink = MoodySink(parallel=1)
    sink.stuck = asyncio.Event()
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a"), change("b")], {})
        await asyncio.sleep(0.1)
        async with senders.paused() as busy:
            assert busy == {"s": {change("a").episode_id}}
            sink.stuck.set()
            await asyncio.sleep(0.1)
            assert sink.taken == [change("a").delivery_id]
            await do(store, "drop", change("b").delivery_id, under_way=busy)
        assert await senders.drained(1.0, asyncio.Event()) == {}
        await senders.stop(0.5)
    assert sink.taken == [change("a").delivery_id]


async def test_a_probe_by_hand_does_not_wait_for_what_the_peer_asked(tmp_path: Path) -> None:
    sink = MoodySink()
    sink.errors = [Retryable("http-429", "slowly", 3000.0)]
    async with a_store(tmp_path, "s") as store:
        senders = Senders([sink], store, FAST, Metrics())
        await senders.start()
        await store.accept([change("a"), change("b")], {})
        assert await senders.drained(0.3, asyncio.Event()) != {}
        async with senders.paused() as busy:
            await do(store, "retry", "1", "2", under_way=busy)
        senders.probe(["s"])
        assert await senders.drained(2.0, asyncio.Event()) == {}
        await senders.stop(0.5)


def test_a_file_of_the_version_before_is_taken_over_with_its_deliveries(tmp_path: Path) -> None:
    path = tmp_path / schema.FILE_NAME
    link = schema.connect(path, "en")
    insert = (
        "INSERT INTO outbox (delivery_id, sink, episode_id, due_ms, stored_ms)"
        " VALUES ('1', 's', 'e', 5, 5)"
    )
    for statement in (
        "DROP TABLE marks", "DROP TABLE outbox_trail", "DROP INDEX outbox_turn",
        "ALTER TABLE outbox DROP COLUMN turn",
        "CREATE INDEX outbox_due ON outbox (sink, id) WHERE phase = 'due'",
        insert,
        "PRAGMA user_version = 4",
    ):  # fmt: skip
        link.execute(statement)
    link.close()
    link = schema.connect(path, "en")
    made = "SELECT name FROM sqlite_schema WHERE name LIKE 'outbox%' ORDER BY 1"
    names = [name for (name,) in link.execute(made)]
    assert link.execute("SELECT delivery_id, phase, turn FROM outbox").fetchall() == [
        ("1", "due", 0)
    ]
    link.close()
    fresh = schema.connect(tmp_path / "fresh.db", "en")
    assert names == [name for (name,) in fresh.execute(made)]
    fresh.close()
