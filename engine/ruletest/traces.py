"""How far a key must have come in a test (`expect_trace: {stops_at: dwell}`), and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import Location
from engine.explain.case import Told, funnel_of, keys_of
from engine.explain.funnel import FIRED, SEEN, WHERE, Funnel
from engine.explain.words import as_text
from engine.ruleset.compile import Program
from engine.ruleset.document import Path
from engine.ruleset.spec import RuleSpec
from engine.ruleset.when.model import OPERATORS
from engine.ruletest.expect import Mismatch
from engine.ruletest.reader import Reader, nearest
from engine.text import catalogue

_LINE = ("rule", "key", "stops_at")
_STEP = "why-"
_OPERATORS = frozenset(OPERATORS) | {"alert"}
"""What a step's name begins with: the operator it belongs to, or the alert's own life."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """Where a key of a rule must have stopped when the case is over.

    Attributes:
        stops_at: `seen`, `where`, `fired`, an operator, `alert`, or one of their steps.
        key: Empty for the only key, or the one with most records.

    """

    at: Location
    rule: str
    stops_at: str
    key: str = ""

    def meets(self, funnel: Funnel) -> bool:
        """Whether it stopped there; the name of an operator means any of its steps."""
        stop = funnel.stops_at
        return stop == self.stops_at or stop.startswith(f"{self.stops_at}-")


def stages() -> set[str]:
    """Every word that `stops_at` may say."""
    names = {name.removeprefix(_STEP).removesuffix("-unmet") for name in catalogue()}
    steps = {name for name in names if name.partition("-")[0] in _OPERATORS and "-" in name}
    return {SEEN, WHERE, FIRED, *_OPERATORS, *steps}


def read_traces(reader: Reader, value: Any, path: Path, rules: Sequence[str]) -> list[TraceLine]:
    """The lines of `expect_trace`: one, or a list of them."""
    lines: list[TraceLine] = []
    listed = isinstance(value, list)
    for number, one in enumerate(value if listed else [value]):
        place: Path = (*path, number) if listed else path
        said = reader.mapping(one, place, _LINE)
        if "stops_at" not in said:
            reader.blame(reader.at(place), "T102", name="stops_at")
            continue
        words = {name: reader.text(said[name], (*place, name)) for name in said if name in _LINE}
        known = stages()
        if words["stops_at"] not in known:
            near = nearest(words["stops_at"], known)
            common = ", ".join(sorted(word for word in known if "-" not in word))
            reader.blame(reader.at((*place, "stops_at")), "T116", near, words=common)
        rule = words.get("rule", rules[0] if rules else "")
        if rule not in rules:
            near = nearest(rule, rules)
            reader.blame(reader.at((*place, "rule")), "T111", near, name=rule)
        line = TraceLine(reader.at(place), rule, words["stops_at"], words.get("key", ""))
        lines.append(line)
    return lines


def judge_traces(
    lines: Sequence[TraceLine], program: Program, told: Told, until_ms: int
) -> list[Mismatch]:
    """Hold the funnels against what the lines say."""
    wrong: list[Mismatch] = []
    for line in lines:
        key = line.key or next(iter(keys_of(program, line.rule, told, until_ms)), "")
        funnel = funnel_of(program, line.rule, key, told, until_ms)
        if not line.meets(funnel):
            found = {"rule": line.rule, "key": key, "wanted": line.stops_at}
            stop = funnel.stops_at or SEEN
            wrong.append(Mismatch("test-trace-differs", line.at, found={**found, "stop": stop}))
    return wrong


def why(
    failures: Sequence[Mismatch],
    specs: Sequence[RuleSpec],
    program: Program,
    told: Told,
    until_ms: int,
) -> list[Funnel]:
    """The funnels that tell why a case went otherwise than expected, each once."""
    asked: dict[tuple[str, str], None] = {}
    for miss in failures:
        line, change = miss.expected, miss.change
        if miss.code == "test-trace-differs":
            asked[str(miss.found["rule"]), str(miss.found["key"])] = None
        elif change is not None:
            asked[change.rule, change.key] = None
        elif line is not None:
            rule = line.rule or (specs[0].id if specs else "")
            keys = [line.key] if line.key else keys_of(program, rule, told, until_ms)
            asked |= dict.fromkeys((rule, key) for key in keys)
    known = {spec.id for spec in specs}
    return [funnel_of(program, rule, key, told, until_ms) for rule, key in asked if rule in known]


def funnel_lines(funnels: Sequence[Funnel], lang: str) -> list[str]:
    """The funnels as lines under a failed case."""
    return [f"      {line}".rstrip() for one in funnels for line in as_text(one, lang).splitlines()]
