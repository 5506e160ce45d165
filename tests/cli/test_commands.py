"""What people type and what they get: words, exit codes, nothing on the wrong stream."""

import gzip
import json
import os
import string
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import rules
from engine.edge.cli import main
from engine.edge.cli.entry import VERBS
from engine.text import LANGUAGES, catalogue

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    """A new project, as `forewarn init` makes it, as the folder we are in."""
    for name in ("FOREWARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    capsys.readouterr()
    return tmp_path


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def golden(name: str, text: str) -> None:
    """Hold a page against its golden file; `GOLDEN=write` writes it anew."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_pages(verb, lang, capsys):
    words = [verb, "--help", "--lang", lang] if verb else ["--lang", lang, "--help"]
    assert main(words) == 0
    said = capsys.readouterr()
    golden(f"help-{verb or 'forewarn'}.{lang}", said.out)
    assert said.err == ""


@pytest.mark.parametrize("verb", ["", "check", "run", "replay"])
def test_help_comes_at_once(verb):
    """Help imports nothing slow. The figure itself is a benchmark; here only a wide limit."""
    words = [sys.executable, "-X", "importtime", "-m", "engine", verb, "--help"]
    begun = time.perf_counter()
    done = subprocess.run([word for word in words if word], check=True, capture_output=True)
    assert time.perf_counter() - begun < 3
    for slow in (b"pydantic", b"engine.ruleset", b"aiohttp", b"shapely", b"rich.progress"):
        assert slow not in done.stderr


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("project")
def test_a_fresh_project_is_in_order(lang, capsys):
    assert main(["check", "--strict", "--lang", lang]) == 0
    golden(f"check-fresh.{lang}", capsys.readouterr().out)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.usefixtures("project")
def test_a_fresh_project_passes_its_tests(lang, capsys):
    assert main(["test", "-v", "--lang", lang]) == 0
    golden(f"test-fresh.{lang}", capsys.readouterr().out)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_wrong_rule_is_shown_with_its_place(project, lang, capsys):
    rule = project / "rules/room-too-warm.yaml"
    rule.write_text(rule.read_text("utf-8").replace("temp > 8 °C", "tmp > 8 km/h"), "utf-8")
    assert main(["check", "--lang", lang]) == 2
    golden(f"check-wrong.{lang}", capsys.readouterr().out)
    assert main(["test", "--lang", lang]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "room-too-warm.yaml:11" in said.err


def test_settings_are_checked_too(project, capsys):
    settings = project / "forewarn.yaml"
    settings.write_text(
        settings.read_text("utf-8").replace("file: {kind: jsonl", "fil: {kind: jsnl")
    )
    assert main(["check"]) == 2
    said = capsys.readouterr().out
    assert "S102" in said
    settings.write_text(settings.read_text("utf-8").replace("jsnl", "jsonl"))
    assert main(["check", "forewarn.yaml"]) == 2
    said = capsys.readouterr().out
    assert "S104" in said
    assert "routes.yaml:3:" in said


def test_problems_as_json_say_the_same(project, capsys):
    (project / "rules/room-too-warm.yaml").write_text("rule: room-too-warm\nseverty: red\n")
    assert main(["check", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    assert said["errors"] == len(said["problems"]) > 1
    assert any(problem["nearest"] == "severity" for problem in said["problems"])
    assert all(set(problem["what"]) == set(LANGUAGES) for problem in said["problems"])


def test_warnings_count_only_under_strict(project, capsys):
    (project / "rules/room-too-warm_test.yaml").unlink()
    assert main(["check"]) == 0
    assert main(["check", "--strict"]) == 3
    assert "W201" in capsys.readouterr().out


def test_a_failing_rule_test_is_exit_1_and_reaches_junit(project, capsys):
    file = project / "rules/room-too-warm_test.yaml"
    file.write_text(file.read_text("utf-8").replace("at: 12m", "at: 13m", 1), "utf-8")
    assert main(["test", "--junit", "results.xml"]) == 1
    assert "failed: 1" in capsys.readouterr().out
    assert (project / "results.xml").read_text("utf-8").count("<failure") == 1
    assert main(["test", "--json", "--quick", "-k", "orange"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] == 1


def test_the_daemon_runs_a_recording_once(project):
    assert main(["run", "--once"]) == 0
    changes = lines_of(project / "out/alerts.jsonl")
    assert [change["transition"] for change in changes] == ["fired", "raised", "cleared"]
    assert {change["key"] for change in changes} == {"room-7"}


def test_replay_and_daemon_say_the_same(project, capsys):
    main(["run", "--once"])
    assert main(["replay", "data", "--out", "replayed.jsonl"]) == 0
    assert "room-too-warm" in capsys.readouterr().out
    one = sorted((project / "out/alerts.jsonl").read_text("utf-8").splitlines())
    assert sorted((project / "replayed.jsonl").read_text("utf-8").splitlines()) == one


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_replay_counts_what_it_saw(project, lang, capsys):
    path = project / "data/room-temperature.jsonl"
    lines = path.read_text("utf-8").splitlines()
    lines[10] = '{"room": "room-7"}'
    lines[40], lines[41] = lines[41], lines[20]
    path.write_text("\n".join(lines), "utf-8")
    words = ["replay", str(path), "--rejected", "bad.jsonl", "--lang", lang]
    assert main(words) == 0
    golden(f"replay.{lang}", capsys.readouterr().out)
    (bad,) = lines_of(project / "bad.jsonl")
    assert bad["reason"] == "missing-field"


def test_a_replay_sorts_unpacks_and_answers_in_json(project, capsys):
    lines = (project / "data/room-temperature.jsonl").read_text("utf-8").splitlines()
    packed = project / "backwards.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(reversed(lines)).encode()))
    given = f"room-temperature={packed}"
    assert main(["replay", given, "--json"]) == 0
    raw = json.loads(capsys.readouterr().out)
    assert raw["late"]["room-temperature"] > 50
    assert main(["replay", given, "--sort", "--json", "--until", "2026-03-02T10:00"]) == 0
    ordered = json.loads(capsys.readouterr().out)
    assert ordered["late"] == {}
    assert ordered["alerts"]["room-too-warm"]["fired"] == 1


def test_what_lies_after_the_end_of_a_replay_does_not_count(project, capsys):
    path = project / "data/room-temperature.jsonl"
    times = sorted(one["read_at"] for one in lines_of(path) if "read_at" in one)
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"$watermark": 4102444800000}\n')
    assert main(["replay", "data", "--json", "--until", times[9]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records"] == {"room-temperature": sum(time <= times[9] for time in times)}
    assert found["alerts"] == {}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param([], 64, "", id="nothing-at-all"),
        pytest.param(["chek"], 64, "did you mean 'check'", id="a-verb-misspelt"),
        pytest.param(["check", "--strct"], 64, "--strct", id="an-unknown-option"),
        pytest.param(["replay"], 64, "DATA", id="an-argument-left-out"),
        pytest.param(["demo", "--seed", "x"], 64, "--seed", id="a-value-that-does-not-fit"),
        pytest.param(["replay", "x", "--until"], 64, "--until", id="an-option-without-value"),
        pytest.param(["check", "nowhere"], 4, "nowhere", id="a-folder-that-is-not-there"),
        pytest.param(["replay", "rules"], 4, "room-temperature", id="no-recording-there"),
        pytest.param(["replay", "data", "--until", "soon"], 64, "soon", id="no-instant"),
        pytest.param(["run", "nowhere"], 4, "nowhere", id="nothing-to-run"),
        pytest.param(["run", "--role", "worker"], 64, "worker", id="a-role-without-a-broker"),
        pytest.param(["init"], 4, "README.md", id="a-folder-that-is-taken"),
        pytest.param(["test", "--junit", "no/x.xml"], 4, "no/x.xml", id="a-report-nowhere"),
        pytest.param(["test", "-k", "nosuch"], 64, "nosuch", id="no-test-of-that-name"),
        pytest.param(["check", "out"], 4, "out", id="a-folder-with-nothing-to-check"),
        pytest.param(["test", "out"], 4, "out", id="a-folder-with-nothing-to-test"),
        pytest.param(["run", "out", "--once"], 4, "out", id="a-folder-with-nothing-to-run"),
        pytest.param(["receive", "--port", "99999"], 4, "99999", id="a-port-that-cannot-be"),
        pytest.param(["simulate", "mars", "-o", "x"], 64, "command line", id="no-such-world"),
        pytest.param(["check", "--lang", "fr"], 64, "there is no language 'fr'", id="no-language"),
        pytest.param(["version", "a", "b"], 64, "too many words: a b", id="too-many-words"),
        pytest.param(["simulate", "fleet", "-o", "x", "--vehicles", "-3"], 64, "-3", id="too-few"),
        pytest.param(["simulate", "city", "-o", "x", "--start", "now"], 64, "now", id="no-start"),
        pytest.param(["demo", "--keep", "README.md"], 4, "README.md", id="a-file-for-a-folder"),
    ],
)
def test_wrong_command_lines_have_their_own_exit_codes(words, code, said, project, capsys):
    (project / "out").mkdir()
    assert main(words) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_saved_state_of_another_rule_is_exit_5(project, capsys):
    data = project / "data/room-temperature.jsonl"
    kept = data.read_text("utf-8").splitlines()
    data.write_text("\n".join(kept[:60]) + "\n", "utf-8")
    assert main(["run", "--once"]) == 0
    rule = project / "rules/room-too-warm.yaml"
    rule.write_text(rule.read_text("utf-8").replace("for: 10m", "for: 9m"), "utf-8")
    assert main(["run", "--once"]) == 5
    assert "room-too-warm" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_bug_of_ours_is_exit_70_with_a_report_and_no_traceback(capsys, monkeypatch):
    def broken() -> int:
        message = "the sky fell"
        raise RuntimeError(message)

    monkeypatch.setattr("engine.edge.cli.versions.tell_version", broken)
    assert main(["version"]) == 70
    err = capsys.readouterr().err
    assert "Traceback" not in err
    report = Path(err.strip().rsplit(" ", 1)[-1])
    assert "the sky fell" in report.read_text("utf-8")
    report.unlink()


@pytest.mark.usefixtures("project")
def test_version_and_doctor_in_json(capsys):
    assert main(["version", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"forewarn", "python", "parts"}
    main(["doctor", "--json"])
    matters = {one["matter"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert {"version", "parts", "names", "calendar", "folder"} <= matters


@pytest.mark.usefixtures("project")
def test_the_language_comes_from_the_option_the_variable_or_the_locale(capsys, monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    main(["chek"])
    assert "命令" in capsys.readouterr().err
    monkeypatch.setenv("FOREWARN_LANG", "en")
    main(["chek"])
    assert "command" in capsys.readouterr().err
    main(["chek", "--lang", "zh"])
    assert "命令" in capsys.readouterr().err
    monkeypatch.setenv("FOREWARN_LANG", "zh_CN.UTF-8")
    assert main(["check"]) == 0
    assert "个" in capsys.readouterr().out


def test_where_no_project_is_the_packs_that_come_along_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--json", "--lang", "en"]) == 0
    said = capsys.readouterr()
    assert "packs that come with Forewarn" in said.err
    packs = list(Path(rules.__file__).parent.glob("*/pack.yaml"))
    assert json.loads(said.out)["packs"] == len(packs)


def test_doctor_tells_of_wrong_settings_in_the_language_asked_for(project, capsys):
    (project / "forewarn.yaml").write_text("packs: [rules]\nfoo: 1\n")
    assert main(["doctor", "--lang", "zh"]) == 2
    assert "未知的键“foo”" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_pipe_that_closes_early_is_no_error():
    words = f"{sys.executable} -m engine replay data --out - | head -n 1"
    root = Path(__file__).parents[2]
    path = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(words, shell=True, capture_output=True, env=path, check=False)
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("project")
def test_completion_knows_the_verbs():
    root = Path(__file__).parents[2]
    path = {**os.environ, "PYTHONPATH": str(root), "_FOREWARN_COMPLETE": "complete_bash"}
    path |= {"COMP_WORDS": "forewarn re", "COMP_CWORD": "1"}
    words = [sys.executable, "-m", "engine"]
    done = subprocess.run(words, capture_output=True, env=path, check=False)
    assert done.stdout.decode().split() == ["replay", "reload", "report", "receive"]


def test_every_sentence_stands_in_both_languages_with_the_same_values():
    for name, entry in catalogue().items():
        fields = [
            {field for _, field, _, _ in string.Formatter().parse(entry[lang]) if field}
            for lang in LANGUAGES
        ]
        assert fields[0] == fields[1], name


def test_the_version_is_told_by_the_option_that_people_know(capsys):
    assert main(["version", "--lang", "en"]) == 0
    verb = capsys.readouterr().out
    assert main(["--version", "--lang", "en"]) == 0
    assert capsys.readouterr().out == verb
