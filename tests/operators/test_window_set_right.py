"""Windows set right by late samples tell in the end what they tell of samples in order."""

import json
from functools import cache

import pytest
from law_stage import MIN, NUMBERED, T0, Stage, project

from engine.ruleset.compile import Program

END = 240
LATE = "late: {allow: 30m, then: retract}\n"
FEW = "by: sensor\nwhen: {window: {aggregate: count, over: 10m, every: 5m, below: 3}}\n"
UNSURE = (
    "by: sensor\nwhen:\n"
    "  window: {aggregate: count, over: 10m, every: 5m, below: 4, min_samples: 2}\n"
)
RULES = {
    "few": FEW, "few-for": f"{FEW}for: 5m\n", "unsure": UNSURE, "unsure-for": f"{UNSURE}for: 10m\n",
}  # fmt: skip
Told = list[tuple[str, float, float]]


@cache
def program() -> Program:
    return project(NUMBERED, {name: words + LATE for name, words in RULES.items()})


def told(minutes: list[float], rule: str) -> Told:
    lines = []
    for number, minute in enumerate(minutes):
        at = T0 + round(minute * MIN)
        event = {"sensor": "a", "number": number, "at": at}
        lines.append((at, "readings", json.dumps(event).encode()))
    changes = Stage(program(), END * MIN).run(lines, range(1, len(lines))).changes
    return [
        (one.transition.value, (one.since_ms - T0) / MIN, (one.at_ms - T0) / MIN)
        for one in changes
        if one.rule == rule
    ]


CASES: list[tuple[str, str, list[float], Told]] = [
    (
        "an edge with too few to judge ends no alert that was told",
        "unsure", [0.5, 14, 19, 0.5, 24.5, 2.5], [("fired", 5, 5), ("cleared", 5, 35)],
    ),
    (
        "nor one that was told after a wait",
        "unsure-for", [0, 10.5, 0, 0, 20.5, 25, 22, 39, 17.5],
        [("fired", 20, 30), ("cleared", 20, 50)],
    ),
    ("but it ends a wait", "unsure-for", [3, 4, 2, 0.5, 0, 6.5, 28, 14, 31], []),
    (
        "a wait that is over just at an edge has been long enough",
        "unsure-for", [0.5, 12.5, 22, 27, 8, 20.5, 34, 34, 32.5, 16, 42.5],
        [("fired", 10, 20), ("cleared", 10, 35)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "rule", "minutes", "wanted"), CASES)
def test_late_or_in_order_the_same_is_told(
    why: str, rule: str, minutes: list[float], wanted: Told
) -> None:
    assert told(minutes, rule) == wanted, why
    assert told(sorted(minutes), rule) == wanted, why


@pytest.mark.parametrize(
    ("rule", "minutes", "fired"), [("few", [2, 0.5, 6, 0], 5), ("few-for", [0, 0.5, 15, 1.5], 10)]
)
def test_an_alert_that_began_at_the_first_edge_judged_anew_is_withdrawn(
    rule: str, minutes: list[float], fired: float
) -> None:
    wanted = told(sorted(minutes), rule)
    assert told(minutes, rule) == [("fired", 5, fired), ("retracted", 5, fired), *wanted]
