"""Settings of Kafka: what is wrong is shown where it was written, secrets never show."""

import socket
from pathlib import Path

import pytest

from engine.edge.cli.kafka_link import link_of
from engine.edge.settings import read_settings
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.kafka.access import Access, addresses, is_loopback, open_way
from engine.ruleset.spec import Project

FAR = "broker: kafka://kafka-1:9093,kafka-2:9093\n"


def write(folder: Path, text: str) -> Path:
    (folder / "forewarn.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "report"),
    [
        pytest.param(FAR, "1:9: error S108: records would travel to kafka-1", id="plain"),
        pytest.param(
            FAR + "kafka: {sasl: SCRAM-SHA-512, username: a, password: b}", "1:9: error S108",
            id="a-password-in-the-clear",
        ),
        pytest.param("kafka: {sasl: PLAIN, password: b}\nbroker: 'kafka://127.0.0.1:1'",
            "1:15: error S109: 'sasl' needs 'username'", id="nobody"),
        pytest.param("kafka: {sasl: PLAIN, username: b}\nbroker: 'kafka://127.0.0.1:1'",
            "error S109: 'sasl' needs 'password'", id="no-password"),
        pytest.param(FAR + "kafka: {tls: true, username: b}",
            "2:30: error S110: 'username' has no effect without 'sasl'", id="user-without-sasl"),
        pytest.param(FAR + "kafka: {key_file: a}", "error S109: 'key_file' needs 'cert_file'",
            id="key-without-certificate"),
        pytest.param(FAR + "kafka: {tls: false, ca_file: a, insecure: true}",
            "2:30: error S110: 'ca_file' has no effect without 'tls'", id="files-without-tls"),
        pytest.param("broker: 'kafka://host:port'", "1:9: error S111", id="no-port"),
        pytest.param("broker: 'http://host:9092'", "1:9: error S111", id="other-scheme"),
        pytest.param("kafka: {instance: 'worker 1'}", "1:19: error S112", id="bad-name"),
        pytest.param("kafka: {replication: 2, min_insync: 3}", "1:37: error S113", id="min-insync"),
        pytest.param("kafka: {heartbeat_s: 8}", "1:22: error S113", id="heartbeat"),
        pytest.param("kafka: {sasl: GSSAPI}", "1:15: error R128", id="unknown-mechanism"),
        pytest.param("kafka: {topics: {a: {partition: 3}}}", "1:22: error R112", id="unknown-key"),
        pytest.param("kafka: {partitions: 0}", "1:21: error R133", id="out-of-range"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_where_it_was_written(
    tmp_path: Path, text: str, report: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        read_settings(write(tmp_path, text), {})
    assert report in str(caught.value)


def test_an_unencrypted_connection_to_another_machine_must_be_asked_for(tmp_path: Path) -> None:
    read_settings(write(tmp_path, FAR + "kafka: {insecure: true}"), {})
    read_settings(write(tmp_path, FAR + "kafka: {tls: true}"), {})
    read_settings(write(tmp_path, "broker: kafka://localhost:9092,127.0.0.1"), {})
    with pytest.raises(DeclarationError, match=r"\$FOREWARN_BROKER:1:1: error S108"):
        read_settings(write(tmp_path, "{}"), {"FOREWARN_BROKER": "kafka://h:9092"})


@pytest.mark.parametrize("section", ["sources", "sinks"])
def test_connectors_are_held_to_the_same(tmp_path: Path, section: str) -> None:
    feed = "feed: gps, " if section == "sources" else ""
    text = f"{section}: {{far: {{kind: kafka, {feed}bootstrap: 'h:9092', topic: t}}}}"
    with pytest.raises(DeclarationError, match="error S108: records would travel to h "):
        plan_connectors(read_settings(write(tmp_path, text), {}), Project(), "en")


def test_secrets_do_not_show_wherever_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "kafka.password").write_text("deep-secret\n")
    text = (
        FAR + "kafka: {tls: true, sasl: SCRAM-SHA-512, username: fw, password_file: kafka.password}"
    )
    configured = read_settings(write(tmp_path, text), {})
    way = open_way(configured.values.kafka, tmp_path)
    assert way.client()["sasl_plain_password"] == "deep-secret"
    assert "deep-secret" not in repr(way) + repr(link_of(configured, "en"))

    text = FAR + "kafka: {tls: true, sasl: PLAIN, username: fw}"
    given = {"FOREWARN_KAFKA__PASSWORD": "12345678"}
    configured = read_settings(write(tmp_path, text), given)
    shown = repr(configured.values) + repr(configured.origins()) + repr(link_of(configured, "en"))
    assert "12345678" not in shown
    assert open_way(configured.values.kafka, tmp_path).password == "12345678"


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "password_file"])
def test_a_file_that_cannot_be_used_is_named_with_its_code(tmp_path: Path, name: str) -> None:
    for content in (None, ""):
        if content is not None:
            (tmp_path / "it").write_text(content)
        with pytest.raises(EnvironmentUnusable, match=r"^K111: .*/it cannot be used"):
            open_way(
                Access.model_validate({name: "it", "sasl": "PLAIN", "username": "a"}), tmp_path
            )


def test_the_settings_become_a_link(tmp_path: Path) -> None:
    text = """
broker: kafka://127.0.0.1:9092,kafka://[::1]:9093
kafka:
  replication: 3
  instance: "{host}-2"
  topics:
    fw.alerts: {retention_ms: 5, settings: {compression.type: zstd, preallocate: true}}
"""
    link = link_of(read_settings(write(tmp_path, text), {}), "en")
    assert link.bootstrap == "127.0.0.1:9092,[::1]:9093"
    assert link.instance == f"{socket.gethostname()}-2"
    wish = link.topics["fw.alerts"]
    assert (wish.retention_ms, wish.partitions) == (5, None)
    assert wish.settings == {"compression.type": "zstd", "preallocate": "true"}


def test_addresses_are_judged_by_what_they_are() -> None:
    assert addresses("kafka://a,kafka://b:1,[::1]:2") == [("a", 9092), ("b", 1), ("::1", 2)]
    loop = ["localhost", "127.0.0.1", "127.9.9.9", "::1"]
    assert [is_loopback(one) for one in [*loop, "127.example.com", "10.0.0.1"]] == [
        *[True] * 4, False, False
    ]  # fmt: skip
