"""`forewarn test`: the tests beside the rules, as text, JSON or JUnit."""

from collections.abc import Sequence
from pathlib import Path

from engine.edge.cli.exits import Exit, Misuse
from engine.edge.cli.progress import Progress
from engine.edge.cli.projects import cases_of, find, tell_if_shipped
from engine.edge.cli.voice import voice
from engine.errors import DeclarationError, EnvironmentUnusable
from engine.ruletest.report import as_json, as_junit, as_text
from engine.ruletest.run import Result, run_case
from engine.ruletest.variants import Telling


def run_tests(
    paths: Sequence[Path], *, only: str, quick: bool, verbose: bool, junit: Path | None
) -> int:
    """Run every test under the paths; answers the exit code."""
    tell_if_shipped(paths)
    found = find(paths)
    project = found.usable()
    cases, problems = cases_of(found)
    if problems:
        raise DeclarationError(problems)
    wanted = [case for case in cases if only in case.name]
    if only and not wanted:
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
            junit.write_text(as_junit(results, speak.lang), "utf-8")
        except OSError as error:
            sentence = speak.say("init-unwritable", path=junit, why=error.strerror)
            raise EnvironmentUnusable(sentence) from error
    if speak.json:
        speak.data(as_json(results, speak.lang))
    else:
        for line in as_text(results, speak.lang, verbose=verbose).splitlines():
            speak.line(_coloured(line))
    return Exit.FINE if all(result.passed for result in results) else Exit.FAILED


def _coloured(line: str) -> str:
    """The mark of a case in its colour."""
    speak = voice()
    for name, colour in (("test-passed", "green"), ("test-failed", "red")):
        mark = f"  {speak.say(name)} "
        if line.startswith(mark):
            return f"  {speak.colour(speak.say(name), colour)} {line.removeprefix(mark)}"
    return line
