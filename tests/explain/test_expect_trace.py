"""`expect_trace` in rule tests: where a key must have stopped, and what is wrong with it."""

import pytest
from explained import project

from engine.ruleset.source import DeclaredFile, read
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.report import as_text
from engine.ruletest.run import run_case
from engine.ruletest.variants import Telling

CASE = """tests:
  - name: two of three
    feed: meter
    events: [{at: 0m, key: S1, set: {level: 101, state: ok}}]
    until: 6m
    expect: [near-miss: only one]
    expect_trace: WANTED
"""


def cases_of(wanted: str) -> tuple[list[Case], list[str]]:
    document = read(DeclaredFile("match_test.yaml", CASE.replace("WANTED", wanted).encode()))
    assert document.document is not None
    cases, problems = read_cases(document.document, project())
    return cases, [f"{one.at} {one.code} {one.what('en')} {one.nearest}" for one in problems]


@pytest.mark.parametrize("stop", ["match", "match-times"])
def test_the_operator_or_its_step_is_named(stop: str) -> None:
    ((case,), problems) = cases_of(f"{{key: S1, stops_at: {stop}}}")
    assert problems == []
    assert run_case(case, project(), (Telling.AS_WRITTEN,)).passed


def test_another_stop_fails_and_shows_how_far_it_came() -> None:
    ((case,), _) = cases_of("[{stops_at: where}]")
    result = run_case(case, project(), (Telling.AS_WRITTEN,))
    assert not result.passed
    report = as_text([result], "en")
    assert "match of 'S1' stops at match-times, expected was where" in report
    assert "✗ 1 of 3 events within 10 min" in report


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("{stops_at: dwel}", "match_test.yaml:7:30 T116 one of these words is wanted: alert, "),
        ("{key: S1}", "match_test.yaml:7:19 T102 'stops_at' is missing "),
        ("{stop_at: match}", "match_test.yaml:7:20 T101 unknown name 'stop_at' stops_at"),
        ("{rule: mach, stops_at: match}", "T111 no rule is called 'mach' match"),
    ],
)
def test_what_is_wrong_with_it_has_its_place(wanted: str, said: str) -> None:
    cases, problems = cases_of(wanted)
    assert cases == []
    assert any(said in problem for problem in problems), problems
