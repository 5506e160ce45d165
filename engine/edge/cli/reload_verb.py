"""`forewarn reload`: asks the running daemon to bring edited rules in, and prints its answer."""

from pathlib import Path
from typing import Any

from engine.edge.cli.configured import settings_of
from engine.edge.cli.doors import ask
from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.edge.control import CONTROL, RELOAD, read_controls
from engine.edge.reload_door import PATH
from engine.edge.state_tools.plan import columns
from engine.errors import EnvironmentUnusable

_MORE_S = 30.0
"""Longer than a check may take, the daemon needs to answer."""


def ask_for_reload(target: Path, *, only_plan: bool, data: Path | None) -> int:
    """Ask, wait for the answer, print it; exit code 1 where the edit is refused.

    Workers on Kafka that share a data folder are asked one after the other.

    Raises:
        EnvironmentUnusable: no daemon works on the data folder, or it does not answer.

    """
    configured = settings_of(target, data=data)
    folder = configured.data_folder
    asked = [one for one in read_controls(folder) if one.port > 0 and RELOAD in one.does]
    if not asked:
        raise EnvironmentUnusable(voice().say("reload-no-daemon", path=folder / CONTROL))
    patience_s = configured.values.reload.within_s + _MORE_S
    path = PATH + ("?plan" if only_plan else "")
    refused = False
    for control in asked:
        answer = ask(control, path, patience_s, holding="outcome")
        refused = refused or answer["outcome"] == "refused"
        if voice().json and len(asked) > 1:
            voice().record({"pid": control.pid, **answer})
        elif voice().json:
            voice().data(answer)
        else:
            if len(asked) > 1:
                voice().line(voice().say("reload-process", pid=control.pid))
            _print(answer)
    return Exit.FAILED if refused else Exit.FINE


def _print(answer: dict[str, Any]) -> None:
    speak = voice()
    for problem in answer["problems"]:
        speak.line(problem["report"][speak.lang])
    if answer["problems"]:
        speak.line()
    if answer["plan"]:
        for line in _plan(answer["plan"]):
            speak.line(line)
        speak.line()
    rules, state = answer["rules"], answer["state"]
    for name in ("added", "changed", "removed"):
        if rules[name]:
            speak.line(speak.say(f"reload-{name}", rules=", ".join(rules[name])))
    counts = {"tests": answer["tests"], "pause": f"{answer['pause_ms']:.1f}", **state}
    problems = len(answer["problems"])
    speak.line(speak.say(f"reload-{answer['outcome']}", problems=problems, **counts))


def _plan(lines: list[dict[str, Any]]) -> list[str]:
    """What becomes of saved state, as a table."""
    speak = voice()
    head = [speak.say(f"state-plan-{name}") for name in ("rule", "old", "new", "keys", "does")]
    rows = [
        [
            line["rule"],
            (line["old"] or "-")[:6],
            (line["new"] or "-")[:6],
            str(line["keys"]),
            speak.say(f"state-does-{line['does']}"),
        ]
        for line in lines
    ]
    return columns([head, *rows])
