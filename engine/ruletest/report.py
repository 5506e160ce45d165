"""Results of rule tests as people and as build servers read them: text, JSON, JUnit."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engine.explain.funnel import data_of
from engine.ruletest.expect import describe
from engine.ruletest.run import Result
from engine.ruletest.traces import funnel_lines
from engine.text import say


def as_text(results: Sequence[Result], lang: str, *, verbose: bool = False) -> str:
    """One line a case, what went wrong under it, and a count at the end."""
    lines: list[str] = []
    file = ""
    for result in results:
        if result.case.at.file != file:
            file = result.case.at.file
            lines.append(file)
        mark = say("test-passed" if result.passed else "test-failed", lang)
        lines.append(f"  {mark} {result.case.name}")
        lines += [f"    {line}" for line in failures(result, lang)]
        lines += funnel_lines(result.funnels, lang)
        lines += [f"    {line}" for line in _todos(result, lang)]
        if verbose:
            lines += [f"      {describe(c, result.case.moments, lang)}" for c in result.changes]
    return "\n".join([*lines, "", total(results, lang)])


def total(results: Sequence[Result], lang: str) -> str:
    """The count: cases, failures, todos that hold by now, and how often each case was told."""
    failed = sum(not result.passed for result in results)
    done = sum(len(result.verdict.done_todos) for result in results)
    waiting = sum(len(result.verdict.open_todos) for result in results)
    line = say("test-total", lang, cases=len(results), passed=len(results) - failed, failed=failed)
    if done or waiting:
        line += say("test-total-todo", lang, done=done, waiting=waiting)
    return line


def failures(result: Result, lang: str) -> list[str]:
    """Every failure of a case: its place, and what was expected, what came, and how far apart."""
    moments = result.case.moments
    lines = [f"{miss.at}: {miss.sentence(moments, lang)}" for miss in result.verdict.failures]
    for deviation in result.deviations:
        lines.append(
            f"{result.case.at}: "
            + say("test-telling-differs", lang, telling=say(f"telling-{deviation.telling}", lang))
        )
        sides = (("test-only-written", deviation.missing), ("test-only-told", deviation.extra))
        for code, changes in sides:
            lines += [f"      {say(code, lang)} {describe(c, moments, lang)}" for c in changes[:3]]
    return lines


def _todos(result: Result, lang: str) -> list[str]:
    moments = result.case.moments
    done = [
        f"{todo.at}: {say('test-todo-done', lang, expected=todo.describe(moments, lang))}"
        for todo in result.verdict.done_todos
    ]
    waiting = [
        f"{todo.at}: {say('test-todo-open', lang, expected=todo.describe(moments, lang))}"
        for todo in result.verdict.open_todos
    ]
    return done + waiting


def as_json(results: Sequence[Result], lang: str) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "cases": [_case(result, lang) for result in results],
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "todo_done": sum(len(result.verdict.done_todos) for result in results),
        "todo_open": sum(len(result.verdict.open_todos) for result in results),
    }


def _case(result: Result, lang: str) -> Mapping[str, Any]:
    case = result.case
    return {
        "name": case.name,
        "file": case.at.file,
        "line": case.at.line,
        "rules": list(case.rules),
        "passed": result.passed,
        "records": result.records,
        "failures": failures(result, lang),
        "explained": [data_of(funnel) for funnel in result.funnels],
        "todo": _todos(result, lang),
        "alerts": [
            {
                "rule": change.rule,
                "key": change.key,
                "transition": str(change.transition),
                "at_ms": change.at_ms,
                "severity": change.severity,
                "summary": dict(change.summary),
            }
            for change in result.changes
        ],
    }


def as_junit(results: Sequence[Result], lang: str) -> str:
    """The same as JUnit XML, one suite a test file."""
    suites: dict[str, list[Result]] = {}
    for result in results:
        suites.setdefault(result.case.at.file, []).append(result)
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for file, cases in suites.items():
        failed = sum(not case.passed for case in cases)
        out.append(f'  <testsuite name="{_xml(file)}" tests="{len(cases)}" failures="{failed}">')
        for result in cases:
            name, line = _xml(result.case.name), result.case.at.line
            head = f'    <testcase name="{name}" classname="{_xml(file)}" line="{line}"'
            if result.passed:
                out.append(f"{head}/>")
                continue
            said = failures(result, lang)
            out += [f"{head}>", f'      <failure message="{_xml(said[0])}">', _xml("\n".join(said))]
            out += ["      </failure>", "    </testcase>"]
        out.append("  </testsuite>")
    return "\n".join([*out, "</testsuites>", ""])


def _xml(text: str) -> str:
    """Text fit for XML 1.0: marked-up characters escaped, control characters left out."""
    return escape("".join(char for char in text if char in "\n\t" or ord(char) >= 0x20))  # noqa: PLR2004
