"""What authors of rule tests read: one folder a case, in both languages, through the whole engine.

`GOLDEN=write` writes the expected files anew; read them before they are committed.
"""

import os
from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.source import DeclaredFile, read
from engine.ruleset.spec import Project
from engine.ruletest.cases import read_cases
from engine.ruletest.report import as_json, as_junit, as_text
from engine.ruletest.run import run_case
from engine.text import LANGUAGES

HERE = Path(__file__).parent
CASES = sorted(path for path in (HERE / "golden").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def project() -> Project:
    loaded = load_project(read_project([HERE / "pack"]), LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    return loaded.project


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_an_author_reads(case: Path, project: Project) -> None:
    (file,) = case.glob("*_test.yaml")
    document = read(DeclaredFile(file.name, file.read_bytes())).document
    assert document is not None
    cases, problems = read_cases(document, project)
    results = [] if problems else [run_case(one, project) for one in cases]
    for lang in LANGUAGES:
        report = "\n".join(problem.report(lang) for problem in sorted(problems, key=lambda p: p.at))
        report += as_text(results, lang, verbose=True) if results else ""
        expected = case / f"expected.{lang}.txt"
        if os.environ.get("GOLDEN") == "write":
            expected.write_text(report + "\n", "utf-8")
        assert report + "\n" == expected.read_text("utf-8")
    if results:
        assert as_junit(results, "en").count("<testcase") == len(results)
        assert as_json(results, "en")["failed"] == sum(not result.passed for result in results)
