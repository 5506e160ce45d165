"""One case through the engine that runs in production, told in every way that must not matter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import Level, Location
from engine.explain.funnel import Funnel
from engine.feeds.spec import FieldType
from engine.model.change import Change
from engine.ports import Rejected, Trouble
from engine.ruleset.compile import compile_project
from engine.ruleset.spec import AS_DECLARED, Project, TableSpec
from engine.ruleset.stages import with_lower
from engine.ruletest.bench import Bench
from engine.ruletest.cases import Case
from engine.ruletest.expect import Mismatch, Verdict, compare
from engine.ruletest.moments import Moments, Unreadable
from engine.ruletest.traces import judge_traces, why
from engine.ruletest.variants import Telling, script
from engine.ruletest.wire import letters, write_time
from engine.state.tables import Table, column_spec


@dataclass(frozen=True, slots=True)
class Deviation:
    """A telling of a case whose alerts differ from those of the case as written."""

    telling: Telling
    missing: tuple[Change, ...]
    extra: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case."""

    case: Case
    verdict: Verdict
    changes: tuple[Change, ...]
    deviations: tuple[Deviation, ...] = ()
    records: int = 0
    funnels: tuple[Funnel, ...] = ()
    """Of a case that went otherwise than expected: how far its keys came."""

    @property
    def passed(self) -> bool:
        """Whether nothing failed; open `todo` lines do not count."""
        return not self.verdict.failures and not self.deviations


def run_case(case: Case, project: Project, tellings: Sequence[Telling] = tuple(Telling)) -> Result:
    """Run a case as written and in every other telling; the alerts must be the same in all.

    A record that the feed's own declaration rejects, and a rule that is quarantined, fail the case.
    """
    if case.shared != AS_DECLARED and project.otherwise is not None:
        project = project.otherwise(case.shared) or project
    told, wrong = _for_case(case, project)
    if wrong:
        return Result(case, Verdict(tuple(wrong)), ())
    program = compile_project(told)
    lines = letters(case.given, project, case.moments)
    lateness = {name: spec.lateness_ms for name, spec in project.feeds.items()}
    bench = Bench(program, case.until_ms)
    plain = bench.play(script(Telling.AS_WRITTEN, lines, lateness))
    own = [change for change in plain.changes if change.rule in case.rules]
    verdict = compare(case.expected, own, case.at, case.moments)
    refused = [_refused(rejected, case.at) for rejected in _distinct(plain.rejected)]
    broken = [_broken(trouble, case.at) for trouble in plain.troubles]
    came = [(letter.feed, letter.value) for letter in lines]
    stops = judge_traces(case.traces, program, came, case.until_ms)
    verdict = replace(verdict, failures=(*refused, *broken, *verdict.failures, *stops))
    deviations = []
    for telling in tellings:
        if telling is not Telling.AS_WRITTEN:
            other = bench.play(script(telling, lines, lateness))
            if found := difference(telling, plain.changes, other.changes):
                deviations.append(found)
    specs = [told.rules[name] for name in case.rules]
    funnels = why(verdict.failures, specs, program, came, case.until_ms)
    return Result(
        case, verdict, tuple(plain.changes), tuple(deviations), len(lines), tuple(funnels)
    )


def _for_case(case: Case, project: Project) -> tuple[Project, list[Mismatch]]:
    """The project with the case's rules only, those whose alerts they read, and its rows.

    Also the rows that do not fit.
    """
    tables = dict(project.tables)
    wrong: list[Mismatch] = []
    for name, rows in case.tables.items():
        spec = project.table_specs[name]
        readable = [_row(row, spec, case.moments) for row in rows]
        tables[name], problems = Table.from_rows(spec, readable)
        wrong += [
            Mismatch("test-table-row", case.at, problem=problem, found={"table": name})
            for problem in problems
            if problem.level is Level.ERROR
        ]
    rules = {name: project.rules[name] for name in with_lower(case.rules, project.rules)}
    return replace(project, rules=rules, tables=tables), wrong


def _row(row: Mapping[str, Any], spec: TableSpec, moments: Moments) -> dict[str, Any]:
    """A table row whose instants may be written as in a test (`09:00`, `30m`)."""
    out = dict(row)
    for name, value in row.items():
        if name not in spec.fields or not isinstance(value, str):
            continue
        column = column_spec(name, spec.fields[name], spec.zone)
        if column.type is FieldType.TIME:
            try:
                out[name] = write_time(moments.at(value), column.format, column.zone)
            except Unreadable:
                continue
    return out


def difference(
    telling: Telling, one: Sequence[Change], other: Sequence[Change]
) -> Deviation | None:
    """How two runs differ in their alerts, each with all it carries."""
    first, second = Counter(map(_face, one)), Counter(map(_face, other))
    if first == second:
        return None
    missing = [change for change in one if first[_face(change)] > second[_face(change)]]
    extra = [change for change in other if second[_face(change)] > first[_face(change)]]
    return Deviation(telling, tuple(missing), tuple(extra))


def _face(change: Change) -> tuple[object, ...]:
    """What makes two changes the same: identity, time, severity and text."""
    texts = tuple(sorted(change.summary.items()))
    return change.delivery_id, change.at_ms, change.severity, change.held_ms, texts


def _distinct(rejected: Sequence[Rejected]) -> list[Rejected]:
    """One of each reason, so that ninety alike records make one line."""
    return list({(one.source.feed, one.reason, one.detail): one for one in rejected}.values())


def _refused(rejected: Rejected, at: Location) -> Mismatch:
    found = {"feed": rejected.source.feed, "reason": rejected.reason, "detail": rejected.detail}
    return Mismatch("test-record-rejected", at, found=found)


def _broken(trouble: Trouble, at: Location) -> Mismatch:
    found = {"kind": trouble.kind, "rule": trouble.rule, "detail": trouble.detail}
    return Mismatch("test-rule-trouble", at, found=found)
