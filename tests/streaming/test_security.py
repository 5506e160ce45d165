"""Kafka with TLS and users: who is right gets in and works; who is not is told why, in a code."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import stream_world as world
from aiokafka import AIOKafkaProducer
from secure_stage import Cluster, project

from connectors.sinks import kafka as kafka_sink
from connectors.sources import kafka as kafka_source
from engine.edge.cli import main
from engine.edge.streaming.link import wait_for_broker
from engine.edge.streaming.topics import ensure_alerts
from engine.errors import EnvironmentUnusable, Retryable
from engine.ports import Journal, SinkContext, SourceContext
from simulators.__main__ import main as simulate

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).resolve().parents[2]
NOBODY = {"sasl": None, "username": None, "password": None}


@pytest.mark.parametrize(
    ("listener", "other"),
    [
        pytest.param("BROKER", {}, id="scram-512"),
        pytest.param("BROKER", {"sasl": "SCRAM-SHA-256"}, id="scram-256"),
        pytest.param("BROKER", {"sasl": "PLAIN"}, id="plain"),
        pytest.param(
            "MUTUAL",
            {**NOBODY, "cert_file": "client.pem"},
            id="certificate",
        ),
        pytest.param(
            "MUTUAL",
            {
                **NOBODY, "cert_file": "client.pem", "key_file": "locked.key",
                "key_password": "the-key",
            },
            id="certificate-with-a-locked-key",
        ),
    ],
)  # fmt: skip
async def test_who_is_right_gets_in(
    cluster: Cluster, listener: str, other: dict[str, str | None]
) -> None:
    link = cluster.link("in", bootstrap=cluster.first(listener), way=cluster.way(**other))
    async with asyncio.timeout(10):
        await wait_for_broker(link)


@pytest.mark.parametrize(
    ("code", "listener", "other"),
    [
        pytest.param("K103", "BROKER", {"ca_file": "stranger.pem"}, id="wrong-authority"),
        pytest.param("K104", "EXPIRED", {}, id="expired"),
        pytest.param("K106", "INNER", {}, id="no-tls-there"),
        pytest.param("K107", "BROKER", {"ca_file": None}, id="tls-there"),
        pytest.param("K107", "BROKER", {"ca_file": None, **NOBODY}, id="nothing"),
        pytest.param("K108", "MUTUAL", NOBODY, id="no-certificate-of-ours"),
        pytest.param("K109", "BROKER", {"password": "wrong-secret"}, id="wrong-password"),
        pytest.param("K109", "BROKER", {"username": "nobody"}, id="unknown-user"),
        pytest.param("K109", "BROKER", {"sasl": "PLAIN", "password": "wrong"}, id="plain-wrong"),
        pytest.param("K110", "INNER", {"ca_file": None}, id="no-users-there"),
    ],
)  # fmt: skip
def test_who_is_not_is_told_why_and_the_process_ends_with_code_4(
    cluster: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    listener: str,
    other: dict[str, str | None],
) -> None:
    if other.get("ca_file"):
        other = {**other, "ca_file": f"{cluster.certificates.folder}/{other['ca_file']}"}
    project(tmp_path, cluster.first(listener), cluster.declared(**other))
    for role in ("worker", "dispatcher"):
        assert main(["run", str(tmp_path), "--role", role, "--lang", "en"]) == 4
        told = capsys.readouterr().err
        assert f"{code}: " in told
        assert "Traceback" not in told
        assert "secret" not in told


def test_a_certificate_for_another_name_is_refused_unless_names_are_not_checked(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = cluster.first("BROKER").replace("127.0.0.1", "localhost")
    project(tmp_path, by_name, cluster.declared())
    assert main(["run", str(tmp_path), "--role", "worker", "--lang", "zh"]) == 4
    assert "K105：" in capsys.readouterr().err.replace("K105: ", "K105：")
    link = cluster.link("names", bootstrap=by_name, way=cluster.way(check_names=False))
    asyncio.run(wait_for_broker(link))


async def test_source_and_sink_get_in_and_say_why_they_do_not(
    cluster: Cluster, tmp_path: Path
) -> None:
    tag = f"s{uuid.uuid4().hex[:6]}"
    await ensure_alerts(cluster.link(tag))
    place = {"bootstrap": cluster.listeners["BROKER"], "topic": f"{tag}.alerts"}
    body = b'{"episode_id": "e1"}'

    def sink(**other: str) -> kafka_sink.KafkaSink:
        options = kafka_sink.Options(**place, timeout_s=10, **cluster.declared(**other))
        return kafka_sink.build("out", options, SinkContext(str(tmp_path)))

    good, bad = sink(), sink(password="wrong-secret")
    await good.send("d1", body, 1)
    with pytest.raises(Retryable, match="K109") as refused:
        await bad.send("d1", body, 1)
    assert "secret" not in str(refused.value)
    await good.close()
    await bad.close()

    found = source(place, cluster.declared(), tmp_path)
    await found.open({})
    async with asyncio.timeout(20):
        batch = await anext(found.batches())
    assert [record.value for record in batch.records] == [body]
    await found.close()
    stranger = str(cluster.certificates.stranger)
    misled = source(place, cluster.declared(ca_file=stranger), tmp_path)
    with pytest.raises(EnvironmentUnusable, match="source 'in' cannot read from Kafka: K103"):
        await misled.open({})


def test_the_simulators_get_in_too(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("forewarn-secret\n")
    asked = [
        "payroll", "--out", str(tmp_path), "--kafka", cluster.listeners["BROKER"],
        "--partitions", "2", "--projects", "2", "--days", "40", "--ca-file",
        str(cluster.certificates.ca), "--sasl", "SCRAM-SHA-512", "--username", "forewarn",
    ]  # fmt: skip
    with pytest.raises(OSError, match="needs --username and --password-file"):
        simulate(asked)
    assert simulate([*asked, "--password-file", str(tmp_path / "password"), "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["records"].values()) > 0
    with pytest.raises(OSError, match="is another machine"):
        simulate(["payroll", "--out", str(tmp_path), "--kafka", "broker.example:9092"])


def test_worker_and_dispatcher_work_over_tls_as_a_user_while_a_broker_dies(
    cluster: Cluster, tmp_path: Path
) -> None:
    tag = f"w{uuid.uuid4().hex[:6]}"
    project(tmp_path, cluster.listeners["BROKER"], cluster.declared(), tag)
    alerts = tmp_path / "data" / "alerts.jsonl"
    with running(tmp_path) as run:
        still = [world.fix("v0", minute * world.MINUTE).value for minute in range(60)]
        asyncio.run(send(cluster, tag, still[:15]))
        cluster.order("kill-node", 3)
        try:
            asyncio.run(send(cluster, tag, still[15:]))
            until(lambda: alerts.exists() and alerts.stat().st_size > 0, run)
        finally:
            cluster.order("start-node", 3)
    log = (tmp_path / "log").read_text()
    assert run.returncode == 0, log
    said = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert [(one["rule"], one["key"]) for one in said if one["transition"] == "fired"] == [
        ("vehicle-dwell", "v0")
    ]
    assert "secret" not in log
    assert "Traceback" not in log


@contextlib.contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Worker and dispatcher in one process, which ends in good order; it logs into `log`."""
    with (folder / "log").open("wb") as log:
        run = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield run
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(30)


def until(holds: Callable[[], bool], run: "subprocess.Popen[bytes]") -> None:
    """Wait until something holds; a process that ended meanwhile will never make it."""
    end = time.monotonic() + 60
    while not holds():
        assert run.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)


async def send(cluster: Cluster, tag: str, values: list[bytes]) -> None:
    """Write fixes, once the topic is there."""
    place = cluster.link(tag).client()
    producer = AIOKafkaProducer(**place, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await asyncio.wait_for(producer.send_and_wait(f"{tag}.gps", value, b"v0"), 40)
    finally:
        await producer.stop()


def source(
    place: dict[str, str], access: dict[str, object], folder: Path
) -> kafka_source.KafkaSource:
    """The source as wiring makes it."""
    options = kafka_source.Options(feed="gps", wait_s=5, **place, **access)
    context = SourceContext(
        feed="gps", format="json", partition=0, folder=str(folder), time_of=lambda _: None,
        reason=lambda _: None, journal=cast("Journal", None),
    )  # fmt: skip
    return kafka_source.build("in", options, context)
