"""How a running process is asked for something: a port, and a token for whoever may ask.

It writes `control.json` into its data folder, for its owner only: where it listens, and the token.
So whoever may read the data folder may ask, and nobody else.
"""

import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from engine.edge.settings import Configured
from engine.secret_files import read_secret

log = structlog.get_logger("control")

CONTROL = "control.json"
RELOAD, OUTBOX = "reload", "outbox"


class Control(msgspec.Struct):
    """How a running process is asked, and for what."""

    host: str
    port: int
    token: str
    pid: int
    does: tuple[str, ...] = (RELOAD,)


def is_shown(request: web.Request, token: str) -> bool:
    """Whether a request shows this token; takes as long for a wrong one as for a right one."""
    shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(shown, f"Bearer {token}".encode())


@contextmanager
def asked_here(configured: Configured, port: int, does: Sequence[str], lang: str) -> Iterator[str]:
    """While this is held, askers find us; gives the token that they must show.

    Where it cannot be written down (a full disk), the process works on and is not to be asked.

    Raises:
        EnvironmentUnusable: the file of the declared token cannot be read.

    """
    wanted, folder = configured.values.reload, configured.data_folder
    declared = read_secret(wanted.token, wanted.token_file, configured.folder, lang)
    token = declared or secrets.token_urlsafe(32)
    host = configured.values.metrics.host
    try:
        _open_control(folder, Control(host, port, token, os.getpid(), tuple(does)))
    except OSError as error:
        log.warning("not-to-be-asked", error=str(error))
    try:
        yield token
    finally:
        with suppress(OSError):
            (folder / CONTROL).unlink()


def read_control(folder: Path) -> Control | None:
    """How to ask the process of a data folder; None when none has said."""
    try:
        return msgspec.json.decode((folder / CONTROL).read_bytes(), type=Control)
    except (OSError, msgspec.DecodeError):
        return None


def _open_control(folder: Path, control: Control) -> None:
    """Write down how to ask, for the owner of the data folder only."""
    beside = folder / f"{CONTROL}.new"
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(control))
    beside.replace(folder / CONTROL)
