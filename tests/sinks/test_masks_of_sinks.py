"""Personal data by sink: every kind declares it alike, and what is masked never leaves in full."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sink_stage import STAGES, a_body

from connectors import SINKS, module_of
from connectors.personal import Discreet, ToPeople, ToSystems
from connectors.sinks import jsonl, kafka
from engine.ports import SinkContext

PLATE, PHONE, DRIVER = "苏F12345", "13812345678", "欧阳明"
SYSTEMS = {"jsonl", "kafka", "mqtt", "sql", "webhook"}


def about_people() -> tuple[str, bytes]:
    """A delivery with personal data in tagged fields and in every text a person reads."""
    said = f"{PLATE}（{DRIVER}，{PHONE}）停留过久"
    return a_body(
        f"{PLATE}-yellow",
        title={"zh": said, "en": said}, summary={"zh": said, "en": said}, place=said,
        labels={"driver": DRIVER}, personal={"vehicle": "plate", "driver": "name"},
    )  # fmt: skip


@pytest.mark.parametrize("kind", sorted(SINKS))
def test_every_kind_declares_masks_in_one_way(kind: str) -> None:
    options = module_of(SINKS[kind]).Options
    assert issubclass(options, ToSystems if kind in SYSTEMS else ToPeople)
    assert options.model_fields["personal"].annotation == Discreet.model_fields[
        "personal"
    ].annotation  # fmt: skip


@pytest.mark.parametrize("kind", sorted(STAGES))
async def test_a_masked_sink_lets_no_personal_data_out_and_a_full_one_does(
    kind: str, tmp_path: Path
) -> None:
    async with STAGES[kind](tmp_path) as stage:
        for personal in ("masked", "full"):
            sink = stage.make(personal=personal)
            await sink.open()
            name, body = about_people()
            if personal == "full":
                name, body = f"{name}-full", body.replace(name.encode(), f"{name}-full".encode())
            await sink.send(name, body, 1)
            await sink.close()
            await stage.settle()
            assert "停留过久" in stage.words()
            found = [one for one in (PLATE, PHONE, DRIVER) if one in stage.words()]
            assert found == ([] if personal == "masked" else [PLATE, PHONE, DRIVER])


class Producer:
    """Takes what a Kafka producer would."""

    sent: list[tuple[bytes, bytes | None]]

    def __init__(self, **_: Any) -> None:
        type(self).sent = []

    async def start(self) -> None:
        """It is there."""

    async def stop(self) -> None:
        """It is gone."""

    async def send_and_wait(self, _topic: str, value: bytes, key: bytes | None, **_: Any) -> None:
        self.sent.append((value, key))


async def written(folder: Path, body: bytes, **more: Any) -> tuple[bytes, bytes | None]:
    """The record that the Kafka sink makes of a body."""
    options = kafka.Options(bootstrap="127.0.0.1:9", topic="t", **more)
    sink = kafka.build("a", options, SinkContext(str(folder)))
    await sink.send("d", body, 1)
    await sink.close()
    return Producer.sent[-1]


async def test_records_of_a_topic_are_masked_where_it_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "AIOKafkaProducer", Producer)
    _, body = about_people()
    assert (await written(tmp_path, body))[0] == body
    shown = (await written(tmp_path, body, personal="masked"))[0].decode()
    assert [one for one in (PLATE, PHONE, DRIVER) if one in shown] == []
    assert msgspec.json.decode(shown)["delivery_id"] == msgspec.json.decode(body)["delivery_id"]


async def test_documents_of_a_case_share_a_key_as_the_changes_of_an_episode_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "AIOKafkaProducer", Producer)
    paper = b'{"document": "order", "id": "p1", "incident": "c1"}'
    assert (await written(tmp_path, paper))[1] == b"c1"
    _, body = about_people()
    assert (await written(tmp_path, body))[1] == msgspec.json.decode(body)["episode_id"].encode()


async def test_a_document_of_a_case_is_in_the_file_once(tmp_path: Path) -> None:
    options = jsonl.Options(path="a.jsonl")
    for _ in range(2):
        sink = jsonl.build("a", options, SinkContext(str(tmp_path)))
        await sink.open()
        await sink.send("p1", b'{"document": "order", "id": "p1", "incident": "c1"}', 1)
        await sink.close()
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 1
