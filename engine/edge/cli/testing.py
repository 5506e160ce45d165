"""`forewarn test`: the tests beside the rules, as text, JSON or JUnit."""

from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.desks import without_desks
from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.progress import Progress
from engine.edge.cli.projects import Found, cases_of, find, tell_if_shipped
from engine.edge.cli.route_report import test_lines, test_total, tests_as_data, with_routes
from engine.edge.cli.routing import try_routes
from engine.edge.cli.voice import voice
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.ruleset.spec import Project
from engine.ruletest.report import as_json, as_junit, as_text
from engine.ruletest.run import Result, run_case
from engine.ruletest.variants import Telling


def run_tests(
    paths: Sequence[Path], *, only: str, quick: bool, verbose: bool, junit: Path | None
) -> int:
    """Run every test under the paths; answers the exit code."""
    tell_if_shipped(paths)
    packs = without_desks(paths)
    found = find(packs) if packs or not paths else Found((), Project(), ())
    project = found.usable()
    cases, problems = cases_of(found)
    if problems:
        raise DeclarationError(problems)
    wanted = [case for case in cases if only in case.name]
    tried = try_routes(paths, only, project if packs or not paths else None)
    if only and not wanted and not tried:
        raise Misuse(voice().say("no-test-named", text=only))
    tellings = (Telling.AS_WRITTEN,) if quick else tuple(Telling)
    results: list[Result] = []
    with Progress(voice().say("progress-tests"), len(wanted)) as progress:
        for case in wanted:
            results.append(run_case(case, project, tellings))
            progress.step()
    speak = voice()
    if junit is not None:
        try:
            junit.write_text(with_routes(as_junit(results, speak.lang), tried, speak.lang), "utf-8")
        except OSError as error:
            sentence = speak.say("init-unwritable", path=junit, why=error.strerror)
            raise EnvironmentUnusable(sentence) from error
    if speak.json:
        routes = {"routes": tests_as_data(tried, speak.lang)["routes"]} if tried else {}
        speak.data({**as_json(results, speak.lang), **routes})
    else:
        told = as_text(results, speak.lang, verbose=verbose).splitlines() if results else []
        for line in (*told, *test_lines(tried, speak.lang)):
            speak.line(_coloured(line))
        if tried:
            speak.line("")
            speak.line(test_total(tried, speak.lang))
    passed = all(result.passed for result in results) and all(one.passed for one in tried)
    return Exit.FINE if passed else Exit.FAILED


def _coloured(line: str) -> str:
    """The mark of a case in its colour."""
    speak = voice()
    for name, colour in (("test-passed", "green"), ("test-failed", "red")):
        mark = f"  {speak.say(name)} "
        if line.startswith(mark):
            return f"  {speak.colour(speak.say(name), colour)} {line.removeprefix(mark)}"
    return line
