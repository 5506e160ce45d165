"""Listens for edits of a desk that runs: changed folders, other rules, a signal."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.edge.desk.redeclare import Redeclarer
from engine.edge.reload_watch import LOOK_S, watch
from engine.edge.settings import ReloadSettings
from engine.errors import EnvironmentUnusable
from engine.ruleset.spec import Project

log = structlog.get_logger("desk")

AGAIN_S = 2.0
"""When an edit is tried again that the database did not take."""


@asynccontextmanager
async def listen_for_edits(
    declared: Redeclarer,
    folders: Sequence[Path],
    settings: ReloadSettings,
    live: Callable[[], Project] | None = None,
    also: Callable[[], Awaitable[object]] | None = None,
) -> AsyncIterator[None]:
    """While this is held, SIGHUP and changed folders bring edits of the desk into force.

    Args:
        declared: Brings an edit in.
        folders: Looked at for changes, if the settings let folders be looked at.
        settings: How edits come in.
        live: The rules in force beside the desk, where somebody else reloads them; followed.
        also: Done at SIGHUP as well, which goes to a process and not to a part of it.

    """

    async def bring(why: str) -> None:
        await _bring(declared, why)

    tasks: set[asyncio.Task[None]] = set()

    def start(work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def everything() -> None:
        if also is not None:
            with suppress(EnvironmentUnusable):  # who reloads the rules has said so
                await also()
        await bring("signal")

    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
        loop.add_signal_handler(signal.SIGHUP, lambda: start(everything(), "desk-signal"))
    if settings.watch:
        start(watch(folders, settings.settle_s, lambda: bring("changed")), "desk-watch")
    if live is not None:
        start(_follow(live, bring), "desk-follows")
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGHUP)
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(live: Callable[[], Project], bring: Callable[[str], Awaitable[None]]) -> None:
    """Other rules may have other regions, and other names that a desk speaks of."""
    known = live()
    while True:
        await asyncio.sleep(LOOK_S)
        if (now := live()) is not known:
            known = now
            await bring("rules")


async def _bring(declared: Redeclarer, why: str) -> None:
    """Bring an edit in, however long the database is away; what goes wrong ends nothing else."""
    while True:
        try:
            await declared.reload(why)
        except (SQLAlchemyError, OSError) as error:
            log.warning("desk-edit-waits", error=str(error)[:200])
            await asyncio.sleep(AGAIN_S)
            continue
        except Exception:  # the desk goes on with what it has
            log.exception("desk-edit-failed")
        return
