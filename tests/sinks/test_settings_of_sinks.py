"""Sinks as settings declare them: located problems, missing extras, secrets of every depth."""

from pathlib import Path
from unittest import mock

import pytest

from engine.edge.settings import read_settings
from engine.edge.wiring import plan_connectors
from engine.errors import DeclarationError
from engine.ruleset.load import load_project
from engine.ruleset.spec import Project

SMS = """sinks:
  phones:
    kind: sms
    gateway: {provider: aliyun, access_key_id: LTAI, secret: canary-one, sign_name: s, template: t}
    numbers: ["13800000000"]
    values: {a: title}
  orders: {kind: webhook, url: "http://127.0.0.1:9/", token: canary-two}
"""


def project() -> Project:
    found = load_project([]).project
    assert found is not None
    return found


def problems(folder: Path, text: str) -> str:
    (folder / "forewarn.yaml").write_text(text, "utf-8")
    with pytest.raises(DeclarationError) as caught:
        plan_connectors(read_settings(folder, {}), project(), "en")
    return str(caught.value)


def test_every_secret_of_a_sink_is_known_to_the_logs(tmp_path: Path) -> None:
    (tmp_path / "forewarn.yaml").write_text(SMS, "utf-8")
    configured = read_settings(tmp_path, {})
    plan = plan_connectors(configured, project(), "en")
    assert {"canary-one", "canary-two"} <= set(plan.secrets(configured))


def test_what_is_wrong_with_a_sink_is_said_with_its_line(tmp_path: Path) -> None:
    said = problems(tmp_path, "sinks:\n  g:\n    kind: dingtalk\n    per_minute: 99\n    tokn: x\n")
    assert "forewarn.yaml:4:17: error" in said
    assert "forewarn.yaml:5:5: error" in said
    assert "did you mean 'token'" in said


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [
        ("mqtt", "aiomqtt", "mqtt"),
        ("mail", "aiosmtplib", "mail"),
        ("cap", "lxml", "cap"),
        ("sql", "sqlalchemy", "sql"),
    ],
)
def test_a_missing_extra_is_told_with_the_line_that_needs_it(
    tmp_path: Path, kind: str, library: str, extra: str
) -> None:
    def find(name: str) -> object:
        return None if name == library else object()

    with mock.patch("connectors.find_spec", find):
        said = problems(tmp_path, f"sinks:\n  one:\n    kind: {kind}\n")
    assert "forewarn.yaml:3:11: error S116" in said
    assert f"forewarn[{extra}]" in said
