"""`forewarn check`: every problem of every file at once, counted, as text or as JSON."""

from collections.abc import Sequence
from pathlib import Path

from engine.cases.declared.load import LoadedDesk
from engine.cases.declared.route_tests import branch_paths
from engine.edge.cli.desks import FoundDesk, find_desks, without_desks
from engine.edge.cli.exits import Exit
from engine.edge.cli.projects import SETTINGS, Found, cases_of, errors, find, tell_if_shipped
from engine.edge.cli.voice import voice
from engine.errors import DeclarationError, EnvironmentUnusable, Problem
from engine.ruleset.spec import Project


def check_declarations(paths: Sequence[Path], *, strict: bool) -> int:
    """Check declarations and the tests beside them; answers the exit code."""
    tell_if_shipped(paths)
    packs = without_desks(paths)
    desks: list[FoundDesk] = []
    lost: Sequence[Problem] = ()
    try:
        desks = find_desks(paths)
    except DeclarationError as error:
        lost = error.problems
    try:
        found = find(packs) if packs or not paths else Found((), Project(), ())
    except DeclarationError as error:
        found = Found((), None, error.problems)
    problems = [*found.problems, *lost]
    tests = 0
    if found.project is not None:
        cases, wrong = cases_of(found)
        tests = len(cases)
        problems += wrong
    fine: list[str] = []
    for desk in desks if found.project is not None else ():
        loaded = desk.load(found.project if packs or not paths else None)
        problems += loaded.problems
        fine += [_fine(desk, loaded)] if loaded.policy is not None else []
    told = {(one.at, one.code) for one in problems}
    settings = _of_settings(paths or [Path()], found.project)
    problems += [one for one in settings if (one.at, one.code) not in told]
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
            if packs or not paths:
                speak.line(speak.say("check-fine", **counts))
            for line in fine:
                speak.line(line)
    if bad:
        return Exit.DECLARATIONS
    return Exit.WARNINGS if strict and problems else Exit.FINE


def _fine(desk: FoundDesk, loaded: LoadedDesk) -> str:
    """What a desk without errors consists of, in a line."""
    policy = loaded.policy
    assert policy is not None  # noqa: S101 - asked of desks without errors
    return voice().say(
        "check-desk-fine",
        name=desk.files[0].path.rpartition("/")[0] or ".",
        departments=len(policy.departments),
        centres=len(policy.centres),
        branches=sum(1 for _ in branch_paths(policy.root)),
        timings=len(policy.timings),
        tests=len(loaded.tests),
    )


def _of_settings(paths: Sequence[Path], project: Project | None) -> list[Problem]:
    """What is wrong with settings files among the paths: keys, sources, sinks, routes to them."""
    problems: list[Problem] = []
    for path in paths:
        if path.name != SETTINGS and not (path / SETTINGS).is_file():
            continue
        # Connectors are imported only where settings name them.
        from engine.edge.cli.configured import settings_of  # noqa: PLC0415
        from engine.edge.wiring import (  # noqa: PLC0415
            connector_problems,
            open_doors,
            plan_connectors,
        )

        try:
            configured = settings_of(path)
            if project is None:
                problems += connector_problems(configured.layers)
            else:
                plan = plan_connectors(configured, project, voice().lang)
                problems += open_doors(configured, plan)
        except DeclarationError as error:
            problems += error.problems
        except EnvironmentUnusable as error:
            voice().note(str(error))
    return problems
