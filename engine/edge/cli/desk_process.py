"""The desk as a process of its own: alerts from Kafka, or from a daemon's file on this machine.

Several may run against one database: one runs the desk, the others answer the API and stand by.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from engine.edge.api.beside import api_beside
from engine.edge.desk.edits import listen_for_edits
from engine.edge.desk.intake import DaemonChanges, Intake
from engine.edge.desk.keeper import Keeper
from engine.edge.desk.opening import OpenDesk, desk_folder, open_desk
from engine.edge.desk.runner import Reader
from engine.edge.health import Health
from engine.edge.metrics import Metrics
from engine.edge.notify import tell_manager
from engine.edge.reload_good import name_of
from engine.edge.reload_wiring import Rules
from engine.edge.server import OpsServer
from engine.edge.settings import Configured
from engine.edge.store.schema import FILE_NAME
from engine.edge.wiring import Plan
from engine.errors import DeclarationError, Location, Problem
from engine.ruleset.load import LoadOptions, load_project
from engine.ruleset.spec import Project
from engine.text import say

log = structlog.get_logger("desk")


def run_desk(
    configured: Configured,
    project: Project,
    plan: Plan,
    lang: str,
    started: Callable[[OpenDesk], None] = lambda _desk: None,
    rules: Rules | None = None,
) -> int:
    """Run the desk until SIGTERM or SIGINT; answers the exit code.

    SIGHUP and changed folders bring in edited declarations: those of the desk, and the rules
    whose regions and names it goes by, as far as `rules` says where they come from.

    Raises:
        DeclarationError: the desk's declarations are wrong.
        EnvironmentUnusable: database, key, broker, port or a sink cannot be used.
        StateError: a newer Forewarn made its tables.

    """
    return asyncio.run(_run(configured, project, plan, lang, started, rules))


async def _run(
    configured: Configured,
    project: Project,
    plan: Plan,
    lang: str,
    started: Callable[[OpenDesk], None],
    rules: Rules | None,
) -> int:
    metrics, health = Metrics(), Health()
    server = OpsServer(health, metrics, lang)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        if configured.values.metrics.port >= 0:
            await server.start(configured.values.metrics.host, configured.values.metrics.port)
        reader = await stack.enter_async_context(_alerts(configured, lang))
        desk = await stack.enter_async_context(
            open_desk(
                configured, project, plan, reader, metrics, health.blocked, lang,
                None if rules is None else RulesNow(rules, project),
            )
        )  # fmt: skip
        declared = desk.declared

        def notes() -> list[str]:
            troubled = [say("health-sink", lang, sink=name) for name in desk.senders.troubled]
            return [*troubled, *declared.notes()]

        health.notes = notes
        await stack.enter_async_context(
            api_beside(configured, lambda: declared.project, desk.keeper, metrics.registry, lang)
        )
        folders = [desk_folder(configured), *(rules.folders if rules is not None else ())]
        await stack.enter_async_context(
            listen_for_edits(declared, folders, configured.values.reload)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        health.started()
        started(desk)
        log.info("started")
        async with tell_manager(health, lang):
            await stop.wait()
            health.stopping()
    log.info("stopped")
    return 0


class RulesNow:
    """The rules as their folders hold them; read again at each call, loaded where they changed."""

    def __init__(self, rules: Rules, project: Project) -> None:
        """Begin with those of the start."""
        self._rules = rules
        self._name, self._project = name_of(rules.files), project

    def __call__(self) -> Project:
        """The project of now.

        Raises:
            DeclarationError: it has errors, or there is none.

        """
        files = self._rules.read()
        if not files:  # an empty folder is a mount that is missing, not a wish
            raise DeclarationError([Problem(Location("forewarn.yaml"), "S128")])
        if (name := name_of(files)) != self._name:
            loaded = load_project(files, LoadOptions(lint=False))
            if loaded.project is None:
                raise DeclarationError(loaded.errors)
            self._name, self._project = name, loaded.project
        return self._project


@asynccontextmanager
async def _alerts(configured: Configured, lang: str) -> AsyncIterator[Callable[[Keeper], Reader]]:
    """Where alerts come from: the broker of the settings, or the daemon's file."""
    if configured.values.broker is None:
        changes = DaemonChanges(configured.data_folder / FILE_NAME)
        yield lambda keeper: Intake(keeper, changes)
        return
    # Kafka is imported only by those who have a broker.
    from engine.edge.cli.kafka_link import link_of  # noqa: PLC0415
    from engine.edge.streaming.desk_reader import TopicReader  # noqa: PLC0415

    readers: list[TopicReader] = []

    def made(keeper: Keeper) -> TopicReader:
        readers.append(TopicReader(link_of(configured, lang), keeper, lang))
        return readers[-1]

    try:
        yield made
    finally:
        for one in readers:
            await one.close()
