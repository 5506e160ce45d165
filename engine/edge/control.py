"""How a running process is asked for something: a port, and a token for whoever may ask.

It writes `control.json` into its data folder, for its owner only: where it listens, and the token.
So whoever may read the data folder may ask, and nobody else. Workers on Kafka may share a folder
with each other and with a dispatcher: each writes a file with its number of process in its name.
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
def asked_here(
    configured: Configured, port: int, does: Sequence[str], lang: str, *, among: bool = False
) -> Iterator[str]:
    """While this is held, askers find us; gives the token that they must show.

    Where it cannot be written down (a full disk), the process works on and is not to be asked.

    Args:
        configured: The settings.
        port: Where we listen.
        does: What we may be asked for.
        lang: Language of what people read.
        among: Whether we are one of several that share the folder.

    Raises:
        EnvironmentUnusable: the file of the declared token cannot be read.

    """
    wanted, folder = configured.values.reload, configured.data_folder
    declared = read_secret(wanted.token, wanted.token_file, configured.folder, lang)
    token = declared or secrets.token_urlsafe(32)
    host, name = configured.values.metrics.host, f"control-{os.getpid()}.json" if among else CONTROL
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # on Kafka it may not be there yet
        _open_control(folder, name, Control(host, port, token, os.getpid(), tuple(does)))
    except OSError as error:
        log.warning("not-to-be-asked", error=str(error))
    try:
        yield token
    finally:
        with suppress(OSError):
            (folder / name).unlink()


def read_control(folder: Path) -> Control | None:
    """How to ask the process of a data folder; None when none has said."""
    return _read(folder / CONTROL)


def read_controls(folder: Path) -> list[Control]:
    """How to ask every process of a data folder, those among others only while they live."""
    found = [read_control(folder)]
    found += [one for path in sorted(folder.glob("control-*.json")) if _lives(one := _read(path))]
    return [one for one in found if one is not None]


def _read(path: Path) -> Control | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Control)
    except (OSError, msgspec.DecodeError):
        return None


def _lives(control: Control | None) -> bool:
    """Whether a process is there still; one that was killed leaves its file behind."""
    if control is None:
        return False
    try:
        os.kill(control.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _open_control(folder: Path, name: str, control: Control) -> None:
    """Write down how to ask, for the owner of the data folder only."""
    beside = folder / f"{name}.new"
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(control))
    beside.replace(folder / name)
