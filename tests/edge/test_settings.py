"""Settings: file, environment, flags; problems where they were written; secrets masked."""

from pathlib import Path

import pytest

import connectors
from engine.edge.settings import read_settings
from engine.edge.wiring import Declared, Plan
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.secret_files import read_secret

FILE = """
data_folder: data
sinks:
  console-webhook: {kind: webhook, url: "http://h/"}
http: {port: 1}
metrics: {port: 2}
"""


def write(folder: Path, text: str = FILE) -> Path:
    (folder / "forewarn.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_later_layer_wins(tmp_path: Path) -> None:
    found = read_settings(
        write(tmp_path),
        {"FOREWARN_HTTP__PORT": "11", "FOREWARN_METRICS__PORT": "12", "PATH": "x"},
        {"metrics.port": 22, "data_folder": None},
    )
    values = found.values
    assert (values.http.port, values.metrics.port, values.data_folder) == (11, 22, "data")
    assert found.data_folder == tmp_path / "data"


def test_every_value_knows_who_set_it_and_secrets_are_masked(tmp_path: Path) -> None:
    found = read_settings(
        write(tmp_path),
        {"FOREWARN_SINKS__CONSOLE_WEBHOOK__SECRET": "123456", "FOREWARN_LANG": "zh"},
        {"http.port": 5},
    )
    origins = {name: (value, who) for name, value, who in found.origins()}
    assert origins["http.port"] == ("5", "--port:1:1")
    assert origins["lang"] == ('"zh"', "$FOREWARN_LANG:1:1")
    assert origins["metrics.port"] == ("2", f"{tmp_path}/forewarn.yaml:6:17")
    assert origins["sinks.console-webhook.secret"][0] == "***"
    assert found.values.sinks["console-webhook"]["secret"] == "123456"


def test_a_folder_without_settings_has_the_defaults(tmp_path: Path) -> None:
    found = read_settings(tmp_path, {})
    assert found.values.http.host == found.values.metrics.host == "127.0.0.1"
    assert found.packs == [tmp_path]


@pytest.mark.parametrize(
    ("text", "environment", "report"),
    [
        pytest.param(
            "metrics: {prot: 1}", {}, "forewarn.yaml:1:11: error R112", id="unknown-key"
        ),
        pytest.param("http: {port: many}", {}, "forewarn.yaml:1:14: error R124", id="not-a-number"),
        pytest.param("lang: fr", {}, "forewarn.yaml:1:7: error R12", id="not-a-language"),
        pytest.param(
            "{}", {"FOREWARN_HTTP__PORT": "many"}, "$FOREWARN_HTTP__PORT:1:1: error R124",
            id="variable-not-a-number",
        ),
        pytest.param(
            "{}", {"FOREWARN_HTTPS__PORT": "1"}, "$FOREWARN_HTTPS__PORT:1:1: error S105",
            id="variable-of-no-section",
        ),
        pytest.param("a: b: c", {}, "forewarn.yaml:1:", id="not-yaml"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_where_it_was_written(
    tmp_path: Path, text: str, environment: dict[str, str], report: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        read_settings(write(tmp_path, text), environment)
    assert report in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        read_settings(write(tmp_path, "lang: fr\nhttp: {port: x}\n"), {"FOREWARN_X__Y": "1"})
    assert len(caught.value.problems) == 3


def test_a_variable_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"FOREWARN_RECORDINGS": "/data"}).values.lang is None


def test_a_settings_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        read_settings(tmp_path / "other.yaml", {})


def test_secrets_come_from_files_without_their_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    assert read_secret(None, "token", tmp_path, "en") == "abc"
    assert read_secret(None, None, tmp_path, "en") is None


def test_every_secret_is_known_to_the_logs_wherever_it_was_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for place, secret in ((data / "hook", "in-a-sink-file"), (tmp_path / "http", "in-http-file")):
        place.write_text(f"{secret}\n", "utf-8")
    (tmp_path / "kafka").write_text("in-kafka-file\n", "utf-8")
    folder = write(
        tmp_path,
        """
data_folder: data
sinks:
  one: {kind: webhook, url: "http://h/", secret_file: hook, token: in-the-sink}
http: {token: in-the-settings, token_file: http}
kafka: {username: me, password_file: kafka}
""",
    )
    configured = read_settings(folder, {})
    module = connectors.module_of(connectors.SINKS["webhook"])
    options = module.Options(url="http://h/", secret_file="hook", token="in-the-sink")
    plan = Plan(sinks=[Declared("one", "webhook", module, options)])
    assert set(plan.secrets(configured)) == {
        "in-a-sink-file", "in-the-sink", "in-the-settings", "in-http-file", "in-kafka-file",
    }  # fmt: skip
