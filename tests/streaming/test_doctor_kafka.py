"""`forewarn doctor --connect` on a real cluster: what it finds, and with which code it ends."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import stream_world as world
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from secure_stage import Cluster, project
from stream_worker import program

from engine.edge.cli import main
from engine.edge.streaming.changelog import META, row_key
from engine.edge.streaming.ledger import Ledger, Line, Parcel
from engine.edge.streaming.topics import lay_out
from engine.ports import Position
from engine.state.codec import Meta, pack_meta, pack_row

pytestmark = pytest.mark.kafka

Said = dict[str, list[tuple[str, str, str]]]


def doctor(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, Said, str]:
    """Exit code, findings by matter as (state, code, text), and the verdict."""
    code = main(["doctor", str(folder), "--connect", "--json", "--lang", "en"])
    told = json.loads(capsys.readouterr().out)
    found: Said = {}
    for one in told["findings"]:
        found.setdefault(one["matter"], []).append((one["state"], one["code"] or "", one["text"]))
    assert told["exit"] == code
    assert told["ok"] == (code == 0)
    return code, found, told["verdict"]


def codes(found: Said, *matters: str) -> list[str]:
    """Codes of what is bad."""
    return sorted(
        code for matter in matters for state, code, _ in found.get(matter, []) if state == "bad"
    )


def test_a_cluster_without_our_topics_is_ready_and_nothing_is_made(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = f"d{uuid.uuid4().hex[:6]}"
    project(tmp_path, cluster.listeners["BROKER"], cluster.declared(), tag)
    for _ in range(15):  # a cluster that has just been started is not whole at once
        if doctor(tmp_path, capsys)[0] == 0:
            break
        time.sleep(1)
    for _ in range(2):
        code, found, verdict = doctor(tmp_path, capsys)
        assert code == 0, {
            matter: told for matter, told in found.items() if any(one[0] == "bad" for one in told)
        }
        assert verdict.startswith("Ready. ")
        assert "15 topics are missing and can be made" in found["topics"][0][2]
        assert [state for state, _, _ in found["broker"]] == ["fine"] * 3
        assert "3 brokers hold 3 copies" in found["replication"][0][2]
        assert found["state"] == [("fine", "", "no state is saved yet")]
        assert "valid for" in found["security"][0][2]
    assert main(["doctor", str(tmp_path), "--connect", "--lang", "zh"]) == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("就绪：")


def test_who_gets_in_but_has_no_rights_is_told_which_to_ask_for(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = f"d{uuid.uuid4().hex[:6]}"
    access = cluster.declared(username="stranger", password="stranger-secret")
    project(tmp_path, cluster.listeners["BROKER"], access, tag)
    code, found, verdict = doctor(tmp_path, capsys)
    assert code == 4
    assert codes(found, "topics") == ["K125"]
    assert codes(found, "rights") == ["K112", "K112", "K112"]
    orders = " ".join(text for _, _, text in found["rights"])
    assert f"--operation Read --group {tag}.dispatch" in orders
    assert f"--operation Write --transactional-id {tag}- --resource-pattern-type prefix" in orders
    assert verdict.startswith("Not ready. Wrong (marked BAD): 4,")


def test_nothing_but_the_door_is_looked_at_where_nobody_lets_us_in(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, cluster.listeners["BROKER"], cluster.declared(password="wrong"))
    code, found, _ = doctor(tmp_path, capsys)
    assert code == 4
    assert codes(found, "broker") == ["K109"] * 3
    assert not {"topics", "rights", "state"} & set(found)


def test_declarations_that_are_wrong_are_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "forewarn.yaml").write_text("broker: kafka://far:9092\n")
    code, found, _ = doctor(tmp_path, capsys)
    assert code == 2
    assert codes(found, "settings") == ["S108"]


async def make(cluster: Cluster, *topics: tuple[str, int, dict[str, str]]) -> None:
    """Topics as somebody else might have made them."""
    admin = cluster.link("any").admin()
    await admin.start()
    await admin.create_topics(
        [NewTopic(name, n, 3, topic_configs=more) for name, n, more in topics]
    )
    await admin.close()
    await asyncio.sleep(0.5)


def test_topics_that_others_made_wrong_are_named_and_workers_refuse_the_fatal_ones(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = f"d{uuid.uuid4().hex[:6]}"
    project(tmp_path, cluster.listeners["BROKER"], cluster.declared(), tag)
    asyncio.run(
        make(
            cluster,
            (f"{tag}.state-vehicle", 3, {"cleanup.policy": "compact,delete"}),
            (f"{tag}.alerts", 2, {"retention.ms": "1000", "max.message.bytes": "1000"}),
        )
    )
    code, found, _ = doctor(tmp_path, capsys)
    assert code == 4
    assert codes(found, "retention", "size") == ["K123", "K127"]
    named = [text for some in found.values() for state, _, text in some if state == "warn"]
    assert any(f"'{tag}.alerts' has partitions 2, declared is 3" in text for text in named)
    assert any(f"'{tag}.alerts' has retention.ms 1000" in text for text in named)
    assert main(["run", str(tmp_path), "--role", "worker", "--lang", "en"]) == 4
    assert "K123: topic" in capsys.readouterr().err

    asyncio.run(make(cluster, (f"{tag}.gps", 2, {})))
    code, found, _ = doctor(tmp_path, capsys)
    assert code == 4
    assert codes(found, "topics") == ["K121"]
    assert main(["run", str(tmp_path), "--role", "worker", "--lang", "en"]) == 4
    assert "K121: topic" in capsys.readouterr().err


def test_saved_state_is_held_against_the_rules_and_what_was_deleted_unread_is_told(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = f"d{uuid.uuid4().hex[:6]}"
    project(tmp_path, cluster.listeners["BROKER"], cluster.declared(), tag)
    rules = program(tag)
    hash_now = rules.rules["vehicle-dwell"].spec.hash
    asyncio.run(saved(cluster, tag, hash_now))
    code, found, _ = doctor(tmp_path, capsys)
    assert code == 0, found
    assert "2 rows of saved state fit" in found["state"][0][2]
    assert "4 records wait to be read, most of them (4)" in found["backlog"][0][2]
    clock = found["clock"][0]
    assert clock[0] == "fine", clock
    assert "all 12 topics of ours are as declared" in " ".join(text for *_, text in found["topics"])
    assert {state for state, _, _ in found["rights"]} == {"fine"}

    asyncio.run(saved(cluster, tag, "0123456789abcdef", delete=3))
    code, found, verdict = doctor(tmp_path, capsys)
    assert codes(found, "state", "retention") == ["K126", "K132"]
    assert code == 4, "records that are gone must be dealt with first"
    asyncio.run(saved(cluster, tag, hash_now, at=99))
    code, found, verdict = doctor(tmp_path, capsys)
    assert codes(found, "backlog", "state") == ["K129"]
    asyncio.run(saved(cluster, tag, "0123456789abcdef", at=9))
    code, found, verdict = doctor(tmp_path, capsys)
    assert code == 5
    assert "vehicle-dwell" in found["state"][0][2]
    assert "on_change: {from: '012345" in found["state"][0][2]
    assert verdict.endswith("exit code 5.")


async def saved(
    cluster: Cluster, tag: str, rule_hash: str, *, delete: int = 0, at: int = 1
) -> None:
    """Five fixes, of which one is read, and what a worker would have saved of it."""
    link = cluster.link(tag)
    layout = await lay_out(link, program(tag))
    topic = layout.feeds["gps"]
    producer = AIOKafkaProducer(**link.client(), acks="all")
    await producer.start()
    for minute in range(5):
        value = world.fix("v0", minute * world.MINUTE).value
        await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()
    meta = Meta(positions={f"{topic}/0": Position(at, at, 0)})
    lines = [Line(row_key("vehicle-dwell", key), pack_row(rule_hash, [])) for key in ("a", "b")]
    ledger = Ledger(link, f"{tag}-test")
    await ledger.open()
    state = Parcel(layout.names.state("vehicle"), 0, [*lines, Line(META, pack_meta(meta))])
    await ledger.commit([state])
    await ledger.close()
    if delete:
        admin: Any = link.admin()
        await admin.start()
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(delete)})
        await admin.close()
