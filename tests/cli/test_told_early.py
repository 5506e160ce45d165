"""Slips that would pass in silence or hide each other: said at once, with their place."""

from pathlib import Path

import pytest

from engine.edge.cli import main

HTTP = "sources: {posted: {kind: http, feed: room-temperature}}\npacks: [rules]\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    """A new project as the folder we are in."""
    monkeypatch.setenv("LANG", "en")
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    capsys.readouterr()
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize("words", [["check"], ["run", "--once"]])
def test_a_pack_that_is_not_there_is_shown_in_the_settings(project, words, capsys):
    edit(project / "forewarn.yaml", "packs: [rules]", "packs: [rulse]")
    assert main(words) == 2
    said = "".join(capsys.readouterr())
    assert "forewarn.yaml:2:9: error S114: there is no folder of rules 'rulse'" in said
    assert "did you mean 'rules'?" in said


def test_a_wrong_key_hides_no_wrong_connector_and_no_wrong_rule(project, capsys):
    edit(project / "forewarn.yaml", "kind: file", "kind: fil")
    edit(project / "forewarn.yaml", "metrics:", "metrisc:")
    edit(project / "rules/room-too-warm.yaml", "severity: yellow", "severity: yelow")
    assert main(["check"]) == 2
    said = capsys.readouterr().out
    assert "forewarn.yaml:5:21: error S101" in said
    assert "forewarn.yaml:8:1: error R112: unknown key 'metrisc'" in said
    assert "room-too-warm.yaml:6:11: error" in said
    assert "errors: 3, warnings: 0" in said


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        pytest.param("http: {host: 0.0.0.0}\n", True, id="to-everybody"),
        pytest.param("http: {host: 0.0.0.0, token: a}\n", False, id="with-a-token"),
        pytest.param("http: {host: 127.0.0.1}\n", False, id="to-this-machine"),
        pytest.param("", False, id="as-it-comes"),
    ],
)
def test_an_intake_that_is_open_to_everybody_is_warned_of(project, settings, warned, capsys):
    (project / "forewarn.yaml").write_text(HTTP + settings)
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert ("forewarn.yaml:3:14: warning S115: '0.0.0.0' takes records" in said) is warned
    assert main(["check", "--strict"]) == (3 if warned else 0)


def test_a_recording_named_almost_like_its_feed_is_not_passed_over_in_silence(project, capsys):
    data = project / "data"
    (data / "room-temprature.jsonl").write_bytes((data / "room-temperature.jsonl").read_bytes())
    (data / "notes.csv").write_text("a\n")
    assert main(["replay", "data"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        "data/room-temprature.jsonl is not read: no feed has this name; "
        "did you mean 'room-temperature'?"
    )


@pytest.mark.parametrize(
    ("given", "report"),
    [
        ("data/room-temprature.jsonl", "no feed is named like data/room-temprature.jsonl"),
        ("room-temprature=data/room-temprature.jsonl", "as 'room-temprature': there is no such"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_misspelt_feed_of_a_recording_is_refused_with_the_right_name(given, report, capsys):
    Path("data/room-temperature.jsonl").rename("data/room-temprature.jsonl")
    assert main(["replay", given]) == 4
    said = capsys.readouterr().err
    assert report in said
    assert "did you mean 'room-temperature'?" in said


def test_quiet_for_no_time_at_all_means_nothing(project, capsys):
    edit(project / "rules/room-too-warm.yaml", "quiet: 5m", "quiet: 0s")
    assert main(["check"]) == 2
    said = capsys.readouterr().out
    assert "room-too-warm.yaml:11:42: error R416: 'quiet' must be longer than nothing" in said
