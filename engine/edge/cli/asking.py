"""`forewarn health`: asks the daemon that these settings describe how it is, over its own port."""

import http.client
import json
from pathlib import Path
from typing import Any

from engine.edge.cli.configured import settings_of
from engine.edge.cli.exits import Exit
from engine.edge.cli.voice import voice
from engine.errors import EnvironmentUnusable

PATIENCE_S = 5.0
_OPEN = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask, not to listen
"""A daemon that listens everywhere is asked on loopback."""


def ask_health(target: Path, *, live: bool) -> int:
    """Say whether the daemon is ready, and if not, why; exit code 4 when it is not.

    Args:
        target: Folder or file of the settings the daemon runs with.
        live: Ask only whether it lives; one that still restores its state does.

    Raises:
        EnvironmentUnusable: it does not answer, or its settings open no port to ask on.

    """
    wanted = settings_of(target).values.metrics
    if wanted.port <= 0:
        raise EnvironmentUnusable(voice().say("health-no-port", port=wanted.port))
    host = _OPEN.get(wanted.host, wanted.host)
    status, said = _ask(host, wanted.port, "/live" if live else "/ready")
    fine = status == http.HTTPStatus.OK
    if voice().json:
        voice().data(said)
        return Exit.FINE if fine else Exit.ENVIRONMENT
    if fine:
        voice().line(voice().say("health-live" if live else "health-running"))
    for sentence in [*said.get("reasons", []), *said.get("notes", [])]:
        voice().line(sentence)
    return Exit.FINE if fine else Exit.ENVIRONMENT


def _ask(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    link = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        sentence = voice().say("health-silent", host=host, port=port, why=str(error))
        raise EnvironmentUnusable(sentence) from error
    finally:
        link.close()
    if not isinstance(said, dict):
        raise EnvironmentUnusable(
            voice().say("health-silent", host=host, port=port, why=type(said).__name__)
        )
    return answer.status, said
