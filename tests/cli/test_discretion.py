"""What a report of problems never shows: secrets of the settings, files that a link leads to."""

import json
from pathlib import Path

import pytest

from engine.edge.cli import main

SINKS = """\
sinks:
  a: {kind: webhook, url: "http://x/y", secret: "whsec_SESAME", foo: 1}
  b: {kind: webhook, url: "http://x/y", token: 'SESAME', foo: 1}
  c: {kind: webhook, url: "htps://me:SESAME@x/y", secret_file: beside.secret}
  d: {kind: webhook, url: "http://x/y", token: [SESAME]}
http: {token: SESAME, prot: 1}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize("words", [["check"], ["check", "--json"], ["run", "--once"]])
@pytest.mark.parametrize("line", range(1, 6))
def test_a_wrong_settings_line_is_shown_without_its_secret(line, words, project, capsys):
    lines = SINKS.splitlines()
    kept = [lines[line]] if line == len(lines) - 1 else [lines[0], lines[line]]
    (project / "forewarn.yaml").write_text("\n".join(["packs: [rules]", *kept]) + "\n")
    assert main(words) == 2
    said = "".join(capsys.readouterr())
    assert "forewarn.yaml" in said
    assert "SESAME" not in said


def test_a_secret_of_a_wrong_kind_is_not_repeated(project, capsys):
    (project / "forewarn.yaml").write_text("packs: [rules]\nhttp: {token: 4711}\n")
    assert main(["check", "--json"]) == 2
    said = capsys.readouterr().out
    assert json.loads(said)["problems"][0]["code"] == "R113"
    assert "4711" not in said


def test_what_a_link_leads_to_is_not_shown(project, tmp_path_factory, capsys):
    outside = tmp_path_factory.mktemp("outside") / "passwords.csv"
    outside.write_text("SESAME\n")
    (project / "rules/tables").mkdir()
    (project / "rules/tables/rooms.csv").symlink_to(outside)
    assert main(["check"]) == 2
    said = "".join(capsys.readouterr())
    assert "R140" in said
    assert "SESAME" not in said
