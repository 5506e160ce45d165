"""Tells the service manager how the process is: ready, alive, stopping, and a line of status.

This is systemd's protocol for `Type=notify` and `WatchdogSec=`: datagrams to the socket that
`NOTIFY_SOCKET` names. Where no manager listens nothing is said.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping

import structlog

from engine.edge.health import Health

log = structlog.get_logger("notify")

_BEATS = 3
"""Signs of life in one watchdog interval; one or two may be late or lost."""


class Manager:
    """The service manager, as a process speaks to it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Note where it listens and how often it wants to hear; both may be nothing."""
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.every_s = _every_s(environment) if self._address else 0.0

    def say(self, **words: str | int) -> None:
        """Send some of READY, STATUS, STOPPING, WATCHDOG; a manager that is gone is no trouble."""
        if not self._address:
            return
        text = "\n".join(f"{name}={str(value).replace(chr(10), ' ')}" for name, value in
                         words.items())  # fmt: skip
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.setblocking(False)
            try:
                link.sendto(text.encode(), self._address)
            except OSError as error:
                log.debug("manager-unheard", error=str(error))


@contextlib.asynccontextmanager
async def tell_manager(
    health: Health, lang: str, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[None]:
    """While this is held the manager hears of every change of health, and signs of life.

    READY comes when the daemon is ready for the first time, so that whoever starts or restarts
    services one after the other waits for a working one. Signs of life come from the loop that
    does the work: one that hangs is silent, and the manager ends and restarts it.
    """
    manager, told = Manager(environment), False

    def changed() -> None:
        nonlocal told
        if health.is_stopping:
            manager.say(STOPPING=1, STATUS=health.summary(lang))
        elif health.is_ready and not told:
            told = True
            manager.say(READY=1, STATUS=health.summary(lang))
        else:
            manager.say(STATUS=health.summary(lang))

    health.listen(changed)
    changed()
    beats = asyncio.create_task(_beat(manager), name="watchdog-beats") if manager.every_s else None
    try:
        yield
    finally:
        health.deafen(changed)
        if beats is not None:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)


async def _beat(manager: Manager) -> None:
    while True:
        manager.say(WATCHDOG=1)
        await asyncio.sleep(manager.every_s)


def _address(name: str) -> str:
    """The socket's address; a leading @ means one without a file."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _every_s(environment: Mapping[str, str]) -> float:
    """How often to give a sign of life; 0 when nobody wants one from this process."""
    wanted, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or (process and process != str(os.getpid())):
        return 0.0
    return int(wanted) / 1_000_000 / _BEATS
