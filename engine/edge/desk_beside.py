"""The desk inside the embedded daemon: it reads the daemon's own table of changes, and that is all.

The libraries that a desk needs are an extra; a daemon without a desk never asks for them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.settings import Configured
from engine.edge.store import Store, Stored
from engine.edge.wiring import Plan
from engine.errors import EnvironmentUnusable
from engine.ruleset.spec import Project
from engine.text import say

Settle = Callable[[float], Awaitable[bool]]
"""Take every alert and deliver what is due within so many seconds; answers whether all arrived."""


async def _nothing(_within_s: float) -> bool:
    return True


@asynccontextmanager
async def desk_beside(
    configured: Configured,
    live: Callable[[], Project],
    plan: Plan,
    store: Store,
    metrics: Metrics,
    health: Health,
    lang: str,
    *,
    rules: Callable[[], Awaitable[object]] | None = None,
    serve: bool = True,
) -> AsyncIterator[Settle]:
    """The desk of the settings with its API while this is held, if they have one.

    Args:
        configured: The settings.
        live: The declarations in force; asked again and again, as they may be reloaded.
        plan: The connectors that the settings declare.
        store: The daemon's store.
        metrics: Where the daemon counts.
        health: Where troubles of the desk are told.
        lang: Language of what people read.
        rules: Reloads the rules; what SIGHUP asks of the daemon beside the desk's own edits.
        serve: Whether its API is served and edits are taken; a run that ends with its recordings
            does neither.

    Raises:
        DeclarationError: the desk's declarations are wrong.
        EnvironmentUnusable: its database, key, libraries, port or a sink cannot be used.
        StateError: a newer Forewarn made its tables.

    """
    if configured.values.desk is None:
        yield _nothing
        return
    try:
        from engine.edge.api.beside import api_beside  # noqa: PLC0415 - an extra
        from engine.edge.desk.edits import listen_for_edits  # noqa: PLC0415
        from engine.edge.desk.intake import DaemonChanges, Intake  # noqa: PLC0415
        from engine.edge.desk.opening import desk_folder, open_desk  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EnvironmentUnusable(say("desk-lacking", lang, name=error.name)) from error
    troubles: dict[str, str] = {}
    notes = health.notes

    def told() -> list[str]:
        found = [say("desk-blocked", lang, why=why) for why in troubles.values() if why]
        return [*notes(), *found]

    health.notes = told
    changes = DaemonChanges(store.path)
    async with open_desk(
        configured,
        live(),
        plan,
        lambda keeper: Intake(keeper, changes),
        metrics,
        lambda why: troubles.__setitem__("desk", why),
        lang,
        live,
    ) as desk:
        health.notes = lambda: [*told(), *desk.declared.notes()]

        def stored(what: Stored) -> None:
            if what.changes:
                desk.wake()

        async def settle(within_s: float) -> bool:
            return not await desk.settle(within_s, asyncio.Event())

        store.listen(stored)
        async with AsyncExitStack() as stack:
            if serve:
                folders = [desk_folder(configured)]
                reload = configured.values.reload
                edits = listen_for_edits(desk.declared, folders, reload, live, rules)
                await stack.enter_async_context(edits)
                served = api_beside(configured, live, desk.keeper, metrics.registry, lang)
                await stack.enter_async_context(served)
            yield settle
