"""Shipped packs, the starter project and the sample of the rule language pass their own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.edge.files import read_project
from engine.errors import Level
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.run import run_case

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *sorted(path.parent for path in (ROOT / "rules").glob("*/pack.yaml")),
    ROOT / "engine/edge/cli/starter/rules",
    ROOT / "tests/ruleset/sample/hazmat",
)


def cases() -> Iterator[object]:
    """Every case of every folder, by its name."""
    for folder in FOLDERS:
        loaded = load_project(read_project([folder]), LoadOptions(lint=False))
        if loaded.project is None:
            yield pytest.param(None, None, loaded.report(), id=folder.name)
            continue
        for document in loaded.project.tests.values():
            found, problems = read_cases(document, loaded.project)
            wrong = "\n".join(one.report() for one in problems if one.level is Level.ERROR)
            for case in found:
                yield pytest.param(case, loaded.project, wrong, id=f"{folder.name}-{case.name}")


@pytest.mark.parametrize(("case", "project", "wrong"), list(cases()))
def test_a_pack_does_what_its_authors_expect(
    case: Case | None, project: Project | None, wrong: str
) -> None:
    assert wrong == ""
    assert case is not None
    assert project is not None
    result = run_case(case, project)
    said = [miss.sentence(case.moments, "en") for miss in result.verdict.failures]
    assert result.passed, (said, result.deviations)
    assert result.verdict.done_todos == (), "a todo holds by now: make it a plain expectation"


def test_every_shipped_rule_has_a_hit_and_a_near_miss() -> None:
    for folder in (ROOT / "rules").glob("*/pack.yaml"):
        project = load_project(read_project([folder.parent]), LoadOptions(lint=False)).project
        assert project is not None
        for rule in project.rules.values():
            tested = f"/{rule.variant_of or rule.id}_test.yaml"
            document = next(d for f, d in project.tests.items() if f.endswith(tested))
            found, _ = read_cases(document, project)
            fires = [any(line.word == "hit" for line in case.expected) for case in found]
            assert any(fires), rule
            assert not all(fires), rule
