"""What a desk declares, in words: golden sheets in both languages, and all of the shipped desk."""

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.cases.declared.around import Around
from engine.cases.declared.load import load_desk
from engine.cases.declared.sheets import KINDS, described, listed, names
from engine.cases.policy import Policy
from engine.edge.cli import main
from engine.edge.cli.describe_verb import DESK_KINDS
from engine.edge.files import read_project
from engine.text import LANGUAGES, catalogue

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASE = ROOT / "tests/cases/declared/base"
THINGS = [
    "emergency",
    "990002",
    "PARK1",
    "ordinary",
    "urgent",
    "hazmat/hazmat-red",
    "vans",
    "watch",
]


def golden(name: str, text: str) -> None:
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copytree(BASE, tmp_path / "desk")
    monkeypatch.chdir(tmp_path)
    return "desk"


def shipped() -> Policy:
    policy = load_desk(read_project([ROOT / "rules/desk"]), Around()).policy
    assert policy is not None
    return policy


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sheets_of_a_desk_read_so(
    desk: str, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in THINGS:
        assert main(["describe", name, desk, "--lang", lang]) == 0
    golden(f"describe-desk.{lang}", capsys.readouterr().out)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_desk_declares_is_listed(
    desk: str, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in KINDS:
        assert main(["list", kind, desk, "--lang", lang]) == 0
    golden(f"list-desk.{lang}", capsys.readouterr().out)
    for kind in KINDS:
        assert main(["list", kind, desk, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[kind]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_of_the_shipped_desk_can_be_described(lang: str) -> None:
    policy = shipped()
    for kind in KINDS:
        for name, about in listed(kind, policy, lang):
            assert about
            sheets = described(name, policy, lang)
            assert sheets
            assert name in names(policy)
            for sheet in sheets:
                json.dumps(sheet.as_json(), ensure_ascii=False)
                assert f"about-{sheet.kind}" in catalogue()
                assert all(f"about-{label}" in catalogue() for label, _ in sheet.rows)


def test_a_route_takes_from_above_what_it_leaves_open() -> None:
    policy = shipped()
    (sheet,) = described("gas-cylinders", policy, "en")
    rows = dict(sheet.rows)
    assert rows["desk-lead"] == ["market-regulation"]
    assert rows["desk-lift-from"] == ["red"]
    assert rows["desk-tier"] == ["county"]


def test_the_desk_that_comes_along_is_meant_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["describe", "emergency", "--json"]) == 0
    (thing,) = json.loads(capsys.readouterr().out)["things"]
    assert thing["kind"] == "desk-department"


def test_a_name_that_is_nearly_one_is_asked_back(
    desk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", "emergancy", desk, "--lang", "en"]) == 64
    assert "did you mean 'emergency'" in capsys.readouterr().err


def test_a_desk_that_cannot_be_used_says_why(desk: str, capsys: pytest.CaptureFixture[str]) -> None:
    routes = Path(desk) / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("lead: command", "lead: comand"), "utf-8")
    assert main(["list", "routes", desk, "--lang", "en"]) == 0
    assert "D106" in capsys.readouterr().err


def test_the_kinds_are_those_of_the_sheets() -> None:
    assert DESK_KINDS == KINDS
