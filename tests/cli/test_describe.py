"""What things are, in words: golden sheets in both languages, and everything that can be asked."""

import json
import os
import re
from functools import cache
from pathlib import Path

import pytest

from engine.edge.cli import main
from engine.edge.files import read_project
from engine.errors import Level
from engine.ruleset.describe import KINDS, Shelf, describe_declared, describe_language, listed
from engine.ruleset.describe_language import EXAMPLES, examples
from engine.ruleset.expr.functions import FUNCTIONS
from engine.ruleset.load import load_project
from engine.ruleset.problem_page import codes, group_of
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import Project
from engine.ruleset.when.model import OPERATORS
from engine.text import LANGUAGES, catalogue

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES = ROOT / "tests/ruleset/golden"
PACK = HERE / "authoring"
WRITE = os.environ.get("GOLDEN") == "write"
_REPORT = re.compile(r"^\S+:\d+:\d+: (?:error|warning) ([RW]\d+):")


def golden(name: str, text: str) -> None:
    """Hold a page against its golden file; `GOLDEN=write` writes it anew."""
    path = HERE / "golden" / f"{name}.txt"
    if WRITE:
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@cache
def shipped() -> Project:
    loaded = load_project(read_project([ROOT / "rules"]))
    assert loaded.project is not None, [
        one.report() for one in loaded.problems if one.level is Level.ERROR
    ]
    return loaded.project


@pytest.fixture(autouse=True)
def _at_the_checkout(monkeypatch):
    monkeypatch.chdir(PACK.parent)


THINGS = ["long-stay", "stays-often", "late-reply", "gps", "vans", "yards", "dwell", "distance"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", [*THINGS, "R404"])
def test_a_sheet_reads_so(name, lang, capsys):
    assert main(["describe", name, "authoring", "--lang", lang]) == 0
    golden(f"describe-{name}.{lang}", capsys.readouterr().out)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", [*KINDS, "connectors"])
def test_what_there_is_is_listed(kind, lang, capsys):
    assert main(["list", kind, "authoring", "--lang", lang]) == 0
    said = capsys.readouterr().out
    if kind not in {"operators", "connectors"}:  # these grow by themselves
        golden(f"list-{kind}.{lang}", said)
    names = [line.split()[0] for line in said.splitlines() if line[2:3] not in {" ", ""}]
    assert len(names) >= 1
    assert main(["list", kind, "authoring", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)[kind]) == len(names)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", [*OPERATORS, *FUNCTIONS, *codes()])
def test_everything_of_the_language_can_be_described(name, lang):
    (sheet,) = describe_language(name, lang)
    assert sheet.title
    assert sheet.rows
    assert all(lines for _, lines in sheet.rows)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_that_is_shipped_can_be_described(lang):
    project = shipped()
    shelf = Shelf(project)
    for kind in ("rules", "feeds", "tables", "zones"):
        for name, about in listed(kind, project, lang):
            assert about
            sheets = describe_declared(name, shelf, lang)
            assert len(sheets) >= 1
            for sheet in sheets:
                json.dumps(sheet.as_json(), ensure_ascii=False)
                assert all(f"about-{label}" in catalogue() for label, _ in sheet.rows)


def test_a_rule_says_all_that_decides_its_alerts(capsys):
    assert main(["describe", "long-stay", "authoring", "--json"]) == 0
    (thing,) = json.loads(capsys.readouterr().out)["things"]
    about = thing["about"]
    assert thing["kind"] == "rule"
    assert about["fields"] == ["gps: lat, lon, speed, van"]
    assert about["tables"] == ["vans"]
    assert about["layers"] == ["yards"]
    assert about["readers"] == ["stays-often"]
    assert about["hash"] == [shipped_hash()]
    assert about["tests"][1:] == ["stays for an hour", "leaves in time"]
    assert len(about["basis"]) == 3
    assert [line.rsplit("(")[-1] for line in about["basis"]] == [
        "in force)",
        "no longer in force)",
        "not yet in force)",
    ]


def shipped_hash() -> str:
    files = read_project([PACK])
    loaded = load_project(files)
    assert loaded.project is not None
    return loaded.project.rules["long-stay"].hash


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["describe", "long-sty", "authoring"], "did you mean 'long-stay'?", id="rule"),
        pytest.param(["describe", "distanze", "authoring"], "did you mean 'distance'?", id="func"),
        pytest.param(["describe", "xyzzyqq", "authoring"], "nothing is called 'xyzzyqq'", id="no"),
        pytest.param(["list", "feed"], "did you mean 'feeds'?", id="kind"),
    ],
)
def test_a_name_that_is_none_is_exit_64_with_the_nearest(words, said, capsys):
    assert main([*words, "--lang", "en"]) == 64
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_the_language_is_described_where_the_project_is_broken(tmp_path, capsys):
    (tmp_path / "pack.yaml").write_text("pack: broken\n", "utf-8")
    assert main(["describe", "dwell", str(tmp_path), "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith("operator dwell")
    assert main(["describe", "long-stay", str(tmp_path), "--lang", "en"]) == 2
    assert "R111" in capsys.readouterr().err


def reports(case: Path, lang: str) -> dict[str, str]:
    """The first report of each code of a golden case."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (case / f"expected.{lang}.txt").read_text("utf-8").splitlines():
        code = re.search(r": \S+ ([RW]\d{3})[:：]", line) if not line.startswith(" ") else None
        if code:
            current = []
            found.setdefault(code[1], current)
        current.append(line)
    return {code: "\n".join(lines) for code, lines in found.items()}


def made() -> dict[str, dict[str, str]]:
    """For each code the shortest report of a golden case, as the catalogue's neighbour holds it."""
    best: dict[str, dict[str, str]] = {}
    for case in sorted(CASES.iterdir()):
        english, chinese = reports(case, "en"), reports(case, "zh")
        for code, text in english.items():
            if code in codes() and code in chinese:
                here = {"case": case.name, "en": text, "zh": chinese[code]}
                if code not in best or len(text) < len(best[code]["en"]):
                    best[code] = here
    return dict(sorted(best.items()))


def test_examples_of_problem_codes_come_from_golden_cases():
    """`GOLDEN=write` makes them anew. Each is from a case that still reports that very code."""
    path = ROOT / "engine/text" / EXAMPLES
    if WRITE:
        path.write_text(json.dumps(made(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        examples.cache_clear()
    assert len(examples()) > 150
    for code, example in examples().items():
        case = CASES / example["case"]
        assert code in codes()
        for lang in LANGUAGES:
            assert code in reports(case, lang), case.name
            assert f" {code}" in example[lang]


def test_every_problem_code_belongs_to_a_group():
    assert [code for code in codes() if not group_of(code, "en") or not group_of(code, "zh")] == []


def test_a_file_is_not_needed_to_describe_a_function(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["describe", "r404", "--lang", "en"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("problem R404")
    assert said.err == ""


def test_a_single_file_is_enough_to_ask_about():
    files = [DeclaredFile("p/x.yaml", b"rule: x\n")]
    assert load_project(files).project is None
    assert describe_declared("x", Shelf(None), "en") == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_key_is_told_with_every_place_it_may_stand_in(lang, capsys):
    assert main(["describe", "quiet", "authoring", "--lang", lang]) == 0
    told = "".join(capsys.readouterr().out.split())
    for place in ("change", "cross", "flapping", "match", "sequence"):
        meaning = catalogue()[f"key-{place}-quiet"][lang]
        assert "".join(f"{place}: {meaning}".split()) in told


def test_a_key_is_told_though_the_project_is_broken(tmp_path, capsys):
    (tmp_path / "rule.yaml").write_text("rule: broken\n", "utf-8")
    assert main(["describe", "unseen_for", str(tmp_path), "--lang", "en"]) == 0
    assert "change: " in capsys.readouterr().out
