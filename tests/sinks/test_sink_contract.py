"""What every sink promises, run against every kind that needs no broker."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from receiver import Receiver, receiver

from connectors import SINKS, module_of, sink_kinds, source_kinds
from connectors.sinks import jsonl, webhook
from engine.ports import Sink, SinkContext

BODY = json.dumps({"delivery_id": "d1", "摘要": "停留"}, ensure_ascii=False).encode()


@asynccontextmanager
async def a_jsonl(
    folder: Path,
) -> AsyncIterator[tuple[Callable[[], Sink], Callable[[], list[str]]]]:
    def make() -> Sink:
        return jsonl.build("a", jsonl.Options(path="a.jsonl"), SinkContext(str(folder)))

    def got() -> list[str]:
        lines = (folder / "a.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line)["delivery_id"] for line in lines]

    yield make, got


@asynccontextmanager
async def a_webhook(
    folder: Path,
) -> AsyncIterator[tuple[Callable[[], Sink], Callable[[], list[str]]]]:
    async with receiver() as peer:
        options = webhook.Options(url=peer.url)
        yield lambda: webhook.build("a", options, SinkContext(str(folder))), lambda: peer.ids


KINDS = {"jsonl": a_jsonl, "webhook": a_webhook}
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))


@every_kind
async def test_what_was_sent_arrived_when_send_returns(kind: str, tmp_path: Path) -> None:
    async with KINDS[kind](tmp_path) as (make, got):
        sink = make()
        await sink.open()
        await sink.send("d1", BODY, 1)
        assert got() == ["d1"]
        await sink.close()


@every_kind
async def test_the_same_delivery_again_does_no_harm(kind: str, tmp_path: Path) -> None:
    async with KINDS[kind](tmp_path) as (make, got):
        for _ in range(2):
            sink = make()
            await sink.open()
            await sink.send("d1", BODY, 1)
            await sink.close()
        assert set(got()) == {"d1"}


@every_kind
async def test_it_may_be_closed_twice_and_without_being_opened(kind: str, tmp_path: Path) -> None:
    async with KINDS[kind](tmp_path) as (make, _):
        await make().close()
        sink = make()
        await sink.open()
        await sink.close()
        await sink.close()


@every_kind
async def test_it_says_its_name_and_how_much_it_takes_at_once(kind: str, tmp_path: Path) -> None:
    async with KINDS[kind](tmp_path) as (make, _):
        sink = make()
        assert (sink.name, sink.parallel > 0) == ("a", True)


def test_the_table_names_modules_that_have_options_and_build() -> None:
    for kind in KINDS:
        module = module_of(SINKS[kind])
        assert module.Options.model_fields["kind"].default == kind
        assert callable(module.build)


def test_kinds_of_ours_are_all_in_the_tables() -> None:
    assert {"file", "http", "kafka"} <= set(source_kinds())
    assert {"jsonl", "kafka", "webhook"} <= set(sink_kinds())


def test_receiver_ids_come_from_the_header() -> None:
    assert Receiver(got=[({"webhook-id": "x"}, b"")]).ids == ["x"]
