"""The pack with one rule for each operator, its cases, and how they are explained."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from engine.edge.files import read_project
from engine.explain.case import Told, funnel_of, keys_of
from engine.explain.funnel import Funnel
from engine.ruleset.compile import Program, compile_project
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project
from engine.ruleset.stages import with_lower
from engine.ruletest.cases import Case, read_cases
from engine.ruletest.wire import letters

PACK = Path(__file__).parents[1] / "explain" / "pack"


@cache
def project() -> Project:
    """The pack, read."""
    loaded = load_project(read_project([PACK]), LoadOptions(lint=False))
    assert loaded.project is not None, loaded.report()
    return loaded.project


@cache
def cases() -> list[Case]:
    """Every case beside its rules."""
    found: list[Case] = []
    for document in project().tests.values():
        some, problems = read_cases(document, project())
        assert problems == []
        found += some
    return found


def case_named(rule: str, words: str) -> Case:
    """The case of a rule with these words in its name."""
    (found,) = [case for case in cases() if case.rules == (rule,) and words in case.name]
    return found


@cache
def program(rule: str) -> Program:
    """The program of one rule and those it reads."""
    whole = project()
    rules = {name: whole.rules[name] for name in with_lower((rule,), whole.rules)}
    return compile_project(replace(whole, rules=rules))


def told(case: Case) -> Told:
    """The records of a case, in the order in which they come in."""
    return [(one.feed, one.value) for one in letters(case.given, project(), case.moments)]


def explained(case: Case, key: str = "") -> Funnel:
    """The funnel of a case at its end."""
    (rule,) = case.rules
    key = key or next((line.key for line in case.traces if line.key), "")
    key = key or keys_of(program(rule), rule, told(case), case.until_ms)[0]
    return funnel_of(program(rule), rule, key, told(case), case.until_ms)


def by_rule() -> list[tuple[str, list[Case]]]:
    """The cases of each rule."""
    return [
        (rule, [case for case in cases() if case.rules == (rule,)])
        for rule in sorted(project().rules)
    ]
