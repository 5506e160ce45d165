"""`forewarn fmt`: which files it takes, what it tells, what it leaves alone."""

import json
import re
import shutil
import stat
from pathlib import Path

import pytest

import rules
from engine.edge.cli import main

ROOT = Path(__file__).parents[2]
SHIPPED = Path(str(rules.__file__)).parent
STARTER = ROOT / "engine/edge/cli/starter"


def test_what_is_shipped_is_laid_out(capsys):
    """When this fails: `forewarn fmt rules`."""
    assert main(["fmt", "--check", str(SHIPPED), str(STARTER / "rules")]) == 0, capsys.readouterr()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOREWARN_LANG", "en")
    assert main(["init"]) == 0
    path = tmp_path / "rules/room-too-warm.yaml"
    path.write_text(path.read_text("utf-8").replace("owner: ", "owner:    "), "utf-8")
    return tmp_path


def test_check_shows_the_difference_and_changes_nothing(folder, capsys):
    path = folder / "rules/room-too-warm.yaml"
    before = path.read_bytes()
    capsys.readouterr()
    assert main(["fmt", "--check"]) == 1
    said = capsys.readouterr().out
    assert "--- rules/room-too-warm.yaml\n" in said
    assert re.search(r"^-owner:    ", said, re.MULTILINE)
    assert re.search(r"^\+owner: ", said, re.MULTILINE)
    assert said.endswith("would be laid out anew: 1 of 5 files\n")
    assert path.read_bytes() == before


def test_files_are_laid_out_once_and_keep_their_mode(folder, capsys):
    path = folder / "rules/room-too-warm.yaml"
    path.chmod(0o640)
    capsys.readouterr()
    assert main(["fmt", "rules"]) == 0
    assert capsys.readouterr().out == ("rules/room-too-warm.yaml\nlaid out anew: 1 of 5 files\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert main(["fmt", "--check"]) == 0
    assert capsys.readouterr().out == "would be laid out anew: 0 of 5 files\n"
    assert sorted(one.name for one in path.parent.glob(".*")) == []


def test_a_file_that_is_named_stands_for_itself(folder, capsys):
    other = folder / "rules/pack.yaml"
    other.write_text(other.read_text("utf-8").replace("owner: ", "owner:  "), "utf-8")
    capsys.readouterr()
    assert main(["fmt", "rules/pack.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"files": 1, "changed": ["rules/pack.yaml"], "left": [], "problems": []}


@pytest.mark.parametrize(
    ("lang", "why"),
    [
        ("en", "rules/lists/odd.yaml:1:3 left alone: a key is written with a question mark"),
        ("zh", "rules/lists/odd.yaml:1:3 保持原样：键使用了问号写法"),
    ],
)
def test_what_is_left_alone_is_said(folder, capsys, lang, why):
    odd = folder / "rules/lists/odd.yaml"
    odd.parent.mkdir()
    odd.write_text("? list\n: odd\nvalues: [a]\n", "utf-8")
    capsys.readouterr()
    assert main(["fmt", "rules", "--lang", lang]) == 0
    assert capsys.readouterr().err.startswith(why)
    assert odd.read_text("utf-8") == "? list\n: odd\nvalues: [a]\n"


def test_what_is_wrong_is_reported_and_the_rest_is_done(folder, capsys):
    wrong = folder / "rules/routes.yaml"
    wrong.write_text("routes: {a\n", "utf-8")
    capsys.readouterr()
    assert main(["fmt"]) == 2
    told = capsys.readouterr()
    assert "rules/routes.yaml:1:9: error R105" in told.err
    assert "rules/room-too-warm.yaml\n" in told.out
    assert wrong.read_text("utf-8") == "routes: {a\n"


def test_a_folder_without_declarations(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fmt", "--lang", "en"]) == 4
    assert "holds no declarations" in capsys.readouterr().err
    assert main(["fmt", "nowhere", "--lang", "en"]) == 4
    assert "nowhere" in capsys.readouterr().err


@pytest.fixture
def with_desk(folder: Path) -> Path:
    """The same with a desk beside the rules, one file of which is not laid out."""
    shutil.copytree(ROOT / "tests/cases/declared/base", folder / "desk")
    path = folder / "desk/desk.yaml"
    path.write_text(path.read_text("utf-8").replace("desk: ", "desk:   "), "utf-8")
    assert main(["fmt", "rules"]) == 0
    assert main(["fmt", "desk/routes.yaml", "desk/timings.yaml"]) == 0
    return folder


@pytest.mark.parametrize("paths", [[], ["."], ["desk"], ["rules", "desk"]], ids=str)
@pytest.mark.usefixtures("with_desk")
def test_the_files_of_a_desk_are_laid_out_like_those_of_a_pack(capsys, paths):
    capsys.readouterr()
    assert main(["fmt", "--check", *paths, "--json"]) == 1
    assert "desk/desk.yaml" in json.loads(capsys.readouterr().out)["changed"]
    assert main(["fmt", *paths]) == 0
    assert main(["fmt", "--check", *paths]) == 0


@pytest.mark.usefixtures("with_desk")
def test_rules_alone_are_not_their_desk(capsys):
    capsys.readouterr()
    assert main(["fmt", "--check", "rules", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == []
