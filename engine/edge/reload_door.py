"""Where a reload is asked for: a port with a token, a signal; and how an asker finds the port.

The daemon writes `control.json` into its data folder, for its owner only: where it listens, and the
token. So whoever may read the data folder may ask, and nobody else.
"""

import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from engine.edge.reload import Answer
from engine.edge.state_tools.plan import data_of
from engine.errors import Problem
from engine.text import LANGUAGES

CONTROL = "control.json"
PATH = "/reload"


class Control(msgspec.Struct):
    """How a running daemon is asked for something."""

    host: str
    port: int
    token: str
    pid: int


class Door:
    """Takes requests for a reload, one after the other."""

    def __init__(self, token: str | None, reload: Callable[[bool], Awaitable[Answer]]) -> None:
        """Take requests that show this token; without one, a new one is made."""
        self.token = token or secrets.token_urlsafe(32)
        self._reload = reload

    async def post(self, request: web.Request) -> web.Response:
        """Answer a request: 200 with what came of it, 401 without the token."""
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, f"Bearer {self.token}".encode()):
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


def open_control(folder: Path, control: Control) -> None:
    """Write down how to ask, for the owner of the data folder only."""
    beside = folder / f"{CONTROL}.new"
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(control))
    beside.replace(folder / CONTROL)


def close_control(folder: Path) -> None:
    """Take it away again."""
    with suppress(OSError):
        (folder / CONTROL).unlink()


def read_control(folder: Path) -> Control | None:
    """How to ask the daemon of a data folder; None when none has said."""
    try:
        return msgspec.json.decode((folder / CONTROL).read_bytes(), type=Control)
    except (OSError, msgspec.DecodeError):
        return None
