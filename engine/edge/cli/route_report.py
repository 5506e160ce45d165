"""What `forewarn route` prints: the decision, who hears, limits with their ends, and why."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from engine.cases.declared.trial import Outcome, Tried, clock
from engine.cases.notices import clock_time
from engine.cases.policy import Limit, Policy
from engine.edge.cli.helptext import width
from engine.model.change import Change
from engine.text import LANGUAGES, say
from engine.text.terms import Term

_COLUMN = 14


def as_lines(came: Outcome, alert: Change, at_ms: int, policy: Policy, lang: str) -> Iterator[str]:
    """One alert as people read it."""
    decision = came.decision
    title = alert.title.get(lang, "")
    level = format(Term(alert.severity), lang)
    yield "  ".join(part for part in (alert.rule, title, level, alert.key, clock(at_ms)) if part)
    yield _row("route", decision.route, lang)
    centre = policy.centres.get(decision.centre)
    tier = format(Term(decision.tier), lang)
    name = centre.title.get(lang, "") if centre is not None else ""
    yield _row("centre", "  ".join(part for part in (tier, decision.centre, name) if part), lang)
    yield _row("area", decision.area or "-", lang)
    for role, department in (("lead", decision.lead), ("host", decision.host)):
        yield _row(role, _office(policy, department, lang), lang)
    for number, department in enumerate(decision.assisting):
        yield _row("" if number else "assisting", _office(policy, department, lang), lang)
    yield _row("dispatch", say(f"route-dispatch-{_dispatch(came)}", lang), lang)
    quiet = came.mute.why if came.mute is not None else say("route-quiet-not", lang)
    yield _row("quiet", quiet, lang)
    for number, sink in enumerate(came.sinks):
        roles = dict.fromkeys(role for name, role in came.hears if name == sink)
        words = ", ".join(say(f"route-as-{role}", lang) for role in roles)
        yield _row("" if number else "hears", f"{sink}  ({words})", lang)
    timing = decision.timing
    source = f"{timing.name}  ({timing.source})" if timing.source else timing.name
    yield _row("limits", source, lang)
    for stage, limit in timing.limits.items():
        due_ms = came.due.get(stage)
        due = clock_time(due_ms) if due_ms is not None else say("route-due-unknown", lang)
        yield _row(
            "", f"{_padded(say(f'route-stage-{stage}', lang), 10)}{due}  {_limit(limit)}", lang
        )
    yield say("route-why", lang)
    for reason in decision.why:
        yield f"  {'+' if reason.taken else '-'} {reason.said(lang)}"
    yield ""


def _dispatch(came: Outcome) -> str:
    return "at-once" if came.decision.dispatch and came.decision.lead else "by-hand"


def _limit(limit: Limit) -> str:
    warn = f", -{limit.warn.text}" if limit.warn is not None else ""
    extend = f", +{limit.extend.text}" if limit.extend is not None else ""
    return f"({limit.period.text}{warn}{extend})"


def _office(policy: Policy, name: str, lang: str) -> str:
    department = policy.departments.get(name)
    title = department.title.get(lang, "") if department is not None else ""
    return "  ".join(part for part in (name, title) if part) or "-"


def _row(name: str, text: str, lang: str) -> str:
    return f"  {_padded(say(f'route-row-{name}', lang) if name else '', _COLUMN)}{text}"


def _padded(text: str, column: int) -> str:
    return text + " " * max(1, column - width(text))


def as_data(came: Outcome, alert: Change, at_ms: int) -> dict[str, Any]:
    """One alert for programs."""
    decision = came.decision
    return {
        "rule": alert.rule,
        "key": alert.key,
        "severity": alert.severity,
        "at_ms": at_ms,
        "route": decision.route,
        "lead": decision.lead,
        "host": decision.host,
        "assisting": list(decision.assisting),
        "tier": decision.tier.value,
        "centre": decision.centre,
        "area": decision.area,
        "dispatch": _dispatch(came),
        "repeat_ms": decision.repeat_ms,
        "refer": decision.refer,
        "quiet": came.mute.why if came.mute is not None else None,
        "hears": [{"sink": sink, "as": role} for sink, role in came.hears],
        "timing": decision.timing.name,
        "due_ms": {stage.value: due for stage, due in came.due.items()},
        "why": [
            {
                "taken": one.taken,
                "name": one.name,
                "found": {name: str(value) for name, value in one.found.items()},
                "said": {lang: one.said(lang) for lang in LANGUAGES},
            }
            for one in decision.why
        ],
    }


def test_lines(tried: Sequence[Tried], lang: str) -> Iterator[str]:
    """Route tests, one line each; under one that failed what differs, and the whole way."""
    file = ""
    for one in tried:
        if one.test.at.file != file:
            file = one.test.at.file
            yield file
        mark = say("test-passed" if one.passed else "test-failed", lang)
        yield f"  {mark} {one.test.name}"
        for failure in one.failures:
            yield f"    {failure.at}: {failure.said(lang)}"
        if one.failures:
            for reason in one.outcome.decision.why:
                yield f"      {'+' if reason.taken else '-'} {reason.said(lang)}"


def test_total(tried: Sequence[Tried], lang: str) -> str:
    """How many route tests passed and failed."""
    failed = sum(not one.passed for one in tried)
    return say(
        "route-test-total", lang, tests=len(tried), passed=len(tried) - failed, failed=failed
    )


def tests_as_data(tried: Sequence[Tried], lang: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "routes": [
            {
                "name": one.test.name,
                "file": one.test.at.file,
                "line": one.test.at.line,
                "passed": one.passed,
                "failures": [f"{each.at}: {each.said(lang)}" for each in one.failures],
                "why": [reason.said(lang) for reason in one.outcome.decision.why],
            }
            for one in tried
        ],
        "passed": sum(one.passed for one in tried),
        "failed": sum(not one.passed for one in tried),
    }


def with_routes(junit: str, tried: Sequence[Tried], lang: str) -> str:
    """A report in JUnit's form with a suite more for each file of route tests."""
    suites: dict[str, list[Tried]] = {}
    for one in tried:
        suites.setdefault(one.test.at.file, []).append(one)
    out: list[str] = []
    for file, tests in suites.items():
        failed = sum(not one.passed for one in tests)
        head = f'  <testsuite name="{escape(file)}" tests="{len(tests)}" failures="{failed}">'
        out += [head, *(_case(file, one, lang) for one in tests), "  </testsuite>"]
    body, end, rest = junit.rpartition("</testsuites>")
    return body + "".join(f"{line}\n" for line in out) + end + rest


def _case(file: str, one: Tried, lang: str) -> str:
    names = f'name="{escape(one.test.name)}" classname="{escape(file)}"'
    head = f'    <testcase {names} line="{one.test.at.line}"'
    if one.passed:
        return f"{head}/>"
    said = escape("; ".join(failure.said(lang) for failure in one.failures))
    return f'{head}><failure message="{said}"/></testcase>'
