"""`forewarn reload`: asks the running daemon to bring edited rules in, and prints its answer."""

import http.client
import json
from pathlib import Path
from typing import Any

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.edge.reload_door import CONTROL, PATH, read_control
from engine.edge.state_tools.plan import columns
from engine.errors import EnvironmentUnusable

_OPEN = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask, not to listen
_MORE_S = 30.0
"""Longer than a check may take, the daemon needs to answer."""


def ask_for_reload(target: Path, *, only_plan: bool, data: Path | None) -> int:
    """Ask, wait for the answer, print it; exit code 1 where the edit is refused.

    Raises:
        EnvironmentUnusable: no daemon works on the data folder, or it does not answer.

    """
    configured = settings_of(target, data=data)
    control = read_control(configured.data_folder)
    if control is None or control.port <= 0:
        found = {"path": configured.data_folder / CONTROL}
        raise EnvironmentUnusable(voice().say("reload-no-daemon", **found))
    host = _OPEN.get(control.host, control.host)
    patience_s = configured.values.reload.within_s + _MORE_S
    path = PATH + ("?plan" if only_plan else "")
    answer = _ask(host, control.port, path, control.token, patience_s)
    if voice().json:
        voice().data(answer)
    else:
        _print(answer)
    return Exit.FAILED if answer["outcome"] == "refused" else Exit.FINE


def _ask(host: str, port: int, path: str, token: str, patience_s: float) -> dict[str, Any]:
    link = http.client.HTTPConnection(host, port, timeout=patience_s)
    try:
        link.request("POST", path, headers={"Authorization": f"Bearer {token}"})
        answer = link.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        sentence = voice().say("health-silent", host=host, port=port, why=str(error))
        raise EnvironmentUnusable(sentence) from error
    finally:
        link.close()
    if answer.status != http.HTTPStatus.OK or "outcome" not in said:
        why = f"HTTP {answer.status}"
        raise EnvironmentUnusable(voice().say("health-silent", host=host, port=port, why=why))
    found: dict[str, Any] = said
    return found


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
