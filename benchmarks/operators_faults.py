"""What a comparison of all operators must show: each fires often, a fault in each is seen."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.report import Report
from engine.model.period import Period, PeriodUnit
from engine.operators.specs.base import OperatorSpec
from engine.operators.specs.change import ChangeSpec
from engine.operators.specs.cluster import ClusterSpec
from engine.operators.specs.correlate import CorrelatePlaceSpec, CorrelateSpec
from engine.operators.specs.corridor import CorridorSpec
from engine.operators.specs.cross import CrossSpec
from engine.operators.specs.deadline import DeadlineSpec
from engine.operators.specs.dwell import DwellSpec
from engine.operators.specs.match import MatchSpec
from engine.operators.specs.near import NearSpec
from engine.operators.specs.sequence import SequenceSpec
from engine.operators.specs.silence import FeedSilenceSpec, SilenceSpec
from engine.operators.specs.window import WindowSpec
from engine.ruleset.compile import Program

OFTEN = 10
RETRACTING = ("window-few", "silence-key", "deadline-close")
"""Rules that take alerts back when a record comes far too late."""

OPERATORS: Mapping[str, type[OperatorSpec]] = {
    "match": MatchSpec,
    "change": ChangeSpec,
    "window": WindowSpec,
    "dwell": DwellSpec,
    "cross": CrossSpec,
    "near": NearSpec,
    "silence": SilenceSpec,
    "deadline": DeadlineSpec,
    "sequence": SequenceSpec,
    "corridor": CorridorSpec,
    "correlate": CorrelateSpec,
    "cluster": ClusterSpec,
}
MORE: Mapping[str, type[OperatorSpec]] = {
    "correlate by place": CorrelatePlaceSpec,
    "silence of a feed": FeedSilenceSpec,
}


def operator_of(spec: OperatorSpec) -> str:
    """The operator's name, with the form where that has parts of its own."""
    found = [name for name, kind in [*MORE.items(), *OPERATORS.items()] if isinstance(spec, kind)]
    return found[0]


def faulty(rule: Any) -> Any:
    """The rule with a small mistake in what its operator does."""
    changes: Mapping[str, Callable[[Any], dict[str, Any]]] = {
        "match": lambda s: {"quiet_ms": s.quiet_ms + 60_000, "count": s.count + (s.count > 1)},
        "change": lambda s: (
            {"least_ms": s.least_ms + 60_000} if s.least_ms else {"quiet_ms": s.quiet_ms + 60_000}
        ),
        "window": lambda s: {"over_ms": s.over_ms + s.every_ms},
        "dwell": lambda s: {"at_least_ms": s.at_least_ms + 60_000},
        "cross": lambda s: {"margin_m": s.margin_m + 30},
        "near": lambda s: {"radius_m": s.radius_m + 20},
        "silence": lambda _: {"at_least": Period(((1_260_000, PeriodUnit.MS),))},
        "silence of a feed": lambda _: {"at_least": Period(((660_000, PeriodUnit.MS),))},
        "deadline": lambda _: {"warnings": ()},
        "sequence": lambda s: {"steps": (replace(s.steps[0], times=4), *s.steps[1:])},
        "corridor": lambda s: {"at_least_ms": s.at_least_ms + 60_000, "slack_m": 400.0},
        "correlate": lambda s: {"reach": s.reach + 0.2},
        "correlate by place": lambda s: {"radius_m": s.radius_m + 40},
        "cluster": lambda s: {"at_least": s.at_least + 1},
    }
    return replace(rule, when=replace(rule.when, **changes[operator_of(rule.when)](rule.when)))


def judge(report: Report, program: Program, alerts: list[tuple[str, ...]]) -> None:
    """Tell how often each rule and each operator did what; each fires often."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for alert in alerts:
        counts[alert[0]][alert[3]] += 1
    kinds = ["fired", "raised", "updated", "cleared", "retracted"]
    rules = program.project.rules
    report.table(
        ["operator", "rule", *kinds],
        [
            [operator_of(rule.when), name, *(counts[name][kind] for kind in kinds)]
            for name, rule in sorted(rules.items(), key=lambda it: (operator_of(it[1].when), it[0]))
        ],
    )
    for operator in (*OPERATORS, *MORE):
        fired = {
            name: counts[name]["fired"]
            for name, rule in rules.items()
            if operator_of(rule.when) == operator
        }
        report.claim(
            f"{operator}: each of its rules fires at least {OFTEN} times",
            bool(fired) and min(fired.values()) >= OFTEN,
            ", ".join(f"{name} {count}" for name, count in sorted(fired.items())),
        )
    taken = {name: counts[name]["retracted"] for name in RETRACTING}
    report.claim("late records take alerts back under each rule that lets them",
                 min(taken.values()) > 0, taken)  # fmt: skip


def judge_faults(report: Report, program: Program, different: list[tuple[str, Any]]) -> None:
    """A fault in each operator turns the comparison red for it."""
    seen = Counter(operator_of(program.project.rules[alert[0]].when) for _, alert in different)
    for operator in (*OPERATORS, *MORE):
        report.claim(
            f"{operator}: a seeded fault turns the comparison red",
            seen[operator] > 0,
            f"{seen[operator]} differ",
        )
