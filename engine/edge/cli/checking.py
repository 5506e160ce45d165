"""`forewarn check`: every problem of every file at once, counted, as text or as JSON."""

from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.exits import Exit
from engine.edge.cli.projects import cases_of, errors, find
from engine.edge.cli.voice import voice


def check_declarations(paths: Sequence[Path], *, strict: bool) -> int:
    """Check declarations and the tests beside them; answers the exit code."""
    found = find(paths)
    problems = list(found.problems)
    tests = 0
    if found.project is not None:
        cases, wrong = cases_of(found)
        tests = len(cases)
        problems += wrong
    bad = errors(problems)
    project = found.project
    counts = {
        "files": len(found.files),
        "packs": len(project.packs) if project else 0,
        "feeds": len(project.feeds) if project else 0,
        "rules": len(project.rules) if project else 0,
        "tests": tests,
    }
    speak = voice()
    if speak.json:
        listed = sorted(problems, key=lambda problem: (problem.at, problem.code))
        speak.data(
            {
                "ok": not bad and not (strict and problems),
                **counts,
                "errors": len(bad),
                "warnings": len(problems) - len(bad),
                "problems": [speak.problem_data(problem) for problem in listed],
            }
        )
    else:
        speak.problems(problems, on_result=True)
        if not bad:
            speak.line(speak.say("check-fine", **counts))
    if bad:
        return Exit.DECLARATIONS
    return Exit.WARNINGS if strict and problems else Exit.FINE
