"""Live events: who comes back with the last number it saw loses nothing, sees nothing twice."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from api_stage import PLATE, Stage, scope, staged

from engine.cases.model import Role

PATH = "/api/v1/events"


class Stream:
    """An open stream: what has come so far."""

    def __init__(self) -> None:
        self.status, self.text = 0, ""
        self.came = asyncio.Event()

    @property
    def events(self) -> list[tuple[int, dict[str, Any]]]:
        """Whole events: number and document."""
        found = []
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if fields.get("event") == "move":
                found.append((int(fields["id"]), json.loads(fields["data"])))
        return found

    async def until(self, count: int) -> list[tuple[int, dict[str, Any]]]:
        async with asyncio.timeout(10):
            while len(self.events) < count:
                self.came.clear()
                await self.came.wait()
        return self.events


@asynccontextmanager
async def listening(
    stage: Stage, token: str, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    stream, gone = Stream(), asyncio.Event()
    told = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in told:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        stream.status = message.get("status", stream.status)
        stream.text += message.get("body", b"").decode()
        stream.came.set()

    sent = {"Authorization": f"Bearer {token}", **(headers or {})}
    task = asyncio.create_task(stage.app(scope("GET", PATH, query, sent), receive, send))
    try:
        yield stream
    finally:
        gone.set()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await task


@asynccontextmanager
async def spreading(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.services.shelf.spread())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


async def comment(stage: Stage, incident: str, words: str) -> None:
    path, token = f"/api/v1/incidents/{incident}/comment", await stage.token(Role.HANDLER)
    assert (await stage.call("POST", path, token, {"reason": words})).status == 200


async def test_reconnecting_anywhere_loses_nothing_and_repeats_nothing(tmp_path):
    async with staged(tmp_path) as stage, spreading(stage):
        incident, token = await stage.incident(), await stage.token(Role.HANDLER)
        heard: list[tuple[int, str]] = []
        last = await stage.services.shelf.newest()
        for connection in range(6):
            await comment(stage, incident, f"{connection}a while nobody listens")
            header = {"Last-Event-ID": str(last)}
            async with listening(stage, token, headers=header) as stream:
                await stream.until(1)
                await comment(stage, incident, f"{connection}b while somebody listens")
                events = await stream.until(2)
            heard += [(number, event["move"]["reason"][:2]) for number, event in events]
            last = events[-1][0]
        assert [words for _, words in heard] == [f"{n}{part}" for n in range(6) for part in "ab"]
        numbers = [number for number, _ in heard]
        assert numbers == sorted(set(numbers))


async def test_a_number_from_before_a_desk_was_put_back_from_a_copy_hides_nothing(tmp_path):
    async with staged(tmp_path) as stage, spreading(stage):
        incident, token = await stage.incident(), await stage.token(Role.HANDLER)
        async with listening(stage, token, headers={"Last-Event-ID": "100000"}) as stream:
            await eventually(lambda: "retry" in stream.text)
            await comment(stage, incident, "after the copy")
            assert (await stream.until(1))[0][1]["move"]["reason"] == "after the copy"


async def test_without_a_number_it_begins_now_and_with_zero_at_the_beginning(tmp_path):
    async with staged(tmp_path) as stage, spreading(stage):
        incident, token = await stage.incident(), await stage.token(Role.HANDLER)
        async with listening(stage, token) as stream:
            await eventually(lambda: "retry" in stream.text)
            await comment(stage, incident, "now")
            assert (await stream.until(1))[0][1]["move"]["reason"] == "now"
        async with listening(stage, token, "after=0") as stream:
            events = await stream.until(3)
            assert events[0][1]["move"]["verb"] == "open"
            assert "sets" not in events[0][1]["move"] or not events[0][1]["move"]["sets"]


async def test_only_what_the_account_may_know_of_is_told_and_masked(tmp_path):
    async with staged(tmp_path) as stage, spreading(stage):
        token = await stage.token(Role.VIEWER, areas=("320612",))
        other = await stage.incident("unpaid-wages")
        mine = await stage.incident()
        start = await stage.services.shelf.newest()
        async with listening(stage, token, f"after={start}") as stream:
            await comment(stage, other, "elsewhere")
            await comment(stage, mine, f"plate {PLATE}")
            events = await stream.until(1)
            assert [event["incident"]["id"] for _, event in events] == [mine]
            assert PLATE[:7] not in stream.text


async def test_a_stream_ends_with_its_token_and_with_the_desk(tmp_path):
    async with staged(tmp_path) as stage, spreading(stage):
        token = await stage.token(Role.VIEWER)
        accounts = await stage.services.accounts.accounts()
        async with listening(stage, token) as stream:
            await stage.services.accounts.revoke(accounts[-1].id, accounts[-1].actor(Role.ADMIN))
            await eventually(lambda: stream.status == 200 and not stage.services.open_streams)
        other = await stage.token(Role.ANALYST)
        async with listening(stage, other):
            await eventually(lambda: stage.services.open_streams == 1)
            stage.services.stopping = True
            await eventually(lambda: not stage.services.open_streams)


async def test_too_many_streams_are_asked_to_wait_and_a_wrong_number_is_refused(tmp_path):
    async with staged(tmp_path) as stage:
        token = await stage.token(Role.VIEWER)
        wrong = await stage.call("GET", PATH, token, headers={"Last-Event-ID": "abc"})
        assert (wrong.status, wrong.json["code"]) == (422, "invalid")
        stage.services.streams = 0
        full = await stage.call("GET", PATH, token)
        assert (full.status, full.headers["retry-after"]) == (429, "10")
