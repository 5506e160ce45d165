"""What a person reads when the declarations of a desk are wrong, in both languages.

`broken.toml` says how each desk differs from the one in `base/`. `GOLDEN=write` rewrites the
expected texts, to be read in review as prose.
"""

import os
import tomllib
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from engine.cases.declared.around import Around
from engine.cases.declared.load import LoadedDesk, load_desk
from engine.cases.declared.trial import run
from engine.operators.specs.base import OperatorSpec
from engine.ruleset.source import DeclaredFile
from engine.ruleset.spec import LevelSpec, PackSpec, Project, RuleSpec, Severity
from engine.ruleset.templates import Template
from engine.text import LANGUAGES, catalogue

HERE = Path(__file__).parent
BASE = {path.name: path.read_text("utf-8") for path in sorted((HERE / "base").glob("*.yaml"))}
CASES: dict[str, dict[str, Any]] = tomllib.loads((HERE / "broken.toml").read_text("utf-8"))
LEAST, MOST_SHARE = 40, 0.06
NONE = cast("OperatorSpec", None)


def rule(name: str, pack: str, severity: str, top: str, **labels: str) -> RuleSpec:
    return RuleSpec(
        id=name,
        title={"zh": name, "en": name},
        severity=Severity(severity),
        feeds=(),
        by={},
        space="",
        when=NONE,
        levels=(LevelSpec(Severity(top)),),
        labels={key: Template(text, (), (text,)) for key, text in labels.items()},
        pack=pack,
        dispatch=pack,
    )


RULES = [
    rule("hazmat-dwell", "hazmat", "yellow", "red", area="{{ region.code }}"),
    rule("hazmat-overstay", "hazmat", "yellow", "orange"),
    rule("van-serves", "refuelling", "blue", "orange", kind="refuelling"),
]
PROJECT = Project(
    packs={name: PackSpec(name, {}, "", "1") for name in ("hazmat", "refuelling")},
    rules={one.id: one for one in RULES},
)


@cache
def load(name: str) -> LoadedDesk:
    case = CASES.get(name, {})
    files = {**BASE, **case.get("add", {})}
    for file in case.get("without", ()):
        del files[file]
    for file, was, now in case.get("edits", ()):
        assert files[file].count(was) == 1, (file, was, files[file].count(was))
        files[file] = files[file].replace(was, now)
    around = Around(
        PROJECT if case.get("rules") else None,
        case.get("sinks"),
        date.fromisoformat(case["today"]) if "today" in case else None,
    )
    return load_desk(
        [DeclaredFile(f"desk/{path}", text.encode()) for path, text in files.items()], around
    )


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
def test_what_a_person_reads_about_a_desk(name: str, lang: str) -> None:
    loaded = load(name)
    expected = HERE / "golden" / f"{name}.{lang}.txt"
    report = loaded.report(lang) + "\n"
    if os.environ.get("GOLDEN") == "write":
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(report, "utf-8")
    assert report == expected.read_text("utf-8")
    assert loaded.problems
    assert (loaded.policy is None) == bool(loaded.errors)


@pytest.mark.parametrize(
    "around", [Around(), Around(PROJECT), Around(None, ["duty-room", "orders"])]
)
def test_the_desk_that_cases_start_from_is_right_and_its_tests_pass(around: Around) -> None:
    files = [DeclaredFile(f"desk/{path}", text.encode()) for path, text in BASE.items()]
    loaded = load_desk(files, around)
    assert loaded.report() == ""
    assert loaded.policy is not None
    assert len(loaded.tests) >= 3
    assert [run(test, loaded.policy).failures for test in loaded.tests] == [()] * len(loaded.tests)


def test_every_code_of_the_desk_has_a_case_and_none_makes_up_the_corpus() -> None:
    counts = Counter(problem.code for name in CASES for problem in load(name).problems)
    codes = {name for name in catalogue() if name[0] == "D" and name[1:].isdigit()}
    assert codes - set(counts) == set()
    assert len(CASES) >= LEAST
    code, most = Counter(
        {code: count for code, count in counts.items() if code.startswith("D")}
    ).most_common(1)[0]
    assert most <= MOST_SHARE * counts.total(), code


def test_a_test_that_is_wrong_keeps_nobody_from_using_the_desk() -> None:
    loaded = load("a-test-that-expects-nothing")
    assert loaded.policy is not None
    assert loaded.errors == ()
    assert [one.code for one in loaded.test_errors] == ["D305"]


def test_every_golden_text_belongs_to_a_case() -> None:
    names = {path.name.split(".")[0] for path in (HERE / "golden").glob("*.txt")}
    assert names == set(CASES)
