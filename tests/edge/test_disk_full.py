"""A disk that is full: nobody is told that a record is kept which is not; later it all goes on."""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from daemon_stage import a_store
from source_stage import MemoryJournal, context

from connectors.sources.http import HttpSource, Intake, Options
from engine.edge.store import Store
from engine.errors import NotKept

ROOT = Path(__file__).parents[2]
LARGE, FULL = b"x" * 9000, "database or disk is full"


async def put(store: Store) -> None:
    """A posted record."""
    await store.inbox_put("gps", [LARGE], 1)


async def refuse(store: Store) -> None:
    """A posted record that is no event."""
    await store.refuse("gps", [("bad", "", LARGE)])


async def fill(store: Store, *, is_full: bool) -> None:
    """Let the database grow no more, or again."""
    pages = 1 if is_full else 1_000_000  # SQLite takes the present size where it is larger
    await store.run(lambda link: link.execute(f"PRAGMA max_page_count = {pages}"))


@pytest.mark.parametrize("keep", [put, refuse], ids=["good-records", "bad-records"])
async def test_what_is_not_kept_is_said_and_can_be_kept_later(
    keep: Callable[[Store], Awaitable[None]], tmp_path: Path
) -> None:
    async with a_store(tmp_path) as store:
        await fill(store, is_full=True)
        with pytest.raises(NotKept, match="full"):
            await keep(store)
        await fill(store, is_full=False)
        await keep(store)
        rows = await store.run(
            lambda link: link.execute(
                "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM dead)"
            ).fetchone()
        )
    assert rows == (1,)


class Blocked(MemoryJournal):
    """A journal on a full disk."""

    async def inbox_put(
        self,
        feed: str,
        values: Sequence[bytes],
        arrived_ms: int,
        mark: tuple[str, str] | None = None,
    ) -> None:
        del feed, values, arrived_ms, mark
        raise NotKept(FULL)

    async def refuse(self, feed: str, refused: Sequence[tuple[str, str, bytes]]) -> None:
        del feed, refused
        raise NotKept(FULL)


def test_a_folder_on_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A process may write no file longer than nothing: as a full disk, for the one who writes."""
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from engine.edge.store import Store\n"
        "from engine.errors import EnvironmentUnusable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: Store(Path(sys.argv[1]), lambda change: ())\n"
        "except EnvironmentUnusable as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path) in done.stdout


@pytest.mark.parametrize("body", [b'{"t":1}', b"bad"])
async def test_a_sender_is_asked_to_come_again(body: bytes, tmp_path: Path) -> None:
    about = replace(context(tmp_path), journal=Blocked())
    source = HttpSource("gps", Options(feed="gps"), about)
    port = Intake(
        [source], token=None, lang="en", max_body=2000, max_record=200, inbox_limit=5
    )  # fmt: skip
    await port.start("127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{port.port}/feeds/gps"
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "disk is full" in (await answer.json())["error"]
    finally:
        await port.stop()
    assert source.unread == 0
