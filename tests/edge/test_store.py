"""The store: all or nothing, once each, and a clear word when it cannot be used."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from daemon_stage import a_store, change, to

from engine.edge.store import Retention, Store, Tick
from engine.edge.store.writer import Writer, may_pass
from engine.errors import EnvironmentUnusable, StateError
from engine.ports import Outcome, Position, Rejected, SourceId, Trouble, Write

GPS = SourceId("gps", 0)
PLACE = ("vehicle", 0)


def outcome(**parts: object) -> Outcome:
    return Outcome(meta=b"m", **parts)  # type: ignore[arg-type]


async def count(store: Store, table: str) -> int:
    words = f"SELECT count(*) FROM {table}"
    return await store.run(lambda link: link.execute(words).fetchone()[0])


async def test_a_batch_is_kept_whole(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        stored = await store.apply(
            {
                PLACE: outcome(
                    changes=[change("a"), change("b")],
                    rejected=[Rejected(GPS, 5, "not-json", "", b"{")],
                    late=[Rejected(GPS, 6, "late", "", b"x")],
                    writes=[Write("r", "a", b"1"), Write("r", "b", b"2")],
                    positions={"log": Position(3, 7, 11)},
                    troubles=[Trouble("quarantine", "r", "division by zero", 1)],
                )
            },
            [Tick("idle", "vehicle", "gps", 0)],
            {GPS: 99},
        )
        assert [one.key for one in stored.changes] == ["a", "b"]
        assert (stored.queued["s"], stored.rejected["gps", "not-json"]) == (2, 1)
    async with a_store(tmp_path, "s") as store:
        saved = (await store.saved())[PLACE]
        assert (saved.meta, list(saved.rows)) == (
            b"m",
            [Write("r", "a", b"1"), Write("r", "b", b"2")],
        )
        assert await store.positions("vehicle") == {"log": Position(3, 7, 11)}
        assert await store.reach() == {GPS: 99}
        for table, rows in {"dead": 2, "troubles": 1, "ticks": 1, "alerts": 2, "outbox": 2}.items():
            assert await count(store, table) == rows


async def test_a_batch_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        bad = outcome(changes=[change("a")], troubles=[Trouble("k", "r", object(), 0)])  # type: ignore[arg-type]
        with pytest.raises(sqlite3.Error):
            await store.apply({PLACE: bad}, [Tick("idle", "vehicle")])
        assert await count(store, "ticks") + await count(store, "changes") == 0
        await store.apply({PLACE: outcome()})


async def test_a_forgotten_key_leaves_no_row(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        await store.apply({PLACE: outcome(writes=[Write("r", "a", b"1")])})
        await store.apply({PLACE: outcome(writes=[Write("r", "a", None)])})
        assert await count(store, "state") == 0


async def test_a_transition_seen_again_changes_nothing(tmp_path: Path) -> None:
    async with a_store(tmp_path, "s") as store:
        first = await store.accept([change("a"), change("a", 1)], {"alerts-0": Position(2, 2, 0)})
        again = await store.accept([change("a"), change("a", 1)], {"alerts-0": Position(2, 2, 0)})
        assert (len(first.changes), len(again.changes)) == (2, 0)
        assert await count(store, "outbox") == 2
        assert await store.positions() == {"alerts-0": Position(2, 2, 0)}
        rows = await store.run(lambda link: link.execute("SELECT ordinal FROM alerts").fetchall())
        assert rows == [(1,)]


async def test_a_record_refused_by_several_key_spaces_is_one_dead_letter(tmp_path: Path) -> None:
    letter = outcome(rejected=[Rejected(GPS, 5, "not-json", "", b"{")])
    async with a_store(tmp_path) as store:
        stored = await store.apply({("a", 0): letter, ("b", 0): letter})
        assert sum(stored.rejected.values()) == await count(store, "dead") == 1


async def test_posted_records_stay_until_every_key_space_is_done(tmp_path: Path) -> None:
    feeds = {"gps": ["a", "b"]}
    async with a_store(tmp_path) as store:
        await store.inbox_put("gps", [b"1", b"2", b"3"], 5)
        rows = await store.inbox_read("gps", 0, 10)
        assert [(row.offset, row.value, row.arrived_ms) for row in rows][1] == (2, b"2", 5)
        await store.apply({("a", 0): outcome(positions={"inbox/gps": Position(3, 4, 0)})})
        await store.trim(feeds)
        assert await store.inbox_depth("gps") == 3
        await store.apply({("b", 0): outcome(positions={"inbox/gps": Position(2, 4, 0)})})
        await store.trim(feeds)
        assert [row.value for row in await store.inbox_read("gps", 0, 10)] == [b"2", b"3"]


async def test_offsets_of_the_inbox_never_come_again(tmp_path: Path) -> None:
    async with a_store(tmp_path) as store:
        await store.inbox_put("gps", [b"1"], 5)
        await store.apply({("a", 0): outcome(positions={"inbox/gps": Position(2, 2, 0)})})
        await store.trim({"gps": ["a"]})
    async with a_store(tmp_path) as store:
        await store.inbox_put("gps", [b"2"], 6)
        assert [row.offset for row in await store.inbox_read("gps", 0, 9)] == [2]


async def test_dead_letters_are_bounded_by_number_and_bytes(tmp_path: Path) -> None:
    for keep, left in ((Retention(dead_rows=3), 3), (Retention(dead_bytes=25), 2)):
        folder = tmp_path / str(left)
        async with a_store(folder, retention=keep) as store:
            await store.refuse("gps", [("not-json", "", b"0123456789")] * 9)
            await store.trim({})
            assert await count(store, "dead") == left


async def test_jobs_that_wait_together_are_independent(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "x.db", "en")
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_link: sqlite3.Connection) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    def bad(link: sqlite3.Connection) -> None:
        link.execute("INSERT INTO files VALUES ('s', 1, 'bad')")
        raise ValueError

    def good(link: sqlite3.Connection) -> int:
        link.execute("INSERT INTO files VALUES ('s', 2, 'good')")
        return 7

    jobs = [asyncio.ensure_future(writer.run(job)) for job in (hold, bad, good)]
    await asyncio.sleep(0.02)
    gate.set()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 7
    rows = await writer.run(lambda link: link.execute("SELECT name FROM files").fetchall())
    assert rows == [("good",)]
    await asyncio.to_thread(writer.close)
    with pytest.raises(RuntimeError, match="closed"):
        await writer.run(good)


async def test_a_second_store_on_the_folder_is_refused(tmp_path: Path) -> None:
    async with a_store(tmp_path):
        with pytest.raises(EnvironmentUnusable, match=rf"process {os.getpid()}\)"):
            Store(tmp_path, to(), lang="en")
    async with a_store(tmp_path):
        pass


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[100:] = b"\xff" * (len(raw) - 100)
    path.write_bytes(raw)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as link:
        link.execute("PRAGMA user_version = 99")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as link:
        link.execute("CREATE TABLE theirs (a)")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        pytest.param(damage, EnvironmentUnusable, "cannot be used", id="damaged"),
        pytest.param(newer, StateError, "has version 99", id="newer"),
        pytest.param(foreign, EnvironmentUnusable, "of another program", id="foreign"),
        pytest.param(
            lambda path: path.write_text("hello " * 300), EnvironmentUnusable, "cannot be used",
            id="not-a-database",
        ),
    ],
)  # fmt: skip
async def test_a_file_we_cannot_use_is_said_in_a_sentence(
    tmp_path: Path, spoil: object, error: type[Exception], words: str
) -> None:
    async with a_store(tmp_path):
        pass
    spoil(tmp_path / "forewarn.db")  # type: ignore[operator]
    for lang in ("en", "zh"):
        with pytest.raises(error, match=words if lang == "en" else "数据库|数据目录"):
            Store(tmp_path, to(), lang=lang)


async def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentUnusable, match="cannot be written"):
        Store(tmp_path / "file" / "data", to(), lang="en")


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_CONSTRAINT, False),
        (None, False),
    ],
)
def test_which_failures_of_the_disk_may_pass(code: int | None, passes: bool) -> None:
    error = sqlite3.OperationalError("x")
    if code is not None:
        error.sqlite_errorcode = code
    assert may_pass(error) is passes


async def test_nobody_but_its_owner_reads_what_holds_personal_data(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "forewarn.db").touch(0o644)
    async with a_store(folder, "s") as store:
        await store.apply({PLACE: outcome(changes=[change("a")])})
        files = [file for file in folder.iterdir() if file.name.startswith("forewarn.db")]
        assert len(files) > 1
        assert [file.stat().st_mode & 0o077 for file in files] == [0] * len(files)


async def test_the_folder_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    async with a_store(tmp_path / "new", "s") as store:
        await store.apply({PLACE: outcome(changes=[change("a")])})
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
