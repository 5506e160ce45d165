"""Why it fired and why not, for every operator: exact figures in both languages.

`GOLDEN=write` writes the expected files anew; read them before they are committed.
"""

import os
import re
from pathlib import Path

import pytest
from explained import by_rule, case_named, cases, explained, project

from engine.explain.funnel import Funnel, Part
from engine.explain.words import as_text, values_of, verdict
from engine.model.progress import Progress, Step
from engine.operators.towards.ask import ASKED
from engine.ruletest.cases import Case
from engine.ruletest.run import run_case
from engine.ruletest.variants import Telling
from engine.text import LANGUAGES, catalogue

HERE = Path(__file__).parent
TOWARDS = Path(__file__).parents[2] / "engine" / "operators" / "towards"


@pytest.mark.parametrize("case", cases(), ids=lambda one: f"{one.rules[0]}: {one.name}")
def test_every_case_stops_where_it_says(case: Case) -> None:
    result = run_case(case, project(), (Telling.AS_WRITTEN,))
    assert result.passed, [miss.sentence(case.moments, "en") for miss in result.verdict.failures]
    assert case.traces, "each case says where its key stops"


def test_every_operator_fires_and_fails_to_fire_in_three_ways() -> None:
    for rule, some in by_rule():
        stops = [line.stops_at for case in some for line in case.traces]
        assert stops.count("fired") == 1, rule
        assert len(stops) >= 4, rule


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("rule", "some"), by_rule(), ids=lambda one: str(one)[:12])
def test_what_people_read(rule: str, some: list[Case], lang: str) -> None:
    shown = "".join(f"# {case.name}\n{as_text(explained(case), lang)}\n\n" for case in some)
    expected = HERE / "golden" / f"{rule}.{lang}.txt"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(shown, "utf-8")
    assert shown == expected.read_text("utf-8")


def test_the_broken_stay_says_what_broke_it() -> None:
    (note,) = explained(case_named("dwell", "17 minutes")).misses
    found = {step.name: (step.have, step.need) for step in note.progress.steps}
    assert found["dwell-held"] == (17 * 60_000, 20 * 60_000)
    assert found["dwell-outside"] == (60_000, 60_000)


def test_every_step_has_its_sentence_in_both_languages() -> None:
    step = re.compile(rf'"((?:{"|".join(_operators())})-[a-z-]+)"')
    names = {name for file in TOWARDS.glob("*.py") for name in step.findall(file.read_text())}
    assert len(names) > 90
    assert {name for name in names if f"why-{name}" not in catalogue()} == set()


def test_every_operator_answers() -> None:
    logics = {logic.__module__.rpartition(".")[2] for logic in ASKED}
    assert {name.partition("_")[0] for name in logics} >= _operators() - {"alert", "places"}


def _operators() -> set[str]:
    return {*project().rules, "alert"}


def test_a_window_whose_end_is_still_to_come_is_not_said_to_have_fired() -> None:
    met = Progress(steps=(Step("window-samples", met=True, have=3, need=1),))
    fired = Progress(steps=(*met.steps, Step("alert-fired", met=True, at_ms=0)))
    waiting, open_one = (Funnel(rule="r", key="k", at_ms=0, tries=[one]) for one in (met, fired))
    assert verdict(waiting, "en").startswith("it has not fired yet")
    assert verdict(open_one, "en").startswith("it has fired")


def test_positions_behind_a_condition_are_rounded() -> None:
    assert values_of(Part("inside", values=[("position", [121.17739999999999, 31.9])])) == (
        "position = 121.1774, 31.9"
    )
