"""What a person reads when an expression, a text or a quantity is wrong: one folder per case.

`GOLDEN=write` writes the reports anew; read them as prose before you commit them.
"""

import os
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from engine.errors import Location, Problem
from engine.model.units import (
    QuantityError,
    parse_distance,
    parse_duration,
    parse_period,
    parse_speed,
)
from engine.ruleset.expr import Scope, check, parse
from engine.ruleset.templates import parse_template

CASES = sorted((Path(__file__).parent / "golden").iterdir())
KEYS = {"expression": "where: ", "template": "en: ", "period": "within: ", "distance": "radius: ",
        "duration": "at_least: ", "speed": "slower_than: "}  # fmt: skip
QUANTITIES: dict[str, Callable[[str], object]] = {
    "period": parse_period,
    "distance": parse_distance,
    "duration": parse_duration,
    "speed": parse_speed,
}


def problems_of(case: Path, scope: Scope) -> list[Problem]:
    """Everything wrong in a case, with the line it stands in."""
    (file,) = (path for path in case.iterdir() if path.stem in KEYS)
    kind, text = file.stem, file.read_text("utf-8").removesuffix("\n")
    at = Location("rule.yaml", 7, len(KEYS[kind]) + 1)
    result: object
    if kind == "template":
        result = parse_template(text, at, scope)
    elif kind == "expression":
        parsed = parse(text, at)
        result = parsed if isinstance(parsed, list) else check(parsed, scope, "bool")
    else:
        with pytest.raises(QuantityError) as caught:
            QUANTITIES[kind](text)
        result = [caught.value.problem(at)]
    assert isinstance(result, list), f"accepted: {text}"
    lines = (KEYS[kind] + text).splitlines()
    shown = [lines[problem.at.line - 7] for problem in result]
    return [
        replace(problem, excerpt=line if len(line) <= 120 else "")
        for problem, line in zip(result, shown, strict=True)
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_problem_report(case: Path, scope: Scope) -> None:
    found = problems_of(case, scope)
    for lang in ("en", "zh"):
        report = "\n".join(problem.report(lang) for problem in found) + "\n"
        expected = case / f"expected.{lang}.txt"
        if os.environ.get("GOLDEN") == "write":
            expected.write_text(report, "utf-8")
        assert report == expected.read_text("utf-8")


def test_every_code_has_a_case(scope: Scope) -> None:
    told = {problem.code for case in CASES for problem in problems_of(case, scope)}
    ours = tomllib.loads((files("engine.text") / "expressions.toml").read_text("utf-8"))
    assert told == {name for name in ours if name.startswith(("R3", "R4"))}
