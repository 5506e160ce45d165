"""Where a reload is asked for: a port with a token (`engine/edge/control.py`)."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from engine.edge.control import is_shown
from engine.edge.reload import Answer
from engine.edge.state_tools.plan import data_of
from engine.errors import Problem
from engine.text import LANGUAGES

PATH = "/reload"


class Door:
    """Takes requests for a reload, one after the other."""

    def __init__(self, token: str, reload: Callable[[bool], Awaitable[Answer]]) -> None:
        """Take requests that show this token."""
        self._token = token
        self._reload = reload

    async def post(self, request: web.Request) -> web.Response:
        """Answer a request: 200 with what came of it, 401 without the token."""
        if not is_shown(request, self._token):
            return web.json_response({"error": "token"}, status=401)
        answer = await self._reload("plan" in request.query)
        return web.json_response(plain(answer))


def plain(answer: Answer) -> dict[str, Any]:
    """An answer as plain values; problems in both languages."""
    return {
        "outcome": answer.outcome,
        "ruleset": answer.name,
        "problems": [_problem(problem) for problem in answer.problems],
        "rules": {
            "added": list(answer.added),
            "changed": list(answer.changed),
            "removed": list(answer.removed),
        },
        "state": answer.rows(),
        "plan": data_of(answer.plan),
        "tests": answer.cases,
        "pause_ms": round(answer.pause_ms, 3),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.at.file,
        "line": problem.at.line,
        "column": problem.at.column,
        "code": problem.code,
        "level": str(problem.level),
        "report": {lang: problem.report(lang) for lang in LANGUAGES},
    }
