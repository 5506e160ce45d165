"""The intake: 202 only for what is kept, every refusal with its reason, pressure as 429."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from source_stage import MemoryJournal, context

from connectors.sources.http import HttpSource, Intake, Options
from engine.errors import EnvironmentUnusable

JSON, NDJSON = "application/json", "application/x-ndjson"
GOOD = b'{"t":1}'


@asynccontextmanager
async def intake(
    folder: Path, **settings: Any
) -> AsyncIterator[tuple[str, MemoryJournal, HttpSource]]:
    """A listening intake with the feed `gps`."""
    about = context(folder)
    source = HttpSource("gps", Options(feed="gps"), about)
    options = {"token": None, "max_body": 2000, "max_record": 200, "inbox_limit": 5, **settings}
    port = Intake([source], lang="en", now_ms=lambda: 77, known=["permits"], **options)
    await port.start("127.0.0.1", 0)
    try:
        assert isinstance(about.journal, MemoryJournal)
        yield f"http://127.0.0.1:{port.port}", about.journal, source
    finally:
        await port.stop()
        await port.stop()


async def post(
    url: str, body: bytes, kind: str = JSON, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={"Content-Type": kind, **headers}) as answer,
    ):
        return answer.status, await answer.json(), dict(answer.headers)


@pytest.mark.parametrize(
    ("kind", "body", "status", "accepted", "kept"),
    [
        pytest.param(JSON, GOOD, 202, 1, 1, id="one-record"),
        pytest.param(JSON, b'{\n "t": 1\n}\n', 202, 1, 1, id="one-record-on-several-lines"),
        pytest.param(NDJSON, GOOD + b"\n\n" + GOOD, 202, 2, 2, id="one-a-line"),
        pytest.param(NDJSON, GOOD + b"\r\n" + GOOD + b"\r\n", 202, 2, 2, id="carriage-returns"),
        pytest.param(NDJSON, GOOD + b"\nbad\n" + GOOD, 422, 2, 2, id="mixed-keeps-the-good"),
        pytest.param(JSON, b"bad", 422, 0, 0, id="all-bad"),
        pytest.param(JSON, b'{"t":"%s"}' % (b"x" * 300), 413, 0, 0, id="record-too-large"),
    ],
)
async def test_what_is_accepted_is_kept(
    tmp_path: Path, kind: str, body: bytes, status: int, accepted: int, kept: int
) -> None:
    async with intake(tmp_path) as (url, journal, _):
        code, words, _ = await post(f"{url}/feeds/gps", body, kind)
        assert (code, words["accepted"]) == (status, accepted)
        assert len(journal.rows.get("gps", [])) == kept
        assert all(row.arrived_ms == 77 for row in journal.rows.get("gps", []))


async def test_bad_lines_are_listed_with_number_and_reason_and_go_to_the_dead_letter(
    tmp_path: Path,
) -> None:
    async with intake(tmp_path) as (url, journal, _):
        status, words, _ = await post(f"{url}/feeds/gps", GOOD + b"\nbad\n", NDJSON)
    assert status == 422
    assert words["reasons"] == [{"line": 2, "reason": "wrong-type", "detail": "t"}]
    assert words["error"].startswith("1 records were accepted and are safe; 1 were refused")
    assert journal.refused == [("gps", "wrong-type", "t", b"bad")]


@pytest.mark.parametrize(
    ("path", "kind", "body", "status", "sentence"),
    [
        pytest.param("gpz", JSON, GOOD, 404, "did you mean 'gps'?", id="misspelt-feed"),
        pytest.param("xyzzy", JSON, GOOD, 404, "no feed 'xyzzy' here", id="unknown-feed"),
        pytest.param("gps", "text/xml", GOOD, 415, "'text/xml' is not taken", id="wrong-type"),
        pytest.param("gps", JSON, b"x" * 3000, 413, "larger than 2000 bytes", id="body-too-large"),
        pytest.param("gps", NDJSON, b"\n \n", 422, "holds no record", id="empty"),
    ],
)
async def test_what_is_refused_says_why(
    tmp_path: Path, path: str, kind: str, body: bytes, status: int, sentence: str
) -> None:
    async with intake(tmp_path) as (url, journal, _):
        code, words, _ = await post(f"{url}/feeds/{path}", body, kind)
        assert code == status
        assert sentence in words["error"]
        assert not journal.rows


async def test_a_full_inbox_asks_senders_to_wait_until_it_is_read(tmp_path: Path) -> None:
    async with intake(tmp_path) as (url, _, source):
        assert (await post(f"{url}/feeds/gps", b"\n".join([GOOD] * 5), NDJSON))[0] == 202
        status, words, headers = await post(f"{url}/feeds/gps", GOOD)
        assert (status, headers["Retry-After"]) == (429, "2")
        assert "is behind" in words["error"]
        await source.open({})
        assert source.unread == 5
        await anext(source.batches())
        assert (await post(f"{url}/feeds/gps", GOOD))[0] == 202
        assert source.unread == 1


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        pytest.param("Bearer right", 202, id="right"),
        pytest.param("Bearer wrong", 401, id="wrong"),
        pytest.param("", 401, id="none"),
        pytest.param("Bearer \u00ff", 401, id="not-ascii"),
    ],
)
async def test_with_a_token_only_its_holders_may_post(
    tmp_path: Path, shown: str, status: int
) -> None:
    async with intake(tmp_path, token="right") as (url, _, _):
        assert (await post(f"{url}/feeds/gps", GOOD, Authorization=shown))[0] == status


async def test_a_token_that_is_no_text_is_a_wrong_one(tmp_path: Path) -> None:
    async with intake(tmp_path, token="right") as (url, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        writer.write(b"POST /feeds/gps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b"Authorization: Bearer \xff\xfe\r\nContent-Length: 7\r\n\r\n" + GOOD)
        assert b" 401 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_what_was_posted_comes_out_as_batches_and_resumes(tmp_path: Path) -> None:
    async with intake(tmp_path) as (url, _, source):
        await post(f"{url}/feeds/gps", GOOD + b'\n{"t":2}', NDJSON)
        await source.open({"inbox/gps": 2})
        batch = await anext(source.batches())
        assert [record.value for record in batch.records] == [b'{"t":2}']
        assert batch.records[0].arrived_ms == 77
        await source.close()


async def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    async with intake(tmp_path) as (url, _, source):
        second = Intake([source], token=None, max_body=10, max_record=10, inbox_limit=1, lang="zh")
        with pytest.raises(EnvironmentUnusable, match="无法监听"):
            await second.start("127.0.0.1", int(url.rsplit(":", 1)[1]))
