"""Asking a running process of ours for something, over the port that it has written down."""

import http.client
import json
from typing import Any

from engine.edge.cli.voice import voice
from engine.edge.control import Control
from engine.errors import EnvironmentUnusable

_OPEN = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask, not to listen


def ask(
    control: Control, path: str, patience_s: float, *, holding: str, body: bytes = b""
) -> dict[str, Any]:
    """Post a request and wait for its answer.

    Args:
        control: Where to ask, and what to show.
        path: What is asked for.
        patience_s: How long an answer may take.
        holding: A name that every answer of this kind holds.
        body: What goes with the request.

    Raises:
        EnvironmentUnusable: it does not answer, or not so.

    """
    host = _OPEN.get(control.host, control.host)
    link = http.client.HTTPConnection(host, control.port, timeout=patience_s)
    try:
        link.request("POST", path, body, {"Authorization": f"Bearer {control.token}"})
        answer = link.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        sentence = voice().say("health-silent", host=host, port=control.port, why=str(error))
        raise EnvironmentUnusable(sentence) from error
    finally:
        link.close()
    if answer.status != http.HTTPStatus.OK or holding not in said:
        why = f"HTTP {answer.status}"
        if isinstance(said, dict) and "error" in said:
            why += f": {said['error']}"
        sentence = voice().say("health-silent", host=host, port=control.port, why=why)
        raise EnvironmentUnusable(sentence)
    found: dict[str, Any] = said
    return found
