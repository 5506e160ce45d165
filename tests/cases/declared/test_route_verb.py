"""`forewarn route`, and check and test of a desk: what people and programs are told."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from engine.edge.cli import main
from engine.text import LANGUAGES

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MONDAY = ("--time", "2026-03-02 10:00")
ASKED: dict[str, list[str]] = {
    "a-tanker-in-rugao": ["--rule", "hazmat-abnormal-dwell", "-l", "area=320682"],
    "a-red-one-is-lifted": [
        *("--rule", "hazmat-abnormal-dwell", "--severity", "red", "-l", "area=320682"),
    ],
    "a-position-says-the-county": ["--rule", "hazmat-off-route", "--at", "120.75,31.95"],
    "nobody-knows-where": ["--rule", "river-above-warning", "--key", "天生港"],
    "a-branch-inside-a-branch": ["--rule", "cylinder-overdue-delivered", "-l", "area=海安"],
    "a-place-of-another-city": ["--rule", "dwelling-complained-twice", "-l", "area=999999"],
}


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the small desk of the golden cases and nothing else."""
    shutil.copytree(HERE / "base", tmp_path / "desk")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "desk"


def spoken(name: str, text: str) -> None:
    path = HERE / "spoken" / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ASKED)
def test_where_an_alert_would_go(
    name: str, lang: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["route", "rules", *ASKED[name], *MONDAY, "--lang", lang]) == 0
    spoken(f"{name}.{lang}", capsys.readouterr().out)


def test_the_same_for_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["route", "rules", *ASKED["a-tanker-in-rugao"], *MONDAY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["route"], told["lead"], told["centre"]) == ("hazmat", "emergency", "320682")
    assert told["hears"][0] == {"sink": "order-system", "as": "lead"}
    assert told["due_ms"]["sign"] == told["at_ms"] + 2 * 3_600_000
    assert told["quiet"] is None
    taken = [one["said"]["en"] for one in told["why"] if one["taken"]]
    assert "branch 'hazmat' matches" in taken


def test_alerts_of_a_file_are_routed_one_after_the_other_at_their_own_times(
    city: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alert: dict[str, Any] = {
        "delivery_id": "d",
        "episode_id": "e",
        "rule": "hazmat-dwell",
        "rule_hash": "",
        "key": "A1",
        "transition": "fired",
        "ordinal": 1,
        "at_ms": 1_772_416_800_000,
        "since_ms": 0,
        "severity": "yellow",
        "pack": "hazmat",
        "labels": {"area": "990002"},
    }
    lines = [json.dumps({**alert, "labels": {"area": area}}) for area in ("990002", "990001")]
    (tmp_path / "alerts.jsonl").write_text("\n".join(lines), "utf-8")
    assert main(["route", "desk", "--alert", "alerts.jsonl", "--json"]) == 0
    text = capsys.readouterr().out
    told = [json.loads(line) for line in text.splitlines()]
    assert [one["route"] for one in told] == ["hazmat/hazmat-north", "hazmat"]
    assert {one["at_ms"] for one in told} == {alert["at_ms"]}
    assert city.is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "either --alert or --rule", id="nothing-asked"),
        pytest.param(["--rule", "a", "--alert", "b"], "either --alert or --rule", id="both-asked"),
        pytest.param(["--rule", "a", "--severity", "rad"], "'rad' is no level", id="a-level"),
        pytest.param(["--rule", "a", "-l", "area"], "'area' is no label", id="a-label"),
        pytest.param(["--rule", "a", "--at", "120"], "'120' is no place", id="a-place"),
        pytest.param(["--rule", "a", "--at", "32.39,120.56"], "is no place", id="latitude-first"),
        pytest.param(["--rule", "a", "--time", "noon"], "'noon' is no time", id="a-time"),
    ],
)
def test_what_cannot_be_asked(
    words: list[str], said: str, city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", str(city), *words]) == 64
    assert said in capsys.readouterr().err


def test_a_rule_that_is_not_there_is_named_with_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["route", "rules", "--rule", "hazmat-abnormal-dwel"]) == 64
    assert "did you mean 'hazmat-abnormal-dwell'?" in capsys.readouterr().err


def test_route_tests_that_pass_and_one_that_does_not_with_the_whole_way(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", "desk", "--test"]) == 0
    assert "3 route tests: 3 passed, 0 failed" in capsys.readouterr().out
    file = city / "routes_test.yaml"
    file.write_text(file.read_text("utf-8").replace("host: north-police", "host: police"), "utf-8")
    assert main(["route", "desk", "--test"]) == 1
    spoken("a-route-test-that-fails", capsys.readouterr().out)


def test_forewarn_test_runs_route_tests_as_well_and_tells_build_servers(
    city: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = city / "routes_test.yaml"
    file.write_text(file.read_text("utf-8").replace("host: north-police", "host: police"), "utf-8")
    assert main(["test", "desk", "--junit", "tests.xml"]) == 1
    assert "3 route tests: 2 passed, 1 failed" in capsys.readouterr().out
    suite = ET.parse(tmp_path / "tests.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "host: expected police, found north-police"
    assert main(["test", "desk", "--json"]) == 1
    assert [one["passed"] for one in json.loads(capsys.readouterr().out)["routes"]] == [
        False,
        True,
        True,
    ]


def test_check_reads_a_desk_with_its_folder_alone(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "desk"]) == 0
    out = capsys.readouterr().out
    assert "desk desk: 4 departments, 5 centres, 6 branches, 2 sets of limits, 3 route tests" in out
    routes = city / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("lead: police", "lead: polize"), "utf-8")
    assert main(["check", "desk/routes.yaml"]) == 2
    assert re.search(r"desk/routes.yaml:27:11: error D106: .*'polize'", capsys.readouterr().out)


@pytest.mark.parametrize("named", [True, False])
def test_check_of_settings_checks_the_desk_they_name_and_its_sinks(
    named: bool, city: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "rules/river", tmp_path / "rules/river")
    settings = (
        "packs: [rules]\nsinks: {duty-room: {kind: console}, console-webhook: {kind: console}}\n"
    )
    if named:
        city.rename(tmp_path / "other")
        settings += "desk: {folder: other}\n"
    (tmp_path / "forewarn.yaml").write_text(settings, "utf-8")
    assert main(["check", "."]) == 2
    out = capsys.readouterr().out
    folder = "other" if named else "desk"
    assert (
        f"{folder}/departments.yaml:8:13: error D117: the settings declare no sink 'orders'" in out
    )


def test_a_desk_that_settings_name_and_nobody_made_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "rules/river", tmp_path / "rules/river")
    (tmp_path / "forewarn.yaml").write_text("packs: [rules]\ndesk: {folder: nowhere}\n", "utf-8")
    assert main(["check", "."]) == 2
    assert "forewarn.yaml:2:16: error R141: there is no such file" in capsys.readouterr().out
